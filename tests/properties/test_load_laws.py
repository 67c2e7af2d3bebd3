"""Laws of loading: whatever happens on the way, the disk is the same in the end."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loads import (
    FaultyStore,
    FragileTree,
    Unplugged,
    backup_of,
    load,
    log_of,
    request,
    source,
)
from strategies import SETTINGS, keys

from s3export.adapters.memory import MemoryWritableTree
from s3export.domain.backup_layout import NotAPath, TreePath, path_of
from s3export.domain.errors import DeviceUnreadable
from s3export.domain.export_log import LogEntry
from s3export.domain.load_journal import JOURNAL
from s3export.domain.services.load_device import Place

object_keys = keys.filter(bool)
awkward = st.lists(object_keys, unique=True, max_size=25)
DIRECTORIES = (b"d", b"", b"d/a")


def timeless(tree: MemoryWritableTree) -> list[LogEntry]:
    """Return the log of a disk without its times."""
    return [replace(entry, at=None) for entry in log_of(tree)]


def store_of(some: list[str]) -> FaultyStore:
    """Return a store with two buckets of these keys, each with content of its own."""
    store = FaultyStore("b", "c")
    for number, key in enumerate(some):
        for bucket in ("b", "c"):
            body = f"{bucket} {number}".encode() * (number % 7)
            store.put(bucket, key, body)
    return store


@SETTINGS
@given(awkward, st.sampled_from(DIRECTORIES), st.sampled_from(DIRECTORIES))
def test_every_object_is_on_the_disk_once(
    some: list[str], one: bytes, other: bytes
) -> None:
    """Where the log says, with its bytes; nothing else is there."""
    store, tree = store_of(some), MemoryWritableTree()

    load(store, tree, request(source(one), source(other, "c")))

    log = log_of(tree) if some else ()
    assert [(entry.bucket, entry.key) for entry in log] == [
        (bucket, key) for bucket in ("b", "c") for key in sorted(some)
    ]
    assert backup_of(tree) == {
        bytes(entry.file): b"".join(store.read(entry.bucket, entry.key))
        for entry in log
    }
    assert len({entry.file for entry in log}) == len(log)


@SETTINGS
@given(awkward)
def test_a_key_that_can_be_a_path_is_one(some: list[str]) -> None:
    """Unless a shorter key stands where it needs a directory."""
    tree = MemoryWritableTree()
    load(store_of(some), tree)

    for entry in log_of(tree) if some else ():
        try:
            path = path_of(entry.key)
        except NotAPath:
            assert entry.code == "Recovered"
            continue
        above = [path[:n].decode() for n, byte in enumerate(path) if byte == 0x2F]
        in_the_way = any(key in some and _is_path(key) for key in above)
        assert (entry.code == "Recovered") is in_the_way
        assert (entry.file == b"b/" + path) is not in_the_way


def _is_path(key: str) -> bool:
    try:
        return bool(path_of(key))
    except NotAPath:
        return False


@settings(SETTINGS, max_examples=400)
@given(awkward, st.booleans(), st.data())
def test_a_load_that_was_cut_off_ends_as_if_it_had_not_been(
    some: list[str], power: bool, data: st.DataObject
) -> None:
    """Killed, or without power, at any operation, and again at any later one."""
    asked = request(source(), source(b"b", "c"))
    whole = FragileTree(lasts=-1, power=False)
    load(store_of(some), whole, asked)

    tree: MemoryWritableTree = MemoryWritableTree()
    for _ in range(data.draw(st.integers(1, 3))):
        fragile = FragileTree(
            lasts=data.draw(st.integers(1, whole.operations)), power=power
        )
        for path, content in tree.files.items():
            fragile.replace(TreePath(path), content)
        fragile._synced = dict(fragile.files)
        try:
            load(store_of(some), fragile, asked)
        except Unplugged:
            for path, content in backup_of(fragile.left()).items():
                assert backup_of(whole).get(path) == content
        tree = fragile.left()
    load(store_of(some), tree, asked)

    assert backup_of(tree) == backup_of(whole)
    if some:
        assert timeless(tree) == timeless(whole)


@SETTINGS
@given(awkward, st.integers(300, 330), st.data())
def test_disks_of_any_size_hold_everything_together(
    some: list[str], kibibytes: int, data: st.DataObject
) -> None:
    """Each goes on where the last one ended; no object is on two of them."""
    store = store_of(some)
    for key in data.draw(st.lists(st.sampled_from(some or ["x"]), max_size=3)):
        store.put("b", key, bytes(20 << 10))
    begin, found = Place(), []
    for _ in range(30):
        tree = MemoryWritableTree(room_bytes=kibibytes << 10)
        asked = request(source(), source(b"c", "c"), begin=begin)
        result = load(store, tree, asked)
        found += [(entry.bucket, entry.key) for entry in _log(tree)]
        if result.next_disk is None:
            break
        begin = Place(result.next_disk.operation, result.next_disk.begin_marker)

    listed = [
        (bucket, key)
        for bucket in ("b", "c")
        for key in sorted(store_keys(store, bucket))
    ]
    assert found == listed


def _log(tree: MemoryWritableTree) -> tuple[LogEntry, ...]:
    return log_of(tree) if tree.files[JOURNAL].count(b"\n") > 1 else ()


def store_keys(store: FaultyStore, bucket: str) -> list[str]:
    """Return the keys of a bucket."""
    return [facts.key for facts in store.list_objects(bucket)]


@SETTINGS
@given(
    awkward,
    st.lists(st.sampled_from(["breaks", "short", "wrong", ""]), max_size=2),
    st.data(),
)
def test_faults_that_pass_leave_no_trace(
    some: list[str], faults: list[str], data: st.DataObject
) -> None:
    """Whichever objects they strike."""
    calm, troubled = MemoryWritableTree(), MemoryWritableTree()
    load(store_of(some), calm)
    store = store_of(some)
    for key in data.draw(st.lists(st.sampled_from(some or ["x"]), max_size=5)):
        store.faults[key] = list(faults)
    load(store, troubled)

    assert backup_of(troubled) == backup_of(calm)
    if some:
        assert timeless(troubled) == timeless(calm)


@pytest.mark.parametrize("damage", [b"\0", b"", b"x"])
def test_a_journal_that_is_damaged_in_the_middle_is_not_trusted(damage: bytes) -> None:
    """No crash does that: the disk is faulty."""
    tree = MemoryWritableTree()
    load(store_of([f"{n}" for n in range(400)]), tree)
    journal = tree.files[JOURNAL]
    tree.files[JOURNAL] = journal[:20] + damage + journal[21:]

    with pytest.raises(DeviceUnreadable, match="journal"):
        load(store_of([f"{n}" for n in range(400)]), tree)
