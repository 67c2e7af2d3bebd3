"""A walk of a file system that is read without the kernel, as it lies on the disk.

Directories are read in sweeps, by the place of their first block, and the inodes of
what they hold beside them: both lie in the same parts of an ext4 disk as a rule, so
that its arm goes over it once or twice.
"""

from collections.abc import Callable, Iterator
from contextlib import closing

from s3export.adapters.file_trees.elevator import Elevator
from s3export.adapters.file_trees.volumes import (
    DIRECTORY,
    KINDS,
    REGULAR,
    Broken,
    Facts,
    Volume,
)
from s3export.domain.backup_layout import LONGEST_PATH_BYTES, TreePath, join
from s3export.domain.ports import Damaged, NotAFile, TreeEntry, TreeFile

Ask = Callable[[TreePath, str], Iterator[TreeEntry]]
"""Yields what is at a path, as somebody else sees it; why it is asked is said."""

Remember = Callable[[TreePath, int], None]
"""Takes note of the inode of a path."""

_WHOLE_BYTES = 1 << 20  # a smaller directory is understood before any of it is told
_INODE_BYTES = 8
_INODES_A_PIECE = 1 << 15
_TOO_LONG = f"its path is longer than {LONGEST_PATH_BYTES:,} bytes"


def walk(
    volume: Volume,
    below: TreePath,
    start: int,
    remember: Remember,
    ask: Ask | None = None,
) -> Iterator[TreeEntry]:
    """Yield what lies below a directory, each entry once; in no promised order.

    Memory is bounded, but for a bit an inode that is a directory or lies near one.

    Args:
        start: The directory's inode.
        remember: Gets every path that is found, with its inode.
        ask: Is asked in place of `Damaged`, where nothing of it was yielded yet.

    Raises:
        ScratchFull: What waits to be walked has no room in temporary files.
    """
    walked = _Inodes()
    walked.add(start)
    with closing(Elevator()) as waiting:
        waiting.put(0, start.to_bytes(_INODE_BYTES) + below)
        while (taken := waiting.take()) is not None:
            number = int.from_bytes(taken[1][:_INODE_BYTES])
            directory = TreePath(taken[1][_INODE_BYTES:])
            told = False
            try:
                for name, inode in _names(volume, number, whole=ask is not None):
                    told = True
                    path = join(directory, name)
                    try:
                        facts = volume.facts(inode)
                        is_directory = facts.kind == DIRECTORY
                        place = volume.place(inode) if is_directory else 0
                    except Broken as error:
                        yield from _instead(ask, path, error)
                        continue
                    if not is_directory:
                        remember(path, inode)
                        yield _described(path, inode, facts)
                    elif inode in walked:
                        yield Damaged(path, "a directory that also lies elsewhere")
                    elif len(path) > LONGEST_PATH_BYTES:
                        yield Damaged(path, _TOO_LONG)
                    else:
                        walked.add(inode)
                        remember(path, inode)
                        waiting.put(place, inode.to_bytes(_INODE_BYTES) + path)
            except Broken as error:
                yield from _instead(None if told else ask, directory, error)


def _names(
    volume: Volume, directory: int, *, whole: bool
) -> Iterator[tuple[bytes, int]]:
    if whole and volume.facts(directory).size_bytes <= _WHOLE_BYTES:
        return iter(list(volume.listed(directory)))
    return volume.listed(directory)


def _instead(ask: Ask | None, path: TreePath, error: Broken) -> Iterator[TreeEntry]:
    if ask:
        yield from ask(path, str(error))
    else:
        yield Damaged(path, str(error))


def _described(path: TreePath, inode: int, facts: Facts) -> TreeEntry:
    if facts.kind == REGULAR:
        return TreeFile(
            path, facts.size_bytes, facts.modified_ns, inode, facts.changed_ns
        )
    return NotAFile(path, KINDS.get(facts.kind, "unknown"))


class _Inodes:
    """A set of numbers that lie near each other: a bit each, in pieces of 4 KiB."""

    def __init__(self) -> None:
        self._pieces: dict[int, bytearray] = {}

    def add(self, inode: int) -> None:
        piece, bit = divmod(inode, _INODES_A_PIECE)
        bits = self._pieces.setdefault(piece, bytearray(_INODES_A_PIECE // 8))
        bits[bit // 8] |= 1 << bit % 8

    def __contains__(self, inode: int) -> bool:
        piece, bit = divmod(inode, _INODES_A_PIECE)
        bits = self._pieces.get(piece)
        return bits is not None and bool(bits[bit // 8] & 1 << bit % 8)
