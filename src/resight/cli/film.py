"""`resight film`."""

from __future__ import annotations

from pathlib import Path

from resight.cli.terminal import say, write_result
from resight.progress import TerminalProgress

__all__ = ["film"]


def film(
    out: Path,
    /,
    *,
    people: int = 30,
    cameras: int = 5,
    seconds: float = 30.0,
    rate: float = 10.0,
    height: int = 480,
    width: int = 640,
    seed: int = 0,
    video: bool = False,
    json: Path | None = None,
) -> None:
    """Draw films of a camera network, with ground truth. Drawn people walk from camera to camera, cross, and hide each other.

    Parameters
    ----------
    out
        Folder for the films: camera-1 and so on, each in MOTChallenge's layout. It must be empty, or hold films drawn earlier.
    people
        Number of people, who have the same identity in all films.
    cameras
        Number of cameras, 2 to 6.
    seconds
        Length of each film.
    rate
        Frames per second.
    height
        Height of the frames in pixels.
    width
        Width of the frames in pixels.
    seed
        Seed of the drawing. The same seed gives the same films.
    video
        Also write camera-1.mp4 and so on.
    json
        Also write the numbers of cameras and frames to this file.
    """
    from resight.drawn.films import Films
    from resight.drawn.video import generate_video

    films = Films(people=people, cameras=cameras, seconds=seconds, rate=rate, size=(height, width), seed=seed)
    with TerminalProgress() as progress:
        generate_video(out, films, video=video, progress=progress)
    frames = round(seconds * rate)
    say(f"{cameras} films of {frames} frames in {out}, such as {out / 'camera-1'}; ground truth is in gt/gt.txt of each")
    write_result(json, {"cameras": cameras, "frames": frames, "people": people, "seed": seed})
