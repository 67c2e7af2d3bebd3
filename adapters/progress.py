"""Progress on a terminal, through rich: one line a stage."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import (
    Progress as Bars,
)
from rich.text import Text

from s3export.domain.ports import Progress, Stage


class TerminalProgress(Progress):
    """Draws one line for each stage that is under way; on a terminal only."""

    def __init__(self, console: Console) -> None:
        self._console = console

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
            columns += [BarColumn(), DownloadColumn(), TransferSpeedColumn()]
        else:
            columns += [_Rate()]
        columns += [TimeElapsedColumn()]
        if total is not None or total_bytes is not None:
            columns += [TimeRemainingColumn()]
        with Bars(*columns, console=self._console, transient=True) as bars:
            task = bars.add_task(
                name,
                total=total if total_bytes is None else total_bytes,
                done=0,
                of="" if total is None else f"/{total:,}",
                unit=unit,
            )
            yield _BarStage(bars, task, in_bytes=total_bytes is not None)


class _Count(ProgressColumn):
    def render(self, task: Task) -> Text:
        fields = task.fields
        return Text(f"{fields['done']:,}{fields['of']} {fields['unit']}")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


class _BarStage(Stage):
    def __init__(self, bars: Bars, task: TaskID, *, in_bytes: bool) -> None:
        self._bars = bars
        self._task = task
        self._in_bytes = in_bytes
        self._done = 0

    def advance(self, amount: int = 1, size_bytes: int = 0) -> None:
        """Move the bar; rich draws at most ten times a second."""
        self._done += amount
        step = size_bytes if self._in_bytes else amount
        self._bars.update(self._task, advance=step, done=self._done)
