"""The command line: verbs only. Each one imports what it needs when it runs, so that `resight --help` answers at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cyclopts import App, CycloptsError, Parameter

from resight.cli.access import access
from resight.cli.benchmark import benchmark
from resight.cli.calibrate import calibrate
from resight.cli.classical import classical, fit
from resight.cli.dataset import inspect
from resight.cli.demo import demo
from resight.cli.evaluate import evaluate
from resight.cli.export import export
from resight.cli.extract import extract
from resight.cli.gallery import add, create, search, stats
from resight.cli.gallery_labels import label, merge, rename
from resight.cli.gallery_upkeep import purge, restore, snapshot, verify
from resight.cli.options import recipe
from resight.cli.serve import serve
from resight.cli.study import study
from resight.cli.tradeoff import tradeoff
from resight.cli.train import distill, train
from resight.distillation.config import DistillConfig
from resight.errors import MissingDependencyError, ResightError
from resight.training.config import TrainConfig

__all__ = ["app", "main"]

_EXTRAS = dict.fromkeys(("torch", "matplotlib", "scipy", "numba", "h5py", "tensorboardX"), "train")
_EXTRAS |= {"onnx": "export", "psycopg": "postgres"}
_EXTRAS |= dict.fromkeys(("fastapi", "uvicorn", "starlette", "pydantic", "python_multipart", "prometheus_client"), "serve")
"""Which extra brings an optional package."""

_RESUMED = ("train", "distill", "extract", "gallery add", "gallery purge", "classical", "study", "demo")
"""Verbs that keep what they have done when they are interrupted, and go on from there."""

app = App(
    name="resight",
    help="Find a person again across cameras: train, distil, evaluate, and see speed beside accuracy.",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(show_default=lambda default: default if default not in ("", ()) else None),
)
dataset_app = App(name="dataset", help="Look at data sets.")
dataset_app.command(inspect)
app.command(dataset_app)
gallery_app = App(name="gallery", help="Keep crops of people, search them, and delete them for good.")
for work in (create, add, search, stats, label, rename, merge, purge, snapshot, restore, verify):
    gallery_app.command(work)
app.command(gallery_app)
app.command(train, config=(recipe(TrainConfig),))
app.command(distill, config=(recipe(DistillConfig),))
for verb in (fit, export, extract, evaluate, tradeoff, benchmark, classical, study, calibrate, serve, access, demo):
    app.command(verb)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 if nobody reads the output, 2 after a user's mistake, 130 after an interruption."""
    with _sigterm_interrupts():
        try:
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
        except BrokenPipeError:  # whoever read the output has gone, as `head` does; what is left to say is dropped
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
    """Let a polite kill end a run as Ctrl-C does: no half-written file, no traceback."""

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
