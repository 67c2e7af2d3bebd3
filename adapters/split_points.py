"""Where keys that nobody has seen may be divided in two: a guess, from those seen.

Text compares by code point, which is the order of the UTF-8 bytes, and so S3's. A key
is read as a number of which each place has the characters that were seen there as its
digits; the point is the number in the middle. A wrong guess costs a request.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import reduce

LAST = "\U0010fffd"
"""After every character of a usual key, and itself one that may stand in a key."""

_DIGITS = 12  # places that a number has
_LOOKED_AT = 16  # keys of a page that are learned from
_SPREAD = 64  # characters that are tried of an alphabet with more than _ASCII
_ASCII = 0x80
_MOST_BYTES = 1024  # of a key
_CLASSES = (("0", "9"), ("A", "Z"), ("a", "z"))


def beginning(one: str, other: str) -> str:
    """Return what two keys begin with, both of them."""
    for place, (character, its) in enumerate(zip(one, other, strict=False)):
        if character != its:
            return one[:place]
    return min(one, other, key=len)


class Characters:
    """Which characters stand at which place of the keys, as far as seen."""

    def __init__(self) -> None:
        self._at: list[set[str]] = []

    def learn(self, keys: Sequence[str]) -> None:
        """Look at some keys of a page, its first and its last among them."""
        same = len(beginning(keys[0], keys[-1]))
        self._learn(keys[0], 0)
        for key in keys[:: len(keys) // _LOOKED_AT + 1]:
            self._learn(key, same)
        self._learn(keys[-1], same)

    def _learn(self, key: str, begin: int) -> None:
        self._at += [set() for _ in range(len(key) - len(self._at))]
        for place in range(begin, len(key)):
            self._at[place].add(key[place])

    def at(self, place: int) -> list[str]:
        """Return what may stand at a place, in order: what was seen, and likely more.

        Of digits all are likely, of letters those between two that were seen.
        """
        found = set(self._at[place]) if place < len(self._at) else set()
        for first, last in _CLASSES:
            of_class = [one for one in found if first <= one <= last]
            if of_class:
                whole = first == "0"
                low = ord(first if whole else min(of_class))
                high = ord(last if whole else max(of_class))
                found.update(map(chr, range(low, high + 1)))
        return sorted(found)

    def from_place(self, place: int) -> set[str]:
        """Return all that was seen from a place on."""
        return set().union(*self._at[place : place + _DIGITS])


def middle(low: str, high: str, seen: Characters, *, bounded: bool = True) -> str:
    """Return a point with about as many keys after ``low`` as before ``high``.

    Args:
        bounded: ``high`` is near a key, and not just after all of them.

    Returns:
        A text between the two, both exclusive; empty where there is none.

    """
    place = len(beginning(low, high))
    digits = _digits(low, high, place, seen, bounded=bounded)
    number = (_number(low, place, digits) + _number(high, place, digits)) // 2
    guesses = (
        high[:place] + _text(number, digits),
        low[: place + 1] + LAST,  # after all that begins as ``low`` does
        high[: place + 1],  # before all that begins as ``high`` does
        low + LAST,
    )
    for guess in guesses:
        if low < guess < high and len(guess.encode()) <= _MOST_BYTES:
            return guess
    return ""


def share_left(first: str, position: str, high: str, seen: Characters) -> float:
    """Return how much is left, in parts of what lies between two keys that were seen.

    Args:
        first: Where the listing of the range began.
        position: Where it is.
        high: Where it ends.

    """
    place = len(beginning(first, high))
    digits = _digits(first, high, place, seen)
    begun, now, end = (_number(key, place, digits) for key in (first, position, high))
    if end <= now:
        return 1.0  # the same, as far as the digits go: nobody knows
    return (end - now) / max(1, now - begun)


def _digits(
    low: str, high: str, place: int, seen: Characters, *, bounded: bool = True
) -> list[list[str]]:
    """Return the digits of each place, from where the two begin to differ."""
    digits = [seen.at(at) for at in range(place, place + _DIGITS)]
    if not bounded:
        digits[0] = sorted({*digits[0], *seen.from_place(place)})
    x, y = ord(low[place : place + 1] or "\0"), ord(high[place])
    is_known = any(x < ord(digit) < y for digit in digits[0])
    if high[place] != LAST and (y - x > _ASCII or not is_known):
        between = range(x, y, (y - x) // _SPREAD + 1)[1:]
        digits[0] = sorted({*digits[0], *map(chr, filter(_is_usual, between))})
    return digits


def _is_usual(code: int) -> bool:
    """Say whether a character does no harm in XML, nor in a URL."""
    return (
        0x20 <= code < 0x7F
        or 0xA0 <= code < 0xD800
        or 0xE000 <= code < 0xFFFE
        or 0x10000 <= code <= ord(LAST)
    )


def _number(key: str, place: int, digits: Sequence[list[str]]) -> int:
    """Return a key as a number; 0 stands for the end of the key."""

    def shifted(number: int, at: int) -> int:
        character = key[place + at : place + at + 1]
        digit = bisect_right(digits[at], character) if character else 0
        return number * (len(digits[at]) + 1) + digit

    return reduce(shifted, range(len(digits)), 0)


def _text(number: int, digits: Sequence[list[str]]) -> str:
    """Return the characters of a number, up to the first 0."""
    found: list[str] = []
    for characters in reversed(digits):
        number, digit = divmod(number, len(characters) + 1)
        found = [characters[digit - 1], *found] if digit else []
    return "".join(found)
