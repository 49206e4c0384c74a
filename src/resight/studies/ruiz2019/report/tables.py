"""Tables 1 to 4 of the paper and the times of its section 5, each beside ours."""

from __future__ import annotations

from resight.studies.ruiz2019.experiments import DATASETS, LAMBDAS, STUDENT, distilled_name, title_of
from resight.studies.ruiz2019.outcomes import NOT_RUN, Outcome, Outcomes
from resight.studies.ruiz2019.published import OTHERS, TABLE_1, TABLE_2, TABLE_3, TABLE_4, TIMING, Published
from resight.studies.ruiz2019.report.beside import SCORES, WITH_SPEED, Beside, figure, found_scores, published_values
from resight.studies.ruiz2019.report.pages import Section, Table
from resight.studies.ruiz2019.speed import LOMO

__all__ = ["table_1", "table_2", "table_3", "table_4", "timing", "tradeoff_rows"]

_RECIPE = (3.0, 0.001)  # T and lambda of the recipes for distillation


def table_1(outcomes: Outcomes) -> Section:
    """LOMO with three distances."""
    outcome = outcomes.get("market1501", "classical")
    test = outcome.classical
    table = Beside("LOMO, compared by", SCORES)
    titles = {"euclidean": "Euclidean distance", "kissme": "KISSME", "xqda": "XQDA (paper: dimensionality 75)"}
    for name, published in TABLE_1.items():
        here = {score: None if test is None else float(test[name][score]) for score in SCORES}
        table.add(titles[name], published_values(published, SCORES), here, outcome.reason)
    text = f"{NOT_RUN}: {outcome.reason}"
    if test is not None and outcome.scores is not None:
        text = (
            f"Retinex, chosen on held-out identities: {outcome.scores['chosen']}. XQDA has {test['xqda']['dimensions']} dimensions."
        )
    return Section(
        key="table-1",
        title="Table 1: LOMO and XQDA on Market-1501",
        paragraphs=(text,),
        tables=(table.table(""),),
        data=table.data,
    )


def timing(outcomes: Outcomes) -> Section:
    """Times of the classical pipeline in section 5."""
    outcome = outcomes.get("market1501", "classical")
    test, record = outcome.classical, outcome.scores
    here: dict[str, float | None] = dict.fromkeys(TIMING)
    if test is not None and record is not None:
        milliseconds = record["timing"][f"{record['chosen']}_1_workers_ms"]
        here = {
            "lomo_ms": milliseconds,
            "lomo_images_per_second": 1000 / milliseconds,
            "xqda_fit_seconds": test["seconds"]["xqda_fit"],
            "query_ms": 1000 * test["seconds"]["one_query_with_projection"],
        }
    titles = {
        "lomo_ms": "LOMO, one image on one core (ms)",
        "lomo_images_per_second": "LOMO, images/s on one core",
        "xqda_fit_seconds": "XQDA, fit to the training images (s)",
        "query_ms": "one query against the gallery, with its projection (ms)",
    }
    digits = dict.fromkeys(titles, 2) | {"lomo_images_per_second": 0, "xqda_fit_seconds": 0}
    rows = tuple((title, f"{TIMING[name]:g}", figure(here[name], digits[name])) for name, title in titles.items())
    table = Table(caption="", headings=("", "paper", "here"), rows=rows)
    return Section(
        key="timing",
        title="Section 5: the cost of the classical pipeline",
        paragraphs=("The paper's processor is an Intel Core i5-6300U; the descriptor is timed from the decoded image.",),
        tables=(table,),
        data={name: {"paper": TIMING[name], "here": here[name]} for name in titles},
    )


def _speeds(outcomes: Outcomes) -> tuple[dict[str, float | None], str]:
    """Images per second by network, and the hardware they were measured on."""
    record = outcomes.get("market1501", "speed").scores
    if record is None:
        return {}, f"Speed: {NOT_RUN} ({outcomes.get('market1501', 'speed').reason})."
    source = record["report"]["provenance"]["hardware"]
    where = source["accelerator"] or f"{source['processor']}, {source['cores']} cores"
    return record["images_per_second"], f"Images/s here: from files to vectors on {where}; the paper's are of an NVIDIA GTX1070."


def table_2(outcomes: Outcomes) -> Section:
    """Networks trained alone."""
    speeds, where = _speeds(outcomes)
    tables, data = [], {}
    for dataset, title in DATASETS.items():
        table = Beside("", WITH_SPEED)
        for name in (*TABLE_2[dataset], *_added(outcomes, dataset)):
            found, published = outcomes.get(dataset, name), TABLE_2[dataset].get(name)
            row = title_of(name) if published else f"{name} (not in the paper)"
            here = found_scores(found) | {"images_per_second": speeds.get(name)}
            table.add(row, published_values(published, WITH_SPEED), here, found.reason)
        tables.append(table.table(title))
        data[dataset] = table.data
    return Section(
        key="table-2",
        title="Table 2: networks trained alone",
        paragraphs=("Deep features compared by Euclidean distance.", where),
        tables=tuple(tables),
        data=data,
    )


def _added(outcomes: Outcomes, dataset: str) -> list[str]:
    """Teachers that are not in the paper."""
    return [name for name in outcomes.teachers(dataset) if name not in TABLE_2[dataset]]


def table_3(outcomes: Outcomes) -> Section:
    """The student with each teacher, and the methods of others."""
    tables, data = [], {}
    text = [
        "The paper's figures are the best of its sweep, chosen on query and gallery. Here the run is the one of the sweep that "
        "names held-out training images best; if none are held out, or nothing else was run, it is the run of the recipe."
    ]
    for dataset, title in DATASETS.items():
        table = Beside("", SCORES)
        for teacher in outcomes.teachers(dataset):
            found, best = _chosen(outcomes, dataset, teacher), _best(outcomes, dataset, teacher)
            paper = published_values(TABLE_3[dataset].get(teacher), SCORES)
            table.add(f"MobileNet 0.25 distilled from {title_of(teacher)}", paper, found_scores(found), found.reason)
            if best is not None:
                text.append(
                    f"{title}, from {title_of(teacher)}: the figures are of {_place(found)}; query and gallery would have chosen "
                    f"{_place(best)} with {figure(best.rank1)} / {figure(best.map)}."
                )
        for name, published in OTHERS[dataset].items():
            table.add(f"{name} (quoted by the paper)", published_values(published, SCORES), None)
        tables.append(table.table(title))
        data[dataset] = table.data
    return Section(
        key="table-3",
        title="Table 3: the distilled student, and the methods of others",
        paragraphs=tuple(text),
        tables=tuple(tables),
        data=data,
    )


def _sweep(outcomes: Outcomes, dataset: str, teacher: str) -> list[Outcome]:
    """Finished students of one teacher, with a lambda of Figures 8 and 9."""
    students = [found for found in outcomes.all if (found.run.dataset, found.run.experiment.teacher) == (dataset, teacher)]
    return [found for found in students if found.rank1 is not None and found.run.experiment.settings["hard_weight"] in LAMBDAS]


def _chosen(outcomes: Outcomes, dataset: str, teacher: str) -> Outcome:
    """The student whose figures stand in Tables 3 and 4."""
    known = [found for found in _sweep(outcomes, dataset, teacher) if found.held_out_accuracy is not None]
    recipe = outcomes.get(dataset, distilled_name(teacher, *_RECIPE))
    return max(known, key=lambda found: found.held_out_accuracy or 0.0, default=recipe)


def _best(outcomes: Outcomes, dataset: str, teacher: str) -> Outcome | None:
    """The student of highest Rank-1, if there is any."""
    return max(_sweep(outcomes, dataset, teacher), key=lambda found: found.rank1 or 0.0, default=None)


def _place(found: Outcome) -> str:
    return "T = {temperature:g}, lambda = {hard_weight:g}".format(**found.run.experiment.settings)


def tradeoff_rows(outcomes: Outcomes, dataset: str) -> dict[str, tuple[Published | None, dict[str, float | None], str]]:
    """Rows of Table 4, which are also the points of Figure 10: the paper's figures, ours, and why ours are missing."""
    speeds, _ = _speeds(outcomes)
    classical = outcomes.get(dataset, "classical")
    test = classical.classical
    xqda = {name: None if test is None else float(test["xqda"][name]) for name in SCORES}
    published = TABLE_4[dataset]
    rows: dict[str, tuple[Published | None, dict[str, float | None], str]] = {}
    rows["LOMO + XQDA"] = published["LOMO + XQDA"], xqda | {"images_per_second": speeds.get(LOMO)}, classical.reason

    def add(row: str, found: Outcome, network: str) -> None:
        rows[row] = published.get(row), found_scores(found) | {"images_per_second": speeds.get(network)}, found.reason

    networks = {"ResNet-50": "resnet-50", "MobileNet 1.0 independent": "mobilenet-1.0", "MobileNet 0.25 independent": STUDENT}
    for row, name in networks.items():
        add(row, outcomes.get(dataset, name), name)
    for teacher in outcomes.teachers(dataset):
        add(f"MobileNet 0.25 d.f. {title_of(teacher)}", _chosen(outcomes, dataset, teacher), STUDENT)
    for name in _added(outcomes, dataset):
        add(f"{name} (not in the paper)", outcomes.get(dataset, name), name)
    return rows


def table_4(outcomes: Outcomes) -> Section:
    """Accuracy beside speed."""
    tables, data = [], {}
    for dataset, title in DATASETS.items():
        table = Beside("", WITH_SPEED)
        for row, (published, here, reason) in tradeoff_rows(outcomes, dataset).items():
            table.add(row, published_values(published, WITH_SPEED), here, reason)
        tables.append(table.table(title))
        data[dataset] = table.data
    return Section(
        key="table-4",
        title="Table 4: accuracy beside speed",
        paragraphs=(
            '"d.f." stands for "distilled from"; the students are those of Table 3.',
            "For LOMO the paper's images/s are of a processor, all others of a GPU; here all are measured in one run.",
            _speeds(outcomes)[1],
        ),
        tables=tuple(tables),
        data=data,
    )
