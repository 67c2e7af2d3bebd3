"""Laws of digesting a file: part by part it has the digests of one pass."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS, cut

from s3export.adapters.hash_functions import InstalledHashes
from s3export.adapters.memory import InlineWorkers, MemoryFileTree
from s3export.adapters.workers import ThreadWorkers
from s3export.domain.backup_layout import TreePath
from s3export.domain.digests import OnePass
from s3export.domain.errors import FileUnreadable
from s3export.domain.evidence import ETAG_MULTIPART, Evidence
from s3export.domain.ports import Readable, Stop, TreeFile
from s3export.domain.services.file_digests import FileDigests, ReadDigests

PATH = TreePath(b"file")
HASHES = InstalledHashes()


class Watched(MemoryFileTree):
    """Remembers where reading began."""

    def __init__(self, content: bytes) -> None:
        super().__init__({PATH: content})
        self.starts: list[int] = []

    @contextmanager
    def open(self, path: TreePath, *, start: int = 0) -> Iterator[Readable]:
        self.starts.append(start)
        with super().open(path, start=start) as file:
            yield file


def go_on() -> bool:
    """Never stop."""
    return False


def digests_of(
    tree: Watched, size: int, at_once: int, stop: Stop = go_on
) -> FileDigests:
    """Return the digests of the file, which had a size when it was listed."""
    workers = ThreadWorkers() if at_once > 1 else InlineWorkers()
    reading = ReadDigests(tree, HASHES, workers, at_once, worth_threads_bytes=0)
    return FileDigests(reading, TreeFile(PATH, size, 0), stop)


def evidence(algorithm: str, sizes: tuple[int, ...]) -> Evidence:
    """Return what a digest would be compared with."""
    return Evidence(ETAG_MULTIPART, algorithm, "", len(sizes), sizes)


def in_one_pass(content: bytes, wanted: Evidence) -> bytes:
    """Return a digest of bytes at hand."""
    running = OnePass([wanted.recipe], HASHES.new)
    running.update(memoryview(content))
    return running.digests()[wanted.recipe]


@given(st.data(), st.binary(max_size=300), st.integers(1, 3))
@SETTINGS
def test_part_by_part_is_as_in_one_pass(
    data: st.DataObject, content: bytes, at_once: int
) -> None:
    """By several algorithms, over parts in common, empty ones too, or not in common."""
    splits = data.draw(st.lists(cut(content) | st.none(), min_size=1, max_size=2))
    algorithms = data.draw(st.lists(st.sampled_from(["MD5", "SHA256"]), min_size=1))
    wanted = [
        evidence(algorithm, tuple(map(len, data.draw(st.sampled_from(splits)) or ())))
        for algorithm in algorithms
    ]
    tree = Watched(content)
    digests = digests_of(tree, len(content), at_once)
    digests.need(*wanted)
    passes = tree.starts.copy()

    for one in wanted:
        assert digests.of(one) == in_one_pass(content, one)
    assert digests.bytes_read == len(content)
    sizes = {one.part_sizes for one in wanted}
    apart = at_once > 1 and len(sizes) == 1 and len(wanted[0].part_sizes) > 1
    assert len(passes) == (len(wanted[0].part_sizes) if apart else 1)
    assert tree.starts == passes


@pytest.mark.parametrize("now", [b"0123456789x", b"012345678", b"", b"0123556789"])
@pytest.mark.parametrize("at_once", [1, 2])
def test_a_file_that_is_another_than_listed_has_other_digests(
    now: bytes, at_once: int
) -> None:
    """Longer, shorter, empty, or with other bytes."""
    parts = evidence("MD5", (4, 4, 2))

    found = digests_of(Watched(now), 10, at_once).of(parts)

    assert found != in_one_pass(b"0123456789", parts)


@pytest.mark.parametrize("at_once", [1, 2])
def test_reading_that_is_stopped_gives_no_digest(at_once: int) -> None:
    """The file is unreadable for this run."""
    digests = digests_of(Watched(b"0123456789"), 10, at_once, lambda: True)

    with pytest.raises(FileUnreadable, match="interrupted"):
        digests.of(evidence("MD5", (4, 4, 2)))


def test_a_small_file_is_read_in_one_pass() -> None:
    """Threads would cost more than they bring."""
    tree = Watched(b"0123456789")
    reading = ReadDigests(tree, HASHES, ThreadWorkers(), 4, worth_threads_bytes=11)

    FileDigests(reading, TreeFile(PATH, 10, 0), go_on).of(evidence("MD5", (4, 4, 2)))

    assert tree.starts == [0]


def test_digests_over_different_parts_are_of_one_pass() -> None:
    """Parts that not all recipes have help nobody."""
    tree = Watched(b"0123456789")
    digests = digests_of(tree, 10, 4)

    digests.need(evidence("MD5", (5, 5)), evidence("MD5", (4, 6)))

    assert tree.starts == [0]
    assert digests.of(evidence("MD5", (4, 6))) == in_one_pass(
        b"0123456789", evidence("MD5", (4, 6))
    )
