"""Progress bars on a terminal, through rich."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bars,
)

from s3export.domain.ports import Progress, Stage


class TerminalProgress(Progress):
    """Draws one line for each stage that is under way; on a terminal only."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(
        self, name: str, *, total: int | None = None, unit: str = "files"
    ) -> Iterator[Stage]:
        """Begin a piece of work."""
        bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        with bars:
            yield _BarStage(bars, bars.add_task(name, total=total))


class _BarStage(Stage):
    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def advance(self, amount: int = 1) -> None:
        """Move the bar; rich draws at most ten times a second."""
        self._bars.advance(self._task, amount)
