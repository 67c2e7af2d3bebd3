"""Threads: hashing, disk and network calls all release Python's lock."""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from queue import SimpleQueue
from typing import TypeVar

from s3export.domain.ports import Stop, Workers

A = TypeVar("A")
B = TypeVar("B")

_AHEAD = 2  # items taken per thread, so that none waits for the consumer
_PATIENCE_SECONDS = 2.0


class ThreadWorkers(Workers):
    """Runs up to ``at_once`` calls in threads, and yields in the items' order.

    The threads are daemons: a request that hangs in the network holds up neither an
    interruption nor the end of the program, as the threads of the standard library's
    executor would.
    """

    def map(
        self, function: Callable[[A, Stop], B], items: Iterable[A], *, at_once: int
    ) -> Generator[B, None, None]:
        """Yield the results in order."""
        stopped = threading.Event()
        tasks: SimpleQueue[tuple[A, Future[B]] | None] = SimpleQueue()
        waiting: deque[Future[B]] = deque()
        threads: list[threading.Thread] = []

        def work() -> None:
            while (task := tasks.get()) is not None:
                item, future = task
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    future.set_result(function(item, stopped.is_set))
                except BaseException as error:
                    future.set_exception(error)

        try:
            for item in items:
                if len(threads) < at_once:
                    threads.append(threading.Thread(target=work, daemon=True))
                    threads[-1].start()
                future: Future[B] = Future()
                waiting.append(future)
                tasks.put((item, future))
                if len(waiting) >= at_once * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            stopped.set()
            for future in waiting:
                future.cancel()
            for _ in threads:
                tasks.put(None)
            deadline = time.monotonic() + _PATIENCE_SECONDS
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))

    def turns(self) -> AbstractContextManager[object]:
        """Return a lock."""
        return threading.Lock()
