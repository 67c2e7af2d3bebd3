"""Fetch many objects: small ones in groups, each group asked for at once.

A thread that waits for one small answer after the other does nothing most of the time,
and many threads that do little each stand in one another's way. So a group of small
objects is asked for first, then taken from the system's buffers one by one, while the
answers to other groups are on their way.
"""

from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass

from s3export.domain.grouping import GROUP, grouped
from s3export.domain.ports import Stop
from s3export.domain.services.fetch_object import Ahead, Fetched, FetchObject, Item

_SMALL_BYTES = 1 << 17
"""An answer of this size is in the buffers that Linux gives a socket."""


@dataclass(frozen=True)
class FetchObjects:
    """Fetches objects in their order, several at once."""

    fetch: FetchObject

    def __call__(
        self, items: Iterable[Item], at_once: int
    ) -> Generator[list[Fetched], None, None]:
        """Yield what came of the items, in their order; small ones in groups.

        Args:
            at_once: How many groups, or objects that are not small.

        Raises:
            AwsError, DeviceFailed: As for `FetchObject`.

        """
        turns = self.fetch.workers.turns()

        def fetch(group: Sequence[Item], stop: Stop) -> list[Fetched]:
            return self._fetched(group, stop, turns)

        groups = grouped(items, _is_small, min(GROUP, at_once))
        fetched = self.fetch.workers.map(fetch, groups, at_once=at_once)
        with closing(fetched):
            yield from fetched

    def _fetched(
        self, group: Sequence[Item], stop: Stop, turns: AbstractContextManager[object]
    ) -> list[Fetched]:
        if len(group) == 1:
            return [self.fetch(group[0], stop)]
        found = []
        with ExitStack() as stack:
            asked = [self._asked(item, stack) for item in group]
            # What has to be waited for is no matter of turns.
            with turns if all(asked) else nullcontext():
                for item, ahead in zip(group, asked, strict=True):
                    if stop():
                        break
                    found.append(self.fetch(item, stop, ahead))
        return found

    def _asked(self, item: Item, stack: ExitStack) -> Ahead | None:
        at = self.fetch.clock.now()
        asked = self.fetch.store.ask_ahead(item.listed.bucket, item.listed.key)
        if asked is None:
            return None
        stack.callback(asked.close)
        return Ahead(asked, at)


def _is_small(item: Item) -> bool:
    return item.listed.size_bytes <= _SMALL_BYTES
