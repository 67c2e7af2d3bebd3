"""Progress as lines of JSON, for programs that watch."""

import io
import json
from typing import Any

import pytest

from s3export.adapters.event_progress import EventProgress


class Watch:
    """A clock that a test moves, and what was written meanwhile."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.stream = io.StringIO()
        self.progress = EventProgress(self.stream, 5.0, lambda: self.seconds)

    def told(self) -> list[dict[str, Any]]:
        """Return the lines."""
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_long_work_tells_how_far_it_is_now_and_then(watch: Watch) -> None:
    """Every five seconds, and at its end; the time left follows from the bytes."""
    with watch.progress.stage("loading", total=4, unit="objects", total_bytes=100) as s:
        s.advance(size_bytes=10)
        watch.seconds += 5
        s.advance(size_bytes=10)
        s.advance(size_bytes=20)
        watch.seconds += 1
        s.advance(size_bytes=60)

    first, last = watch.told()
    assert first == {
        "event": "progress",
        "stage": "loading",
        "done": 2,
        "total": 4,
        "unit": "objects",
        "bytes": 20,
        "total_bytes": 100,
        "seconds": 5.0,
        "seconds_left": 20.0,
    }
    assert (last["done"], last["bytes"], last["seconds_left"]) == (4, 100, 0)


def test_without_bytes_the_time_left_follows_from_the_count(watch: Watch) -> None:
    """Without either nobody knows it."""
    with watch.progress.stage("hashing", total=30) as stage:
        watch.seconds += 10
        stage.advance(10)
    with watch.progress.stage("listing") as stage:
        watch.seconds += 10
        stage.advance(10)

    assert [line["seconds_left"] for line in watch.told()] == [20.0, 20.0, None, None]


def test_short_work_says_nothing(watch: Watch) -> None:
    """Nor does work that failed say that it ended."""
    with watch.progress.stage("hashing", total=30) as stage:
        watch.seconds += 4
        stage.advance(30)
    with (
        pytest.raises(RuntimeError),
        watch.progress.stage("listing", total=2) as stage,
    ):
        watch.seconds += 5
        stage.advance()
        raise RuntimeError

    assert [line["done"] for line in watch.told()] == [1]
