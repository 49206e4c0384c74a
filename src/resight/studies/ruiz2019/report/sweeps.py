"""Figures 8 and 9: the distilled student against temperature and lambda, and the paper's sentences on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resight.studies.ruiz2019.experiments import DATASETS, LAMBDAS, STUDENT, title_of
from resight.studies.ruiz2019.outcomes import Outcome, Outcomes
from resight.studies.ruiz2019.published import TABLE_2, TABLE_3
from resight.studies.ruiz2019.report.beside import claims, figure
from resight.studies.ruiz2019.report.pages import Picture, Section, Table
from resight.studies.ruiz2019.report.pictures import draw_sweep

__all__ = ["sweep_figure"]

_SCORES = {"rank1": "Rank-1", "map": "mAP"}


def sweep_figure(outcomes: Outcomes, dataset: str, number: int) -> Section:
    """Figure 8 or 9, as `number` says: every teacher's sweep on one data set."""
    sweeps = [_Sweep(outcomes, dataset, teacher) for teacher in outcomes.teachers(dataset)]
    sentences = {
        claim: " ".join(f"From {sweep.title}: {found}" for sweep in sweeps if (found := say(sweep)))
        for claim, say in _SENTENCES.items()
    }
    return Section(
        key=f"figure-{number}",
        title=f"Figure {number}: distillation against the temperature on {DATASETS[dataset]}",
        paragraphs=tuple(sweep.state() for sweep in sweeps),
        tables=(claims(sentences), *(sweep.table() for sweep in sweeps if sweep.done)),
        pictures=tuple(sweep.picture(number) for sweep in sweeps),
        data={sweep.teacher: sweep.values() for sweep in sweeps},
    )


class _Sweep:
    """Students of one teacher on one data set, as Figures 8 and 9 show them.

    Parameters
    ----------
    outcomes : Outcomes
    dataset, teacher : str
    """

    def __init__(self, outcomes: Outcomes, dataset: str, teacher: str) -> None:
        self.dataset, self.teacher = dataset, teacher
        self.title = title_of(teacher)
        self.taught_by = outcomes.get(dataset, teacher)
        self.alone = outcomes.get(dataset, STUDENT)
        found: dict[tuple[float, float], Outcome] = {}
        for outcome in outcomes.all:
            experiment = outcome.run.experiment
            if (outcome.run.dataset, experiment.teacher) == (dataset, teacher) and experiment.settings["hard_weight"] in LAMBDAS:
                found[experiment.settings["temperature"], experiment.settings["hard_weight"]] = outcome
        self.students = {place: found[place] for place in sorted(found)}

    @property
    def done(self) -> dict[tuple[float, float], float]:
        """mAP of the finished students, by T and lambda."""
        return {place: student.map for place, student in self.students.items() if student.map is not None}

    def curve(self, hard_weight: float, score: str) -> dict[float, float]:
        """Scores of the finished students with one lambda, per cent by T."""
        found = {t: getattr(student, score) for (t, weight), student in self.students.items() if weight == hard_weight}
        return {t: value for t, value in found.items() if value is not None}

    def state(self) -> str:
        """Number of finished runs."""
        why = "" if self.done else f" ({next(iter(self.students.values())).reason})"
        return f"From {self.title}: {len(self.done)} of {len(self.students)} runs{why}."

    def table(self) -> Table:
        """A row for each T."""
        rows = []
        for temperature in dict.fromkeys(t for t, _ in self.students):
            students = [self.students[temperature, hard_weight] for hard_weight in LAMBDAS]
            rows.append((f"{temperature:g}", *(figure(getattr(student, score)) for student in students for score in _SCORES)))
        headings = ("T", *(f"{title} (%), lambda = {hard_weight:g}" for hard_weight in LAMBDAS for title in _SCORES.values()))
        return Table(caption=f"MobileNet 0.25 from {self.title}", headings=headings, rows=tuple(rows))

    def picture(self, number: int) -> Picture:
        """Curves, with the teacher and the student alone as lines."""
        curves = {weight: {score: list(self.curve(weight, score).items()) for score in _SCORES} for weight in LAMBDAS}
        lines = {"teacher": _scores(self.taught_by), "student": _scores(self.alone)}
        here = {name: scores for name, scores in lines.items() if len(scores) == len(_SCORES)}
        paper = {"student": TABLE_2[self.dataset][STUDENT]._asdict()}
        if self.teacher in TABLE_3[self.dataset]:
            paper["teacher"] = TABLE_2[self.dataset][self.teacher]._asdict()
            paper["best"] = TABLE_3[self.dataset][self.teacher]._asdict()
        caption = f"MobileNet 0.25 distilled from {self.title} on {DATASETS[self.dataset]}: Rank-1 and mAP against T"
        png = draw_sweep(f"From {self.title}, {DATASETS[self.dataset]}", curves, here, paper)
        return Picture(name=f"figure-{number}-{self.teacher}", caption=caption, png=png)

    def values(self) -> dict[str, Any]:
        """Figures as plain JSON values."""
        points = [
            {"temperature": t, "hard_weight": weight, "rank1": student.rank1, "map": student.map}
            for (t, weight), student in self.students.items()
        ]
        return {"teacher": _scores(self.taught_by) or None, "student_alone": _scores(self.alone) or None, "points": points}


def _scores(found: Outcome) -> dict[str, float]:
    return {score: value for score in _SCORES if (value := getattr(found, score)) is not None}


def _extreme(what: str, pick: Callable[..., float]) -> Callable[[_Sweep], str]:
    """Temperature at which a sweep is best or worst; it needs T = 1, T = 3 and another one."""

    def say(sweep: _Sweep) -> str:
        parts = []
        for weight in LAMBDAS:
            maps, ranks = sweep.curve(weight, "map"), sweep.curve(weight, "rank1")
            if len(maps) > 2 and {1, 3} <= set(maps):
                places = [f"{pick(values, key=values.__getitem__):g}" for values in (maps, ranks)]
                parts.append(
                    f"lambda = {weight:g} ({len(maps)} temperatures): {what} mAP at T = {places[0]}, Rank-1 at T = {places[1]}"
                )
        return _sentence(parts)

    return say


def _flat(sweep: _Sweep) -> str:
    parts = []
    for weight in LAMBDAS:
        maps = sweep.curve(weight, "map")
        if {20, 30} <= set(maps):
            parts.append(f"lambda = {weight:g}: mAP {maps[20]:.2f} at T = 20, {maps[30]:.2f} at T = 30")
    return _sentence(parts)


def _better(whose: str, other: Callable[[_Sweep], Outcome]) -> Callable[[_Sweep], str]:
    """Number of students that are better than their teacher, or than the student alone."""

    def say(sweep: _Sweep) -> str:
        mean = other(sweep).map
        if mean is None or not sweep.done:
            return ""
        better = sorted(t for (t, _), value in sweep.done.items() if value > mean)
        at = f" (T = {', '.join(f'{t:g}' for t in dict.fromkeys(better))})" if better else ""
        return f"{len(better)} of {len(sweep.done)} runs have a higher mAP than {whose}{at}."

    return say


def _sentence(parts: list[str]) -> str:
    return "; ".join(parts) + "." if parts else ""


_SENTENCES: dict[str, Callable[[_Sweep], str]] = {
    "peak": _extreme("highest", max),
    "worst": _extreme("lowest", min),
    "student": _better("the student alone", lambda sweep: sweep.alone),
    "teacher": _better("the teacher", lambda sweep: sweep.taught_by),
    "saturated": _flat,
}
"""Findings on each of the paper's sentences; empty if too little was run to say."""
