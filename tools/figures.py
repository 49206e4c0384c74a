"""Put the figures of results/*.json into the README and the docs, between markers; none is typed by hand.

    python tools/figures.py            rewrites the files
    python tools/figures.py --check    fails if a file is not what its results say

A marker pair in a Markdown file looks like this, with NAME a key of `BLOCKS`:

    <!-- figures: NAME -->
    ...
    <!-- end -->
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resight.tradeoff.classical import PAPER_TABLE_1

ROOT = Path(__file__).resolve().parents[1]
MARKER = re.compile(r"(<!-- figures: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def result(name: str) -> dict[str, Any]:
    """One file of results."""
    loaded: dict[str, Any] = json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def table(headings: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, first column left, the others right."""
    lines = [headings, ["---"] + ["---:"] * (len(headings) - 1), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def where(record: dict[str, Any]) -> str:
    """The hardware of a result, in a few words."""
    hardware = record["provenance"]["hardware"]
    return f"{hardware['processor']}, {hardware['cores']} cores"


def evaluation_check() -> str:
    rows = []
    published = {"euclidean": ("91.18", "74.94", "74.22"), "cosine": ("91.48", "77.38", "76.66")}
    for distance, reference in published.items():
        found = result(f"market1501-osnet-0.25-{distance}")
        figures = [f"{found[name]:.2f}" for name in ("rank1", "map", "map_trapezoidal")]
        rows.append([distance, *(f"{mine} ({theirs})" for mine, theirs in zip(figures, reference, strict=True))])
    return table(["OSNet x0.25, distance", "Rank-1 (reference)", "mAP", "mAP, trapezoidal"], rows)


def main_job() -> str:
    runs = result("market1501-runs")["runs"]
    published = {"alone": ("59.74", "34.13"), "distilled": ("71.29", "45.76")}
    rows = []
    for name, (rank1, mean) in published.items():
        found = result(f"market1501-{name}")
        minutes = sum(row["seconds"] for row in runs[name]["epochs"]) / 60
        cells = [
            f"{found['rank1']:.2f} / {found['map']:.2f}",
            f"{rank1} / {mean}",
            f"{len(runs[name]['epochs'])}",
            f"{minutes:.0f}",
        ]
        rows.append([f"MobileNet 0.25 {name}", *cells])
    return table(["Market-1501, Rank-1 / mAP (%)", "Resight", "paper", "epochs", "training, minutes"], rows)


def classical_table() -> str:
    record = result("market1501-classical")
    rows = []
    for distance, (rank1, mean) in PAPER_TABLE_1.items():
        found = [record["retinex"][retinex]["test"][distance] for retinex in ("none", "msrcp")]
        dimensions = " / ".join(str(figures.get("dimensions", 26960)) for figures in found)
        scores = [f"{figures['rank1']:.2f} / {figures['map']:.2f}" for figures in found]
        rows.append([distance, *scores, dimensions, f"{rank1} / {mean}"])
    held_out = {retinex: record["retinex"][retinex]["held_out"]["map"] for retinex in ("none", "msrcp")}
    seconds, timing = record["retinex"][record["chosen"]]["test"]["seconds"], record["timing"]
    text = (
        f"Chosen on held-out identities: {record['chosen']} (held-out mAP of XQDA {held_out['none']:.1f} without Retinex, "
        f"{held_out['msrcp']:.1f} with MSRCP). Descriptor of a 128x64 image on one core "
        f"{timing['none_1_workers_ms']:.2f} ms, with MSRCP "
        f"{timing['msrcp_1_workers_ms']:.2f} ms; XQDA fit {seconds['xqda_fit']:.0f} s; one query against "
        f"{seconds['gallery_images']} images "
        f"{1000 * seconds['one_query_with_projection']:.2f} ms with its projection ({where(record)}).\n"
    )
    return table(["LOMO, Rank-1 / mAP (%)", "without Retinex", "MSRCP", "dimensions", "paper"], rows) + "\n" + text


def classical_speed() -> str:
    record = result("benchmark-classical")
    found = record["figures"]
    rows = [
        ["LOMO without Retinex, 128x64 image, 1 core / 2 cores", *_lomo_ms(found, "none"), "ms"],
        ["LOMO with MSRCP, 1 core / 2 cores", *_lomo_ms(found, "msrcp"), "ms"],
        [f"XQDA, fit to {found['xqda_shape'][0]} x {found['xqda_shape'][1]}", f"{found['xqda_fit_seconds']:.0f}", "892", "s"],
        ["the same: memory at most, images and descriptors included", f"{found['peak_memory_gib']:.1f}", "", "GiB"],
        [f"one query against {found['gallery']}, with its projection", f"{found['one_query_ms']:.2f}", "1951", "ms"],
        [f"each of {found['queries']} queries at once", f"{found['all_queries_ms_each']:.3f}", "", "ms"],
        ["compiling LOMO's loops, once", f"{found['start_up']['compile_seconds']:.0f}", "", "s"],
        ["loading them from the cache", f"{found['start_up']['load_from_cache_seconds']:.2f}", "", "s"],
    ]
    return table(["", "Resight", "paper", ""], rows) + f"\n{where(record)}; the paper: a laptop.\n"


def _lomo_ms(found: dict[str, Any], retinex: str) -> tuple[str, str]:
    return (
        " / ".join(f"{found[f'lomo_{retinex}_{workers}_workers_ms']['median']:.2f}" for workers in (1, 2)),
        "17.5" if retinex == "msrcp" else "",
    )


def lomo_gap() -> str:
    record = result("market1501-classical")
    published = float(PAPER_TABLE_1["euclidean"][0])
    rows = []
    for retinex in ("none", "msrcp"):
        found = record["retinex"][retinex]["test"]["euclidean"]
        error = 100 * math.sqrt(found["rank1"] / 100 * (1 - found["rank1"] / 100) / 3368)
        rows.append([retinex, f"{found['rank1']:.2f}", f"{found['rank1'] - published:+.2f}", f"{error:.2f}", f"{found['map']:.2f}"])
    return table(["LOMO, Euclidean", "Rank-1 (%)", f"against {published}", "standard error", "mAP (paper: 8.01)"], rows)


def deep_distances() -> str:
    runs = result("market1501-deep-distances")["runs"]
    names = {"alone": "MobileNet 0.25 alone", "distilled": "MobileNet 0.25 distilled", "osnet": "OSNet x0.25"}
    distances = ("euclidean", "kissme", "xqda")
    rows = []
    for name, title in names.items():
        found = [runs[f"{name}-{distance}"] for distance in distances]
        rows.append([title, *(f"{scores['rank1']:.2f} / {scores['map']:.2f}" for scores in found)])
    return table(["Market-1501, Rank-1 / mAP (%)", *distances], rows)


def market_tradeoff() -> str:
    return tradeoff_table("market1501-tradeoff")


def demo_tradeoff() -> str:
    return tradeoff_table("demo")


def tradeoff_table(name: str) -> str:
    record = result(name)
    rows = [
        [
            row["model"],
            f"{row['rank1']:.2f}",
            f"{row['map']:.2f}",
            f"{row['images_per_second']:.0f}",
            f"{row['network_images_per_second']:.0f}",
            f"{row['parameters'] / 1e6:.2f}",
            "-" if row["multiply_adds"] is None else f"{row['multiply_adds'] / 1e6:.0f}",
            str(row["embedding_size"]),
            "x".join(map(str, row["input_size"])),
        ]
        for row in record["models"]
    ]
    headings = ["Model", "Rank-1 (%)", "mAP (%)", "Images/s, file to vector", "network alone"]
    return table([*headings, "Parameters (M)", "Multiply-adds (M)", "Embedding", "Input"], rows) + f"\n{where(record)}.\n"


PAPER_IMAGES_PER_SECOND = {
    "lomo": "57 (processor)",
    "resnet-50": "128",
    "mobilenet-1.0": "545",
    "mobilenet-0.75": "574",
    "mobilenet-0.5": "607",
    "mobilenet-0.25": "613",
    "distilled": "613",
}
"""Tables 2 and 4 of the paper, by what the name of a model contains; all but LOMO on a GTX 1070."""

STUDENT_NAME = re.compile(r"mobilenet-0\.25|distilled|student")


def market_benchmark() -> str:
    return benchmark_table("market1501-benchmark")


def deployment() -> str:
    return benchmark_table("benchmark-deployment")


def benchmark_table(name: str) -> str:
    """The speed columns of Tables 2 and 4 on all cores, one thread in a column, and how many times as fast the student is.

    Columns of which nothing is known are left out.
    """
    record = result(name)
    cores = max(row["threads"] for row in record["models"])
    one_thread = {row["model"]: row for row in record["models"] if row["threads"] == 1}
    on_all = {row["model"]: row for row in record["models"] if row["threads"] == cores}
    rows = []
    for name, row in on_all.items():
        low, high = row["ranges"]["images_per_second"]
        published = [] if name.startswith("usual") else [text for part, text in PAPER_IMAGES_PER_SECOND.items() if part in name]
        cells = [
            f"{row['images_per_second']:.0f} ({low:.0f}-{high:.0f})",
            f"{one_thread[name]['images_per_second']:.0f}" if name in one_thread else "-",
            f"{row['network_images_per_second']:.0f} ({row['batch_size']})",
            f"{row['latency_ms']:.2f}, {row['latency_p95_ms']:.2f}",
            f"{row['file_latency_ms']:.2f}",
            "-" if row["search_ms"] is None else f"{row['search_ms']:.1f}",
            "-" if row["memory_mb"] is None else f"{row['memory_mb']:.0f}",
            str(row["embedding_size"]),
            "x".join(map(str, row["input_size"])),
            published[0] if published else "-",
        ]
        rows.append([to_type(name), *cells])
    headings = ["Model", f"Images/s, file to vector, {cores} threads", "1 thread", "network alone (batch)", "one image: ms, 95 %"]
    headings += ["from its file, ms", "search in 100,000, ms", "memory, MB", "embedding", "input", "paper, GTX 1070"]
    known = [column for column in range(len(headings)) if any(row[column] != "-" for row in rows)]
    headings, *rows = ([line[column] for column in known] for line in (headings, *rows))
    return table(headings, rows) + f"\n{_student_ratios(on_all)}{record['images']['count']} images; {where(record)}.\n"


def to_type(model: str) -> str:
    """A model's name in a benchmark, behind the name that a user types where the package brings it along."""
    for name, (_, onnx) in STUDENTS.items():
        typed = {onnx: name, onnx.replace(" onnx", " openvino"): f"openvino:{name}"}
        if model in typed:
            return f"`{typed[model]}` ({model})"
    return model


def _student_ratios(rows: dict[str, dict[str, Any]]) -> str:
    """The fastest student from file to vector, against the fastest OSNet x0.25 and the usual way."""
    speeds = {name: row["images_per_second"] for name, row in rows.items()}

    def fastest(names: list[str]) -> str:
        return max(names, key=speeds.__getitem__, default="")

    ours = [name for name in speeds if not name.startswith("usual")]
    usual = fastest([name for name in speeds if name not in ours])
    student = fastest([name for name in ours if STUDENT_NAME.search(name)])
    osnet = fastest([name for name in ours if "osnet-0.25" in name])
    if not (usual and student and osnet):
        return ""
    times = [f"{speeds[student] / speeds[other]:.1f} times as fast as {other}" for other in (usual, osnet)]
    return f"From file to vector {student} is {' and '.join(times)}. "


def market_extract() -> str:
    runs = result("market1501-extract")["runs"]
    rows = [
        [run["model"], f"{run['images_per_second']:.0f}", f"{run['seconds']:.1f}", str(run["embedding_size"])]
        for run in sorted(runs.values(), key=lambda run: -run["images_per_second"])
    ]
    images = next(iter(runs.values()))
    headings = ["`resight extract` of all of Market-1501's gallery", "images/s", "seconds", "embedding"]
    return table(headings, rows) + f"\n{images['images']} files each; {where(images)}.\n"


STUDENTS = {
    "student": ("`student`: OSNet x0.25 at 160x64", "student-160x64 fp32 onnx"),
    "student-fast": ("`student-fast`: OSNet x0.25 at 128x64", "student-osnet-128x64 fp32 onnx"),
    "student-fastest": ("`student-fastest`: MobileNet 0.25 at 128x64", "student-mobilenet-128x64 fp32 onnx"),
}
"""What the package brings along: in words, and its name in a benchmark."""
TEACHER = "osnet-0.25 osnet_x0_25_market1501 fp32 onnx"


def core_minutes(run: dict[str, Any]) -> float:
    """Minutes of a training times the threads that it was started with."""
    threads = re.search(r"--threads (\d+)", run["provenance"]["command"])
    assert threads is not None, "a run whose number of threads is not in its command"
    return int(threads[1]) * sum(one["seconds"] for one in run["epochs"]) / 60


def student() -> str:
    speeds = {row["model"]: row["images_per_second"] for row in result("benchmark-deployment")["models"]}

    def row(text: str, scores: tuple[str, str], model: str, minutes: str) -> list[str]:
        speed = speeds.get(model)
        times = ["-", "-"] if speed is None else [f"{speed:.0f}", f"{speed / speeds[TEACHER]:.1f}"]
        return [text, *scores, *times, minutes]

    rows = []
    for name, (text, model) in STUDENTS.items():
        found, run = result(f"market1501-{name}"), result(f"market1501-{name}-run")
        minutes = sum(map(core_minutes, run["runs"].values()))
        rows.append(row(text, (f"{found['rank1']:.2f}", f"{found['map']:.2f}"), model, f"{minutes:.0f}"))
    teacher = result("market1501-osnet-0.25-euclidean")
    rows.append(row("OSNet x0.25 at 256x128, its authors'", (f"{teacher['rank1']:.2f}", f"{teacher['map']:.2f}"), TEACHER, "-"))
    rows.append(row("the paper's MobileNet 0.25 at 128x128", ("71.29", "45.76"), "", "-"))
    headings = [
        "Market-1501",
        "Rank-1 (%)",
        "mAP (%)",
        "images/s, file to vector",
        "times OSNet x0.25",
        "training with teachers, minutes of a core",
    ]
    return table(headings, rows)


def ablation() -> str:
    record = result("market1501-ablation")
    rows = []
    for run in record["runs"]:
        seeds = [seed for seed in run["seeds"] if "failure" not in seed]
        cells = [_spread(run, name) for name in ("map", "rank1")]
        rows.append([run["name"], *cells, "-" if run["minutes"] is None else f"{run['minutes']:.1f}", str(len(seeds))])
    return table(["Recipe", "mAP held out (%)", "Rank-1 (%)", "minutes, one core", "seeds"], rows)


def _spread(run: dict[str, Any], name: str) -> str:
    if run[name] is None:
        return "not run"
    deviation = run[f"{name}_deviation"]
    return f"{run[name]:.1f}" + ("" if deviation is None else f" ± {deviation:.1f}")


def calibration() -> str:
    record = result("market1501-calibration")
    rows = []
    for answer in ("match", "possible"):
        for people, part in ((record["people"], record), (record["check"]["people"], record["check"])):
            rates = [part[answer][name] for name in ("false_positives", "misses")]
            cells = [f"{100 * rate['value']:.1f} ({100 * rate['lower']:.1f} to {100 * rate['upper']:.1f})" for rate in rates]
            kind = "fitted to" if part is record else "measured on"
            rows.append([f"{answer}, {kind} {people} people", f"{100 * part[answer]['wanted']:.0f}", *cells])
    return table(["%", "wanted at most", "absent person falsely found", "present person missed"], rows)


def gallery() -> str:
    record, load, market = result("benchmark-gallery"), result("benchmark-service"), result("market1501-service")
    rows = []
    for one in record["figures"]["galleries"]:
        times = [f"{one[f'{part}_gallery_ms_{which}']:.2f}" for part in ("all", "filtered") for which in ("median", "p99")]
        faiss = f"{one['all_faiss_ms_median']:.1f}, {one['filtered_faiss_ms_median']:.1f}"
        rows.append([f"{one['size']:,}", *times, faiss, f"{min(one['all_recall'], one['filtered_recall']):g}"])
    headings = ["vectors of 256 numbers", "one search, ms", "99 %", "filtered to a sixth, ms", "99 %", "faiss flat, ms", "recall"]
    under, scores = load["figures"], market["figures"]
    served, asked = under["answered_ms"], load["provenance"]["configuration"]
    text = (
        f"Over HTTP, {asked['clients']} clients at once on a gallery of {asked['size']:,}, all on the same {where(load)}: "
        f"{under['searches_per_second']:.0f} searches a second, half of them within {served['p50']:.0f} ms, 99 % within "
        f"{served['p99']:.0f} ms; {100 * under['share_429']:.1f} % of requests were asked to come again (429), none failed. "
        f"Market-1501's {scores['gallery']:,} gallery crops searched with its {scores['queries']:,} queries through the API: "
        f"Rank-1 {scores['rank1']:.2f} %, mAP {scores['map']:.2f} %; `resight evaluate` gives "
        f"{scores['evaluate']['rank1']:.2f} % and {scores['evaluate']['map']:.2f} %.\n"
    )
    return table(headings, rows) + "\n" + text


def student_probe() -> str:
    runs = result("market1501-student-probes")["runs"]
    rows = []
    for name, text in (("M1", "MobileNet 0.25 at 192x96"), ("O2", "OSNet x0.25 at 160x64")):
        held_out = [(row["epoch"], row["validation"]) for row in runs[name]["epochs"] if row.get("validation")]
        for figure, title in (("rank1", "Rank-1"), ("map", "mAP")):
            rows.append([f"{text}, {title}", *(f"{values[figure]:.1f}" for _, values in held_out)])
    return table(["held out, after epoch", *(str(epoch) for epoch, _ in held_out)], rows)


STARTS = {
    "msmt17": "MSMT17",
    "market1501": "Market-1501",
    "student-176x64-2": "the second round at 176x64",
    "student-176x64": "the first round at 176x64",
}
"""In words, by a part of the weights' name."""


def starts() -> str:
    """Trainings of OSNet x0.25: what they start from, what they reach on the training images, and on the test images."""
    runs, scores = result("market1501-starts")["runs"], result("market1501-starts-scores")["runs"]
    rows = []
    for name, run in runs.items():
        settings, last = run["provenance"]["configuration"], run["epochs"][-1]
        start = next(text for part, text in STARTS.items() if part in settings["weights"])
        size, reached = f"{settings['height']}x{settings['width']}", (f"{100 * last['accuracy']:.1f}", f"{last['embedding']:.2f}")
        found = f"{scores[name]['rank1']:.2f}", f"{scores[name]['map']:.2f}"
        rows.append([size, start, str(settings["epochs"]), f"{core_minutes(run):.0f}", *reached, *found])
    headings = [
        "OSNet x0.25 at",
        "starts from",
        "epochs",
        "minutes of a core",
        "images named rightly (%)",
        "1 - cosine to teachers",
    ]
    return table([*headings, "Rank-1 (%)", "mAP (%)"], rows)


def teacher_changes() -> str:
    """How far a change of an image moves a teacher's embedding."""
    record = result("market1501-teacher-changes")
    rows = [[name, f"{cosine:.2f}"] for name, cosine in record["changes"].items()]
    headings = ["person-reidentification-retail-0277, the image", "cosine with its embedding of the unchanged image"]
    return table(headings, rows) + f"\n{record['images']} training images of Market-1501, one core.\n"


def space_turned() -> str:
    """How near a student is to a teacher before its training."""
    record = result("market1501-teacher-changes")
    rows = [[name, f"{cosine:.2f}"] for name, cosine in record["student"].items()]
    return table(["The teacher's space", "mean cosine of the untrained student with it"], rows)


def unseen() -> str:
    """The shipped student, and what a training for unseen cameras made of it, on the set that it learned from and on another."""
    (run,) = result("market1501-student-unseen-run")["runs"].values()

    def scores(*names: str) -> list[str]:
        return [f"{found['rank1']:.2f} / {found['map']:.2f}" for found in map(result, names)]

    rows = [
        ["`student`", *scores("market1501-student", "cuhk03-student"), "-"],
        ["after the training", *scores("market1501-student-unseen", "cuhk03-student-unseen"), f"{core_minutes(run):.0f}"],
        ["its teacher", "-", *scores("cuhk03-retail-0277"), "-"],
    ]
    steps, last = run["about"]["stopped"], run["epochs"][-1]
    text = (
        f"Stopped for want of time {steps}; at the end {100 * last['accuracy']:.1f} % of the training images were named rightly "
        f"and 1 - cosine to the teacher was {last['embedding']:.2f}.\n"
    )
    return table(["Rank-1 / mAP (%)", "Market-1501", "CUHK03, a part", "minutes of a core"], rows) + "\n" + text


def mobilenet() -> str:
    """The paper's network with more pixels, by a recipe chosen on held-out people."""
    scores = {"float32": result("market1501-mobilenet-192x96"), "int8": result("market1501-mobilenet-192x96-int8")}
    rows = [[text, f"{found['rank1']:.2f}", f"{found['map']:.2f}"] for text, found in scores.items()]
    minutes = sum(map(core_minutes, result("market1501-mobilenet-192x96-run")["runs"].values()))
    return table(["MobileNet 0.25 at 192x96", "Rank-1 (%)", "mAP (%)"], rows) + f"\n{minutes:.0f} minutes of a core.\n"


def reranking() -> str:
    record = result("benchmark-rerank")
    found = record["figures"]
    everything = found["all"]
    rows = [[when, f"{found[when]['rank1']:.2f}", f"{found[when]['map']:.2f}"] for when in ("before", "after")]
    ours, dense = everything["resight"], everything["dense"]
    text = (
        f"{ours['seconds_median']:.1f} s and {ours['peak_memory_gib']:.2f} GiB for all of Market-1501, against "
        f"{dense['seconds_median']:.0f} s and {dense['peak_memory_gib']:.1f} GiB for whole matrices: "
        f"{everything['ratio']:.0f} times as fast ({where(record)}).\n"
    )
    return table(["OSNet x0.25, re-ranking", "Rank-1 (%)", "mAP (%)"], rows) + "\n" + text


def _temperature_and_weight(run: dict[str, Any]) -> tuple[float, float]:
    configuration = run["provenance"]["configuration"]
    return configuration["temperature"], configuration["hard_weight"]


def temperatures() -> str:
    runs = result("market1501-temperatures")["runs"]
    rows = []
    for run in sorted(runs.values(), key=_temperature_and_weight):
        configuration = run["provenance"]["configuration"]
        held_out = {row["epoch"]: row["validation"] for row in run["epochs"] if row.get("validation")}
        figures = [f"{held_out[epoch]['map']:.1f}" if epoch in held_out else "not run" for epoch in (2, 4, 6, 8)]
        rows.append([f"{configuration['temperature']:g}", f"{configuration['hard_weight']:g}", *figures])
    return table(["T", "lambda", "mAP held out after 2 epochs", "4", "6", "8"], rows)


STUDY_TEACHERS = {"osnet-0.25": "with label smoothing", "osnet-0.25-plain": "without"}
"""Of the study, in words: OSNet x0.25, and how it was trained."""


def study() -> str:
    """Whole runs of the study with OSNet x0.25 as the teacher, and the student alone."""
    report = result("market1501-study")
    rows = [["alone", "-", *_pair(report["figure-8"]["osnet-0.25"]["student_alone"])]]
    made = planned = 0
    for teacher, trained in STUDY_TEACHERS.items():
        sweep = report["figure-8"][teacher]
        points = [point for point in sweep["points"] if point["map"] is not None]
        made, planned = made + len(points), planned + len(sweep["points"])
        rows += [[f"T = {point['temperature']:g}, lambda = {point['hard_weight']:g}", trained, *_pair(point)] for point in points]
        rows.append(["the teacher itself", trained, *_pair(sweep["teacher"])])
    text = f"\n{made} of the {planned} runs of these two sweeps were made.\n"
    return table(["MobileNet 0.25, whole trainings", "its teacher, OSNet x0.25", "Rank-1 (%)", "mAP (%)"], rows) + text


def _pair(point: dict[str, Any]) -> list[str]:
    return [f"{point['rank1']:.2f}", f"{point['map']:.2f}"]


def entropies() -> str:
    """Of the teachers' soft targets on training images, as the study found them."""
    found = {teacher: result("market1501-study")["figures-2-and-5"][f"market1501 {teacher}"] for teacher in STUDY_TEACHERS}
    rows = [[STUDY_TEACHERS[teacher], *(f"{value:.2f}" for value in one["mean"].values())] for teacher, one in found.items()]
    first = found["osnet-0.25"]
    headings = ["entropy (nats) at T =", *first["mean"]]
    return table(headings, rows) + f"\nThe most there can be is log 751 = {first['uniform']:.2f}.\n"


def ranking_speed() -> str:
    record = result("benchmark-ranking")
    figures = record.get("figures", record)
    return (
        f"{figures['evaluate_seconds_median']:.2f} s against {figures['plain_loop_seconds_median']:.2f} s for the plain loop: "
        f"{figures['ratio']:.1f} times as fast, with {figures['evaluate_peak_megabytes']:.0f} MB beyond the embeddings against "
        f"{figures['plain_loop_peak_megabytes']:.0f} MB ({where(record)}).\n"
    )


def training_speed() -> str:
    record = result("benchmark-training")
    rows = []
    for size, found in record["batch_size"].items():
        speeds = {name: sorted(values)[len(values) // 2] for name, values in found["images_per_second"].items()}
        cells = [f"{speeds['plain']:.0f}", f"{speeds['ours']:.0f}", f"{found['ratio']:.2f}"]
        rows.append([size, *cells, f"{min(found['ratios']):.2f} to {max(found['ratios']):.2f}"])
    return (
        table(["Batch", "plain eager loop, images/s", "Resight, images/s", "ratio, median", "range"], rows)
        + f"\n{where(record)}.\n"
    )


BLOCKS: dict[str, Callable[[], str]] = {
    "evaluation-check": evaluation_check,
    "main-job": main_job,
    "classical": classical_table,
    "classical-speed": classical_speed,
    "lomo-gap": lomo_gap,
    "deep-distances": deep_distances,
    "market-benchmark": market_benchmark,
    "deployment": deployment,
    "market-extract": market_extract,
    "student": student,
    "calibration": calibration,
    "gallery": gallery,
    "student-probe": student_probe,
    "starts": starts,
    "teacher-changes": teacher_changes,
    "space-turned": space_turned,
    "unseen": unseen,
    "mobilenet": mobilenet,
    "ablation": ablation,
    "reranking": reranking,
    "market-tradeoff": market_tradeoff,
    "demo-tradeoff": demo_tradeoff,
    "study": study,
    "temperatures": temperatures,
    "entropies": entropies,
    "ranking-speed": ranking_speed,
    "training-speed": training_speed,
}


def rendered(text: str) -> str:
    """A Markdown file with every block made anew."""
    return MARKER.sub(lambda match: f"{match[1]}{BLOCKS[match[2]]()}{match[3]}", text)


def main(check: bool) -> int:
    """Rewrite the files, or say which are stale."""
    stale = []
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        before = path.read_text(encoding="utf-8")
        after = rendered(before)
        if after != before:
            stale.append(path.name)
            if not check:
                path.write_text(after, encoding="utf-8")
    print(f"{'stale' if check else 'rewritten'}: {', '.join(stale) or 'none'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
