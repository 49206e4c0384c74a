"""Put the figures of results/*.json into the README and the docs, between markers; none is typed by hand.

    python tools/figures            rewrites the files
    python tools/figures --check    fails if a file differs from its results

A marker pair in a Markdown file looks like this, with NAME a key of `BLOCKS`:

    <!-- figures: NAME -->
    ...
    <!-- end -->
"""

from __future__ import annotations

import re
import sys
import textwrap

import accuracy
import paper
import scale
import speed
import tracking
from records import ROOT

import training

MARKER = re.compile(r"(<!-- figures: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)

BLOCKS = {
    "evaluation-check": accuracy.evaluation_check,
    "main-job": accuracy.main_job,
    "classical": accuracy.classical,
    "lomo-gap": accuracy.lomo_gap,
    "deep-distances": accuracy.deep_distances,
    "student": accuracy.student,
    "mobilenet": accuracy.mobilenet,
    "reranking": accuracy.reranking,
    "adapt": accuracy.adapt,
    "vector-sizes": accuracy.vector_sizes,
    "commercial": accuracy.commercial,
    "adapt-cost": accuracy.adapt_cost,
    "targets": accuracy.targets,
    "decision": accuracy.decision,
    "decision-growth": accuracy.decision_growth,
    "decision-intervals": accuracy.decision_intervals,
    "decision-models": accuracy.decision_models,
    "decision-unlabelled": accuracy.decision_unlabelled,
    "two-numbers": accuracy.two_numbers,
    "two-numbers-cost": accuracy.two_numbers_cost,
    "two-numbers-found": accuracy.two_numbers_found,
    "score-forms": accuracy.score_forms,
    "ablation": training.ablation,
    "student-probe": training.student_probe,
    "starts": training.starts,
    "temperatures": training.temperatures,
    "short-temperatures": training.short_temperatures,
    "automatic-temperature": training.automatic_temperature,
    "soft-and-embedding": training.soft_and_embedding,
    "soft-teachers": training.soft_teachers,
    "student-seeds": training.student_seeds,
    "study": training.study,
    "paper-mobilenets": training.paper_mobilenets,
    "entropies": training.entropies,
    "teacher-changes": training.teacher_changes,
    "space-turned": training.space_turned,
    "unseen": training.unseen,
    "paper-table-1": paper.table_1,
    "paper-table-2": paper.table_2,
    "paper-table-3": paper.table_3,
    "paper-seeds": paper.seeds,
    "paper-table-4": paper.table_4,
    "classical-speed": speed.classical_speed,
    "market-tradeoff": speed.market_tradeoff,
    "demo-seeds": speed.demo_seeds,
    "demo-steps": speed.demo_steps,
    "deployment": speed.deployment,
    "tiny-weights": speed.tiny_weights,
    "market-extract": speed.market_extract,
    "gallery": speed.gallery,
    "moved-gallery": speed.moved_gallery,
    "scale-search": scale.searches,
    "scale-growth": scale.growth,
    "scale-storage": scale.storages,
    "on-ray": scale.on_ray,
    "scale-buffers": scale.buffers,
    "scale-load": scale.load,
    "two-services": scale.two_services,
    "scale-purge": scale.purges,
    "scale-city": scale.city,
    "ranking-speed": speed.ranking_speed,
    "training-speed": speed.training_speed,
    "processes": speed.processes,
    "tracking": tracking.sequences,
    "drawn-films": tracking.drawn_films,
    "market-links": tracking.market_links,
    "camera-speed": tracking.camera_speed,
}


def rendered(text: str) -> str:
    """A Markdown file with every block made anew, its sentences wrapped."""
    return MARKER.sub(lambda match: f"{match[1]}{wrapped(BLOCKS[match[2]]())}{match[3]}", text)


def wrapped(block: str) -> str:
    """A block whose lines, except in tables, are at most 100 columns wide."""
    lines = (line if line.startswith("|") else textwrap.fill(line, 100, break_on_hyphens=False) for line in block.split("\n"))
    return "\n".join(lines)


def main(check: bool) -> int:
    """Rewrite the files, or name those that differ."""
    stale = []
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        before = path.read_text(encoding="utf-8")
        after = rendered(before)
        if after != before:
            stale.append(str(path.relative_to(ROOT)))
            if not check:
                path.write_text(after, encoding="utf-8")
    print(f"{'stale' if check else 'rewritten'}: {', '.join(stale) or 'none'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
