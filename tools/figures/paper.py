"""The paper's tables and figures, row by row, beside what was run here."""

from __future__ import annotations

from functools import cache
from statistics import fmean, stdev
from typing import Any

from accuracy import STUDENTS
from records import number, pair, result, table, where

from resight.studies.ruiz2019.published import OTHERS, TABLE_1, TABLE_2, TABLE_3, TABLE_4, Published
from training import STUDY_TEACHERS

NOT_RUN = "not run"
TIMED = {
    "LOMO + XQDA": "lomo",
    "ResNet-50": "resnet-50 untrained fp32 onnx",
    "MobileNet 1.0 independent": "mobilenet-1.0 ruiz2019-mobilenet-1.0 fp32 onnx",
    "MobileNet 0.25 independent": "mobilenet-0.25 mobilenet_2_5_224_tf_no_top fp32 onnx",
    "MobileNet 0.25 d.f. ResNet-50": "mobilenet-0.25 mobilenet_2_5_224_tf_no_top fp32 onnx",
    "MobileNet 0.25 d.f. MobileNet 1.0": "mobilenet-0.25 mobilenet_2_5_224_tf_no_top fp32 onnx",
}
"""Rows of Table 4 by models of the benchmark; all of MobileNet 0.25 have one speed."""

TODAY = {
    "OSNet x0.25, its authors'": "osnet-0.25 osnet_x0_25_market1501 fp32 onnx",
    "Open Model Zoo, retail-0277": "person-reidentification-retail-0277 openvino",
    "Open Model Zoo, retail-0286": "person-reidentification-retail-0286 openvino",
    "Open Model Zoo, retail-0287": "person-reidentification-retail-0287 openvino",
    "Open Model Zoo, retail-0288": "person-reidentification-retail-0288 openvino",
}
"""Networks that the paper does not have, by models of the benchmark."""


@cache
def _runs() -> dict[str, dict[str, Any]]:
    """Scores of all finished runs on Market-1501, by name."""
    return {
        run["name"]: run
        for study in dict.fromkeys(record for record, _ in STUDY_TEACHERS.values())
        for run in result(study)["runs"]["runs"]
        if run["dataset"] == "market1501" and run["state"] == "done" and run["map"] is not None
    }


def _paper(row: Published) -> str:
    return f"{row.rank1:.2f} / {row.map:.2f}"


def _here(name: str) -> str:
    return pair(_runs()[name]) if name in _runs() else NOT_RUN


def table_1() -> str:
    """LOMO by distance."""
    record = result("market1501-classical")
    rows = [
        [name, _paper(row), pair(record["retinex"]["none"]["test"][name]), pair(record["retinex"]["msrcp"]["test"][name])]
        for name, row in TABLE_1.items()
    ]
    return table(["LOMO, Rank-1 / mAP (%)", "paper", "here, without Retinex", "with"], rows)


def table_2() -> str:
    """Networks trained alone."""
    rows = [[name, _paper(row), _here(name)] for name, row in TABLE_2["market1501"].items()]
    return table(["trained alone, Rank-1 / mAP (%)", "paper", "here"], rows)


def table_3() -> str:
    """The distilled student at T = 3, methods that the paper quotes, and models of today."""
    rows = [
        [f"MobileNet 0.25, taught by {teacher}", _paper(row), _here(f"mobilenet-0.25-from-{teacher}-T3-lambda0.001")]
        for teacher, row in TABLE_3["market1501"].items()
    ]
    rows += [[f"{name}, quoted by the paper", _paper(row), "-"] for name, row in OTHERS["market1501"].items()]
    best = max((run for name, run in _runs().items() if "-from-osnet-0.25-T" in name), key=lambda run: float(run["map"]))
    temperature = best["name"].split("-T")[1].split("-")[0]
    rows.append([f"MobileNet 0.25, taught by OSNet x0.25, T = {temperature}", "-", pair(best)])
    rows.append(["OSNet x0.25, its authors' weights", "-", _here("osnet-0.25")])
    for name in ("student-fastest", "student-fast", "student"):
        rows.append([f"`{name}`", "-", pair(result(f"market1501-{name}"))])
    return table(["Rank-1 / mAP (%)", "paper", "here"], rows)


def seeds() -> str:
    """MobileNet 0.25 alone and distilled with several seeds: each, and mean and sample standard deviation."""
    made = result("market1501-seeds")["runs"]
    rows = []
    for name, run in (("alone", "mobilenet-0.25"), ("distilled", "mobilenet-0.25-from-mobilenet-1.0-T3-lambda0.001")):
        found = [_runs()[run], *(made[key] for key in sorted(made) if key.startswith(name))]
        columns = [[one[score] for one in found] for score in ("rank1", "map")]
        means = " / ".join(f"{fmean(column):.2f} ± {stdev(column):.2f}" for column in columns)
        rows.append([f"MobileNet 0.25 {name}", *map(pair, found), means])
    return table(["Rank-1 / mAP (%), seed", *map(str, range(len(rows[0]) - 2)), "mean"], rows)


def table_4() -> str:
    """Accuracy beside speed: the paper's rows, then networks of today."""
    record = result("market1501-deployment")
    timed = {row["model"]: row for row in record["models"] if row["threads"] == 1}
    classical = result("market1501-classical")["retinex"]["none"]["test"]["xqda"]
    scores = {
        "LOMO + XQDA": pair(classical),
        "ResNet-50": _here("resnet-50"),
        "MobileNet 1.0 independent": _here("mobilenet-1.0"),
        "MobileNet 0.25 independent": _here("mobilenet-0.25"),
        "MobileNet 0.25 d.f. ResNet-50": _here("mobilenet-0.25-from-resnet-50-T3-lambda0.001"),
        "MobileNet 0.25 d.f. MobileNet 1.0": _here("mobilenet-0.25-from-mobilenet-1.0-T3-lambda0.001"),
    }
    rows = [
        [
            name.replace("d.f.", "distilled from").replace("independent", "alone"),
            _paper(row),
            number(row.images_per_second, 0),
            scores[name],
            number(timed[TIMED[name]]["images_per_second"], 0),
        ]
        for name, row in TABLE_4["market1501"].items()
    ]
    students = {f"`{name}`": model for name, (_, model) in STUDENTS.items() if name != "student-general"}
    for name, model in (students | TODAY).items():
        rows.append([name, "-", "-", pair(timed[model]), f"{timed[model]['images_per_second']:.0f}"])
    headings = ["Rank-1 / mAP (%)", "paper", "images/s, GTX 1070 (LOMO: a laptop)", "here", "images/s, one thread"]
    text = f"Speeds here are from image files to vectors, all in one run. {where(record)}.\n"
    return table(headings, rows) + "\n" + text
