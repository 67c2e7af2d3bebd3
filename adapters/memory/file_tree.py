"""A file system in memory."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from s3export.domain.backup_layout import (
    LONGEST_NAME_BYTES,
    TreePath,
    below,
    join,
)
from s3export.domain.errors import DiskFull, FileUnreadable, PathUnusable
from s3export.domain.ports import (
    Damaged,
    FileTree,
    NotAFile,
    Readable,
    TreeEntry,
    TreeFile,
    WritableTree,
)


class MemoryFileTree(FileTree):
    """Holds files by path; directories are those that the paths need, and a few more.

    Attributes:
        links: Paths of symbolic links.
        damaged: Paths of directories or files that give I/O errors.
        changed_ns: When files were written, by path; 0 for not known.
    """

    def __init__(
        self,
        files: Mapping[bytes, bytes] | None = None,
        *,
        directories: Iterable[bytes] = (),
        links: Iterable[bytes] = (),
        damaged: Iterable[bytes] = (),
    ) -> None:
        self.files: dict[bytes, bytes] = dict(files or {})
        self._directories = {*directories}
        for path in self.files:
            self._add_parents(path)
        self.links = {*links}
        self.damaged = {*damaged}
        self.changed_ns: dict[bytes, int] = {}

    def has_directory(self, path: TreePath) -> bool:
        """Say whether a directory is there."""
        return not path or path in self._directories

    def names(self, directory: TreePath) -> Sequence[bytes]:
        """Return the names in one directory, sorted."""
        found = set()
        for path in (*self.files, *self._directories, *self.links):
            relative = below(path, directory) if path != directory else None
            if relative:
                found.add(relative.split(b"/")[0])
        return sorted(found)

    def entries(self, below: TreePath) -> Iterator[TreeEntry]:
        """Yield the entries, the newest first: no order is promised."""
        for path in sorted(self.damaged & self._directories):
            if _lies(path, below):
                yield Damaged(TreePath(path), "Input/output error")
        hidden = self.damaged & self._directories
        for number, (path, content) in reversed([*enumerate(self.files.items())]):
            if _lies(path, below) and not any(_lies(path, bad) for bad in hidden):
                changed = self.changed_ns.get(path, 0)
                yield TreeFile(TreePath(path), len(content), changed, number, changed)
        for path in sorted(self.links):
            if _lies(path, below):
                yield NotAFile(TreePath(path), "symbolic link")

    @contextmanager
    def open(self, path: TreePath) -> Iterator[Readable]:
        """Open a file."""
        if path not in self.files or path in self.links:
            raise FileUnreadable("there is no such file")
        yield _MemoryFile(self.files[path], broken=path in self.damaged)

    def reading_order(self, files: Sequence[TreeFile]) -> Sequence[TreeFile]:
        """Return them by their number."""
        return sorted(files, key=lambda file: file.inode)

    def _add_parents(self, path: bytes) -> None:
        names = path.split(b"/")[:-1]
        self._directories |= {join(*names[: n + 1]) for n in range(len(names))}


class MemoryWritableTree(MemoryFileTree, WritableTree):
    """A tree that can be written to, with room for so many bytes of content."""

    def __init__(self, *, room_bytes: int = 1 << 30) -> None:
        super().__init__()
        self.room_bytes = room_bytes

    def write(self, path: TreePath, chunks: Iterable[bytes]) -> int:
        """Write a new file."""
        self._check_name(path)
        content = b""
        for chunk in chunks:
            content += chunk
            if len(content) > self._room():
                raise DiskFull(f"no room for {len(content):,} bytes and more")
        self.files[path] = content
        self._add_parents(path)
        return len(content)

    def replace(self, path: TreePath, content: bytes) -> None:
        """Write a small file, replacing another."""
        if len(content) - len(self.files.get(path, b"")) > self._room():
            raise DiskFull(f"no room for {len(content):,} bytes")
        self.files[path] = content
        self._add_parents(path)

    def free_bytes(self) -> int:
        """Return the room that is left."""
        return self._room()

    def sync(self) -> None:
        """Do nothing: memory is always in step with itself."""

    def _room(self) -> int:
        return self.room_bytes - sum(map(len, self.files.values()))

    def _check_name(self, path: TreePath) -> None:
        names = path.split(b"/")
        if any(len(name) > LONGEST_NAME_BYTES for name in names):
            raise PathUnusable("a name is too long")
        if path in self._directories or path in self.files:
            raise PathUnusable("something else has this name")
        if any(join(*names[:n]) in self.files for n in range(1, len(names))):
            raise PathUnusable("a file stands where a directory is needed")


class _MemoryFile(Readable):
    def __init__(self, content: bytes, *, broken: bool) -> None:
        self._stream = io.BytesIO(content)
        self._broken = broken

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        if self._broken:
            raise FileUnreadable("Input/output error")
        return self._stream.readinto(buffer)


def _lies(path: bytes, directory: bytes) -> bool:
    return path == directory or below(path, directory) is not None
