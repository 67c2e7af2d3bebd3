"""Progress for programs that watch: a line of JSON now and then.

A line is ``{"event": "progress", "stage": "loading", "done": 1200, "total": 5000,
"unit": "objects", "bytes": 1048576, "total_bytes": 4194304, "seconds": 10.0,
"seconds_left": 30.0}``; numbers that are not known are ``null``.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from s3export.domain.ports import Progress, Stage

EVERY_SECONDS = 5.0


@dataclass(frozen=True)
class EventProgress(Progress):
    """Writes a line for each stage every few seconds, and one at the end of a long one.

    Work that is shorter than that says nothing.

    Attributes:
        now: Seconds, from any start.
    """

    stream: TextIO
    every_seconds: float = EVERY_SECONDS
    now: Callable[[], float] = time.monotonic

    @contextmanager
    def stage(
        self,
        name: str,
        *,
        total: int | None = None,
        unit: str = "files",
        total_bytes: int | None = None,
    ) -> Iterator[Stage]:
        """Begin a piece of work."""
        stage = _EventStage(self, name, total, unit, total_bytes)
        yield stage
        stage.end()


@dataclass
class _EventStage(Stage):
    progress: EventProgress
    name: str
    total: int | None
    unit: str
    total_bytes: int | None
    done: int = 0
    size_bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._begun = self._told = self.progress.now()

    def advance(self, amount: int = 1, size_bytes: int = 0) -> None:
        with self._lock:
            self.done += amount
            self.size_bytes += size_bytes
            if self.progress.now() - self._told >= self.progress.every_seconds:
                self._tell()

    def end(self) -> None:
        """Tell the last of a stage that something was told of."""
        if self._told > self._begun:
            self._tell()

    def _tell(self) -> None:
        self._told = self.progress.now()
        seconds = self._told - self._begun
        line = {
            "event": "progress",
            "stage": self.name,
            "done": self.done,
            "total": self.total,
            "unit": self.unit,
            "bytes": self.size_bytes,
            "total_bytes": self.total_bytes,
            "seconds": round(seconds, 1),
            "seconds_left": self._seconds_left(seconds),
        }
        with contextlib.suppress(OSError):  # nobody watches any more
            self.progress.stream.write(json.dumps(line) + "\n")
            self.progress.stream.flush()

    def _seconds_left(self, seconds: float) -> float | None:
        """Return how long the rest takes, if it goes on as before."""
        done, total = self.done, self.total
        if self.total_bytes is not None:
            done, total = self.size_bytes, self.total_bytes
        if not done or total is None:
            return None
        return round(max(0, total - done) * seconds / done, 1)
