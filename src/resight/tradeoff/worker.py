"""A model on the test bench in a process of its own, on some of the processor's cores.

PyTorch, OpenCV, ONNX Runtime, OpenVINO and plain thread pools each set their number of threads in another way, and some read it
once. A process that may use n cores does n things at a time, whatever it runs. Its memory is the model's own, and a model that
takes its process down takes no other along.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from resight.compute import Child, answering
from resight.errors import MeasurementError, one_line
from resight.provenance import hardware

if TYPE_CHECKING:
    from resight.tradeoff.bench import Bench
    from resight.tradeoff.speed import SpeedConfig

__all__ = ["USUAL", "Worker"]

USUAL = "usual:"
"""Prefix of a network that is measured in the usual way."""


class Worker:
    """The parent's side. A context manager: leaving it ends the process.

    Parameters
    ----------
    reference : str
        Model, as `resight.models.load_model` names it; ``usual:NETWORK`` is a network in `resight.tradeoff.usual.UsualWay`.
    paths : sequence of str
        Image files to measure on.
    threads : int
        Cores of the process, at least 1.
    config : SpeedConfig
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    """

    def __init__(self, reference: str, paths: Sequence[str], threads: int, config: SpeedConfig, device: str = "auto") -> None:
        self.reference = reference
        self._job = {"reference": reference, "paths": list(paths), "threads": threads, "config": asdict(config), "device": device}
        self._child = Child("resight.tradeoff.worker", threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._child.close()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._child.pid

    def load(self) -> dict[str, Any]:
        """Load the model and warm it up.

        Returns
        -------
        dict
            Result of `resight.tradeoff.bench.Bench.about`, and ``accelerator`` of the machine.

        Raises
        ------
        MeasurementError
            If the model or its process fails.
        """
        about: dict[str, Any] = self._ask(self._job)
        return about | {"input_size": tuple(about["input_size"])}

    def one_round(self) -> dict[str, float]:
        """Measure each figure once; see `resight.tradeoff.speed.Speed.over`. Raises `MeasurementError`."""
        found: dict[str, float] = self._ask("round")
        return found

    def _ask(self, task: Any) -> Any:
        self._child.tell(task)
        answer = self._child.hear()
        if answer is None:
            raise MeasurementError(f"{self.reference}: {self._child.how_it_ended()}")
        if "error" in answer:
            raise MeasurementError(answer["error"])
        return answer["result"]


def _serve() -> None:
    """The process's side: one line in, one line out, until there are no more."""
    say = answering()
    job = json.loads(sys.stdin.readline())
    if hasattr(os, "sched_setaffinity"):  # before the libraries start, which count the cores that they may use
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job["threads"]])

    def answer(work: Callable[[], Any]) -> None:
        try:
            say({"result": work()})
        except Exception as error:  # every failure of a model is a row of the report
            say({"error": one_line(error)})

    bench = cache(lambda: _warm_bench(job))
    memory = cache(_peak_memory)  # asked after the first round, when nothing has been searched yet
    answer(lambda: bench().about() | {"accelerator": hardware()["accelerator"]})
    for _ in sys.stdin:
        answer(lambda: bench().one_round() | memory() | bench().search())


def _warm_bench(job: dict[str, Any]) -> Bench:
    bench = _bench(job)
    bench.warm_up()
    return bench


def _bench(job: dict[str, Any]) -> Bench:
    from resight.models import load_model
    from resight.tradeoff.bench import Bench
    from resight.tradeoff.speed import SpeedConfig

    config = SpeedConfig(**job["config"] | {"batch_sizes": tuple(job["config"]["batch_sizes"])})
    reference: str = job["reference"]
    if not reference.startswith(USUAL):
        return Bench(load_model(reference, device=job["device"]), job["paths"], config)
    from resight.tradeoff.usual import UsualWay

    usual = UsualWay(load_model(reference.removeprefix(USUAL), device=job["device"]))
    return Bench(usual, job["paths"], config, read=usual.read, embed=usual.embed_files)


def _peak_memory() -> dict[str, float]:
    # Not getrusage, because its figure begins with the memory of the parent.
    try:
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM"):
                return {"memory_mb": int(line.split()[1]) * 1024 / 1e6}
    except OSError:
        pass
    return {}


if __name__ == "__main__":
    _serve()
