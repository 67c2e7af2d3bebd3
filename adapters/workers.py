"""Threads: hashing, disk and network calls all release Python's lock."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from s3export.domain.ports import Stop, Workers

A = TypeVar("A")
B = TypeVar("B")

_AHEAD = 2  # items taken per thread, so that none waits for the consumer


class ThreadWorkers(Workers):
    """Runs up to ``at_once`` calls in threads, and yields in the items' order."""

    def map(
        self, function: Callable[[A, Stop], B], items: Iterable[A], *, at_once: int
    ) -> Iterator[B]:
        """Yield the results in order."""
        stopped = threading.Event()
        waiting: deque[Future[B]] = deque()
        pool = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="s3export")
        try:
            for item in items:
                waiting.append(pool.submit(function, item, stopped.is_set))
                if len(waiting) >= at_once * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)
