"""Laws of joining a listing with a tree: exact, whatever the order and the keys."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import SETTINGS, keys, paths

from s3export.adapters.memory import MemoryScratch
from s3export.adapters.scratch import TemporaryScratch
from s3export.domain import completeness
from s3export.domain.backup_layout import (
    BackupLayout,
    NotAPath,
    Source,
    TreePath,
    join,
    path_of,
)
from s3export.domain.completeness import Inventory, Listed
from s3export.domain.evidence import ObjectFacts
from s3export.domain.ports import Scratch, TreeFile
from s3export.domain.services.file_spool import FileSpool

MD5 = "d41d8cd98f00b204e9800998ecf8427e"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

scratches = st.sampled_from(
    [MemoryScratch(), TemporaryScratch(0), TemporaryScratch(100)]
)

few_keys = st.text(st.sampled_from("ab/."), min_size=1, max_size=4)
"""So few that they meet: also keys that can be no paths."""

few_paths = st.lists(
    st.sampled_from([b"a", b"b", b"ab", b"...", b"dir"]), min_size=1, max_size=4
).map(b"/".join)

bucket_keys = st.one_of(few_keys, few_paths.map(bytes.decode), keys.filter(bool))

sources = st.builds(
    Source,
    bucket=st.sampled_from(["one", "two"]),
    directory=st.sampled_from([b"", b"a", b"a/b", b"dir"]).map(TreePath),
    prefix=st.sampled_from(["", "", "a", "a/", "b"]),
    begin_marker=st.sampled_from(["", "", "a", "a/b"]),
    end_marker=st.sampled_from(["", "", "b", "a/b/"]),
)


@st.composite
def listings(
    draw: st.DrawFn,
) -> tuple[tuple[Source, ...], list[tuple[int, ObjectFacts]]]:
    """Sources, and what S3 lists of their buckets, one source after the other."""
    chosen = draw(st.lists(sources, min_size=1, max_size=3))
    buckets = {
        bucket: [
            facts(bucket, key, number)
            for number, key in enumerate(
                sorted(draw(st.sets(bucket_keys, max_size=12)), key=str.encode)
            )
        ]
        for bucket in ("one", "two")
    }
    listed = [
        (number, one)
        for number, source in enumerate(chosen)
        for one in buckets[source.bucket]
        if source.selects(one.key)
    ]
    return tuple(chosen), listed


def facts(
    bucket: str, key: str, size: int = 0, etag: str = MD5, at: datetime = EPOCH
) -> ObjectFacts:
    """Return what a listing tells of an object."""
    return ObjectFacts(bucket, key, size, etag, at)


@contextmanager
def inventory(
    scratch: Scratch,
    chosen: Sequence[Source],
    listed: Sequence[tuple[int, ObjectFacts]],
) -> Iterator[Inventory]:
    """Take an inventory."""
    with ExitStack() as stack:
        taken = Inventory(chosen, lambda: stack.enter_context(scratch.file()))
        for number, one in listed:
            taken.add(number, one)
        taken.seal()
        yield taken


def place(source: Source, one: ObjectFacts) -> TreePath | None:
    """Return where an object should be, the plain way."""
    try:
        return join(source.directory, path_of(one.key))
    except NotAPath:
        return None


def name(one: Listed) -> tuple[Source, ObjectFacts, TreePath | None]:
    """Return what identifies an entry of the listing."""
    return one.source, one.facts, one.path


Entry = tuple[Source, ObjectFacts, TreePath | None]


class Plain:
    """The same by lists and loops."""

    def __init__(
        self, chosen: Sequence[Source], listed: Sequence[tuple[int, ObjectFacts]]
    ) -> None:
        self.sources = chosen
        self.entries: list[tuple[int, Entry]] = [
            (number, (chosen[number], one, place(chosen[number], one)))
            for number, one in listed
        ]
        once: dict[object, tuple[int, Entry]] = {}
        for number, entry in sorted(self.entries, key=lambda one: one[0]):
            source, one, where = entry
            whose = (one.bucket, one.key)
            once.setdefault((whose, where or (source.directory,)), (number, entry))
        self.unseen = list(once.values())

    def find(self, path: TreePath) -> Entry | None:
        at = [(n, e) for n, e in self.entries if e[2] == path]
        return self._see(at)

    def find_key(self, bucket: str, key: str) -> Entry | None:
        """The first place of the object that was not seen; else the last place."""
        places = []
        for source, one, where in (entry for _, entry in self.entries):
            if (one.bucket, one.key) == (bucket, key):
                places.append(
                    [
                        (n, e)
                        for n, e in self.entries
                        if (e[1].bucket, e[1].key) == (bucket, key)
                        and (
                            e[2] == where
                            if where
                            else e[0].directory == source.directory
                        )
                    ]
                )
        unseen = (place for place in places if place[0] in self.unseen)
        return self._see(next(unseen, places[-1] if places else []))

    def _see(self, found: list[tuple[int, Entry]]) -> Entry | None:
        if not found:
            return None
        _, first = min(found, key=lambda entry: entry[0])
        for other in found:
            if other[1][1] == first[1] and other in self.unseen:
                self.unseen.remove(other)
        return first


def in_order(entries: Any) -> list[Entry]:
    """Sort entries, so that two lists of them can be compared."""
    return sorted(entries, key=repr)


@given(listings(), scratches, st.data())
@SETTINGS
def test_an_inventory_is_set_arithmetic(
    listing: tuple[tuple[Source, ...], list[tuple[int, ObjectFacts]]],
    scratch: Scratch,
    data: st.DataObject,
) -> None:
    """Every file finds the object of its path or none; the others remain unseen."""
    chosen, listed = listing
    plain = Plain(chosen, listed)
    present = [entry[2] for _, entry in plain.entries if entry[2]]
    tree = data.draw(
        st.lists(
            st.one_of(
                st.sampled_from(present or [TreePath(b"x")]),
                paths.map(TreePath),
                few_paths.map(TreePath),
            ),
            unique=True,
            max_size=20,
        )
    )

    with inventory(scratch, chosen, listed) as taken:
        once = [entry for _, entry in plain.unseen]
        assert taken.count == len(once)
        assert taken.size_bytes == sum(one.size_bytes for _, one, _ in once)
        assert in_order(map(name, taken.unseen())) == in_order(once)
        for path in tree:
            found = taken.find(path)
            assert (found and name(found)) == plain.find(path)
        assert in_order(map(name, taken.unseen())) == in_order(
            entry for _, entry in plain.unseen
        )


@given(listings(), scratches, st.data())
@SETTINGS
def test_an_object_is_found_by_its_name_wherever_it_should_be(
    listing: tuple[tuple[Source, ...], list[tuple[int, ObjectFacts]]],
    scratch: Scratch,
    data: st.DataObject,
) -> None:
    """Also where no file can have its key; what no source selects is not found."""
    chosen, listed = listing
    plain = Plain(chosen, listed)
    names = [(one.bucket, one.key) for _, one in listed]
    asked = data.draw(
        st.lists(
            st.one_of(
                st.sampled_from(names or [("one", "x")]),
                st.tuples(st.sampled_from(["one", "two", "three"]), bucket_keys),
            ),
            max_size=12,
        )
    )

    with inventory(scratch, chosen, listed) as taken:
        for bucket, key in asked:
            found = taken.find_key(bucket, key)
            assert (found and name(found)) == plain.find_key(bucket, key)
            if found:
                assert bool(found.reason) is (found.path is None)
        assert in_order(map(name, taken.unseen())) == in_order(
            entry for _, entry in plain.unseen
        )


def test_equal_fingerprints_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The join is exact even if all paths had one fingerprint."""
    monkeypatch.setattr(completeness, "_WINDOW", 2)
    monkeypatch.setattr(completeness, "_fingerprint", lambda _: b"the same"[:8])

    test_an_inventory_is_set_arithmetic()
    test_an_object_is_found_by_its_name_wherever_it_should_be()


@pytest.mark.parametrize("high", [b"\0\0\0", b"\0\0\xff", b"\0\0"])
def test_what_stands_far_from_where_it_is_reckoned_is_found(
    monkeypatch: pytest.MonkeyPatch, high: bytes
) -> None:
    """However uneven fingerprints are, and however little is read at once."""
    monkeypatch.setattr(completeness, "_WINDOW", 2)
    real = completeness._fingerprint
    monkeypatch.setattr(
        completeness, "_fingerprint", lambda place: (high + real(place))[:8]
    )

    all_are_found(2_000)


def test_thousands_of_objects_are_all_found() -> None:
    """More than any buffer holds; each is found once by its path, in another order."""
    all_are_found(70_000)


def all_are_found(many: int) -> None:
    """Look all but every thousandth up by its path, the last first."""
    source = Source("one", TreePath(b"dir"))
    listed = [(0, facts("one", f"k/{n:05}", n)) for n in range(many)]

    with inventory(TemporaryScratch(0), [source], listed) as taken:
        for _, one in reversed(listed):
            if one.size_bytes % 1000:
                found = taken.find(TreePath(b"dir/" + one.key.encode()))
                assert found and found.facts == one
        left = sorted(one.facts.size_bytes for one in taken.unseen())

    assert left == list(range(0, many, 1000))


def test_two_objects_of_one_path_are_one_found_and_one_missing() -> None:
    """The first operation's is found, whatever the listings' order."""
    chosen = [
        Source("one", TreePath(b"dir"), prefix="a/"),
        Source("two", TreePath(b"dir")),
        Source("two", TreePath(b"dir/a")),
    ]
    listed = [
        (2, facts("two", "b", 3)),
        (1, facts("two", "a/b", 2)),
        (0, facts("one", "a/b", 1)),
    ]

    with inventory(MemoryScratch(), chosen, listed) as taken:
        for _ in range(2):
            found = taken.find(TreePath(b"dir/a/b"))
            assert found and found.facts.size_bytes == 1
        assert {one.facts.size_bytes for one in taken.unseen()} == {2, 3}
        assert (
            BackupLayout(tuple(chosen), TreePath(b"R"))
            .objects(TreePath(b"dir/a/b"))[0]
            .bucket
            == "one"
        )


def test_an_object_that_two_operations_export_is_not_missing() -> None:
    """One file satisfies both where they write it to one path; else there are two."""
    overlapping = [
        Source("one", TreePath(b"dir"), prefix="a"),
        Source("one", TreePath(b"dir")),
        Source("one", TreePath(b"other")),
    ]
    listed = [(number, facts("one", "a")) for number in range(3)]

    with inventory(MemoryScratch(), overlapping, listed) as taken:
        assert taken.count == 2
        assert taken.find(TreePath(b"dir/a"))
        assert [one.path for one in taken.unseen()] == [b"other/a"]
        assert taken.find(TreePath(b"other/a"))
        assert list(taken.unseen()) == []


# --- what is kept of an object --------------------------------------------------


def kept(one: ObjectFacts) -> ObjectFacts:
    """Return what an inventory has kept of an object."""
    with inventory(
        MemoryScratch(), [Source(one.bucket, TreePath(b""))], [(0, one)]
    ) as (taken):
        (found,) = taken.unseen()
        return found.facts


@given(st.binary(min_size=16, max_size=16), st.integers(1, 10_000))
@SETTINGS
def test_etags_that_prove_something_survive(digest: bytes, parts: int) -> None:
    """Of an object in one piece, and of one in parts."""
    for etag in (digest.hex(), f"{digest.hex()}-{parts}"):
        assert kept(facts("b", "k", etag=etag)).etag == etag


@given(st.text(st.sampled_from("0123456789abcdefABCDEF- +_\n\u0661"), max_size=45))
@example("")
@example(MD5.upper())
@example(f"{MD5}-0")
@example(f"{MD5}-")
@example(f"{MD5}-01")
@example(f"{MD5}-+1")
@example(f"{MD5}--1")
@example(f"{MD5}-1_0")
@example(f"{MD5}-1-1")
@example(f"{MD5}-4294967294")
@example(f"{MD5}-4294967295")
@example(f"{MD5}-4294967296")
@example(f"{MD5}-{'9' * 5000}")
@example(f" {MD5}")
@example(f"{MD5[:16]} {MD5[16:]}")
@example(MD5[2:])
@example(f"{MD5}00")
@example("W/odd")
@SETTINGS
def test_an_etag_survives_or_becomes_nothing(etag: str) -> None:
    """No odd form is taken for another one, and none is an error."""
    assert kept(facts("b", "k", etag=etag)).etag in (etag, "")


@given(
    st.integers(0, 5 << 40),
    st.datetimes(timezones=st.just(UTC)),
    bucket_keys,
)
@example(0, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), "before the epoch")
@example(0, datetime(1, 1, 1, tzinfo=UTC), "the zero time of other servers")
@SETTINGS
def test_size_and_time_survive(size: int, moment: datetime, key: str) -> None:
    """The time to the second, as S3 tells it, of whatever year."""
    told = facts("b", key, size, at=moment.replace(microsecond=0))

    assert kept(told) == told


# --- the tree taken down --------------------------------------------------------

files = st.builds(
    TreeFile,
    path=paths.map(TreePath),
    size_bytes=st.integers(0, 1 << 60),
    modified_ns=st.integers(-(1 << 62), 1 << 62),
    inode=st.integers(0, (1 << 64) - 1),
    changed_ns=st.integers(-(1 << 62), 1 << 62),
)


@given(st.lists(files, max_size=30), scratches)
@SETTINGS
def test_a_spool_gives_back_every_file_in_order(
    taken: list[TreeFile], scratch: Scratch
) -> None:
    """Any size, time and name; as often as it is asked."""
    with scratch.file() as file:
        spool = FileSpool(file)
        for one in taken:
            spool.add(one)

        assert list(spool.files()) == taken
        assert list(spool.files()) == taken


def test_a_spool_holds_more_than_it_reads_at_once() -> None:
    """Megabytes of files, with paths of many lengths."""
    now = int(timedelta(days=20_000).total_seconds()) * 10**9
    taken = [
        TreeFile(TreePath(b"p" * (n % 3000 + 1)), n, now + n, n, now - n)
        for n in range(3000)
    ]
    with TemporaryScratch().file() as file:
        spool = FileSpool(file)
        for one in taken:
            spool.add(one)

        assert list(spool.files()) == taken
