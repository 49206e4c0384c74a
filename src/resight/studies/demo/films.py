"""Films of drawn people at the end of the demo: watched, followed, joined across cameras, and added to its gallery."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from resight.cameras import Watch, load_detector, open_source
from resight.cameras.events import EventLog
from resight.decision import Calibration
from resight.drawn.films import Films
from resight.drawn.video import generate_video
from resight.gallery import Gallery
from resight.gallery.keeping import Keeper
from resight.gallery.people import People
from resight.models import load_model
from resight.progress import Progress, silent

__all__ = ["FILMS", "watch_films"]

FILMS = Films(people=8, cameras=2, seconds=30, rate=8, size=(360, 480))
"""Two cameras for half a minute, so that some people walk past both and it takes a few seconds."""

_CAMERAS = {"lobby": "camera-1", "courtyard": "camera-2"}


def watch_films(out: str | Path, films: Films = FILMS, *, progress: Progress = silent) -> dict[str, int]:
    """Draw films of two cameras and watch them by `motion`.

    Parameters
    ----------
    out : str or Path
        Folder with the gallery and the calibration of `resight.studies.demo.gallery.make_gallery`. It gets the films, and what
        happened in them as ``events.jsonl``. Given again, nothing is added twice.
    films : Films
        Plan of two cameras.
    progress : Progress

    Returns
    -------
    dict of str to int
        Tracklets that were ``"added"``, or ``"present"`` before.
    """
    out = Path(out)
    generate_video(out / "films", films, progress=progress)
    with Gallery.open(out / "gallery") as gallery:
        began = datetime.fromisoformat(gallery.settings.created) - timedelta(minutes=5)
        sources = [open_source(name, str(out / "films" / folder), start=began) for name, folder in _CAMERAS.items()]
        calibration = Calibration.load(out / "calibration.json")
        people = People(gallery, calibration.limits()) if calibration.distance == "cosine" else None
        log = EventLog(out / "events.jsonl")
        try:
            keeper = Keeper(log, sources, gallery, people)
            watching = Watch(sources, load_detector("motion"), load_model(gallery.settings.model), observers=[keeper])
            for event in watching.run():
                keeper.keep(event)
            keeper.join()
        finally:
            log.close()
    return keeper.counts
