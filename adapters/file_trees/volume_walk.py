"""A walk of a file system that is read without the kernel, as it lies on the disk.

Directories are read in sweeps, by the place of their first block, and the inodes of
what they hold after some thousand names, in their own order: both lie in the same parts
of an ext4 disk as a rule, so that its arm goes over it once or twice.
"""

from collections.abc import Callable, Iterator
from contextlib import closing

from s3export.adapters.file_trees.elevator import Elevator
from s3export.adapters.file_trees.volumes import (
    DIRECTORY,
    KINDS,
    REGULAR,
    Broken,
    Volume,
)
from s3export.domain.backup_layout import LONGEST_PATH_BYTES, TreePath
from s3export.domain.ports import Damaged, NotAFile, TreeEntry, TreeFile

Ask = Callable[[TreePath, str], Iterator[TreeEntry]]
"""Yields what is at a path, as somebody else sees it; why it is asked is said."""

Remember = Callable[[TreePath, int], None]
"""Takes note of the inode of a path."""

_WHOLE_BYTES = 1 << 20  # a smaller directory is understood before any of it is told
_INODE_BYTES = 8
_INODES_A_PIECE = 1 << 15
_NAMED_BYTES = 16 << 20  # of entries of directories that wait to be looked up together
_BESIDE_A_PATH = 500
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
    run = _Walk(volume, remember, ask)
    run.walked.add(start)
    with closing(run.waiting):
        run.waiting.put(0, start.to_bytes(_INODE_BYTES) + below)
        while (taken := run.waiting.take()) is not None or run.named:
            yield from run.looked_up() if taken is None else run.read(taken[1])


class _Walk:
    """A walk under way.

    Attributes:
        named: Inodes and paths that directories name; looked up in the order of the
            inodes, which lie in their tables as they are numbered.
        walked: The directories.
        waiting: Directories to be read: an inode, and a path.
    """

    def __init__(self, volume: Volume, remember: Remember, ask: Ask | None) -> None:
        self._volume = volume
        self._remember = remember
        self._ask = ask
        self.named: list[tuple[int, TreePath]] = []
        self._room = _NAMED_BYTES
        self.walked = _Inodes()
        self.waiting = Elevator()

    def read(self, place: bytes) -> Iterator[TreeEntry]:
        """Read a directory; yield what makes no sense in it."""
        number = int.from_bytes(place[:_INODE_BYTES])
        directory = TreePath(place[_INODE_BYTES:])
        prefix = directory + b"/" if directory else b""
        told = False
        try:
            for name, inode in _names(
                self._volume, number, whole=self._ask is not None
            ):
                told = True
                path = TreePath(prefix + name)
                self.named.append((inode, path))
                self._room -= len(path) + _BESIDE_A_PATH
                if self._room <= 0:
                    yield from self.looked_up()
        except Broken as error:
            yield from _instead(None if told else self._ask, directory, error)

    def looked_up(self) -> Iterator[TreeEntry]:
        """Yield what was named; let directories wait."""
        named, self.named, self._room = sorted(self.named), [], _NAMED_BYTES
        volume, remember, walked = self._volume, self._remember, self.walked
        for inode, path in named:
            try:
                kind, size, modified, changed = volume.facts(inode)
                place = volume.place(inode) if kind == DIRECTORY else 0
            except Broken as error:
                yield from _instead(self._ask, path, error)
                continue
            if kind == REGULAR:
                remember(path, inode)
                yield TreeFile(path, size, modified, inode, changed)
            elif kind != DIRECTORY:
                remember(path, inode)
                yield NotAFile(path, KINDS.get(kind, "unknown"))
            elif inode in walked:
                yield Damaged(path, "a directory that also lies elsewhere")
            elif len(path) > LONGEST_PATH_BYTES:
                yield Damaged(path, _TOO_LONG)
            else:
                walked.add(inode)
                remember(path, inode)
                self.waiting.put(place, inode.to_bytes(_INODE_BYTES) + path)


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
