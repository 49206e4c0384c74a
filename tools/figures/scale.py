"""Growth: what was measured, and what follows from it by multiplication."""

from __future__ import annotations

import math
from typing import Any

from records import result, table, where

CAMERAS, DAYS = 10_000, 30
BYTES_IN_MEMORY, BYTES_ON_DISK = 256e9, 4e12  # of a machine
LARGEST = 5_000_000
"""Sightings in one database of a city."""


def _galleries() -> list[dict[str, Any]]:
    """All sizes that were measured; the largest has no index in memory, and nothing of it was purged."""
    return [gallery for name in ("benchmark-postgres", "benchmark-postgres-million") for gallery in result(name)["galleries"]]


def _purged() -> list[dict[str, Any]]:
    return [gallery for gallery in _galleries() if "purge_of_a_day_seconds" in gallery["postgres"]]


def _ways(gallery: dict[str, Any]) -> dict[str, dict[str, Any]]:
    postgres = {name: found for name, found in gallery["postgres"].items() if isinstance(found, dict)}
    memory = {"in memory": gallery["memory"]["searches"]} if "memory" in gallery else {}
    exact = memory | {"PostgreSQL, exact": postgres.pop("exact")}
    return exact | {f"PostgreSQL, HNSW, {name.removeprefix('hnsw ')} candidates": found for name, found in postgres.items()}


def searches() -> str:
    """Recall and processor time of a search."""
    rows = []
    for gallery in _galleries():
        for name, found in _ways(gallery).items():
            cells = [f"{one['recall']:.3f}, {one['ms_median']:.1f} ms ({one['ms_p99']:.1f})" for one in found.values()]
            rows.append([f"{gallery['rows']:,}, {name}", *cells])
    largest = _galleries()[-1]
    chosen = [f"{one['rows']:,}" for one in largest["postgres"]["exact"].values() if one["rows"] < largest["rows"]]
    text = (
        f"The filters select {' and '.join(chosen)} of {largest['rows']:,}. {where(result('benchmark-postgres'))}, one core used.\n"
    )
    return table(["sightings, search", "all", "one camera of 20", "and ten days of 30"], rows) + "\n" + text


def storages() -> str:
    """Processor time and disk with vectors beside their rows and in them; each was measured twice, in turn."""
    found = result("benchmark-postgres-storage")
    (gallery,) = found["galleries"]
    measured: list[dict[str, Any]] = gallery["postgres"]["storage"]
    names, rows = list(measured[0]["searches"]), []
    for storage, where_it_is in (("EXTERNAL", "beside their rows"), ("PLAIN", "in their rows")):
        some = [one for one in measured if one["storage"] == storage]
        cells = [" and ".join(f"{one['searches'][name]['ms_median']:.1f}" for one in some) for name in names]
        listed = " and ".join(f"{one['list_ms']:.1f}" for one in some)
        rows.append([where_it_is, *cells, listed, f"{some[0]['bytes'] / 1e6:.0f}"])
    counts = [measured[0]["searches"][name]["rows"] for name in names]
    headings = ["vectors", *(f"exact search of {count:,}, ms" for count in counts), f"list of {counts[1]:,}, ms", "table, MB"]
    return table(headings, rows) + f"\n{where(found)}, one core used.\n"


def on_ray() -> str:
    """Seconds of an extraction with Ray and without, on one machine."""
    found = result("benchmark-on-ray")
    figures = found["figures"]
    plain, ray = (figures[kind]["seconds"] for kind in ("one process", "on Ray"))
    equal = "equal" if figures["largest_difference"] == 0 else f"equal up to {figures['largest_difference']:.1g}"
    return (
        f"{figures['images']:,} images of Market-1501 take {plain:.0f} s without Ray and {ray:.0f} s with a cluster that the "
        f"command starts and ends, on the same {where(found)}; the vectors are {equal}.\n"
    )


def growth() -> str:
    """Memory and disk of a sighting, and the work of enrolling and indexing it."""
    rows = []
    for gallery in _galleries():
        count, memory, postgres = gallery["rows"], gallery.get("memory"), gallery["postgres"]
        rows.append(
            [
                f"{count:,}",
                f"{memory['memory_bytes'] / 1e6:.0f}" if memory else "-",
                f"{memory['disk_bytes'] / 1e6:.0f}" if memory else "-",
                f"{postgres['disk_bytes'] / 1e6:.0f}",
                f"{postgres['index_bytes'] / 1e6:.0f}",
                f"{count / postgres['enrol_server_seconds']:.0f}",
                f"{postgres['build_seconds']:.0f}",
            ]
        )
    headings = [
        "sightings",
        "index in memory, MB",
        "its file, MB",
        "PostgreSQL, MB",
        "HNSW, MB",
        "enrolled a second, without HNSW",
        "HNSW built in, s",
    ]
    return table(headings, rows)


def buffers() -> str:
    """Time of a search with the default memory of the server, and with enough for the index."""
    (small,), large = result("benchmark-postgres-million-128mb")["galleries"], _galleries()[-1]
    little, much = (gallery["postgres"]["hnsw 200"]["all"]["ms_median"] for gallery in (small, large))
    return (
        f"The server's memory (`shared_buffers`) holds the whole index here. With its default, 128 MB, a search in "
        f"{large['rows']:,} with 200 candidates took {little:.1f} ms instead of {much:.1f}.\n"
    )


def load() -> str:
    """Waiting times of many clients: of a database, and of two services behind nginx."""
    kept = result("benchmark-postgres-latency")
    figures = {name: found for name, found in kept["figures"].items() if isinstance(found, dict)}
    rows = [
        [
            name.removeprefix("hnsw ").replace(", ", " candidates, ", 1),
            f"{found['searches_per_second']:.0f}",
            f"{found['ms_p50']:.0f}",
            f"{found['ms_p99']:.0f}",
        ]
        for name, found in figures.items()
    ]
    clients = kept["provenance"]["configuration"]["clients"]
    text = f"{clients} clients on {kept['figures']['rows']:,} sightings. {where(kept)}, shared by clients and server.\n"
    return table(["HNSW", "searches a second", "half wait at most, ms", "99 % wait at most, ms"], rows) + "\n" + text


def two_services() -> str:
    """Waiting times of two services behind nginx, one of which is killed."""
    found = result("benchmark-two-services")
    figures, given = found["figures"], found["provenance"]["configuration"]
    rows = [
        [
            name,
            f"{figures[name]['searches_per_second']:.0f}",
            f"{figures[name]['answered_ms']['p50']:.0f}",
            f"{figures[name]['answered_ms']['p99']:.0f}",
            f"{100 * figures[name]['share_429']:.0f}",
            str(figures[name]["errors_5xx"]),
        ]
        for name in ("both", "one killed and started again")
    ]
    enrolled = figures["enrolments"]
    text = (
        f"{given['clients']} clients, {given['size']:,} sightings, HNSW with {given['hnsw']} candidates. Of "
        f"{enrolled['acknowledged']} enrolments that were acknowledged meanwhile, {enrolled['lost'] or 'none'} were lost, and "
        f"the audit chain {'is damaged' if figures['audit_problems'] else 'is whole'}. {where(found)}, shared by clients, nginx, "
        "both services and the database.\n"
    )
    headings = [
        "services",
        "searches a second",
        "half wait at most, ms",
        "99 % wait at most, ms",
        "told to come back (429), %",
        "errors (5xx)",
    ]
    return table(headings, rows) + "\n" + text


def purges() -> str:
    """Time that a retention takes."""
    rows = []
    for gallery in _purged():
        postgres = gallery["postgres"]
        plain, indexed = postgres["purge_of_a_day_seconds"], postgres["purge_of_a_day_with_index_seconds"]
        rows.append([f"{gallery['rows']:,}", f"{plain:.1f}", f"{indexed - plain:.0f}"])
    return table(["sightings", "tables written anew, s; searches wait", "HNSW built anew, s; searches go on, exactly"], rows)


def city() -> str:
    """The arithmetic for 10^9 sightings, from the largest gallery that was measured."""
    gallery = _galleries()[-1]
    count, postgres = gallery["rows"], gallery["postgres"]
    rewritten = _purged()[-1]["postgres"]["purge_of_a_day_seconds"] / _purged()[-1]["rows"]
    built = postgres["build_seconds"] / count
    index, disk = postgres["index_bytes"] / count, postgres["disk_bytes"] / count
    rows = []
    for total in (1e6, 1e7, 1e8, 1e9):
        purge = (rewritten * total, built * total)
        rows.append(
            [
                f"{total:,.0f}",
                f"{CAMERAS * total / 1e9:,.0f}",
                f"{total / DAYS / 86_400:,.1f}",
                f"{disk * total / 1e9:,.0f}",
                f"{index * total / 1e9:,.0f}",
                f"{purge[0] / 60:,.0f}",
                f"{purge[1] / 3600:,.1f}",
            ]
        )
    headings = [
        "sightings",
        "cameras",
        "enrolled a second",
        "disk, GB",
        "HNSW, GB",
        "tables written anew, core minutes",
        "HNSW built anew, core hours",
    ]
    databases = 1e9 / LARGEST
    machines = max(1e9 * index / BYTES_IN_MEMORY, 1e9 * disk * 2 / BYTES_ON_DISK)
    search = databases * _ways(gallery)["PostgreSQL, HNSW, 200 candidates"]["all"]["ms_median"] / 1000
    text = (
        f"With {LARGEST:,} sightings in a database, 1,000,000,000 are {databases:.0f} databases for {CAMERAS / databases:.0f} "
        f"cameras each, with an index of {index * LARGEST / 1e9:.0f} GB. A purge a day writes the tables of each anew in "
        f"{rewritten * LARGEST / 60:.0f} core minutes, and builds its index in {built * LARGEST / 3600:.1f} core hours: "
        f"{built * 1e9 / 86_400:.0f} cores for all of them, all day. The indexes fill the memory of "
        f"{math.ceil(machines)} machines of {BYTES_IN_MEMORY / 1e9:.0f} GB, with {disk * 1e9 / 1e12:.0f} TB of disk, "
        f"twice that while tables are written. A search by all of them costs {search:.1f} core seconds.\n"
    )
    return table(headings, rows) + "\n" + text
