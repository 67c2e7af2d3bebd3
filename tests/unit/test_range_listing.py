"""Listing several ranges of keys at once, with threads."""

import itertools
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from key_servers import KeyServer, by_utf_16

from s3export.adapters.key_ranges import Asked, KeyRanges, Purpose
from s3export.adapters.range_listing import Page, RangeListing
from s3export.domain.errors import AwsFailed, Throttled, Unreachable
from s3export.domain.evidence import ObjectFacts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = {f"photos/{number:05}" for number in range(4_000)}


@dataclass
class Bucket:
    """Answers; counts who asks at once.

    Attributes:
        before: Called before each answer.

    """

    server: KeyServer = field(default_factory=lambda: KeyServer(set(KEYS), 50))
    before: Callable[[Asked], None] = lambda asked: None
    most: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, asked: Asked) -> Page:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            time.sleep(0.001)
            self.before(asked)
            with self._lock:
                keys, token = self.server.answer(asked)
        finally:
            with self._lock:
                self._now -= 1
        return [ObjectFacts("b", key, 0, "", NOW) for key in keys], token

    def listing(self, at_once: int = 8) -> Generator[ObjectFacts, None, None]:
        ranges = KeyRanges(at_once=at_once)
        clocks = itertools.count().__next__, (lambda: 0.0)
        listing = RangeListing("b", ranges, self.ask, at_once=at_once, clocks=clocks)
        return listing.objects()


def listers() -> int:
    """Return how many threads there are besides those of the tests."""
    return threading.active_count()


@pytest.mark.parametrize("at_once", [1, 2, 8, 16])
def test_all_is_listed_by_as_many_as_may(at_once: int) -> None:
    """Each key once; with no thread left behind."""
    bucket, before = Bucket(), listers()

    found = [facts.key for facts in bucket.listing(at_once)]

    assert sorted(found) == sorted(KEYS)
    assert at_once / 2 <= bucket.most <= at_once
    assert listers() == before


@pytest.mark.parametrize("keys", [(), ("a", "b")])
def test_a_listing_that_goes_round_in_a_circle_ends_with_an_error(
    keys: tuple[str, ...],
) -> None:
    """Tokens that lead from one page to another and back would never end."""

    def ask(asked: Asked) -> Page:
        other = {"": "one", "one": "two", "two": "one"}[asked.token]
        return [ObjectFacts("b", key, 0, "", NOW) for key in keys], other

    listing = RangeListing("b", KeyRanges(), ask, at_once=1)

    with pytest.raises(AwsFailed, match="has no end"):
        list(listing.objects())


def test_a_small_bucket_starts_no_thread() -> None:
    """One page is one request, made by who wants it."""
    asking = set()
    bucket = Bucket(KeyServer({"a", "b"}, 50))
    bucket.before = lambda asked: asking.add(threading.current_thread())

    assert len(list(bucket.listing())) == 2
    assert asking == {threading.current_thread()}


def test_leaving_early_stops_the_threads() -> None:
    """Soon, and no page is asked for afterwards."""
    bucket, before = Bucket(), listers()
    listing = bucket.listing()
    for _ in range(500):
        next(listing)

    listing.close()

    assert listers() == before
    asked = len(bucket.server.requests)
    time.sleep(0.02)
    assert len(bucket.server.requests) == asked


def test_who_is_slow_is_waited_for() -> None:
    """No more pages are kept than there are threads, and one in the hand of each."""
    bucket = Bucket()
    listing = bucket.listing(4)
    for _ in range(51):
        next(listing)

    time.sleep(0.2)

    assert len(bucket.server.requests) <= 2 + 2 * 4 + 4
    listing.close()


def test_a_request_that_hangs_holds_nobody_up() -> None:
    """Whoever leaves waits for it a moment only; the thread is a daemon."""
    bucket, for_ever = Bucket(), threading.Event()

    def hang(asked: Asked) -> None:
        if len(bucket.server.requests) > 5:
            for_ever.wait(30)

    bucket.before = hang
    listing = bucket.listing(3)
    next(listing)
    begun = time.monotonic()
    listing.close()

    assert time.monotonic() - begun < 5
    for_ever.set()


def test_an_error_is_raised_where_the_objects_are_wanted() -> None:
    """Once, by whichever thread it was met; the others stop."""
    bucket, before = Bucket(), listers()

    def fail(asked: Asked) -> None:
        if len(bucket.server.requests) > 20 and asked.purpose is Purpose.PAGE:
            raise Unreachable("s3://b: no answer")

    bucket.before = fail

    with pytest.raises(Unreachable):
        list(bucket.listing())
    assert listers() == before


@pytest.mark.parametrize("error", [Throttled("slow down"), AwsFailed("not known")])
def test_a_question_that_is_refused_is_the_last(error: Exception) -> None:
    """The listing goes on as far as it is divided."""
    bucket = Bucket()

    def refuse(asked: Asked) -> None:
        if asked.purpose is Purpose.QUESTION:
            raise error

    bucket.before = refuse

    assert len(list(bucket.listing())) == len(KEYS)
    assert bucket.most <= 2


def test_a_contradiction_is_an_error_that_says_what_to_do() -> None:
    """Never a listing with something left out."""
    keys = {f"{c}{n:03}" for c in "a\uffee\U0001f4be\U0001f600" for n in range(400)}
    bucket = Bucket(KeyServer(keys, 50, by_utf_16))

    try:
        found = [facts.key for facts in bucket.listing()]
    except AwsFailed as error:
        assert "the order" in error.message
        assert "--forks=1" in error.next_step
    else:
        assert sorted(found) == sorted(keys)


@pytest.mark.parametrize(("computed", "most"), [(1.0, 1), (0.5, 3), (0.1, 8)])
def test_as_many_pages_are_asked_for_as_the_processor_can_take(
    computed: float, most: int
) -> None:
    """A page that takes a second, and so much of it at the processor."""
    passing, computing = itertools.count(), itertools.count()
    clocks = (lambda: 1.0 * next(passing), lambda: computed * next(computing))
    bucket = Bucket()
    listing = RangeListing(
        "b", KeyRanges(at_once=8), bucket.ask, at_once=8, clocks=clocks
    )

    assert sorted(facts.key for facts in listing.objects()) == sorted(KEYS)
    assert bucket.most == most
