"""Loading a disk the way AWS's facility did."""

import csv
import io
from dataclasses import replace

import pytest
from samples import MANIFEST

from s3export.adapters.memory import (
    FixedClock,
    MemoryManifests,
    MemoryObjectStore,
    MemoryWritableTree,
    SilentProgress,
)
from s3export.domain.errors import NoSuchObject
from s3export.domain.export_log import write_export_log
from s3export.domain.manifests import Manifest, Operation
from s3export.domain.services.load_device import (
    LoadDevice,
    LoadResult,
    NextDisk,
)


def manifest(*operations: Operation) -> Manifest:
    """Return a manifest with these operations."""
    plain = MemoryManifests({"m": MANIFEST}).read("m").accepted()
    return replace(plain, operations=operations)


def load(
    store: MemoryObjectStore, tree: MemoryWritableTree, *operations: Operation
) -> LoadResult:
    """Load a tree from a store."""
    return LoadDevice(store, FixedClock(), SilentProgress())(
        manifest(*operations), tree
    )


def store_of(*keys: str, size: int = 3) -> MemoryObjectStore:
    """Return a store with one bucket of small objects."""
    store = MemoryObjectStore("b")
    for key in keys:
        store.put("b", key, b"x" * size)
    return store


def test_every_object_becomes_a_file_below_its_bucket() -> None:
    """In key order, each with the MD5 of what was written."""
    tree = MemoryWritableTree()

    result = load(store_of("b/2", "a", "b/1"), tree, Operation("b"))

    assert [entry.file for entry in result.entries] == [b"b/a", b"b/b/1", b"b/b/2"]
    assert set(tree.files) == {b"b/a", b"b/b/1", b"b/b/2"}
    assert {entry.md5 for entry in result.entries} == {
        "f561aaf6ef0bf14d4208bb46a4ccb3ad"
    }


@pytest.mark.parametrize(
    ("operation", "keys"),
    [
        (Operation("b", prefix="i/"), ["i/1", "i/2", "i/3"]),
        (Operation("b", prefix="i/", begin_marker="i/1"), ["i/2", "i/3"]),
        (Operation("b", prefix="i/", end_marker="i/2"), ["i/1", "i/2"]),
        (Operation("b", begin_marker="i/3"), ["z"]),
        (Operation("b", prefix="image", end_marker="foo"), []),
    ],
)
def test_an_operation_selects_by_prefix_and_markers(
    operation: Operation, keys: list[str]
) -> None:
    """Begin exclusive, end inclusive."""
    store = store_of("a", "i/1", "i/2", "i/3", "z")

    result = load(store, MemoryWritableTree(), operation)

    assert [entry.key for entry in result.entries] == keys


@pytest.mark.parametrize("target", ["/", "/x/y/", "x/y"])
def test_a_target_directory_replaces_the_buckets_name(target: str) -> None:
    """``/`` is the root of the disk."""
    tree = MemoryWritableTree()

    load(store_of("a"), tree, Operation("b", target_directory=target))

    wanted = b"a" if target == "/" else b"x/y/a"
    assert set(tree.files) == {wanted}


def test_keys_that_cannot_be_paths_go_to_the_recovery_directory() -> None:
    """Numbered in their order; the log maps them back."""
    tree = MemoryWritableTree()

    result = load(
        store_of("a", "a/b", "d//e", "dir/", "../up", "n" * 300), tree, Operation("b")
    )

    recovered = {e.key: e.file for e in result.entries if e.code == "Recovered"}
    assert recovered == {
        "../up": b"EXPORT-RECOVERY/0000/0000",
        "a/b": b"EXPORT-RECOVERY/0000/0001",
        "d//e": b"EXPORT-RECOVERY/0000/0002",
        "dir/": b"EXPORT-RECOVERY/0000/0003",
        "n" * 300: b"EXPORT-RECOVERY/0000/0004",
    }
    assert result.errors == 0


def test_a_full_disk_stops_in_order_and_the_next_one_goes_on_there() -> None:
    """No later, smaller object is squeezed in; together the disks hold everything."""
    store = store_of("a", "b", "d", size=10)
    store.put("b", "c", b"x" * 25)
    first = MemoryWritableTree(room_bytes=40)

    result = load(store, first, Operation("b"))

    assert result.next_disk == NextDisk(operation=0, begin_marker="b")
    assert set(first.files) == {b"b/a", b"b/b"}
    second = MemoryWritableTree(room_bytes=40)
    rest = load(
        store, second, Operation("b", begin_marker=result.next_disk.begin_marker)
    )
    assert rest.next_disk is None
    assert set(second.files) == {b"b/c", b"b/d"}


def test_an_object_that_vanished_is_an_error_in_the_log_and_the_load_goes_on() -> None:
    """It was listed and is gone when it is read."""
    store = store_of("a", "gone", "z")
    read = store.read

    def vanishing(bucket: str, key: str) -> object:
        if key == "gone":
            raise NoSuchObject("s3://b/gone: there is no such object")
        return read(bucket, key)

    store.read = vanishing  # type: ignore[assignment,method-assign]
    tree = MemoryWritableTree()

    result = load(store, tree, Operation("b"))

    assert [(e.key, e.status) for e in result.entries] == [
        ("a", 200),
        ("gone", 500),
        ("z", 200),
    ]
    assert (result.written, result.errors) == (2, 1)
    assert set(tree.files) == {b"b/a", b"b/z"}


def test_the_log_can_be_read_back_whatever_the_keys_are() -> None:
    """CSV with a header; line breaks and quotes in keys survive."""
    keys = ["two\nlines", 'quo"te', "comma,", "plain"]
    result = load(store_of(*keys), MemoryWritableTree(), Operation("b"))

    text = write_export_log(result.entries).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))

    assert [row["Key"] for row in rows] == [f"/b/{key}" for key in sorted(keys)]
    assert list(rows[0]) == ["DateTime", "File", "Status", "Code", "Key", "Checksum"]
