"""Time, chance, progress and workers that a test can hold in its hand."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import PurePath
from typing import TypeVar

from s3export.domain.errors import FileRefused
from s3export.domain.ports import (
    Clock,
    Progress,
    Randomness,
    ReportWriter,
    Scratch,
    ScratchFile,
    Stage,
    Stop,
    Workers,
)
from s3export.domain.verification import Report

A = TypeVar("A")
B = TypeVar("B")


class FixedClock(Clock):
    """Starts where it is told, and goes on by one second at each look."""

    def __init__(self, start: datetime | None = None) -> None:
        self._next = start or datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the time, and let a second pass."""
        self._next += timedelta(seconds=1)
        return self._next - timedelta(seconds=1)

    def wait(self, seconds: float) -> None:
        """Let the time pass, and return at once."""
        self._next += timedelta(seconds=max(0.0, seconds))


class MemoryScratchFile(ScratchFile):
    """A scratch file that never leaves memory."""

    def __init__(self) -> None:
        self._data = bytearray()

    def append(self, data: bytes) -> int:
        """Write at the end."""
        start = len(self._data)
        self._data += data
        return start

    def read(self, start: int, length: int) -> bytes:
        """Return what was written."""
        return bytes(self._data[start : start + length])


class MemoryScratch(Scratch):
    """Scratch files in memory."""

    @contextmanager
    def file(self) -> Iterator[ScratchFile]:
        """Open an empty file."""
        yield MemoryScratchFile()


class MemoryReports(ReportWriter):
    """Keeps reports by the path that they would have been written to.

    Attributes:
        forms: The endings that are taken.
    """

    def __init__(self, forms: Sequence[str] = (".json", ".csv", ".html")) -> None:
        self.forms = forms
        self.written: dict[str, Report] = {}

    def check(self, path: str) -> None:
        """Refuse an unknown ending."""
        if PurePath(path).suffix.lower() not in self.forms:
            raise FileRefused(f"{path}: no report has this ending")

    def write(self, report: Report, path: str) -> str | None:
        """Keep a report, and the one before it under a number."""
        self.check(path)
        kept = None
        if path in self.written:
            kept = next(name for name in _numbered(path) if name not in self.written)
            self.written[kept] = self.written[path]
        self.written[path] = report
        return kept


def _numbered(path: str) -> Iterator[str]:
    name = PurePath(path)
    return (str(name.with_stem(f"{name.stem}.{number}")) for number in count(1))


class FixedRandomness(Randomness):
    """Counts instead of throwing dice."""

    def __init__(self) -> None:
        self._count = 0

    def seed(self) -> str:
        """Return the next number as a seed."""
        self._count += 1
        return f"{self._count:016x}"

    def password(self) -> str:
        """Return the next number as a password."""
        self._count += 1
        return f"correct-horse-battery-{self._count:016x}"


class InlineWorkers(Workers):
    """Runs everything in the caller's thread, one call at a time."""

    def map(
        self, function: Callable[[A, Stop], B], items: Iterable[A], *, at_once: int
    ) -> Generator[B, None, None]:
        """Yield the results one by one."""
        for item in items:
            yield function(item, _go_on)

    def turns(self) -> AbstractContextManager[object]:
        """Return nothing: there is one thread."""
        return nullcontext()


def _go_on() -> bool:
    return False


class SilentProgress(Progress):
    """Shows nothing."""

    @contextmanager
    def stage(
        self,
        name: str,
        *,
        total: int | None = None,
        unit: str = "files",
        total_bytes: int | None = None,
    ) -> Iterator[Stage]:
        """Begin a piece of work that nobody watches."""
        yield RecordedStage(name, total, unit)


@dataclass
class RecordedStage(Stage):
    """How far one stage came."""

    name: str
    total: int | None
    unit: str
    done: int = 0
    done_bytes: int = 0
    ended: bool = False

    def advance(self, amount: int = 1, size_bytes: int = 0) -> None:
        """Note that so much more is done."""
        self.done += amount
        self.done_bytes += size_bytes


@dataclass
class RecordedProgress(Progress):
    """Keeps what would have been shown."""

    stages: list[RecordedStage] = field(default_factory=list)

    @contextmanager
    def stage(
        self,
        name: str,
        *,
        total: int | None = None,
        unit: str = "files",
        total_bytes: int | None = None,
    ) -> Iterator[Stage]:
        """Begin a piece of work and remember it."""
        stage = RecordedStage(name, total, unit)
        self.stages.append(stage)
        try:
            yield stage
        finally:
            stage.ended = True
