"""`resight export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from resight.cli.options import Data, Layout, NamePattern, SkipUnreadable, TorchThreads, for_experts
from resight.cli.terminal import check_writable, say, use_threads, warn, write_result
from resight.cli.terminal import skip_unreadable as skip
from resight.export.config import ExportConfig
from resight.progress import TerminalProgress

__all__ = ["export"]

if TYPE_CHECKING:
    ExportOptions = ExportConfig
else:
    ExportOptions = for_experts(ExportConfig, "precision", "input", "batch", "normalise")


def export(
    model: str,
    /,
    *,
    out: Path,
    data: Data | None = None,
    layout: Layout = "auto",
    name_pattern: NamePattern = "",
    skip_unreadable: SkipUnreadable = False,
    threads: TorchThreads = 0,
    json: Path | None = None,
    config: Annotated[ExportOptions, Parameter(name="*", consume_multiple=True, negative_iterable=())] = ExportOptions(),  # noqa: B008 (frozen)
) -> None:
    """Write a network as one ONNX file that runs without PyTorch, and check that it agrees with the network.

    Parameters
    ----------
    model
        Model to export: a run folder, a folder that `resight fit` wrote for a network, a shipped model such as student, or
        NETWORK:FILE with foreign weights.
    out
        File to write, ending in .onnx.
    data
        Folder of a data set. Its training images calibrate int8, and people held out among them show the loss of accuracy.
    json
        Also write the file's card, with the measured differences, to this file.
    """
    from resight.datasets import open_dataset
    from resight.export.model import export_model

    check_writable(out, json)
    use_threads(threads)
    dataset = None if data is None else open_dataset(data, layout, name_pattern=name_pattern)
    with TerminalProgress() as progress:
        if dataset is not None:
            warn(dataset.warnings)
            dataset = skip(dataset, "train", progress=progress) if skip_unreadable else dataset
        card = export_model(model, out, ExportConfig(**vars(config)), data=dataset, progress=progress)
    say(f"{out}: {card['name']}, {card['precision']}, {out.stat().st_size / 2**20:.2f} MiB; {_agreement(card['parity'])}")
    write_result(json, card, None if dataset is None else dataset.account("train", first=True))


def _agreement(parity: dict[str, Any]) -> str:
    said = f"cosine with PyTorch at least {parity['cosine_min']:.6f}"
    if held_out := parity.get("held_out"):
        known = "held out of the training" if held_out["unseen"] else "whom the network may know from training"
        changes = ", ".join(
            f"{name} {held_out[key]['exported']:.2f} % ({held_out[key]['change']:+.2f})"
            for name, key in (("Rank-1", "rank1"), ("mAP", "map"))
        )
        said += f"; on {held_out['people']} people {known}: {changes}"
    return said
