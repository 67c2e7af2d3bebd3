"""Time, chance, progress and workers that a test can hold in its hand."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from s3export.domain.ports import Clock, Progress, Randomness, Stage, Stop, Workers

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


class FixedRandomness(Randomness):
    """Counts instead of throwing dice."""

    def __init__(self) -> None:
        self._count = 0

    def seed(self) -> str:
        """Return the next number as a seed."""
        self._count += 1
        return f"{self._count:016x}"


class InlineWorkers(Workers):
    """Runs everything in the caller's thread, one call at a time."""

    def map(
        self, function: Callable[[A, Stop], B], items: Iterable[A], *, at_once: int
    ) -> Generator[B, None, None]:
        """Yield the results one by one."""
        for item in items:
            yield function(item, _go_on)


def _go_on() -> bool:
    return False


class SilentProgress(Progress):
    """Shows nothing."""

    @contextmanager
    def stage(
        self, name: str, *, total: int | None = None, unit: str = "files"
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
    ended: bool = False

    def advance(self, amount: int = 1) -> None:
        """Note that so much more is done."""
        self.done += amount


@dataclass
class RecordedProgress(Progress):
    """Keeps what would have been shown."""

    stages: list[RecordedStage] = field(default_factory=list)

    @contextmanager
    def stage(
        self, name: str, *, total: int | None = None, unit: str = "files"
    ) -> Iterator[Stage]:
        """Begin a piece of work and remember it."""
        stage = RecordedStage(name, total, unit)
        self.stages.append(stage)
        try:
            yield stage
        finally:
            stage.ended = True
