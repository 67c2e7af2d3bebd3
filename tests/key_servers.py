"""Servers that list keys, well or badly, as far as listings in ranges ask them."""

from bisect import bisect_left
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from s3export.adapters.key_ranges import Asked, KeyRanges

Order = Callable[[str], Any]


def by_bytes(key: str) -> Any:
    """Order as S3 does."""
    return key.encode()


def by_utf_16(key: str) -> Any:
    """Order as servers do that are written in Java."""
    return key.encode("utf-16-be")


def by_case(key: str) -> Any:
    """Order without regard to case."""
    return key.casefold(), key


def by_folder(key: str) -> Any:
    """Order as directories are walked."""
    return key.split("/")


def by_end(key: str) -> Any:
    """Order by something else altogether, as directory buckets may."""
    return key[::-1]


@dataclass
class KeyServer:
    """Lists keys.

    Attributes:
        ignores_after: It does not know StartAfter.
        knows_keys_alone: After what is no key of it, it has nothing.

    """

    keys: set[str]
    page: int
    order: Order = by_bytes
    ignores_after: bool = False
    knows_keys_alone: bool = False
    requests: list[Asked] = field(default_factory=list)
    _sorted: list[str] = field(default_factory=list)

    def exchange(self, new: Collection[str], old: Collection[str]) -> None:
        """Write some keys, delete others."""
        self.keys = (self.keys | {*new}) - {*old}
        self._sorted = []

    def answer(self, asked: Asked) -> tuple[list[str], str]:
        """Return a page of keys, and the token of the next."""
        self.requests.append(asked)
        if len(self._sorted) != len(self.keys):
            self._sorted = sorted(self.keys, key=self.order)
        found = [key for key in self._sorted if key.startswith(asked.prefix)]
        after = asked.token or ("" if self.ignores_after else asked.after)
        if self.knows_keys_alone and after and after not in self.keys:
            return [], ""
        if after:
            begin = bisect_left(found, self.order(after), key=self.order)
            begin += found[begin : begin + 1] == [after]
            found = found[begin:]
        page = found[: self.page]
        return page, page[-1] if len(found) > self.page else ""


def listed(
    ranges: KeyRanges,
    server: KeyServer,
    at_once: int,
    turn: Callable[[int], int] = lambda waiting: 0,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[str]:
    """Return what is listed, with so many requests on their way.

    Args:
        turn: Says which of so many requests gets to the server next, and which of so
            many answers gets back next.
        meanwhile: Called between the two.

    """
    asked: list[Asked] = []
    answered: list[tuple[Asked, list[str], str]] = []
    found: list[str] = []
    while not ranges.is_done:
        while len(asked) + len(answered) < at_once:
            following = ranges.next()
            if following is None:
                break
            asked.append(following)
        assert asked or answered, "nothing is asked for, and it is not the end"
        number = turn(len(asked) + len(answered))
        if number < len(asked):
            one = asked.pop(number)
            answered.append((one, *server.answer(one)))
            meanwhile()
        else:
            one, keys, token = answered.pop(number - len(asked))
            taken = keys[ranges.take(one, keys, token)]
            found += [k for k in taken if ranges.in_order or ranges.selects(k)]
    return found
