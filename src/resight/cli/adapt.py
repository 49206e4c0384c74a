"""`resight adapt`."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from resight.cli.options import EXPERT, Layout, NamePattern, SkipUnreadable, TorchThreads, for_experts
from resight.cli.terminal import check_writable, say, use_threads, warn, write_result
from resight.cli.terminal import skip_unreadable as skip
from resight.distillation.config import AdaptConfig
from resight.progress import TerminalProgress

__all__ = ["adapt"]

if TYPE_CHECKING:
    AdaptOptions = AdaptConfig
else:
    AdaptOptions = for_experts(AdaptConfig, "start", "teacher", "epochs", "seed")


def adapt(
    *,
    images: str,
    out: Path,
    part: Literal["test", "train"] = "test",
    labelled: Path | None = None,
    layout: Layout = "auto",
    name_pattern: NamePattern = "",
    skip_unreadable: SkipUnreadable = False,
    threads: TorchThreads = 0,
    cache: Annotated[Path | None, EXPERT] = None,
    json: Path | None = None,
    config: Annotated[AdaptOptions, Parameter(name="*", consume_multiple=True, negative_iterable=())] = AdaptOptions(),  # noqa: B008 (frozen)
) -> None:
    """Adapt a student to your own cameras, from crops without labels. The same command resumes an interrupted run.

    A large teacher says which crops look alike, and the student learns it. One crop in ten is held out: the result says how often
    the student's nearest crops are the teacher's, before and after. OUT/student.onnx is the adapted model.

    Parameters
    ----------
    images
        Crops of people: a gallery, which keeps them, a folder, a table, or a text file with one path per line. Tracklets, which a
        gallery or a table may know, are used. A gallery's crops are copied into OUT, and deleted there when the work is done.
    out
        Run folder to write.
    part
        Part of a data set to learn from: test is its query and gallery; train leaves these to judge. Of a folder or a table of your
        own, and of a gallery, all crops are taken.
    labelled
        A data set of the same cameras with labels; its query and gallery give Rank-1 and mAP, before and after. --layout and
        --name-pattern are those of the crops, and of this if it is the same folder.
    cache
        Folder for decoded images and the teachers' answers. Those of a gallery's crops lie in OUT, and are deleted with them.
    json
        Also write the result to this file.
    """
    from resight.datasets import Accounting, open_dataset
    from resight.datasets.image_list import find_images
    from resight.distillation.adapt import adapt as adapt_student
    from resight.distillation.adapt import teachers_of
    from resight.errors import ConfigurationError
    from resight.export.config import ExportConfig
    from resight.export.model import export_model
    from resight.gallery.kept import is_gallery, kept_crops

    check_writable(json)
    use_threads(threads)
    how = AdaptConfig(**vars(config))
    if is_gallery(images):
        if os.environ.get("WORLD_SIZE", "1") != "1":
            raise ConfigurationError(
                f"{images} is a gallery, and several processes would copy its crops; write them with `resight gallery crops`"
            )
        if (part, layout, name_pattern, cache) != ("test", "auto", "", None):
            raise ConfigurationError(f"{images} is a gallery; leave out --part, --layout, --name-pattern and --cache")
    dataset = None
    if labelled is not None and os.path.realpath(labelled) == os.path.realpath(images):
        dataset = open_dataset(labelled, layout, name_pattern=name_pattern)
    elif labelled is not None:
        dataset = open_dataset(labelled)
        warn(dataset.warnings)
    with TerminalProgress() as progress, contextlib.ExitStack() as stack:
        if is_gallery(images):
            records = stack.enter_context(kept_crops(images, out / "crops", progress=progress))
            cache = out / "crops" / "cache"  # the teacher's answers are as personal as the crops
        elif part == "train":
            source = open_dataset(images, layout, name_pattern=name_pattern)
            records = replace(
                source.train, accounting=source.account("train", first=True), notes=source.warnings, layout=source.name
            )
        else:
            records = find_images(images, layout=layout, name_pattern=name_pattern)
        warn(records.notes)
        judging = set() if dataset is None else {os.path.realpath(path) for path in dataset.paths("query", "gallery")}
        if any(os.path.realpath(path) in judging for path in records.paths):
            of = f"the student learns crops of {labelled} that also judge it"
            warn((f"{of}: expect less of others (--part train keeps them apart)",))
        if skip_unreadable:
            records = skip(records, progress=progress)
            dataset = dataset and skip(dataset, "query", "gallery", progress=progress)
        if how.epochs != 0 and not teachers_of(how, records):
            alone = "without --teacher, a start from ImageNet, or crops of one camera, moves only the statistics of normalisation"
            warn((f"{alone}: --epochs, --learning-rate, --copies and --neighbours have no effect; give --teacher to teach it",))
        report = adapt_student(records, out, how, labelled=dataset, cache=cache, progress=progress)
        if not report:  # the first process of a torchrun has it
            return
        export_model(str(out.absolute()), out / "student.onnx", ExportConfig())
    say(f"{out / 'student.onnx'}: adapted to {report['crops'] - report['held_out']} crops; {_judgement(report)}")
    warn(tuple(f"terms of the {what}: {terms}" for what, terms in report["terms"].items()))
    judged = Accounting() if dataset is None else dataset.account("query", "gallery")
    write_result(json, report, records.accounting + judged)


def _judgement(report: dict[str, Any]) -> str:
    said = []
    if found := report["agreement"]:
        said.append(
            f"on {report['held_out']} crops held out, {found['after']:.0f} % of its nearest neighbours are the teacher's "
            f"(before: {found['before']:.0f} %)"
        )
    if scores := report["scores"]:
        before, after = scores["before"], scores["after"]
        said.append(f"Rank-1 {before['rank1']:.2f} -> {after['rank1']:.2f} %, mAP {before['map']:.2f} -> {after['map']:.2f} %")
    return "; ".join(said) or "no teacher and no labels say how good it is"
