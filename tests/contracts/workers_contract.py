"""What every `Workers` does."""

import itertools
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from s3export.domain.ports import Stop, Workers


def double(number: int, stop: Stop) -> int:
    """Take a while, the earlier ones the longest."""
    time.sleep(0.001 * (number % 3))
    return number * 2


class WorkersContract:
    """Subclass it with a fixture ``workers``."""

    def test_results_come_in_the_order_of_the_items(self, workers: Workers) -> None:
        """However long each call takes."""
        results = list(workers.map(double, range(50), at_once=4))

        assert results == [number * 2 for number in range(50)]

    def test_nothing_in_gives_nothing_out(self, workers: Workers) -> None:
        """An empty stream is an empty stream."""
        assert list(workers.map(double, [], at_once=4)) == []

    def test_an_exception_is_raised_in_its_place(self, workers: Workers) -> None:
        """The results before it are yielded."""

        def work(number: int, stop: Stop) -> int:
            if number == 3:
                raise ZeroDivisionError
            return number

        results = workers.map(work, range(10), at_once=2)

        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ZeroDivisionError):
            next(results)

    def test_endless_streams_are_taken_as_needed(self, workers: Workers) -> None:
        """No more than a few items per worker are taken ahead."""
        taken = []

        def items() -> Iterator[int]:
            for number in itertools.count():
                taken.append(number)
                yield number

        results = workers.map(double, items(), at_once=3)
        assert [next(results) for _ in range(5)] == [0, 2, 4, 6, 8]
        results.close()

        assert len(taken) <= 5 + 3 * 4

    def test_leaving_early_stops_calls_that_ask(self, workers: Workers) -> None:
        """When the generator is closed, no call that asks ``stop`` is still running."""
        running = set()

        def work(number: int, stop: Stop) -> int:
            if number == 0:
                return 0
            running.add(number)
            deadline = time.monotonic() + 20
            while not stop() and time.monotonic() < deadline:
                time.sleep(0.005)
            running.discard(number)
            return number

        started = time.monotonic()
        results = workers.map(work, range(3), at_once=3)
        assert next(results) == 0
        results.close()

        assert running == set()
        assert time.monotonic() - started < 10

    def test_in_turns_one_call_works_at_a_time(self, workers: Workers) -> None:
        """Whoever enters waits for the one who is inside; an exception lets him in."""
        turns = workers.turns()
        inside: list[int] = []
        most = []

        def work(number: int, stop: Stop) -> int:
            with suppress(ZeroDivisionError), turns:
                inside.append(number)
                time.sleep(0.002)
                most.append(len(inside))
                inside.remove(number)
                raise ZeroDivisionError
            return number

        assert list(workers.map(work, range(20), at_once=4)) == list(range(20))
        assert most == [1] * 20
