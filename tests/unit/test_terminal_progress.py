"""Progress on a terminal: how far it is, and how fast."""

import io

from rich.console import Console

from s3export.adapters.progress import TerminalProgress


class Watch:
    """A clock that a test moves, and what was drawn meanwhile."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.stream = io.StringIO()
        console = Console(
            file=self.stream, force_terminal=True, width=120, color_system=None
        )
        self.progress = TerminalProgress(console, lambda: self.seconds)


def drawn(*steps: tuple[float, int], size: int = 0) -> str:
    """Return what is drawn in the end: so many seconds, then so many objects."""
    watch = Watch()
    sizes = {"total_bytes": 100 * size} if size else {}
    with watch.progress.stage("loading", total=100, unit="objects", **sizes) as stage:
        for seconds, objects in steps:
            watch.seconds += seconds
            for _ in range(objects):
                stage.advance(size_bytes=size)
    return watch.stream.getvalue()


def test_no_rate_is_told_of_less_than_a_second() -> None:
    """What comes at once would seem to be as fast as the memory."""
    assert "100/100 objects" in drawn((0.5, 100), size=1 << 20)
    assert "/s" not in drawn((0.5, 100), size=1 << 20)
    assert "/s" not in drawn((0.5, 100))


def test_the_rate_is_over_all_of_the_time_of_what_came_at_once() -> None:
    """From the beginning; the time left follows from it."""
    text = drawn((10.0, 50), size=2_000_000)

    assert "50/100 objects" in text
    assert "10.0 MB/s" in text
    assert "0:00:10" in text
    assert "5/s" in drawn((10.0, 50))


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    """A slow beginning is forgotten."""
    steps = [(100.0, 1), *[(1.0, 3)] * 33]

    assert "3/s" in drawn(*steps)
