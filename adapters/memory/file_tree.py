"""A file system in memory."""

import contextlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from s3export.domain.backup_layout import (
    LONGEST_NAME_BYTES,
    TreePath,
    below,
    join,
)
from s3export.domain.errors import (
    DiskFull,
    FileAbsent,
    FileUnreadable,
    PathUnusable,
)
from s3export.domain.ports import (
    Damaged,
    FileTree,
    NewFile,
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
        places: Where files begin on the disk, by path.
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
        self.places: dict[bytes, int] = {}

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
    def open(self, path: TreePath, *, start: int = 0) -> Iterator[Readable]:
        """Open a file."""
        if path not in self.files or path in self.links:
            raise FileAbsent("there is no such file")
        yield _MemoryFile(self.files[path][start:], broken=path in self.damaged)

    def reading_order(self, files: Sequence[TreeFile]) -> Sequence[TreeFile]:
        """Return them by their number."""
        return sorted(files, key=lambda file: file.inode)

    def place_of(self, path: TreePath) -> int | None:
        """Return what was said of it."""
        return self.places.get(path)

    def _add_parents(self, path: bytes) -> None:
        names = path.split(b"/")[:-1]
        self._directories |= {join(*names[: n + 1]) for n in range(len(names))}


class MemoryWritableTree(MemoryFileTree, WritableTree):
    """A tree that can be written to, with room for so many bytes of content."""

    def __init__(self, *, room_bytes: int = 1 << 30) -> None:
        super().__init__()
        self.room_bytes = room_bytes
        self._unnamed: list[_MemoryNewFile] = []

    def new_file(self) -> NewFile:
        """Begin a file."""
        file = _MemoryNewFile(self)
        self._unnamed.append(file)
        return file

    def make_room_for(self, path: TreePath) -> None:
        """Make the directories, and look for the name."""
        self._check_name(path)
        self._add_parents(path)

    def give_name(self, file: NewFile, path: TreePath) -> None:
        """Make it a file of the tree."""
        if not isinstance(file, _MemoryNewFile):
            raise TypeError(f"{type(file).__name__} is no file of this tree")
        self._check_name(path)
        if not self.has_directory(TreePath(path.rpartition(b"/")[0])):
            raise PathUnusable("its directory is not there")
        file.close()
        self.files[path] = bytes(file.content)

    def append(self, path: TreePath, data: bytes) -> None:
        """Write at the end of a file."""
        self.replace(path, self.files.get(path, b"") + data)

    def truncate(self, path: TreePath, size_bytes: int) -> None:
        """Cut a file."""
        self.files[path] = self.files[path][:size_bytes]

    def size_of(self, path: TreePath) -> int | None:
        """Look at a file."""
        if path not in self.files or path in self.links:
            return None
        return len(self.files[path])

    def remove(self, path: TreePath) -> None:
        """Remove a file."""
        self.files.pop(path, None)

    def write(self, path: TreePath, chunks: Iterable[bytes]) -> int:
        """Write a new file."""
        self.make_room_for(path)
        file = self.new_file()
        try:
            for chunk in chunks:
                file.write(chunk)
            self.give_name(file, path)
        finally:
            file.close()
        return file.size_bytes

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
        unnamed = sum(file.size_bytes for file in self._unnamed)
        return self.room_bytes - unnamed - sum(map(len, self.files.values()))

    def let_go(self, file: "_MemoryNewFile") -> None:
        """Give back the room of a file that has no name."""
        with contextlib.suppress(ValueError):
            self._unnamed.remove(file)

    def _check_name(self, path: TreePath) -> None:
        names = path.split(b"/")
        if any(len(name) > LONGEST_NAME_BYTES for name in names):
            raise PathUnusable("a name is too long")
        if path in self._directories or path in self.files:
            raise PathUnusable("something else has this name")
        if any(join(*names[:n]) in self.files for n in range(1, len(names))):
            raise PathUnusable("a file stands where a directory is needed")


class _MemoryNewFile(NewFile):
    def __init__(self, tree: MemoryWritableTree) -> None:
        self._tree = tree
        self.content = bytearray()

    @property
    def size_bytes(self) -> int:
        return len(self.content)

    def write(self, data: bytes | memoryview, /) -> None:
        if len(data) > self._tree.free_bytes():
            raise DiskFull(f"no room for {len(data):,} bytes more")
        self.content += data

    def chunks(self) -> Iterator[memoryview]:
        yield memoryview(bytes(self.content))

    def close(self) -> None:
        self._tree.let_go(self)


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
