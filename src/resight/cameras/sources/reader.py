"""Readers: a thread for each camera decodes ahead, in bounded memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from resight.cameras.frames import Frame
from resight.cameras.sources.source import Source
from resight.errors import ResightError, VideoError, one_line

__all__ = ["Reader"]

_AHEAD = 4
"""Largest number of frames of a file that wait."""

_LIVE, _LIVE_BYTES = 8, 32_000_000
"""Largest number of frames of a live camera that wait, and of their bytes: enough while the processor is busy for a moment."""

_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
"""Seconds before a live camera is opened again, after each failure in a row."""


class Reader:
    """Frames of one source, decoded on a thread of its own.

    A file waits for whoever takes its frames. A live camera does not: its oldest waiting frame is dropped and counted. If a live
    camera ends or fails, it is opened again after a pause, which grows from one second to one minute and starts anew when a frame
    comes.

    Parameters
    ----------
    source : Source
    ready : threading.Condition
        Notified when a frame is there, and when the source has ended. Several readers share one.
    report : callable
        Called, on the reader's thread, with a line about each failure of a live camera.
    pauses : tuple of float
        Seconds.

    Attributes
    ----------
    failure : str
        Reason why a source ended early; empty if it did not.
    trouble : str
        Reason why a live camera gives no frames at the moment; empty if it does.
    """

    def __init__(
        self,
        source: Source,
        ready: threading.Condition,
        *,
        report: Callable[[str], None] = lambda line: None,
        pauses: tuple[float, ...] = _PAUSES,
    ) -> None:
        self.source = source
        self.failure = self.trouble = ""
        self._ready = ready
        self._report = report
        self._pauses = pauses
        self._frames: deque[Frame] = deque()
        self._ended = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera {source.camera}", daemon=True)

    def start(self) -> None:
        """Begin to decode."""
        self._thread.start()

    def take(self) -> Frame | None:
        """Return the next frame if one waits. Call it while holding `ready`."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._ready.notify_all()  # the thread may wait for the place
        return frame

    @property
    def ended(self) -> bool:
        """True if no frame waits and none will come."""
        return self._ended and not self._frames

    def stop(self) -> None:
        """Ask the thread to end, and do not wait for it."""
        self._stop.set()
        with self._ready:
            self._ready.notify_all()

    def close(self, patience: float = 1.0) -> None:
        """Stop, and wait for the thread for some seconds; it ends by itself when its stream gives up."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(patience)

    def _run(self) -> None:
        source, failures = self.source, 0
        try:
            while not self._stop.is_set():
                before = source.counts.frames
                try:
                    for frame in source.frames():
                        if failures:
                            source.counts.reconnected += 1
                            failures, self.trouble = 0, ""
                        if not self._put(frame):
                            return
                    reason = f"{source.shown}: the stream ended"
                except VideoError as error:
                    reason = str(error)
                    if not source.live:
                        self.failure = reason
                        return
                if not source.live:
                    return
                failures = 1 if source.counts.frames > before else failures + 1
                self.trouble = reason
                pause = self._pauses[min(failures, len(self._pauses)) - 1]
                self._report(f"{source.camera}: {reason}; trying again in {pause:g} s")
                self._stop.wait(pause)
        except ResightError as error:
            self.failure = str(error)
        except Exception as error:  # one camera's fault must not silence the others
            self.failure = f"{source.shown}: {one_line(error)}"
        finally:
            with self._ready:
                self._ended = True
                self._ready.notify_all()

    def _put(self, frame: Frame) -> bool:
        """Queue a frame; return False if the reader was closed."""
        with self._ready:
            if self.source.live:
                room = max(2, min(_LIVE, _LIVE_BYTES // frame.pixels.nbytes))
                while len(self._frames) >= room:
                    self._frames.popleft()
                    self.source.counts.dropped += 1
            else:
                while len(self._frames) >= _AHEAD and not self._stop.is_set():
                    self._ready.wait()
            if self._stop.is_set():
                return False
            self._frames.append(frame)
            self._ready.notify_all()
            return True
