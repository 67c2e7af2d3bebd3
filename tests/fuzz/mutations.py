"""Ways to change bytes, as edits that can be written down and taken back one by one."""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Literal, NamedTuple


class Edit(NamedTuple):
    """Some bytes in the place of others.

    Attributes:
        at: In the bytes as they were before all edits.
    """

    at: int
    removed: int
    added: bytes


class Field(NamedTuple):
    """A number in some bytes."""

    at: int
    size: int


Fields = Mapping[str, Sequence[Field]]
"""Fields by the structure that they are of: each is as likely, however often it is."""

Order = Literal["little", "big"]

_COUNTS = (1, 1, 1, 2, 2, 3, 4, 8, 30)


def edited(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Apply edits; of those that overlap, the first in place counts."""
    result = bytearray(data)
    before = len(data) + 1
    for at, removed, added in sorted(edits, reverse=True):
        if at + removed <= before:
            result[at : at + removed] = added
            before = at
    return bytes(result)


def field_edits(
    data: bytes, fields: Fields, chance: Random, order: Order
) -> list[Edit]:
    """Change numbers in structures, and now and then any byte.

    Args:
        order: Of the bytes in a number: ``little`` or ``big``.
    """
    kinds = [kind for kind, found in fields.items() if found]
    edits = []
    for _ in range(chance.choice(_COUNTS)):
        if chance.random() < 0.1:
            edits.append(_any_byte(data, chance))
            continue
        found = fields[chance.choice(kinds)]
        field = chance.choice(found)
        edits.append(Edit(*field, _value(data, field, found, chance, order)))
    return edits


def _value(
    data: bytes, field: Field, others: Sequence[Field], chance: Random, order: Order
) -> bytes:
    at, size = field
    bits = 8 * size
    old = int.from_bytes(data[at : at + size], order)
    match chance.randrange(5):
        case 0:
            high = 1 << bits - 1
            one = 1 << chance.randrange(bits)
            new = chance.choice((0, 1, 2, 255, 2 * high - 1, high, high - 1, one))
        case 1:
            new = old + chance.choice((-1, 1, -2, 2, -4, 4, 8, 64, 512, 1024, -1024))
        case 2:
            new = old ^ 1 << chance.randrange(bits)
        case 3:
            other = chance.choice(others)
            new = int.from_bytes(data[other.at : other.at + size], order)
        case _:
            new = chance.getrandbits(chance.randrange(bits) + 1)
    return (new % (1 << bits)).to_bytes(size, order)


def _any_byte(data: bytes, chance: Random) -> Edit:
    return Edit(chance.randrange(len(data)), 1, bytes([chance.randrange(256)]))


def copied(data: bytes, places: Sequence[int], size: int, chance: Random) -> list[Edit]:
    """Put one structure in the place of another."""
    if len(places) < 2 or chance.random() < 0.8:
        return []
    source, target = chance.sample(places, 2)
    return [Edit(target, size, data[source : source + size])]


def text_edits(data: bytes, words: Sequence[bytes], chance: Random) -> list[Edit]:
    """Take away, repeat, move and put in pieces of text."""
    edits = []
    for _ in range(chance.choice(_COUNTS)):
        at = chance.randrange(len(data) + 1)
        length = min(chance.choice((0, 0, 1, 1, 2, 5, 20, 100)), len(data) - at)
        match chance.randrange(4):
            case 0:
                added = b""
            case 1:
                start = chance.randrange(len(data))
                added = data[start : start + chance.choice((1, 3, 10, 50))]
            case 2:
                added = chance.choice(words)
            case _:
                added = chance.randbytes(chance.randrange(4))
        edits.append(Edit(at, length, added * chance.choice((1, 1, 1, 1, 2, 5000))))
    return edits
