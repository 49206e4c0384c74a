"""The command line: verbs only.

A verb is a function in a module of this folder, and a line in `VERBS`. The module is imported when the verb is named, and imports
what it needs when it runs, so that the command line answers at once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cyclopts import App, CycloptsError, Group, Parameter

from resight.cli.options import recipe
from resight.errors import MissingDependencyError, ResightError

__all__ = ["VERBS", "app", "main"]

_USE, _WATCH, _KEEP, _MAKE, _MEASURE, _REPRODUCE = _HEADINGS = (
    "Use a model",
    "Watch cameras",
    "Keep a gallery",
    "Make a model",
    "Measure",
    "Reproduce",
)

VERBS = {
    "demo": ("demo", _USE),
    "extract": ("extract", _USE),
    "model inspect": ("model", _USE),
    "model describe": ("model", _USE),
    "watch": ("watch", _WATCH),
    "film": ("film", _WATCH),
    "gallery create": ("gallery", _KEEP),
    "gallery add": ("gallery", _KEEP),
    "gallery search": ("gallery_search", _KEEP),
    "gallery stats": ("gallery", _KEEP),
    "gallery label": ("gallery_labels", _KEEP),
    "gallery rename": ("gallery_labels", _KEEP),
    "gallery merge": ("gallery_labels", _KEEP),
    "gallery group": ("gallery_group", _KEEP),
    "gallery purge": ("gallery_purge", _KEEP),
    "gallery snapshot": ("gallery_upkeep", _KEEP),
    "gallery backup": ("gallery_upkeep", _KEEP),
    "gallery restore": ("gallery_upkeep", _KEEP),
    "gallery verify": ("gallery_upkeep", _KEEP),
    "gallery migrate": ("gallery_upkeep", _KEEP),
    "gallery reembed": ("gallery_reembed", _KEEP),
    "gallery crops": ("gallery_crops", _KEEP),
    "calibrate": ("calibrate", _KEEP),
    "serve": ("serve", _KEEP),
    "access": ("access", _KEEP),
    "dataset inspect": ("dataset", _MAKE),
    "train": ("train", _MAKE),
    "distill": ("train", _MAKE),
    "adapt": ("adapt", _MAKE),
    "fit": ("fit", _MAKE),
    "export": ("export", _MAKE),
    "evaluate": ("evaluate", _MEASURE),
    "tradeoff": ("tradeoff", _MEASURE),
    "benchmark": ("benchmark", _MEASURE),
    "study ruiz2019": ("study", _REPRODUCE),
    "study ablation": ("study", _REPRODUCE),
    "classical": ("classical", _REPRODUCE),
}
"""Module of each verb in this folder, and its heading in `resight --help`. The function has the name of the verb's last word."""

_FAMILIES = {
    "dataset": "Look at data sets.",
    "gallery": "Keep crops of people, search them, and delete them for good.",
    "model": "Look at models, and describe models of others.",
    "study": "Reproduce a paper, or compare recipes on held-out people.",
}
"""Help of each first word that several verbs share."""

_EXTRAS = dict.fromkeys(("torch", "matplotlib", "scipy", "numba", "h5py", "tensorboardX"), "train")
_EXTRAS |= {"onnx": "export", "psycopg": "postgres", "av": "cameras", "ray": "scale", "pyarrow": "scale"}
_EXTRAS |= dict.fromkeys(("fastapi", "uvicorn", "starlette", "pydantic", "python_multipart", "prometheus_client"), "serve")
"""Extra that installs each optional package."""

_RESUMED = frozenset(
    {
        "train",
        "distill",
        "adapt",
        "extract",
        "gallery add",
        "gallery group",
        "gallery purge",
        "gallery migrate",
        "gallery reembed",
        "classical",
        "study ruiz2019",
        "study ablation",
        "demo",
    }
)
"""Verbs that keep finished work when they are interrupted, and resume it."""


def _command_line() -> App:
    """The application with all `VERBS`."""
    app = App(
        name="resight",
        help="Find a person again across cameras.",
        config=(recipe,),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        default_parameter=Parameter(show_default=lambda default: default if default not in ("", ()) else None),
    )
    headings = {name: Group(name, sort_key=place) for place, name in enumerate(_HEADINGS)}
    families: dict[str, App] = {}
    for place, (verb, (module, heading)) in enumerate(VERBS.items()):
        first, _, last = verb.rpartition(" ")
        function = f"resight.cli.{module}:{last}"
        if not first:
            app.command(function, name=last, group=headings[heading], sort_key=place)
            continue
        if first not in families:
            families[first] = App(name=first, help=_FAMILIES[first], group=headings[heading], sort_key=place)
            app.command(families[first])
        families[first].command(function, name=last, sort_key=place)
    return app


app = _command_line()


def main(arguments: list[str] | None = None) -> int:
    """Run one command. The exit code is 0, 1 if nobody reads the output, 2 after a user's mistake, 130 after an interruption."""
    with _sigterm_interrupts():
        try:
            words, path, _ = app.parse_commands(arguments)
            if not any(" ".join(words[:length]) in VERBS for length in (1, 2)):  # help lists verbs by their docstrings
                [one for one in path if one.default_command is None][-1].resolved_commands()
            app(arguments, exit_on_error=False, print_error=False)
            sys.stdout.flush()
        except CycloptsError as error:
            return _complain(" ".join(str(error).split()).rstrip("."), "see `resight --help`")
        except ResightError as error:
            return _complain(str(error))
        except KeyboardInterrupt:
            resumed = " ".join(app.parse_commands(arguments)[0]) in _RESUMED
            way_out = "goes on where it stopped" if resumed else "starts from the beginning"
            sys.stderr.write(f"\nresight: interrupted; the same command {way_out}\n")
            return 130
        except BrokenPipeError:  # whoever read the output has gone, as `head` does; the rest of the output is dropped
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except ModuleNotFoundError as error:
            extra = _EXTRAS.get((error.name or "").partition(".")[0])
            if extra is None:
                raise
            way_out = f"in the folder of Resight, pip install '.[{extra}]'"
            return _complain(str(MissingDependencyError(f"this needs {error.name}, which is not installed; {way_out}")))
    return 0


def _complain(message: str, way_out: str = "") -> int:
    sys.stderr.write(f"resight: {message}{'; ' + way_out if way_out else ''}\n")
    return 2


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Make SIGTERM end a run as Ctrl-C does: no half-written file, no traceback."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
