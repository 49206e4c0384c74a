"""Accuracy on Market-1501."""

from __future__ import annotations

import math
from statistics import mean, stdev
from typing import Any

from records import core_minutes, is_there, minutes, number, pair, result, scores, table, where

from resight.studies.ruiz2019.published import TABLE_1, TABLE_2, TABLE_3

STUDENTS = {
    "student": ("`student`: OSNet x0.25 at 160x64", "student-160x64 fp32 onnx"),
    "student-general": ("`student-general`: the same network", "student-160x64 fp32 onnx"),
    "student-accurate": ("`student-accurate`: OSNet x0.25 at 256x128", "student-256x128 fp32 onnx"),
    "student-fast": ("`student-fast`: OSNet x0.25 at 128x64", "student-osnet-128x64 fp32 onnx"),
    "student-fastest": ("`student-fastest`: MobileNet 0.25 at 128x64", "student-mobilenet-128x64 fp32 onnx"),
}
"""Shipped models: in words, and the name in a benchmark of a model with this network."""

NUMBERED = {"student-160x64 fp32 onnx": "`student`", "student-160x64-general fp32 onnx": "`student-general`"}
"""Models whose decisions were measured without people who have two numbers."""

FORMS = (
    "without a cohort",
    "as shipped",
    "margin, 0.2",
    "margin, 0.4",
    "quality, length, -0.25",
    "quality, length, +0.25",
    "quality, mirror, -0.25",
    "quality, mirror, +0.25",
    "quality, sharpness, -0.25",
    "quality, sharpness, +0.25",
    "several images, 2",
    "several images, 3",
    "cameras, mean off",
    "cameras, mean alike",
    "cameras, mean and spread alike",
    "cameras, least thousandth alike",
    "expansion, 2",
)
"""Forms of the score that are shown."""

TEACHER = "osnet-0.25 osnet_x0_25_market1501 fp32 onnx"


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
    published = {"alone": TABLE_2["market1501"]["mobilenet-0.25"], "distilled": TABLE_3["market1501"]["resnet-50"]}
    rows = []
    for name, paper in published.items():
        cells = [pair(result(f"market1501-{name}")), pair(paper._asdict()), str(len(runs[name]["epochs"]))]
        rows.append([f"MobileNet 0.25 {name}", *cells, f"{minutes(runs[name]):.0f}"])
    return table(["Market-1501, Rank-1 / mAP (%)", "Resight", "paper", "epochs", "training, minutes"], rows)


def classical() -> str:
    record = result("market1501-classical")
    kinds = [record["retinex"][retinex] for retinex in ("none", "msrcp")]
    rows = []
    for distance, paper in TABLE_1.items():
        found = [kind["test"][distance] for kind in kinds]
        dimensions = " / ".join(str(figures.get("dimensions", 26960)) for figures in found)
        rows.append([distance, *map(pair, found), dimensions, pair(paper._asdict())])
    held_out = [kind["held_out"]["map"] for kind in kinds]
    text = (
        f"Chosen on held-out identities: {record['chosen']} (held-out mAP of XQDA {held_out[0]:.1f} without Retinex, "
        f"{held_out[1]:.1f} with MSRCP).\n"
    )
    return table(["LOMO, Rank-1 / mAP (%)", "without Retinex", "MSRCP", "dimensions", "paper"], rows) + "\n" + text


def lomo_gap() -> str:
    record, paper = result("market1501-classical"), TABLE_1["euclidean"]
    rows = []
    for retinex in ("none", "msrcp"):
        found = record["retinex"][retinex]["test"]["euclidean"]
        rank1, mean = scores(found)
        error = 100 * math.sqrt(found["rank1"] / 100 * (1 - found["rank1"] / 100) / 3368)
        rows.append([retinex, rank1, f"{found['rank1'] - paper.rank1:+.2f}", f"{error:.2f}", mean])
    return table(["LOMO, Euclidean", "Rank-1 (%)", f"against {paper.rank1}", "standard error", f"mAP (paper: {paper.map})"], rows)


def deep_distances() -> str:
    runs = result("market1501-deep-distances")["runs"]
    names = {"alone": "MobileNet 0.25 alone", "distilled": "MobileNet 0.25 distilled", "osnet": "OSNet x0.25"}
    distances = ("euclidean", "kissme", "xqda")
    rows = [[title, *(pair(runs[f"{name}-{distance}"]) for distance in distances)] for name, title in names.items()]
    return table(["Market-1501, Rank-1 / mAP (%)", *distances], rows)


def student() -> str:
    speeds = {row["model"]: row["images_per_second"] for row in result("market1501-deployment")["models"]}
    rows = []
    for name, (text, model) in STUDENTS.items():
        trained = sum(map(core_minutes, result(f"market1501-{name}-run")["runs"].values()))
        times = [number(speeds.get(model), 0), number(speeds[model] / speeds[TEACHER] if model in speeds else None, 1)]
        elsewhere = scores(result(f"cuhk03-{name}"))[1]
        rows.append([text, *scores(result(f"market1501-{name}")), elsewhere, *times, f"{trained:.0f}"])
        if name == "student-general":
            adapted = result("cuhk03-adapt-general")
            after, minutes_more = adapted["scores"]["after"]["map"], minutes_of_a_core(adapted)
            rows.append(
                ["the same, adapted to those cameras without labels", "-", "-", f"{after:.2f}", *times, f"+ {minutes_more:.0f}"]
            )
    teacher = scores(result("market1501-osnet-0.25-euclidean"))
    rows.append(["OSNet x0.25 at 256x128, its authors'", *teacher, "-", f"{speeds[TEACHER]:.0f}", "1.0", "-"])
    paper = scores(TABLE_3["market1501"]["resnet-50"]._asdict())
    rows.append(["the paper's MobileNet 0.25 at 128x128", *paper, "-", "-", "-", "-"])
    headings = ["Market-1501", "Rank-1 (%)", "mAP (%)", "cameras never seen, mAP (%)", "images/s, file to vector"]
    headings += ["times OSNet x0.25"]
    text = f"\nSpeeds are from JPEG files to vectors, all in one run: {where(result('market1501-deployment'))}, all in use.\n"
    return table([*headings, "training with teachers, minutes of a core"], rows) + text


def mobilenet() -> str:
    names = {"float32": "market1501-mobilenet-192x96", "int8": "market1501-mobilenet-192x96-int8"}
    rows = [[text, *scores(result(name))] for text, name in names.items()]
    trained = sum(map(core_minutes, result("market1501-mobilenet-192x96-run")["runs"].values()))
    return table(["MobileNet 0.25 at 192x96", "Rank-1 (%)", "mAP (%)"], rows) + f"\n{trained:.0f} minutes of a core.\n"


def reranking() -> str:
    record = result("benchmark-rerank")
    found = record["figures"]
    rows = [[when, *scores(found[when])] for when in ("before", "after")]
    everything = found["all"]
    ours, dense = everything["resight"], everything["dense"]
    text = (
        f"{ours['seconds_median']:.1f} s and {ours['peak_memory_gib']:.2f} GiB for all of Market-1501, against "
        f"{dense['seconds_median']:.0f} s and {dense['peak_memory_gib']:.1f} GiB for whole matrices: "
        f"{everything['ratio']:.0f} times as fast ({where(record)}).\n"
    )
    return table(["OSNet x0.25, re-ranking", "Rank-1 (%)", "mAP (%)"], rows) + "\n" + text


ADAPTED = {
    "cuhk03-adapt-statistics": "{}, statistics only (`--epochs 0`)",
    "cuhk03-adapt": "{}, with the teacher",
    "cuhk03-adapt-self": "{}, which teaches itself",
    "cuhk03-adapt-plain": "{}, the teacher's plain vectors",
    "cuhk03-adapt-general": "{}, with the teacher",
}
SEEDS = ("cuhk03-adapt-general", "cuhk03-adapt-general-seed-1", "cuhk03-adapt-general-seed-2")


def adapt() -> str:
    """A student on cameras that it never saw, before and after it was adapted to other people's crops of them."""
    rows = []
    for name, text in ADAPTED.items():
        found = result(name)
        start, before = found["provenance"]["configuration"]["start"], found["scores"]["before"]["map"]
        earlier = "an earlier " if abs(before - result(f"cuhk03-{start}")["map"]) > 0.1 else ""
        cells = [f"{found['scores'][when][figure]:.2f}" for when in ("before", "after") for figure in ("rank1", "map")]
        agreed = found["agreement"]
        shown = f"{agreed['before']:.0f} -> {agreed['after']:.0f}" if agreed else "-"
        spent = f"{minutes_of_a_core(found):.0f}"
        rows.append([text.format(f"{earlier}`{start}`"), str(found["crops"]), shown, *cells, spent])
    headings = ["CUHK03, a part (%)", "crops", "neighbours that are the teacher's", "Rank-1 before", "mAP before", "Rank-1", "mAP"]
    return table([*headings, "minutes of a core"], rows) + _seeds()


def _seeds() -> str:
    """Mean and spread of the last row with three seeds, if they are there."""
    if not all(map(is_there, SEEDS)):
        return ""
    after = [result(name)["scores"]["after"] for name in SEEDS]
    said = []
    for key, words in (("rank1", "Rank-1"), ("map", "mAP")):
        found = [one[key] for one in after]
        said.append(f"{words} {mean(found):.2f} ± {stdev(found):.2f}")
    return f"\nThe last row with {len(SEEDS)} seeds, mean and standard deviation: {', '.join(said)}.\n"


def vector_sizes() -> str:
    """Accuracy of the students' vectors on fewer principal axes."""
    found = result("market1501-vector-sizes")["sizes"]
    sizes = list(dict.fromkeys(size for row in found.values() for size in row))
    rows = [[f"`{name}`", *(pair(row[size]) if size in row else "-" for size in sizes)] for name, row in found.items()]
    return table(["Market-1501, Rank-1 / mAP (%) with", *(f"{size} numbers" for size in sizes)], rows)


COMMERCIAL = {
    "cuhk03-commercial-1": "CUHK03's training half",
    "cuhk03-commercial-5": "the same, twice as long",
    "cuhk03-commercial-6": "the same and drawn people",
    "cuhk03-commercial-7": "drawn people alone",
    "cuhk03-commercial-2": "CUHK03's training half and PRID 2011",
    "cuhk03-commercial-3": "CUHK03's training half, PRID 2011 and some of Market-1501",
    "cuhk03-commercial-4": "CUHK03's training half, PRID 2011 and Market-1501",
    "market1501-commercial": "Market-1501",
}


def commercial() -> str:
    """Students that start from ImageNet's weights alone, by the crops that taught them."""
    rows = []
    for name, text in COMMERCIAL.items():
        if not is_there(name):
            continue
        found, home = result(name), name.partition("-")[0]
        elsewhere, file = ("market1501", name.replace("cuhk03", "market1501")) if home == "cuhk03" else ("cuhk03", f"cuhk03-{name}")
        judged = {home: scores(found["scores"]["after"]), elsewhere: scores(result(file))}
        cells = [" / ".join(judged.get(one, ["-"])) for one in ("cuhk03", "market1501")]
        how, taught = found["provenance"]["configuration"], found["crops"] - found["held_out"]
        steps = how["epochs"] * (taught // how["batch_size"])
        rows.append([text, f"{found['crops']:,}", str(how["epochs"]), f"{steps:,}", *cells])
    labelled = [pair(result(f"{data}-student-fastest")) for data in ("cuhk03", "market1501")]
    rows.append(
        [
            "`student-fastest`, the same network: Market-1501 with labels, and PRID 2011 (for research)",
            "14,070",
            "-",
            "-",
            *labelled,
        ]
    )
    rows.append(["the teacher itself", "not known", "-", "-", pair(result("cuhk03-retail-0277")), "-"])
    return table(["crops that taught (Rank-1 / mAP, %)", "number", "passes", "steps", "CUHK03, a part", "Market-1501"], rows)


def minutes_of_a_core(record: dict[str, Any]) -> float:
    """Time of an adaptation, times the cores that it had."""
    return float(record["seconds"] * record["provenance"]["hardware"]["cores"] / 60)


def adapt_cost() -> str:
    """Time and memory of adapting."""
    record = result("benchmark-adapt")
    found, machine = record["figures"], record["provenance"]["hardware"]
    return (
        f"{found['crops']:,} crops with the teacher: {found['seconds'] / 60:.1f} minutes on {machine['cores']} cores "
        f"({machine['processor']}), and {found['peak_megabytes'] / 1000:.1f} GB of memory.\n"
    )


def targets() -> str:
    """Targets that a teacher gives for crops without labels, with and without what cameras do."""
    kinds = {
        "the teacher's": "the teacher's",
        "without cameras": "without cameras",
        "and 1 neighbours": "and 1 neighbour",
        "and 3 neighbours": "and 3",
        "and 8 neighbours": "and 8",
        "and 3 neighbours, cosine to the power 1": "and 3, plain cosine",
        "and 3 neighbours, cosine to the power 3": "and 3, cubed",
    }
    found = result("teacher-targets")["figures"]
    rows = [[name, str(row["images"]), *(f"{row[kind]:.1f}" for kind in kinds)] for name, row in found.items()]
    return table(["mAP (%)", "images", *kinds.values()], rows)


def decision() -> str:
    """People missed at wanted rates of false answers, with and without a cohort; means over divisions and both ways round."""
    rows = [row for row in result("decision")["rows"] if row.get("asks", "image") == "image"]
    cells = []
    for promise in ("guaranteed", "expected"):
        for cohort in (False, True):
            cell = [f"{promise}, {'with' if cohort else 'without'} a cohort"]
            for wanted in sorted({row["wanted"] for row in rows}):
                some = [r for r in rows if (r["promise"], r["cohort"], r["wanted"]) == (promise, cohort, wanted)]
                for name in ("false_positives", "misses"):
                    values = [100 * row[name]["value"] for row in some]
                    cell.append(f"{mean(values):.1f} ± {stdev(values):.1f}")
            cells.append(cell)
    headings = [f"{text} at {100 * wanted:g} %" for wanted in sorted({r["wanted"] for r in rows}) for text in ("false", "missed")]
    return table(["%", *headings], cells)


def decision_models() -> str:
    """People missed by each shipped model at expected rates, with its cohort; means over divisions and both ways round."""
    names = {
        "decision": "`student`",
        "decision-student-general": "`student-general`",
        "decision-student-accurate": "`student-accurate`",
        "decision-student-fast": "`student-fast`",
        "decision-student-fastest": "`student-fastest`",
    }
    cells = []
    for name, model in names.items():
        rows = [row for row in result(name)["rows"] if row["cohort"] and row["promise"] == "expected"]
        rates = sorted({row["wanted"] for row in rows})
        cell = [model]
        for asks in ("image", "tracklet"):
            for wanted in rates:
                missed = [100 * row["misses"]["value"] for row in rows if (row["asks"], row["wanted"]) == (asks, wanted)]
                cell.append(f"{mean(missed):.1f} ± {stdev(missed):.1f}")
        cells.append(cell)
    return table(["missed, %", *(f"one {asks}, at {100 * rate:g} %" for asks in ("image", "tracklet") for rate in rates)], cells)


def decision_intervals() -> str:
    """How often the rate of other people lies between the stated limits."""
    record = result("decision")
    rows = record["intervals"]
    rates = sorted({row["wanted"] for row in rows})
    cells = []
    for asks in ("image", "tracklet"):
        for promise in ("expected", "guaranteed"):
            held = {row["wanted"]: row["held"] for row in rows if (row["asks"], row["promise"]) == (asks, promise)}
            cells.append([f"one {asks}, {promise}", *(f"{100 * held[rate]:.1f}" for rate in rates)])
    return table([f"% of {2 * rows[0]['divisions']} halves", *(f"at {100 * rate:g} %" for rate in rates)], cells)


def decision_growth() -> str:
    """Measured rates in galleries of other sizes, with thresholds moved by the law of growth to keep one in ten."""
    rows = [row for row in result("decision")["growth"] if row["asks"] == "image"]
    sizes = sorted({row["people"] for row in rows})
    cells = []
    for fitted in sorted({row["fitted"] for row in rows}):
        cell = [str(fitted)]
        for size in sizes:
            found = [100 * row["moved"]["0.1"] for row in rows if (row["fitted"], row["people"]) == (fitted, size)]
            cell.append(f"{mean(found):.1f} ± {stdev(found):.1f}")
        cells.append(cell)
    return table(["labelled people", *(f"gallery of {size}, %" for size in sizes)], cells)


def decision_unlabelled() -> str:
    """Rates of other people at thresholds chosen without labels, and who is missed, beside thresholds chosen with labels."""
    names = {
        "decision-unlabelled": "`student`, Market-1501",
        "decision-general": "`student-general`, Market-1501",
        "decision-cuhk03": "`student-general`, CUHK03, a part",
    }
    cells = []
    for name, text in names.items():
        rows = result(name)["unlabelled"]
        for asks, kept in (("image", "image"), ("image", "tracklet"), ("tracklet", "tracklet")):
            cell = [f"{text}: one {asks}, gallery of {kept}s"]
            for wanted in sorted({row["wanted"] for row in rows}):
                some = [row for row in rows if (row["asks"], row["sightings"], row["wanted"]) == (asks, kept, wanted)]
                rates = [100 * row["unlabelled"]["false_positives"] for row in some]
                missed = (100 * mean(row[kind]["misses"] for row in some) for kind in ("unlabelled", "labelled"))
                cell += [f"{mean(rates):.1f} ± {stdev(rates):.1f}", " / ".join(f"{share:.0f}" for share in missed)]
            cells.append(cell)
    rates = sorted({row["wanted"] for row in rows})
    return table(["%", *(text for rate in rates for text in (f"false at {100 * rate:g} %", "missed without / with labels"))], cells)


def two_numbers() -> str:
    """People missed as Market-1501 is labelled, and with people who have two numbers left out."""
    names = {"decision-two-numbers": "", "decision-two-numbers-teacher": ", one crop of each tracklet"}
    cells = []
    for name, how in names.items():
        rows = result(name)["rows"]
        for model, asks in dict.fromkeys((row["model"], row["asks"]) for row in rows):
            for form in dict.fromkeys(row["form"] for row in rows):
                some = [row for row in rows if (row["model"], row["asks"], row["form"]) == (model, asks, form)]
                about = f"{NUMBERED.get(model, model.removesuffix(' openvino'))}, one {asks}{how}: {form}"
                cells.append([about, *(f"{100 * row['misses']:.1f} ± {100 * row['spread']:.1f}" for row in some)])
    return table(["missed, %", *(f"at {100 * row['wanted']:g} %" for row in some)], cells)


def two_numbers_cost() -> str:
    """Sentence: how many people `student` misses because some have two numbers."""
    record = result("decision-two-numbers")
    missed = {
        (row["asks"], row["form"]): f"{100 * row['misses']:.1f} %"
        for row in record["rows"]
        if row["model"] == "student-160x64 fp32 onnx" and row["wanted"] == 0.02
    }
    image, tracklet = (
        f"{missed[asks, 'two numbers left out']} instead of {missed[asks, 'as labelled']}" for asks in ("image", "tracklet")
    )
    return (
        f"A part of this is Market-1501's own: {len(record['pairs']['same'])} pairs of its numbers are plainly one person each. "
        f"If they are left out, {image} are missed at 2 %, and {tracklet} if a tracklet asks among tracklets.\n"
    )


def two_numbers_found() -> str:
    """How many of the most alike pairs are one person, in sentences."""
    record, teacher = result("decision-two-numbers"), result("decision-two-numbers-teacher")
    same, wrong, unclear = (len(record["pairs"][kind]) for kind in ("same", "wrong crops", "unclear"))
    of_16 = {(row["model"], row["asks"]): row["same"] for row in record["found"] if row["most alike"] == 16}
    of_teacher = next(row["same"] for row in teacher["found"] if row["most alike"] == 16)
    student = "student-160x64 fp32 onnx"
    return (
        f"{same} of them show the same clothes, shoes, bags and hair, and are plainly one person. In {wrong} others, one number "
        f"has crops of the other person. {unclear} were not plain and stay as they are. Of the sixteen most alike pairs, "
        f"{of_teacher} are one person with 0277, {of_16[student, 'image']} with `student`'s crops and "
        f"{of_16[student, 'tracklet']} with its tracklets.\n"
    )


def score_forms() -> str:
    """People missed with other forms of the score."""
    settings = ("score-forms-others", "score-forms-cuhk03", "score-forms")
    records = [{(row["asks"], row["form"]): row["missed"] for row in result(name)["rows"]} for name in settings]
    cells = []
    for form in FORMS:
        cell = [form]
        for record in records:
            for asks in ("image", "tracklet"):
                missed = record[asks, form]
                cell.append(f"{missed[0]:.1f} / {missed[-1]:.1f}")
        cells.append(cell)
    headings = [
        f"{who}: one {asks}"
        for who in ("OSNet, MSMT17", "`student-general`, CUHK03", "`student`")
        for asks in ("image", "tracklet")
    ]
    return table(["missed at 2 / 10 %", *headings], cells)
