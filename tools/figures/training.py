"""Trainings: comparisons on held-out people, and the study of the paper."""

from __future__ import annotations

from statistics import mean, stdev
from typing import Any

from records import ROOT, core_minutes, minutes, number, pair, result, scores, table

from resight.studies.ablation import markdown, read_plan

STARTS = {
    "msmt17": "MSMT17",
    "market1501": "Market-1501",
    "student-176x64-2": "the second round at 176x64",
    "student-176x64": "the first round at 176x64",
}
"""In words, by a part of the weights' name."""

STUDY_TEACHERS = {
    "osnet-0.25": ("market1501-study", "OSNet x0.25, with label smoothing"),
    "osnet-0.25-plain": ("market1501-study", "OSNet x0.25, trained on without"),
    "mobilenet-1.0": ("market1501-study-mobilenet-1.0", "MobileNet 1.0"),
}
"""Teachers of the study: the record of each, and how it is called."""


def ablation() -> str:
    return markdown(result("market1501-ablation")["runs"])


def student_probe() -> str:
    runs = result("market1501-student-probes")["runs"]
    rows = []
    for name, text in (("M1", "MobileNet 0.25 at 192x96"), ("O2", "OSNet x0.25 at 160x64")):
        held_out = _held_out(runs[name])
        for figure, title in (("rank1", "Rank-1"), ("map", "mAP")):
            rows.append([f"{text}, {title}", *(f"{values[figure]:.1f}" for values in held_out.values())])
    return table(["held out, after epoch", *map(str, held_out)], rows)


def _held_out(run: dict[str, Any]) -> dict[int, dict[str, float]]:
    """Scores on held-out people by epoch."""
    return {row["epoch"]: row["validation"] for row in run["epochs"] if row.get("validation")}


def starts() -> str:
    """Trainings of OSNet x0.25: their start, their result on the training images, and on the test images."""
    runs, found = result("market1501-starts")["runs"], result("market1501-starts-scores")["runs"]
    rows = []
    for name, run in runs.items():
        settings, last = run["provenance"]["configuration"], run["epochs"][-1]
        start = next(text for part, text in STARTS.items() if part in settings["weights"])
        size, reached = f"{settings['height']}x{settings['width']}", [f"{100 * last['accuracy']:.1f}", f"{last['embedding']:.2f}"]
        rows.append([size, start, str(settings["epochs"]), f"{core_minutes(run):.0f}", *reached, *scores(found[name])])
    headings = ["OSNet x0.25 at", "starts from", "epochs", "minutes of a core", "images named rightly (%)"]
    return table([*headings, "1 - cosine to teachers", "Rank-1 (%)", "mAP (%)"], rows)


def temperatures() -> str:
    runs = result("market1501-temperatures")["runs"]
    rows = {}
    for run in runs.values():
        settings, held_out = run["provenance"]["configuration"], _held_out(run)
        place = settings["temperature"], settings["hard_weight"]
        rows[place] = [f"{held_out[epoch]['map']:.1f}" if epoch in held_out else "not run" for epoch in (2, 4, 6, 8)]
    lines = [[f"{temperature:g}", f"{weight:g}", *rows[temperature, weight]] for temperature, weight in sorted(rows)]
    return table(["T", "lambda", "mAP held out after 2 epochs", "4", "6", "8"], lines)


def study() -> str:
    """Finished runs of the study by teacher and temperature, with the entropy of the teacher's targets; and the student alone."""
    rows = [
        ["none: the student alone", "-", "-", "-", *scores(result("market1501-study")["figure-8"]["osnet-0.25"]["student_alone"])]
    ]
    made = planned = 0
    for teacher, (record, called) in STUDY_TEACHERS.items():
        sweep, entropy = result(record)["figure-8"][teacher], _entropy(teacher)["mean"]
        points = [point for point in sweep["points"] if point["map"] is not None]
        made, planned = made + len(points), planned + len(sweep["points"])
        for point in points:
            temperature = f"{point['temperature']:g}"
            nats = number(entropy.get(temperature), 2)
            rows.append([called, temperature, f"{point['hard_weight']:g}", nats, *scores(point)])
        rows.append([f"{called}: the teacher itself", "-", "-", "-", *scores(sweep["teacher"])])
    text = f"\n{made} of the {planned} runs of these sweeps were made.\n"
    return table(["MobileNet 0.25's teacher", "T", "lambda", "entropy, nats", "Rank-1 (%)", "mAP (%)"], rows) + text


def _entropy(teacher: str) -> dict[str, Any]:
    """Entropies of a teacher's soft targets on training images, as the study found them."""
    found: dict[str, Any] = result(STUDY_TEACHERS[teacher][0])["figures-2-and-5"][f"market1501 {teacher}"]
    return found


def paper_mobilenets() -> str:
    """The paper's MobileNets on Market-1501, beside ours."""
    alone = result("market1501-study")["table-2"]["market1501"]["MobileNet 0.25"]
    made = result("market1501-study-mobilenet-1.0")
    names = {
        "MobileNet 0.25, alone": alone,
        "MobileNet 1.0, the teacher": made["table-2"]["market1501"]["MobileNet 1.0"],
        "MobileNet 0.25, taught by it, T = 3, lambda = .001": made["table-3"]["market1501"][
            "MobileNet 0.25 distilled from MobileNet 1.0"
        ],
    }
    rows = [[name, pair(found["paper"]), pair(found["here"])] for name, found in names.items()]
    run = result("market1501-mobilenet-1.0-run")["runs"]["mobilenet-1.0"]
    known = next(row["epoch"] for row in run["epochs"] if row["accuracy"] > 0.999)
    text = (
        f"\nThe teacher's training took {minutes(run):.0f} minutes beside other work. It named all but one in a thousand of its "
        f"training images rightly after {known} of {len(run['epochs'])} epochs.\n"
    )
    return table(["Market-1501, Rank-1 / mAP (%)", "paper", "Resight"], rows) + text


def short_temperatures() -> str:
    """Short trainings of one plan: held-out mAP by teacher and temperature, with the entropy of the targets."""
    record = result("market1501-temperatures-short")
    runs = {row["name"]: row for row in record["runs"] if row["map"] is not None}
    taught = [row for row in runs.values() if "teacher" in row["changes"]]
    temperatures = sorted({row["changes"]["temperature"] for row in taught})
    found = {(row["name"].split(", T =")[0], row["changes"]["temperature"]): row for row in taught}
    rows = []
    for teacher in dict.fromkeys(teacher for teacher, _ in found):
        cells = [found.get((teacher, temperature)) for temperature in temperatures]
        rows.append([f"{teacher}: entropy, nats", *(number(row and row["seeds"][0]["entropy"], 2) for row in cells)])
        rows.append([f"{teacher}: mAP held out (%)", *(number(row and row["map"], 1) for row in cells)])
    planned = len(read_plan(ROOT / "benchmarks" / "temperatures-market1501.toml"))
    text = f"Without a teacher: {runs['alone']['map']:.1f} %. One seed each; {len(runs)} of {planned} runs were made.\n"
    return table(["T =", *(f"{temperature:g}" for temperature in temperatures)], rows) + "\n" + text


def automatic_temperature() -> str:
    """A teacher that had no part in the rule of --temperature auto: held-out mAP at fixed temperatures and at its own."""
    runs = {row["name"]: row for row in result("market1501-temperatures-auto")["runs"]}
    fixed = [
        f"{row['changes']['temperature']:g}" for name, row in runs.items() if name.startswith("student") and "auto" not in name
    ]
    fixed.sort(key=float)
    auto = runs["student, T = auto"]
    chosen = f"{auto['map']:.1f} (T = {auto['seeds'][0]['temperature']:g})"
    cells = [f"{runs[f'student, T = {temperature}']['map']:.1f}" for temperature in fixed]
    text = f"\nWithout a teacher: {runs['alone']['map']:.1f} %. One seed each.\n"
    return table(["mAP held out (%) at T =", *fixed, "auto"], [["`student` teaches", *cells, chosen]]) + text


def soft_and_embedding() -> str:
    """Soft targets that are almost uniform beside losses that compare embeddings, and both with two weights."""
    runs = {row["name"]: row for row in result("market1501-soft")["runs"]}
    temperature = runs["soft, T = auto"]["seeds"][0]["temperature"]
    names = {
        "embedding and similarity": "embedding (8) and similarity (100), hard loss 0.2",
        "all, T = auto": "the same, and soft targets (16)",
        "all, T = auto, more": "the same, and soft targets (160)",
        "soft, T = auto": "soft targets alone, hard loss 0.001",
    }
    rows = [[text, f"{runs[name]['map']:.1f}", f"{runs[name]['rank1']:.1f}"] for name, text in names.items()]
    text = f"\nT = {temperature:g}, as --temperature auto chose it. One seed each; six epochs.\n"
    return table(["losses, and their weights", "mAP held out (%)", "Rank-1 (%)"], rows) + text


def student_seeds() -> str:
    """A short round that goes on from two shipped students, with three seeds, scored on two data sets."""
    runs = result("market1501-student-seeds")["runs"]
    rows = []
    for name in ("student", "student-fastest"):
        row = [f"`{name}`"]
        for data in ("market1501", "cuhk03"):
            found = [runs[f"{name}-{seed}-{data}"] for seed in range(3)]
            columns = ([one[figure] for one in found] for figure in ("rank1", "map"))
            row.append(" / ".join(f"{mean(column):.2f} ± {stdev(column):.2f}" for column in columns))
        row.append(f"{mean(core_minutes(runs[f'{name}-{seed}']) for seed in range(3)):.0f}")
        rows.append(row)
    return table(["Rank-1 / mAP (%), three seeds", "Market-1501", "CUHK03, a part", "minutes of a core, each"], rows)


def soft_teachers() -> str:
    """Teachers whose soft targets alone taught the same short training."""
    rows = [[row["name"], f"{row['map']:.1f}", f"{row['rank1']:.1f}"] for row in result("market1501-soft-teachers")["runs"]]
    return table(["teacher of soft targets at T = auto", "mAP held out (%)", "Rank-1 (%)"], rows)


def entropies() -> str:
    """Mean entropy of each teacher's soft targets by temperature."""
    found = [(called, _entropy(teacher)) for teacher, (_, called) in STUDY_TEACHERS.items()]
    rows = [[called, *(f"{value:.2f}" for value in one["mean"].values())] for called, one in found]
    (_, first), *_ = found
    return table(["entropy (nats) at T =", *first["mean"]], rows) + f"\nThe largest possible is log 751 = {first['uniform']:.2f}.\n"


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
    (small,) = result("market1501-student-fastest-unseen-run")["runs"].values()
    runs = result("market1501-student-general-run")["runs"]
    first, second, third = (f"{core_minutes(runs[f'student-160x64-general{end}']):.0f} more" for end in ("-1", "-2", ""))
    little = result("market1501-student-fastest-run")["runs"]
    fourth, fifth = (f"{core_minutes(little[f'student-mobilenet-128x64-general{end}']):.0f} more" for end in ("-1", ""))
    (last_small,) = result("market1501-student-fastest-4-run")["runs"].values()
    (soft,) = result("market1501-student-fastest-soft-run")["runs"].values()
    (other,) = result("market1501-student-general-5-run")["runs"].values()
    (both_kinds,) = result("market1501-student-general-6-run")["runs"].values()
    (short,) = result("market1501-student-general-7-run")["runs"].values()
    (by_students,) = result("market1501-student-fastest-7-run")["runs"].values()
    (again,) = result("market1501-student-again-run")["runs"].values()
    (anew,) = result("market1501-student-fastest-6-run")["runs"].values()
    large = result("market1501-student-accurate-run")["runs"]["student-256x128"]

    def both(*names: str) -> list[str]:
        return [f"{found['rank1']:.2f} / {found['map']:.2f}" for found in map(result, names)]

    rows = [
        ["`student`", *both("market1501-student", "cuhk03-student"), "-"],
        [
            "`student` again, by itself, OSNet x0.25 of its authors and `student-general`, not shipped",
            *both("market1501-student-again", "cuhk03-student-again"),
            f"{core_minutes(again):.0f}",
        ],
        ["`student` after the training", *both("market1501-student-unseen", "cuhk03-student-unseen"), f"{core_minutes(run):.0f}"],
        ["and with both teachers", *both("market1501-student-general-1", "cuhk03-student-general-1"), first],
        ["and without cameras", *both("market1501-student-general-2", "cuhk03-student-general-2"), second],
        ["`student-general`: and longer", *both("market1501-student-general", "cuhk03-student-general"), third],
        [
            "and taught by `student-accurate` instead of `student`, not shipped",
            *both("market1501-student-general-5", "cuhk03-student-general-5"),
            f"{core_minutes(other):.0f} more",
        ],
        [
            "from `student-general`, by `student-accurate` and `student`, with soft targets at T = auto, not shipped",
            *both("market1501-student-general-6", "cuhk03-student-general-6"),
            f"{core_minutes(both_kinds):.0f} more",
        ],
        [
            "from `student-general`, by itself and `student`, five epochs, not shipped",
            *both("market1501-student-general-7", "cuhk03-student-general-7"),
            f"{core_minutes(short):.0f} more",
        ],
        [
            "`student-accurate`: from `student-general`, at 256x128",
            *both("market1501-student-accurate", "cuhk03-student-accurate"),
            f"{core_minutes(large):.0f} more",
        ],
        [
            "MobileNet 0.25 with labels and teachers of its own kind",
            *both("market1501-student-fastest-1", "cuhk03-student-fastest-1"),
            "-",
        ],
        [
            "the same after the training",
            *both("market1501-student-fastest-unseen", "cuhk03-student-fastest-unseen"),
            f"{core_minutes(small):.0f}",
        ],
        ["instead with both teachers, without cameras", *both("market1501-student-fastest-2", "cuhk03-student-fastest-2"), fourth],
        ["`student-fastest`: and longer", *both("market1501-student-fastest", "cuhk03-student-fastest"), fifth],
        [
            "and longer again, not shipped",
            *both("market1501-student-fastest-4", "cuhk03-student-fastest-4"),
            f"{core_minutes(last_small):.0f} more",
        ],
        [
            "and from there with soft targets at T = auto, not shipped",
            *both("market1501-student-fastest-soft", "cuhk03-student-fastest-soft"),
            f"{core_minutes(soft):.0f} more",
        ],
        [
            "from ImageNet weights with soft targets at T = auto alone, not shipped",
            *both("market1501-student-fastest-6", "cuhk03-student-fastest-6"),
            f"{core_minutes(anew):.0f}",
        ],
        [
            "from `student-fastest`, by `student` and `student-general`, not shipped",
            *both("market1501-student-fastest-7", "cuhk03-student-fastest-7"),
            f"{core_minutes(by_students):.0f} more",
        ],
        ["their teacher", "-", *both("cuhk03-retail-0277"), "-"],
    ]
    near = [runs[f"student-160x64-general{end}"]["epochs"][-1]["embedding"] for end in ("-2", "")]
    steps, last = run["about"]["stopped"], run["epochs"][-1]
    text = (
        f"The first training was stopped for want of time {steps}; at the end {100 * last['accuracy']:.1f} % of the training "
        f"images were named rightly and 1 - cosine to the teacher was {last['embedding']:.2f}. After the third and the fourth "
        f"training of `student-general`, 1 - cosine to both teachers was {near[0]:.3f} and {near[1]:.3f}; after that of "
        f"`student-accurate`, to its two, {large['epochs'][-1]['embedding']:.3f}.\n"
    )
    return table(["Rank-1 / mAP (%)", "Market-1501", "CUHK03, a part", "minutes of a core"], rows) + "\n" + text
