"""Loading a disk the way AWS's facility did."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from loads import (
    FaultyStore,
    backup_of,
    load,
    log_of,
    request,
    source,
)

from s3export.adapters.memory import (
    FixedClock,
    MemoryObjectStore,
    MemoryWritableTree,
    RecordedProgress,
)
from s3export.domain.backup_layout import ObjectName, Source, Substitution, TreePath
from s3export.domain.errors import (
    AwsError,
    DeviceUnreadable,
    DiskFull,
    InputRefused,
    NoSuchObject,
    ObjectArchived,
    PermissionMissing,
    Unreachable,
)
from s3export.domain.evidence import Checksum, ObjectFacts
from s3export.domain.export_log import LogEntry
from s3export.domain.load_journal import JOURNAL, NextDisk, end_line, line_of
from s3export.domain.load_selection import SELECTION, LoadSelection
from s3export.domain.ports import AskedAhead, ObjectBody
from s3export.domain.services.knowledge import Knowledge
from s3export.domain.services.load_device import Place, place_after

ROOM = 400 << 10  # with what is kept free: for little


def store_of(*keys: str, size: int = 3) -> FaultyStore:
    """Return a store with one bucket of small objects."""
    store = FaultyStore("b")
    for key in keys:
        store.put("b", key, b"x" * size)
    return store


def test_every_object_becomes_a_file_below_its_bucket() -> None:
    """In key order, each with the MD5 of what was written, and what it was equal to."""
    tree = MemoryWritableTree()

    result = load(store_of("b/2", "a", "b/1"), tree)

    log = log_of(tree)
    assert [entry.file for entry in log] == [b"b/a", b"b/b/1", b"b/b/2"]
    assert set(backup_of(tree)) == {b"b/a", b"b/b/1", b"b/b/2"}
    assert {(entry.md5, entry.evidence, entry.digest) for entry in log} == {
        (
            "f561aaf6ef0bf14d4208bb46a4ccb3ad",
            "etag-md5",
            "f561aaf6ef0bf14d4208bb46a4ccb3ad",
        )
    }
    assert (result.written, result.size_bytes, result.errors) == (3, 9, 0)
    assert result.evidence == {"etag-md5": 3}


@pytest.mark.parametrize(
    ("rest", "keys"),
    [
        ({"prefix": "i/"}, ["i/1", "i/2", "i/3"]),
        ({"prefix": "i/", "begin_marker": "i/1"}, ["i/2", "i/3"]),
        ({"prefix": "i/", "end_marker": "i/2"}, ["i/1", "i/2"]),
        ({"begin_marker": "i/3"}, ["z"]),
        ({"prefix": "image", "end_marker": "foo"}, []),
    ],
)
def test_an_operation_selects_by_prefix_and_markers(
    rest: dict[str, object], keys: list[str]
) -> None:
    """Begin exclusive, end inclusive."""
    tree = MemoryWritableTree()

    load(
        store_of("a", "i/1", "i/2", "i/3", "z"),
        tree,
        request(source(b"b", "b", **rest)),
    )

    assert sorted(backup_of(tree)) == [b"b/" + key.encode() for key in keys]


@pytest.mark.parametrize("directory", [b"", b"x/y"])
def test_a_target_directory_replaces_the_buckets_name(directory: bytes) -> None:
    """It may be the root of the disk."""
    tree = MemoryWritableTree()

    load(store_of("a"), tree, request(source(directory)))

    assert set(backup_of(tree)) == {b"x/y/a" if directory else b"a"}


def test_keys_that_cannot_be_paths_go_to_the_recovery_directory() -> None:
    """Numbered in their order; the log maps them back."""
    tree = MemoryWritableTree()

    result = load(store_of("a", "a/b", "d//e", "dir/", "../up", "n" * 300), tree)

    recovered = {e.key: e.file for e in log_of(tree) if e.code == "Recovered"}
    assert recovered == {
        "../up": b"EXPORT-RECOVERY/0000/0000",
        "a/b": b"EXPORT-RECOVERY/0000/0001",
        "d//e": b"EXPORT-RECOVERY/0000/0002",
        "dir/": b"EXPORT-RECOVERY/0000/0003",
        "n" * 300: b"EXPORT-RECOVERY/0000/0004",
    }
    assert (result.recovered, result.errors) == (5, 0)


@pytest.mark.parametrize(
    "key",
    [
        "SIGNATURE",
        "S3EXPORT/journal",
        "lost+found/x",
        "EXPORT-RECOVERY",
        "EXPORT-RECOVERY/0000/0000",
        "JOB1.tc",
    ],
)
def test_names_that_are_kept_for_others_are_not_given_to_objects(key: str) -> None:
    """In the root of the disk; the object is in the recovery directory."""
    tree = MemoryWritableTree()

    load(store_of(key, "z"), tree, request(source(b"")))

    assert backup_of(tree) == {b"EXPORT-RECOVERY/0000/0000": b"xxx", b"z": b"xxx"}


def test_names_are_substituted_and_what_becomes_equal_is_recovered() -> None:
    """The first in key order keeps the name."""
    tree = MemoryWritableTree()
    substitutions = (Substitution(":", "-"), Substitution("?", ""))
    asked = request(source(substitutions=substitutions))

    load(store_of("a-b", "a:b", "c?:"), tree, asked)

    assert {entry.key: entry.file for entry in log_of(tree)} == {
        "a-b": b"b/a-b",
        "a:b": b"EXPORT-RECOVERY/0000/0000",
        "c?:": b"b/c-",
    }


def test_operations_into_one_directory_do_not_overwrite_each_other() -> None:
    """A file in place of a directory is no less in the way than the same name."""
    store = store_of("x", "dir/y")
    for key in ("x", "dir", "x/z"):
        store.put("other", key, b"other")
    tree = MemoryWritableTree()

    load(store, tree, request(source(b"d"), source(b"d", "other")))

    assert {(entry.bucket, entry.key): entry.file for entry in log_of(tree)} == {
        ("b", "dir/y"): b"d/dir/y",
        ("b", "x"): b"d/x",
        ("other", "dir"): b"EXPORT-RECOVERY/0000/0000",
        ("other", "x"): b"EXPORT-RECOVERY/0000/0001",
        ("other", "x/z"): b"EXPORT-RECOVERY/0000/0002",
    }


def test_a_full_disk_stops_in_order_and_the_next_one_goes_on_there() -> None:
    """No later, smaller object is squeezed in; together the disks hold everything."""
    store = store_of("a", "b", "d", size=40 << 10)
    store.put("b", "c", b"x" * (90 << 10))
    first = MemoryWritableTree(room_bytes=ROOM)

    result = load(store, first)

    assert result.next_disk == NextDisk(operation=0, begin_marker="b")
    assert set(backup_of(first)) == {b"b/a", b"b/b"}
    second = MemoryWritableTree(room_bytes=ROOM)
    rest = load(store, second, request(begin=Place(0, "b")))
    assert rest.next_disk is None
    assert set(backup_of(second)) == {b"b/c", b"b/d"}


def test_a_disk_that_begins_at_the_end_of_an_operation_holds_none_of_it() -> None:
    """The disk before was full after its last key: what is told of both is readable."""
    store = store_of("a", "b", size=60 << 10)
    store.put("other", "c", b"x" * (60 << 10))
    sources = (source(end_marker="b"), source(b"other", "other"))
    first, second = MemoryWritableTree(room_bytes=ROOM), MemoryWritableTree()

    full = load(store, first, request(*sources))
    place = place_after(log_of(first), sources)
    load(store, second, request(*sources, begin=place))

    assert full.next_disk == NextDisk(operation=1, begin_marker="")
    assert place == Place(0, "b")
    assert selection_of(first) == sources[:1]
    assert selection_of(second) == sources[1:]
    assert backup_of(second).keys() == {b"other/c"}


def selection_of(tree: MemoryWritableTree) -> tuple[Source, ...]:
    """Return what a disk says that it holds."""
    return LoadSelection.from_json(tree.files[SELECTION], "it").sources


def of_aws(key: str, file: bytes) -> LogEntry:
    """Return an entry of a log of AWS's: it names no operation."""
    return LogEntry(None, "b", key, TreePath(file), 200, "OK", "")


@pytest.mark.parametrize(
    ("file", "operation"), [(b"b/k03", 0), (b"y/k03", 1), (b"z/3", 2)]
)
def test_where_a_log_names_no_operation_the_file_tells_it(
    file: bytes, operation: int
) -> None:
    """Of those that select the object: otherwise what lies between is on no disk."""
    thirds = source(b"z", substitutions=(Substitution("k0", ""),))
    sources = (source(), source(b"y", prefix="k0"), thirds, source(b"x", prefix="n"))

    place = place_after([of_aws("k03", file)], sources)

    assert place == Place(operation, "k03")
    assert place_after([of_aws("n", b"?")], sources[2:3]) == Place(0, "n")


@pytest.mark.parametrize("file", [b"", b"EXPORT-RECOVERY/0000/0000", b"same/k03"])
def test_where_the_file_does_not_tell_the_operation_it_is_not_guessed(
    file: bytes,
) -> None:
    """Not written, recovered, two into one directory: what to give instead is said."""
    sources = (source(), source(b"same"), source(b"same", prefix="k"))

    with pytest.raises(InputRefused, match="2 and 3 select") as refused:
        place_after([of_aws("k03", file)], sources)
    assert "beginMarker: 'k03'" in refused.value.next_step
    assert "without --continue-from" in refused.value.next_step
    own = replace(of_aws("k03", file), operation=1)
    assert place_after([own], sources) == Place(1, "k03")


def test_progress_moves_before_a_batch_is_settled_and_counts_each_object_once() -> None:
    """Also where a disk is full, and the last objects are fetched again; or gone on."""
    keys = [f"{number:02}" for number in range(20)]
    store, seen = store_of(*keys, size=16 << 10), []
    progress, full = RecordedProgress(), RecordedProgress()
    ask = store.ask_ahead

    def asked(bucket: str, key: str) -> AskedAhead | None:
        seen.append(progress.stages[0].done)
        return ask(bucket, key)

    store.ask_ahead = asked  # type: ignore[method-assign]
    load(store, MemoryWritableTree(), progress=progress)
    store.ask_ahead = ask  # type: ignore[method-assign]
    tree = MemoryWritableTree(room_bytes=ROOM)
    result = load(store, tree, progress=full)

    assert seen[0] == 0 < seen[-1] < 20
    assert (progress.stages[0].done, progress.stages[0].done_bytes) == (20, 320 << 10)
    assert result.next_disk
    assert result.written <= full.stages[0].done <= 20
    again = RecordedProgress()
    load(store, tree, progress=again)
    taking_over, loading = again.stages
    assert taking_over.done == result.written
    assert loading.done == 0  # what was there before makes no rate


def test_an_object_larger_than_the_disk_is_an_error_at_once() -> None:
    """Otherwise one empty disk after another would be asked for."""
    with pytest.raises(DiskFull, match="s3://b/a of 1,048,576 bytes does not fit"):
        load(store_of("a", size=1 << 20), MemoryWritableTree(room_bytes=ROOM))


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NoSuchObject("gone"), 404, "NoSuchKey"),
        (ObjectArchived("cold", next_step="restore it"), 403, "InvalidObjectState"),
        (PermissionMissing("no"), 403, "AccessDenied"),
    ],
)
def test_what_is_wrong_with_one_object_is_in_the_log_and_the_load_goes_on(
    error: AwsError, status: int, code: str
) -> None:
    """It was listed and cannot be read."""
    store = store_of("a", "gone", "z")
    store.faults["gone"] = [error]
    tree = MemoryWritableTree()

    result = load(store, tree)

    assert [(e.key, e.status) for e in log_of(tree)] == [
        ("a", 200),
        ("gone", status),
        ("z", 200),
    ]
    assert (result.written, result.failed) == (2, {code: 1})
    assert [(t.key, t.code) for t in result.troubles] == [("gone", code)]
    assert set(backup_of(tree)) == {b"b/a", b"b/z"}


def test_what_breaks_off_is_asked_for_again() -> None:
    """Cut bodies and broken connections leave no trace."""
    store = store_of("a", "z", size=1000)
    store.faults = {"a": ["breaks", "short", "breaks"], "z": ["short"]}
    tree = MemoryWritableTree()

    result = load(store, tree)

    assert (result.written, result.errors) == (2, 0)
    assert backup_of(tree) == {b"b/a": b"x" * 1000, b"b/z": b"x" * 1000}


def test_wrong_bytes_are_fetched_again_and_never_named() -> None:
    """Of the right length; what stays wrong is an error in the log."""
    store = store_of("once", "always", size=1000)
    store.faults = {"once": ["wrong"], "always": ["wrong"] * 99}
    tree = MemoryWritableTree()

    result = load(store, tree)

    assert backup_of(tree) == {b"b/once": b"x" * 1000}
    assert result.failed == {"ChecksumMismatch": 1}
    assert "the etag-md5" in result.troubles[0].detail


def test_what_never_comes_whole_is_an_error_in_the_log() -> None:
    """After so many tries, with pauses between."""
    store = store_of("a", "b")
    store.faults = {"a": ["breaks"] * 99}
    tree = MemoryWritableTree()

    assert load(store, tree).failed == {"IncompleteBody": 1}
    assert backup_of(tree) == {b"b/b": b"xxx"}


def test_an_object_that_was_written_anew_is_taken_and_noted() -> None:
    """What was listed is not what came."""
    store = store_of("a", "b")
    store.overwritten = {}
    listed = list(store.list_objects("b"))
    store.put("b", "a", b"new content")
    store.list_objects = lambda bucket, **_: iter(listed)  # type: ignore[method-assign]
    tree = MemoryWritableTree()

    load(store, tree)

    assert [(e.key, e.code) for e in log_of(tree)] == [("a", "Changed"), ("b", "OK")]
    assert backup_of(tree)[b"b/a"] == b"new content"


@pytest.mark.parametrize("sizes", [(5, 5, 2), (5, 3, 4), (12,)])
def test_parts_of_any_sizes_are_evidence(sizes: tuple[int, ...]) -> None:
    """Even parts are guessed from the first; uneven ones are asked for."""
    store = FaultyStore("b")
    store.put("b", "parts", b"abcdefghijkl", part_sizes=sizes)
    store.put("b", "bad", b"abcdefghijkl", part_sizes=sizes)
    store.faults = {"bad": ["wrong"] * 99}
    tree = MemoryWritableTree()

    result = load(store, tree)

    assert result.evidence == {"etag-multipart": 1}
    assert result.failed == {"ChecksumMismatch": 1}
    assert set(backup_of(tree)) == {b"b/parts"}


def test_large_objects_come_in_ranges_and_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each range is asked for again where it breaks; the whole is compared."""
    monkeypatch.setattr(
        "s3export.domain.services.fetch_object._LARGE_BYTES", 10, raising=True
    )
    monkeypatch.setattr("s3export.domain.services.fetch_object._RANGE_BYTES", 4)
    store = FaultyStore("b")
    store.put("b", "large", b"abcdefghijkl", part_sizes=(7, 5))
    store.faults = {"large": ["breaks", "", "short"]}
    tree = MemoryWritableTree()

    result = load(store, tree)

    assert backup_of(tree) == {b"b/large": b"abcdefghijkl"}
    assert result.evidence == {"etag-multipart": 1}


def test_without_evidence_it_is_written_and_said() -> None:
    """Encrypted with KMS and without a checksum; with one it is proven."""
    store = FaultyStore("b")
    store.put("b", "hidden", b"x", encryption="aws:kms")
    store.put(
        "b",
        "proven",
        b"123456789",
        encryption="aws:kms",
        checksums=[Checksum("CRC32", "y/Q5Jg==", "FULL_OBJECT")],
    )
    tree = MemoryWritableTree()

    result = load(store, tree)

    assert [(e.key, e.evidence) for e in log_of(tree)] == [
        ("hidden", "none"),
        ("proven", "crc32"),
    ]
    assert result.unproven == 1


def test_where_s3_is_gone_the_load_ends_and_goes_on_later() -> None:
    """What was settled remains; the same call goes on."""
    keys = [f"{number:03}" for number in range(300)]
    store = store_of(*keys)
    store.faults = {"200": [Unreachable("no network")]}
    tree = MemoryWritableTree()

    with pytest.raises(Unreachable):
        load(store, tree)
    settled = len(backup_of(tree))
    result = load(store, tree)

    assert 0 < settled <= 200
    assert result.written == 300
    assert 0 < result.taken_over <= settled
    assert [entry.key for entry in log_of(tree)] == keys


def test_a_load_that_is_complete_is_left_as_it_is() -> None:
    """Even where S3 has got more since."""
    store, tree = store_of("a"), MemoryWritableTree()
    load(store, tree)
    before = dict(tree.files)
    store.put("b", "later", b"x")

    result = load(store, tree)

    assert tree.files == before
    assert (result.written, result.taken_over) == (1, 1)


def test_settled_files_that_are_not_as_written_are_loaded_again() -> None:
    """Missing ones, and those of another size; no other is touched."""
    store, tree = store_of("cut", "gone", "same"), MemoryWritableTree()
    load(store, tree)
    whole, log = backup_of(tree), log_of(tree)
    tree.files[b"b/cut"] = b"x"
    del tree.files[b"b/gone"]

    result = load(store, tree)

    assert (result.nothing_left, result.restored, result.lost) == (True, 2, 0)
    assert (backup_of(tree), log_of(tree)) == (whole, log)
    assert load(store, tree).restored == 0


def test_what_was_written_anew_since_is_not_loaded_into_the_same_log() -> None:
    """Nor what is gone from S3, nor where something else has the name."""
    store, tree = store_of("anew", "gone", "taken", "z"), MemoryWritableTree()
    load(store, tree)
    store.put("b", "anew", b"new")
    store.faults["gone"] = [NoSuchObject("no such object")]
    for key in (b"b/anew", b"b/gone", b"b/taken"):
        del tree.files[key]
    tree.files[b"b/taken/below"] = b""
    tree._add_parents(b"b/taken/below")

    result = load(store, tree)

    assert (result.restored, result.lost) == (0, 3)
    assert {trouble.key: trouble.detail for trouble in result.troubles} == {
        "anew": "S3 holds other bytes now than were written",
        "gone": "no such object",
        "taken": "something else has this name",
    }
    assert set(backup_of(tree)) == {b"b/taken/below", b"b/z"}


def test_a_load_that_goes_on_looks_at_what_it_had_settled() -> None:
    """Before it loads the rest."""
    keys = [f"{number:03}" for number in range(300)]
    store, tree = store_of(*keys), MemoryWritableTree()
    store.faults = {"200": [Unreachable("no network")]}
    with pytest.raises(Unreachable):
        load(store, tree)
    del tree.files[b"b/000"]

    result = load(store, tree)

    assert (result.nothing_left, result.restored) == (False, 1)
    assert len(backup_of(tree)) == 300


def test_a_journal_that_cannot_be_read_is_not_taken_for_none() -> None:
    """It stays as it is: it may be read again on another day."""
    tree = MemoryWritableTree()
    load(store_of("a"), tree)
    before = dict(tree.files)
    tree.damaged.add(JOURNAL)

    with pytest.raises(DeviceUnreadable, match="cannot be read: Input") as refused:
        load(store_of("a"), tree)
    assert "--start-over erases the disk and loads it anew" in refused.value.next_step
    assert tree.files == before


def test_a_journal_that_names_places_outside_restores_none_of_them() -> None:
    """A disk may say anything."""
    tree = MemoryWritableTree()
    load(store_of("a"), tree)
    entry = replace(log_of(tree)[0], file=TreePath(b"b/../../x"))
    tree.files[JOURNAL] = line_of([entry]) + end_line(None)

    result = load(store_of("a"), tree)

    assert (result.restored, result.lost) == (0, 0)
    assert set(backup_of(tree)) == {b"b/a"}


def test_the_log_goes_to_its_bucket_too() -> None:
    """The same bytes as on the disk; a bucket that refuses it is told, no more."""
    store, tree = store_of("a"), MemoryWritableTree()
    store.put("logs", "x", b"")
    asked = request(log_bucket="logs", log_key="p/export-log-JOB1")

    assert load(store, tree, asked).log_error == ""
    assert (
        b"".join(store.read("logs", "p/export-log-JOB1"))
        == tree.files[b"S3EXPORT/export-log-JOB1"]
    )
    refused = load(store, MemoryWritableTree(), request(log_bucket="none", log_key="k"))
    assert "no such bucket" in refused.log_error


def test_the_log_can_be_read_back_whatever_the_keys_are() -> None:
    """CSV with a header; line breaks and quotes in keys survive."""
    keys = ["two\nlines", 'quo"te', "comma,", "plain"]
    tree = MemoryWritableTree()
    load(store_of(*keys), tree)

    text = tree.files[b"S3EXPORT/export-log-JOB1"].decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))

    assert [row["Key"] for row in rows] == [f"/b/{key}" for key in sorted(keys)]
    assert list(rows[0])[:6] == [
        "DateTime",
        "File",
        "Status",
        "Code",
        "Key",
        "Checksum",
    ]


def test_an_empty_selection_is_loaded_too() -> None:
    """Nothing but the notes of the loader."""
    tree = MemoryWritableTree()

    assert load(MemoryObjectStore("b"), tree).written == 0
    assert backup_of(tree) == {}


def test_the_log_says_when_an_object_was_asked_for() -> None:
    """What S3 gets later is another version, also before the file has its name."""
    store, tree = store_of("a", "b"), MemoryWritableTree()
    store.faults = {"b": ["breaks", "breaks"]}  # with pauses of 0.5 and 1 s

    load(store, tree)

    asked = {entry.key: entry.at for entry in log_of(tree)}
    assert asked["a"] and asked["b"]
    assert asked["b"] - asked["a"] > timedelta(seconds=1.5)


def test_the_time_of_what_was_asked_for_ahead_is_that_of_the_asking() -> None:
    """Not that of its opening: the answer may be as old."""

    class Slow(FaultyStore):
        def ask_ahead(self, bucket: str, key: str) -> AskedAhead | None:
            asked = super().ask_ahead(bucket, key)
            clock.wait(10)
            return asked

    clock = FixedClock()
    begun = clock.now()
    store, tree = Slow("b"), MemoryWritableTree()
    for key in "abc":
        store.put("b", key, b"x")

    load(store, tree, clock=clock)

    seconds = [(entry.at - begun).seconds for entry in log_of(tree) if entry.at]
    assert [second // 10 for second in seconds] == [0, 1, 2]


def test_what_cannot_be_taken_ahead_is_asked_for_in_the_usual_way() -> None:
    """One that is gone is in the log as such; those beside it are loaded."""
    store, tree = store_of("a", "gone", "z"), MemoryWritableTree()

    class Late(AskedAhead):
        @contextmanager
        def open(self) -> Iterator[ObjectBody | None]:
            yield None

        def close(self) -> None:
            pass

    store.faults = {"gone": [NoSuchObject("gone")]}
    store.ask_ahead = lambda bucket, key: Late()  # type: ignore[method-assign]

    result = load(store, tree)

    assert result.failed == {"NoSuchKey": 1}
    assert sorted(backup_of(tree)) == [b"b/a", b"b/z"]


@pytest.mark.parametrize(("etag", "newer"), [("now", False), ("then", True)])
def test_a_log_with_etags_needs_no_clock_to_tell_what_is_newer(
    etag: str, newer: bool
) -> None:
    """An object that has another one was written anew, whatever the times say."""
    at = datetime(2026, 1, 2, tzinfo=UTC)
    facts = ObjectFacts("b", "k", 1, "now", at)
    entry = LogEntry(at, "b", "k", TreePath(b"b/k"), 200, "OK", "", etag=etag)

    knowledge = Knowledge(log={ObjectName("b", "k"): entry})

    assert knowledge.is_newer(facts) is newer
