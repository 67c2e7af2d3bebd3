"""A listing with several pages on their way at once, handed out by one thread.

As many as the second page was worth: where it came at once, the processor is what is
waited for, and threads would only take turns.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence

from s3export.adapters.key_ranges import Asked, Circle, Contradiction, KeyRanges
from s3export.adapters.s3_answers import turns_in_a_circle
from s3export.domain.errors import AwsError, AwsFailed
from s3export.domain.evidence import ObjectFacts

Page = tuple[Sequence[ObjectFacts], str]
"""Objects, and what the next page begins with; empty after the last one."""

Clocks = tuple[Callable[[], float], Callable[[], float]]
"""Seconds that have passed, and those that this thread has computed."""

_CLOCKS = time.perf_counter, time.thread_time
_MORE_THAN_FILL = 1.5  # no two pages take as long
_PATIENCE_SECONDS = 2.0


class RangeListing:
    """One listing.

    Args:
        bucket: For messages.
        ranges: Says which pages are asked for.
        ask: Asks for one; called by several threads at once.
        at_once: So many threads at most, if there are more than two pages.

    """

    def __init__(
        self,
        bucket: str,
        ranges: KeyRanges,
        ask: Callable[[Asked], Page],
        *,
        at_once: int,
        clocks: Clocks = _CLOCKS,
    ) -> None:
        self._bucket = bucket
        self._ranges = ranges
        self._ask = ask
        self._at_once = at_once
        self._clocks = clocks
        self._changed = threading.Condition()
        self._found: deque[Sequence[ObjectFacts]] = deque()
        self._error: BaseException | None = None
        self._is_stopped = False

    def objects(self) -> Generator[ObjectFacts, None, None]:
        """Yield the objects, in no promised order.

        The threads are daemons: a request that hangs in the network holds up neither
        an interruption nor the end of the program.

        Raises:
            AwsFailed: The answers contradict each other.

        """
        ranges = self._ranges
        first = ranges.next()
        while first is not None and not ranges.may_divide:
            yield from self._taken(first, self._ask(first))
            first = ranges.next()
        if first is not None and self._at_once > 1:
            second, self._at_once = self._measured(first)
            ranges.limit(self._at_once)
            yield from self._taken(first, second)
            first = ranges.next()
        while first is not None and self._at_once == 1:
            yield from self._taken(first, self._ask(first))
            first = ranges.next()
        if ranges.is_done:
            return
        threads = [
            threading.Thread(target=self._work, args=(asked,), daemon=True)
            for asked in (first, *[None] * (self._at_once - 1))
        ]
        try:
            for thread in threads:
                thread.start()
            while page := self._next_page():
                yield from page
        finally:
            self._stop()
            deadline = time.monotonic() + _PATIENCE_SECONDS
            for thread in threads:
                if thread.ident is not None:
                    thread.join(max(0.0, deadline - time.monotonic()))

    def _measured(self, asked: Asked) -> tuple[Page, int]:
        """Return a page, and how many such are worth asking for at once."""
        passing, computing = self._clocks
        passed, computed = -passing(), -computing()
        page = self._ask(asked)
        passed, computed = passed + passing(), computed + computing()
        fill = passed / computed if computed > 0 else self._at_once
        return page, max(1, min(self._at_once, int(fill * _MORE_THAN_FILL)))

    def _next_page(self) -> Sequence[ObjectFacts]:
        """Return what was found; nothing at the end."""
        with self._changed:
            while not self._found and not self._error and not self._ranges.is_done:
                self._changed.wait()
            if self._error:
                raise self._error
            page = self._found.popleft() if self._found else ()
            self._changed.notify_all()
            return page

    def _work(self, asked: Asked | None) -> None:
        try:
            while asked := asked or self._next_asked():
                try:
                    page = self._ask(asked)
                except AwsError:
                    with self._changed:
                        if not self._ranges.refused(asked):
                            raise
                        self._changed.notify_all()
                else:
                    self._take(asked, page)
                asked = None
        except BaseException as error:
            with self._changed:
                self._error = self._error or error
                self._changed.notify_all()

    def _next_asked(self) -> Asked | None:
        """Wait until there is something to ask for; ``None`` if there never will be."""
        with self._changed:
            while not (self._is_stopped or self._error or self._ranges.is_done):
                # Who takes the pages is behind: none are asked for meanwhile.
                if len(self._found) < self._at_once:
                    asked = self._ranges.next()
                    if asked is not None:
                        return asked
                self._changed.wait()
        return None

    def _take(self, asked: Asked, page: Page) -> None:
        with self._changed:
            taken = self._taken(asked, page)
            if taken:
                self._found.append(taken)
            self._changed.notify_all()

    def _taken(self, asked: Asked, page: Page) -> Sequence[ObjectFacts]:
        """Return which objects of a page are part of the listing."""
        objects, token = page
        try:
            taken = self._ranges.take(asked, [facts.key for facts in objects], token)
        except Circle:
            raise turns_in_a_circle(self._bucket) from None
        except Contradiction:
            raise AwsFailed(
                f"s3://{self._bucket}: the server does not list keys in the order of "
                "their bytes, so that several listings at once leave keys out",
                next_step="list one page after the other: --forks=1",
            ) from None
        if self._ranges.in_order:
            return objects[taken]
        return [facts for facts in objects[taken] if self._ranges.selects(facts.key)]

    def _stop(self) -> None:
        with self._changed:
            self._is_stopped = True
            self._found.clear()
            self._changed.notify_all()
