"""Progress on a terminal, through rich: one line a stage."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import (
    Progress as Bars,
)
from rich.text import Text

from s3export.domain.ports import Progress, Stage

_SHORTEST_SECONDS = 1.0
"""Over less than this no rate is told: what comes at once would seem to be fast."""

_LONGEST_SECONDS = 30.0


class TerminalProgress(Progress):
    """Draws one line for each stage that is under way; on a terminal only.

    Args:
        now: Seconds, from any start.
    """

    def __init__(
        self, console: Console, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._now = now

    @contextmanager
    def stage(
        self,
        name: str,
        *,
        total: int | None = None,
        unit: str = "files",
        total_bytes: int | None = None,
    ) -> Iterator[Stage]:
        """Begin a piece of work: bytes tell the time left where they are known."""
        columns: list[ProgressColumn] = [TextColumn("{task.description}"), _Count()]
        if total_bytes is not None:
            columns += [BarColumn(), DownloadColumn()]
        columns += [_Rate(in_bytes=total_bytes is not None), TimeElapsedColumn()]
        if total is not None or total_bytes is not None:
            columns += [_TimeLeft()]
        with Bars(*columns, console=self._console, transient=True) as bars:
            task = bars.add_task(
                name,
                total=total if total_bytes is None else total_bytes,
                done=0,
                of="" if total is None else f"/{total:,}",
                unit=unit,
                rate=None,
            )
            yield _BarStage(bars, task, self._now, in_bytes=total_bytes is not None)


class _Count(ProgressColumn):
    def render(self, task: Task) -> Text:
        fields = task.fields
        return Text(f"{fields['done']:,}{fields['of']} {fields['unit']}")


class _Rate(ProgressColumn):
    def __init__(self, *, in_bytes: bool) -> None:
        super().__init__()
        self._in_bytes = in_bytes

    def render(self, task: Task) -> Text:
        rate: float | None = task.fields["rate"]
        if rate is None:
            return Text("")
        return Text(f"{decimal(int(rate)) if self._in_bytes else f'{rate:,.0f}'}/s")


class _TimeLeft(ProgressColumn):
    def render(self, task: Task) -> Text:
        rate: float | None = task.fields["rate"]
        if not rate or task.remaining is None:
            return Text("-:--:--")
        return Text(str(timedelta(seconds=int(max(task.remaining, 0) / rate))))


class _BarStage(Stage):
    def __init__(
        self, bars: Bars, task: TaskID, now: Callable[[], float], *, in_bytes: bool
    ) -> None:
        self._bars = bars
        self._task = task
        self._now = now
        self._in_bytes = in_bytes
        self._done = 0
        self._steps = 0
        self._seen = deque([(now(), 0)])  # when so many steps were done; about 30
        self._lock = threading.Lock()

    def advance(self, amount: int = 1, size_bytes: int = 0) -> None:
        """Move the bar; rich draws at most ten times a second."""
        with self._lock:
            self._done += amount
            step = size_bytes if self._in_bytes else amount
            self._steps += step
            rate = self._rate()
            self._bars.update(self._task, advance=step, done=self._done, rate=rate)

    def _rate(self) -> float | None:
        """Return the steps a second of the last half a minute."""
        now, seen = self._now(), self._seen
        since, steps = seen[0]
        if now - seen[-1][0] >= _SHORTEST_SECONDS:
            seen.append((now, self._steps))
        while len(seen) > 1 and now - seen[1][0] >= _LONGEST_SECONDS:
            seen.popleft()
        seconds = now - since
        return (self._steps - steps) / seconds if seconds >= _SHORTEST_SECONDS else None
