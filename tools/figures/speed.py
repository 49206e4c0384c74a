"""Speed and memory."""

from __future__ import annotations

import re
import statistics
from typing import Any

from accuracy import STUDENTS
from records import number, result, scores, table, where

from resight.studies.ruiz2019.published import TABLE_2, TIMING

STUDENT_NAME = re.compile(r"mobilenet-0\.25|distilled|student")

PAPER_SPEEDS = {"lomo": f"{TIMING['lomo_images_per_second']:g} (processor)"}
PAPER_SPEEDS |= {name: f"{row.images_per_second:g}" for name, row in TABLE_2["market1501"].items()}
PAPER_SPEEDS |= {"distilled": PAPER_SPEEDS["mobilenet-0.25"]}
"""Images per second in the paper, by a part of a model's name; all but LOMO on a GTX 1070."""


def classical_speed() -> str:
    record = result("benchmark-classical")
    found = record["figures"]

    def lomo(retinex: str) -> str:
        return " / ".join(f"{found[f'lomo_{retinex}_{workers}_workers_ms']['median']:.2f}" for workers in (1, 2))

    shape, start = found["xqda_shape"], found["start_up"]
    fit, query = f"{TIMING['xqda_fit_seconds']:g}", f"{TIMING['query_ms']:g}"
    rows = [
        ["LOMO without Retinex, 128x64 image, 1 core / 2 cores", lomo("none"), "", "ms"],
        ["LOMO with MSRCP, 1 core / 2 cores", lomo("msrcp"), f"{TIMING['lomo_ms']:g}", "ms"],
        [f"XQDA, fit to {shape[0]} x {shape[1]}", f"{found['xqda_fit_seconds']:.0f}", fit, "s"],
        ["the same: memory at most, images and descriptors included", f"{found['peak_memory_gib']:.1f}", "", "GiB"],
        [f"one query against {found['gallery']}, with its projection", f"{found['one_query_ms']:.2f}", query, "ms"],
        [f"each of {found['queries']} queries at once", f"{found['all_queries_ms_each']:.3f}", "", "ms"],
        ["compiling LOMO's loops, once", f"{start['compile_seconds']:.0f}", "", "s"],
        ["loading them from the cache", f"{start['load_from_cache_seconds']:.2f}", "", "s"],
    ]
    return table(["", "Resight", "paper", ""], rows) + f"\n{where(record)}; the paper: a laptop.\n"


def demo_seeds() -> str:
    """The demo's claim in five seeds."""
    return _demo("demo")


def demo_steps() -> str:
    """The same with as many steps for the student alone."""
    return _demo("demo-steps")


def _demo(name: str) -> str:
    record = result(name)
    names = ("lomo xqda", "teacher", "student alone", "student distilled")
    spent = [sum(one["processor_seconds"].values()) for one in record["seeds"]]
    rows = [
        [str(one["seed"]), *(f"{one['map'][name]:.1f}" for name in names), f"{one['gain']:+.1f}", f"{seconds:.0f}"]
        for one, seconds in zip(record["seeds"], spent, strict=True)
    ]
    means = [f"{record['map'][name]['mean']:.1f}" for name in names]
    rows.append(["mean", *means, f"{record['map']['gain']['mean']:+.1f}", f"{sum(spent) / len(spent):.0f}"])
    headings = [
        "Seed",
        "LOMO + XQDA, mAP (%)",
        "teacher",
        "student alone",
        "student distilled",
        "distillation adds",
        "processor seconds",
    ]
    return table(headings, rows) + f"\n{where(record)}.\n"


def market_tradeoff() -> str:
    record = result("market1501-tradeoff")
    rows = []
    for row in record["models"]:
        speeds = [f"{row[name]:.0f}" for name in ("images_per_second", "network_images_per_second")]
        operations = None if row["multiply_adds"] is None else row["multiply_adds"] / 1e6
        size = [f"{row['parameters'] / 1e6:.2f}", number(operations, 0), str(row["embedding_size"]), _size(row)]
        rows.append([row["model"], *scores(row), *speeds, *size])
    headings = ["Model", "Rank-1 (%)", "mAP (%)", "Images/s, file to vector", "network alone"]
    return table([*headings, "Parameters (M)", "Multiply-adds (M)", "Embedding", "Input"], rows) + f"\n{where(record)}.\n"


def _size(row: dict[str, Any]) -> str:
    return "x".join(map(str, row["input_size"]))


def deployment() -> str:
    """Speeds on all cores, with one thread in a column, and how many times as fast the student is. Empty columns are left out."""
    record = result("market1501-deployment")
    cores = max(row["threads"] for row in record["models"])
    one_thread = {row["model"]: row["images_per_second"] for row in record["models"] if row["threads"] == 1}
    on_all = {row["model"]: row for row in record["models"] if row["threads"] == cores}
    rows = []
    for model, row in on_all.items():
        low, high = row["ranges"]["images_per_second"]
        published = [] if model.startswith("usual") else [text for part, text in PAPER_SPEEDS.items() if part in model]
        cells = {
            "Model": _typed(model),
            f"Images/s, file to vector, {cores} threads": f"{row['images_per_second']:.0f} ({low:.0f}-{high:.0f})",
            "1 thread": number(one_thread.get(model), 0),
            "network alone (batch)": f"{row['network_images_per_second']:.0f} ({row['batch_size']})",
            "one image: ms, 95 %": f"{row['latency_ms']:.2f}, {row['latency_p95_ms']:.2f}",
            "from its file, ms": f"{row['file_latency_ms']:.2f}",
            "search in 100,000, ms": number(row["search_ms"], 1),
            "memory, MB": number(row["memory_mb"], 0),
            "embedding": str(row["embedding_size"]),
            "input": _size(row),
            "paper, GTX 1070": published[0] if published else "-",
        }
        rows.append(cells)
    known = [heading for heading in rows[0] if any(row[heading] != "-" for row in rows)]
    text = f"{_student_ratios(on_all)}{record['images']['count']} images; {where(record)}.\n"
    return table(known, [[row[heading] for heading in known] for row in rows]) + "\n" + text


def _typed(model: str) -> str:
    """A model's name in a benchmark, behind the name that a user types for a shipped model."""
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


def tiny_weights() -> str:
    record = result("benchmark-tiny-weights")
    rows = []
    for name, found in record["models"].items():
        plain, ours = (f"{statistics.median(found['images_per_second'][way]):.0f}" for way in ("file", "resight"))
        rows.append([f"`{name}`", plain, ours, f"{found['ratio']:.2f}"])
    headings = ["network alone, one thread", "file as it is, images/s", "Resight, images/s", "times as fast"]
    return table(headings, rows) + f"\n{where(record)}, one core used.\n"


def market_extract() -> str:
    runs = sorted(result("market1501-extract")["runs"].values(), key=lambda run: -run["images_per_second"])
    rows = [[run["model"], f"{run['images_per_second']:.0f}", f"{run['seconds']:.1f}", str(run["embedding_size"])] for run in runs]
    headings = ["`resight extract` of all of Market-1501's gallery", "images/s", "seconds", "embedding"]
    return table(headings, rows) + f"\n{runs[0]['images']} files each; {where(runs[0])}.\n"


def gallery() -> str:
    record, load, market = result("benchmark-gallery"), result("benchmark-service"), result("market1501-service")
    rows = []
    for one in record["figures"]["galleries"]:
        times = [f"{one[f'{part}_gallery_ms_{which}']:.2f}" for part in ("all", "filtered") for which in ("median", "p99")]
        faiss = f"{one['all_faiss_ms_median']:.1f}, {one['filtered_faiss_ms_median']:.1f}"
        usearch = f"{one['all_usearch_ms_median']:.1f}"
        rows.append([f"{one['size']:,}", *times, faiss, usearch, f"{min(one['all_recall'], one['filtered_recall']):g}"])
    headings = [
        "vectors of 256 numbers",
        "one search, ms",
        "99 %",
        "filtered to a sixth, ms",
        "99 %",
        "faiss flat, ms",
        "usearch exact, ms",
        "recall",
    ]
    under, asked, found = load["figures"], load["provenance"]["configuration"], market["figures"]
    within = under["answered_ms"]
    text = (
        f"Over HTTP, {asked['clients']} clients at once on a gallery of {asked['size']:,}, all on the same {where(load)}: "
        f"{under['searches_per_second']:.0f} searches a second, half of them within {within['p50']:.0f} ms, 99 % within "
        f"{within['p99']:.0f} ms; {100 * under['share_429']:.1f} % of requests were asked to come again (429), none "
        f"failed. Market-1501's {found['gallery']:,} gallery crops searched with its {found['queries']:,} queries through the API: "
        f"Rank-1 {found['rank1']:.2f} %, mAP {found['map']:.2f} %; `resight evaluate` gives "
        f"{found['evaluate']['rank1']:.2f} % and {found['evaluate']['map']:.2f} %.\n"
    )
    return table(headings, rows) + "\n" + text


def ranking_speed() -> str:
    record = result("benchmark-ranking")
    figures = record["figures"]
    called = {
        "evaluate": "Resight",
        "plain_loop": "the plain loop in NumPy",
        "torchreid": "torchreid {}, in Python",
        "fastreid": "FastReID {}, in Cython",
        "oml": "Open Metric Learning {}",
    }
    rows = []
    for name, title in called.items():
        memory = number(figures.get(f"{name}_peak_megabytes"), 0)
        version = figures["peers"].get(name, "")
        rows.append([title.format(version), f"{figures[f'{name}_seconds_median']:.2f}", f"{figures[f'{name}_ratio']:.1f}", memory])
    headings = ["", "s", "times Resight's", "MB beyond the embeddings"]
    rounds = len(figures["evaluate_seconds"])
    return table(headings, rows) + f"\nMedian of {rounds} rounds in turn, one for whoever takes over 20 s; {where(record)}.\n"


def training_speed() -> str:
    record = result("benchmark-training")
    rows = []
    for size, found in record["batch_size"].items():
        plain, ours = (f"{statistics.median_high(found['images_per_second'][name]):.0f}" for name in ("plain", "ours"))
        ratios = f"{min(found['ratios']):.2f} to {max(found['ratios']):.2f}"
        rows.append([size, plain, ours, f"{found['ratio']:.2f}", ratios])
    return (
        table(["Batch", "plain eager loop, images/s", "Resight, images/s", "ratio, median", "range"], rows)
        + f"\n{where(record)}.\n"
    )


def moved_gallery() -> str:
    """A gallery that moved to another model while it was killed again and again."""
    record = result("benchmark-reembed")
    found = record["figures"]
    searches, total = found["searches meanwhile"], found["sightings"]
    same = found["records equal"] and not found["damage"] and found["old gallery unchanged"]
    lost = total - min(found["equal pictures"], found["equal vectors"])
    outcome = "is complete and equal, in every record, picture and vector," if same and not lost else f"differs in {lost} sightings"
    return (
        f"{total:,} crops of Market-1501, moved by a command that was killed {found['kills']} times: the new gallery {outcome} "
        f"to one that was moved without a disturbance. Of {sum(searches.values()):,} searches in the old gallery meanwhile, "
        f"{searches['answered']:,} were answered as before, {searches['answered otherwise']} otherwise, and "
        f"{searches['failed']} failed. Without a kill it takes {found['processor seconds without a kill']:.0f} s of processor time "
        f"({record['provenance']['hardware']['processor']}).\n"
    )


def processes() -> str:
    """Two processes started by torchrun against one of two threads."""
    found = result("benchmark-processes")
    ratios, differences = found["ratios"], found["largest_difference"]
    costs = {name: statistics.median(values) for name, values in found["processor_seconds_per_image"].items()}
    return (
        f"Two processes see {found['ratio']:.2f} times the images/s of one ({min(ratios):.2f} to {max(ratios):.2f} in "
        f"{len(ratios)} rounds) and use {costs['two'] / costs['one']:.2f} times its processor time. Over "
        f"{len(found['losses']['one'])} steps their losses differ by at most {differences['two']:.1g}; those of "
        f"one process with one thread and with two, by at most {differences['one thread']:.1g}. {where(found)}.\n"
    )
