"""Laws of listing several ranges of keys at once, and of where they are divided."""

import math
import random
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from key_servers import (
    KeyServer,
    Order,
    by_bytes,
    by_case,
    by_end,
    by_folder,
    by_utf_16,
    listed,
)

from s3export.adapters.key_ranges import Contradiction, KeyRanges
from s3export.adapters.split_points import LAST, Characters, middle, share_left

SETTINGS: Final = settings(max_examples=150, deadline=None)

characters = st.one_of(
    st.sampled_from("/0123456789abcdefAZ-~"),
    st.characters(codec="utf-8", min_codepoint=1),
    st.sampled_from("\x01\x1f\x7f\ud7ff\ue000\uffff\U00010000\U0010ffff"),
)
starts = st.sampled_from(
    ["", "a", "photos/2024/", "x" * 1000, "\U0010ffff" * 3, "0000", "\x01", "ß日"]
)
any_keys = st.builds(
    lambda start, rest: start + rest, starts, st.text(characters, max_size=6)
).filter(bool)
"""Keys with much or little in common, of any characters."""

numbers = st.builds(
    lambda start, count, form: [f"{start}{form.format(n)}" for n in range(count)],
    starts,
    st.integers(0, 120),
    st.sampled_from(["{}", "{:06}", "{:x}", "d{0:02}/f{0}", "{0}/" + "y" * 50]),
)
hashes = st.builds(
    lambda seed, count: [
        str(uuid.UUID(int=random.Random(seed + n).getrandbits(128)))
        for n in range(count)
    ],
    st.integers(0, 1 << 16),
    st.integers(0, 120),
)
buckets = st.builds(
    lambda *several: {key for keys in several for key in keys},
    st.lists(any_keys, max_size=60),
    numbers,
    st.one_of(numbers, hashes),
)
"""What buckets hold: numbers, UUIDs, folders, and whatever else."""

pages = st.one_of(st.integers(1, 9), st.integers(10, 100))
crowds = st.integers(1, 16)


def turns(seed: int) -> Callable[[int], int]:
    """Return an order of answers."""
    return random.Random(seed).randrange


orders = st.one_of(st.just(lambda waiting: 0), st.integers(0, 999).map(turns))
"""In turn, or as it comes."""


@given(buckets, pages, crowds, orders)
@SETTINGS
def test_every_key_is_listed_once(
    keys: set[str], page: int, at_once: int, turn: Callable[[int], int]
) -> None:
    """Whatever the keys, the length of pages, and the order of answers.

    It costs at most one request more a page, and none where there is one page.
    """
    server = KeyServer(keys, page)

    found = listed(KeyRanges(at_once=at_once), server, at_once, turn)

    assert sorted(found) == sorted(keys)
    needed = max(1, math.ceil(len(keys) / page))
    most = needed if needed == 1 or at_once == 1 else 2 * needed + 2
    assert len(server.requests) <= most


@given(buckets, pages, crowds, orders, st.data())
@SETTINGS
def test_bounds_are_kept(
    keys: set[str],
    page: int,
    at_once: int,
    turn: Callable[[int], int],
    data: st.DataObject,
) -> None:
    """Prefix, an exclusive begin, an inclusive end; nothing is asked for behind it."""
    some = st.sampled_from(sorted(keys)) if keys else any_keys
    prefix = data.draw(st.one_of(st.just(""), starts, some.map(lambda k: k[:2])))
    after = data.draw(st.one_of(st.just(""), some, any_keys))
    up_to = data.draw(st.one_of(st.just(""), some, any_keys))
    ranges = KeyRanges(prefix, after=after, up_to=up_to, at_once=at_once)
    server = KeyServer(keys, page)

    found = listed(ranges, server, at_once, turn)

    assert sorted(found) == sorted(
        key
        for key in keys
        if key.startswith(prefix) and key > after and (not up_to or key <= up_to)
    )
    if up_to:
        assert all(asked.after <= max(after, up_to) for asked in server.requests)


@given(
    buckets,
    pages,
    crowds,
    orders,
    st.sampled_from([by_bytes, by_utf_16, by_case, by_folder, by_end]),
    st.booleans(),
    st.booleans(),
)
@SETTINGS
def test_an_odd_server_leaves_nothing_out_unnoticed(
    keys: set[str],
    page: int,
    at_once: int,
    turn: Callable[[int], int],
    order: Order,
    ignores_after: bool,
    knows_keys_alone: bool,
) -> None:
    """Another order, or other places to begin at: all keys, or a contradiction."""
    server = KeyServer(keys, page, order, ignores_after, knows_keys_alone)

    try:
        found = listed(KeyRanges(at_once=at_once), server, at_once, turn)
    except Contradiction:
        assert order is not by_bytes
    else:
        assert sorted(found) == sorted(keys)


@given(buckets, pages, crowds, orders, st.sampled_from([by_bytes, by_end]))
@SETTINGS
def test_who_knows_no_place_to_begin_is_asked_page_by_page(
    keys: set[str],
    page: int,
    at_once: int,
    turn: Callable[[int], int],
    order: Order,
) -> None:
    """All keys within the bounds, with no request that a single listing has not."""
    server = KeyServer(keys, page, order, ignores_after=True)
    ranges = KeyRanges(after="a", up_to="z", at_once=1, in_order=False)

    found = listed(ranges, server, at_once, turn)

    assert sorted(found) == sorted(key for key in keys if "a" < key <= "z")
    assert len(server.requests) == max(1, math.ceil(len(keys) / page))


@given(buckets, pages, st.integers(2, 16), orders, st.integers(0, 1 << 16))
@SETTINGS
def test_what_is_there_all_the_time_is_listed_once(
    keys: set[str], page: int, at_once: int, turn: Callable[[int], int], seed: int
) -> None:
    """Other keys come and go meanwhile; each is listed once, or not at all."""
    dice = random.Random(seed)
    shuffled = dice.sample(sorted(keys), len(keys))
    coming = shuffled[: len(keys) // 4]
    going = shuffled[len(keys) // 4 : len(keys) // 2]
    staying = keys - {*coming, *going}
    server = KeyServer(keys - {*coming}, page)

    def meanwhile() -> None:
        many = dice.randrange(4)
        if coming or going:
            server.exchange(coming[:many], going[:many])
            del coming[:many], going[:many]

    found = listed(KeyRanges(at_once=at_once), server, at_once, turn, meanwhile)

    assert len(set(found)) == len(found)
    assert staying <= set(found) <= keys


MANY: Final = 30_000
KINDS: Final = {
    "numbered folders": [
        f"photos/{n // 100:04}/object-{n:06}.bin" for n in range(MANY)
    ],
    "UUIDs": [
        str(uuid.UUID(int=random.Random(n).getrandbits(128))) for n in range(MANY)
    ],
    "numbers": [str(n) for n in range(MANY)],
    "dates": [
        f"logs/{2018 + n % 7}/{1 + n // 7 % 12:02}/{1 + n // 84 % 28:02}/h-{n}.log"
        for n in range(MANY)
    ],
    "one deep folder": ["a/1", "z", *(f"m/deep/er/{n:09}" for n in range(MANY))],
    "two folders": [f"{'az'[n % 2]}/{n:07}" for n in range(MANY)],
    "long keys": ["x" * 1010 + f"{n:07}" for n in range(MANY)],
    "beyond the BMP": [
        "".join(
            chr(random.Random(n * 8 + i).choice([0x4E00, 0x1F300, 0x20]) + n % 95)
            for i in range(4)
        )
        + str(n)
        for n in range(MANY)
    ],
}


@pytest.mark.parametrize("keys", KINDS.values(), ids=KINDS.keys())
def test_usual_keys_are_divided_well(keys: list[str]) -> None:
    """300 pages take the time of 60 at the most, and a third more requests."""
    server = KeyServer(set(keys), 100)
    ordered = sorted(keys)
    ranges, rounds = KeyRanges(at_once=16), 0
    found = 0

    while not ranges.is_done:
        rounds += 1
        asked = [one for _ in range(16) if (one := ranges.next())]
        for one in asked:
            page, token = _page(ordered, one.prefix, one.token or one.after)
            server.requests.append(one)
            taken = ranges.take(one, page, token)
            found += len(page[taken])

    assert found == len(set(keys))
    assert rounds <= 60
    assert len(server.requests) <= 400


def _page(ordered: list[str], prefix: str, after: str) -> tuple[list[str], str]:
    begin = max(bisect_left(ordered, prefix), bisect_right(ordered, after))
    page = ordered[begin : begin + 100]
    return page, page[-1] if begin + 100 < len(ordered) else ""


@given(st.lists(any_keys, min_size=1, max_size=30), any_keys, any_keys, st.booleans())
@SETTINGS
def test_a_point_lies_between(
    seen: list[str], one: str, other: str, bounded: bool
) -> None:
    """It is text that can be sent, no longer than a key, and parts the two."""
    low, high = sorted((one, other))
    if low == high:
        return
    known = Characters()
    known.learn(sorted(seen))

    point = middle(low, high, known, bounded=bounded)

    if point:
        assert low < point < high
        assert low.encode() < point.encode() < high.encode()
        assert len(point.encode()) <= 1024
        assert {*point} <= {*"".join(seen), *low, *high, LAST} | {
            c for c in point if c.isprintable() or not ("\x7f" <= c <= "\x9f")
        }
    assert share_left(low, low, high, known) >= 0


def test_numbers_are_divided_in_their_middle() -> None:
    """All ten digits are likely where one was seen."""
    known = Characters()
    known.learn(["photos/0001", "photos/0030"])

    assert middle("photos/0030", "photos/9", known).startswith("photos/4")
    assert middle("photos/2", "photos/4", known) == "photos/3"
