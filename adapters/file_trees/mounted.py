"""A directory that is mounted: the adapter that all others are tested against.

Every path is opened name by name from the root, following no link, so that neither a
crafted disk nor a directory that changes under the walk leads outside.
"""

import contextlib
import ctypes
import errno
import io
import os
import secrets
import stat
import threading
import weakref
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice

from s3export.adapters.file_trees.beneath import DIRECTORY, FILE, Beneath, names_of
from s3export.adapters.file_trees.change_times import are_kept
from s3export.adapters.file_trees.elevator import MOST_WAITING, Elevator
from s3export.adapters.file_trees.placement import TellsNoPlaces, first_place
from s3export.adapters.file_trees.read_ahead import LARGE_BYTES, read_ahead
from s3export.adapters.rotation import reads_at_once
from s3export.domain.backup_layout import LONGEST_NAME_BYTES, TreePath, join, shown
from s3export.domain.errors import (
    DeviceError,
    DeviceFailed,
    DeviceUnreadable,
    DiskFull,
    FileAbsent,
    FileUnreadable,
    PathUnusable,
)
from s3export.domain.ports import (
    CHUNK_BYTES,
    Damaged,
    FileTree,
    NewFile,
    NotAFile,
    Readable,
    TreeEntry,
    TreeFile,
    WritableTree,
)

_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_KINDS = {
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}
_ENTRIES_AT_ONCE = 4096
_FORGOTTEN_BYTES = 4 << 20  # read, and then dropped from memory together
_LIBC = ctypes.CDLL(None, use_errno=True)
_NOT_A_DIRECTORY = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_MOST_KEPT = 32
"""Directories that stay open for writing: keys in their order come by directories."""

DAMAGED = (errno.EUCLEAN, errno.EBADMSG)
"""What the kernel says of a file system that makes no sense, each time."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NOT_A_NAME = (
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ELOOP,
    errno.EINVAL,
    errno.EILSEQ,
)


class MountedTree(FileTree):
    """The files below a directory of this system.

    Args:
        most_waiting: How many directories wait in memory to be walked; more than that
            wait in a temporary file.
    """

    def __init__(self, root: str, *, most_waiting: int = MOST_WAITING) -> None:
        self._root = root
        self._most_waiting = most_waiting
        self._tells_places = True
        self._beneath = Beneath()
        self._describe = described if are_kept(root) else _described_with_doubt
        self.reads_at_once = reads_at_once(root)

    def has_directory(self, path: TreePath) -> bool:
        """Say whether a directory is there."""
        try:
            with self._directory(path):
                return True
        except OSError:
            return False

    def names(self, directory: TreePath) -> Sequence[bytes]:
        """Return the names in one directory, sorted."""
        try:
            with self._directory(directory) as fd:
                return sorted(map(os.fsencode, os.listdir(fd)))  # noqa: PTH208
        except OSError as error:
            if error.errno in _NOT_A_DIRECTORY:
                return ()
            raise DeviceUnreadable(
                f"{self._named(directory)}: {error.strerror}"
            ) from error

    def entries(self, below: TreePath) -> Iterator[TreeEntry]:
        """Yield what lies below a directory, in sweeps over the inodes' numbers.

        On ext4 these follow the places on the disk. Memory is bounded, however many
        directories there are.
        """
        with closing(Elevator(self._most_waiting)) as waiting:
            waiting.put(0, below)
            while (taken := waiting.take()) is not None:
                directory = TreePath(taken[1])
                prefix = directory + b"/" if directory else b""
                try:
                    with self._directory(directory) as fd, os.scandir(fd) as found:
                        for entry in _by_inode(found):
                            path = TreePath(prefix + os.fsencode(entry.name))
                            if entry.is_dir(follow_symlinks=False):
                                waiting.put(entry.inode(), path)
                            else:
                                yield self._described(path, entry)
                except OSError as error:
                    yield Damaged(directory, error.strerror or str(error))

    @contextmanager
    def open(self, path: TreePath, *, start: int = 0) -> Iterator[Readable]:
        """Open a regular file."""
        try:
            fd = self._open(path, FILE)
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno in _NOT_A_DIRECTORY:
                raise FileAbsent(reason) from error
            raise FileUnreadable(reason) from error
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(fd)
            raise FileAbsent("not a regular file")
        with io.FileIO(fd) as raw:
            raw.seek(start)
            if found.st_size - start < LARGE_BYTES:
                yield _SmallFile(raw, found.st_size - start)
            else:
                yield _LargeFile(raw, start)

    @contextmanager
    def system_path(self, path: TreePath) -> Iterator[str]:
        """Give a path by which this process and those it starts reach a file.

        Raises:
            FileUnreadable: It is not there, or not a regular file.

        """
        try:
            fd = self._open(path, FILE)
        except OSError as error:
            raise FileUnreadable(
                f"/{shown(path)}: {error.strerror or error}"
            ) from error
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise FileUnreadable(f"/{shown(path)}: not a regular file")
            # The name, not the descriptor's: what holds the file is to be told by it.
            yield os.path.realpath(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)

    def reading_order(self, files: Sequence[TreeFile]) -> Sequence[TreeFile]:
        """Return the files by where they begin on the disk.

        By inode number, which follows the place on ext4, where the file system tells no
        places, and where no arm has to move: asking costs opening every file.
        """
        by_inode = sorted(files, key=lambda file: file.inode)
        if not self._tells_places or (self.reads_at_once or 1) > 1:
            return by_inode
        try:
            places = {file.path: self._place(file.path) for file in by_inode}
        except TellsNoPlaces:
            self._tells_places = False
            return by_inode
        return sorted(by_inode, key=lambda file: places[file.path])

    def place_of(self, path: TreePath) -> int | None:
        """Ask the file system."""
        try:
            return self._first_place(path)
        except (OSError, TellsNoPlaces):
            return None

    def _place(self, path: TreePath) -> int:
        """Return where a file begins on the disk; 0 where that is not known."""
        try:
            return self._first_place(path) or 0
        except OSError:
            return 0  # whoever reads it will be told

    def _first_place(self, path: TreePath) -> int | None:
        fd = self._open(path, FILE)
        try:
            return first_place(fd)
        finally:
            os.close(fd)

    def _open(self, path: bytes, flags: int) -> int:
        """Open a path; the root is not kept open, as that keeps a disk busy."""
        root = os.open(self._root, _ROOT)
        try:
            return self._beneath.open(root, path, flags)
        finally:
            os.close(root)

    @contextmanager
    def _directory(self, path: bytes) -> Iterator[int]:
        fd = self._open(path, DIRECTORY)
        try:
            yield fd
        finally:
            os.close(fd)

    def _stat(self, path: TreePath) -> os.stat_result:
        directory, _, name = path.rpartition(b"/")
        with self._directory(directory) as parent:
            return os.stat(name or b".", dir_fd=parent, follow_symlinks=False)

    def _described(self, path: TreePath, entry: os.DirEntry[str]) -> TreeEntry:
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError as error:
            return Damaged(path, error.strerror or str(error))
        return self._describe(path, found)

    def _named(self, path: bytes) -> str:
        return os.fsdecode(join(os.fsencode(self._root), path))


def _by_inode(found: Iterable[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
    """Yield entries as their inodes lie on the disk, some thousand at a time.

    An error comes after the entries that were read before it.
    """
    entries = iter(found)
    while True:
        window: list[os.DirEntry[str]] = []
        failed: OSError | None = None
        try:
            window.extend(islice(entries, _ENTRIES_AT_ONCE))
        except OSError as error:
            failed = error
        yield from sorted(window, key=os.DirEntry.inode)
        if failed:
            raise failed
        if not window:
            return


def described(path: TreePath, found: os.stat_result) -> TreeFile | NotAFile:
    """Return what stat(2) says of something that is no directory."""
    if stat.S_ISREG(found.st_mode):
        return TreeFile(
            path,
            found.st_size,
            found.st_mtime_ns,
            found.st_ino,
            found.st_ctime_ns,
        )
    return NotAFile(path, _KINDS.get(stat.S_IFMT(found.st_mode), "unknown"))


def _described_with_doubt(path: TreePath, found: os.stat_result) -> TreeFile | NotAFile:
    """Take no ctime for the time of a write that is just the content's over again."""
    file = described(path, found)
    if isinstance(file, TreeFile) and file.changed_ns == file.modified_ns:
        return file._replace(changed_ns=0)
    return file


class _OpenFile(Readable):
    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        try:
            return self._raw.readinto(buffer) or 0
        except OSError as error:
            raise FileUnreadable(error.strerror or str(error)) from error


class _SmallFile(_OpenFile):
    """Read in one piece, as a rule: a buffer for large files costs more to make."""

    def __init__(self, raw: io.FileIO, size_bytes: int) -> None:
        super().__init__(raw)
        self._size = size_bytes

    def chunks(self) -> Generator[memoryview, None, None]:
        buffer = memoryview(bytearray(min(CHUNK_BYTES, max(self._size, 0) + 1)))
        while got := self.readinto(buffer):
            yield buffer[:got]


class _LargeFile(_OpenFile):
    """Read ahead, and not kept: the page cache is for others.

    What posix_fadvise(2) is told is a wish; that it is not heard is no error.
    """

    def __init__(self, raw: io.FileIO, start: int) -> None:
        super().__init__(raw)
        self._begun = self._at = self._forgotten = start
        self._wish(0, 0, os.POSIX_FADV_SEQUENTIAL)

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        got = super().readinto(buffer)
        self._at += got
        if not got:  # what was still under way the first time, too
            self._forgotten = self._begun
        behind = self._at - self._forgotten
        if behind >= _FORGOTTEN_BYTES or not got:
            self._wish(self._forgotten, behind, os.POSIX_FADV_DONTNEED)
            self._forgotten = self._at
        return got

    def chunks(self) -> Generator[memoryview, None, None]:
        return read_ahead(self.readinto)

    def _wish(self, start: int, length: int, advice: int) -> None:
        with contextlib.suppress(OSError):
            os.posix_fadvise(self._raw.fileno(), start, length, advice)


class MountedWritableTree(MountedTree, WritableTree):
    """The same, mounted for writing.

    A file is written without a name (``O_TMPFILE``) and linked into place when it is
    complete, so nothing half written ever has a name, not even after a power cut.

    Whoever unmounts it closes it first: it holds the root open, since syncfs(2) tells a
    descriptor of the errors since that was opened, and of older ones only if nobody
    else has heard of them.
    """

    def __init__(self, root: str) -> None:
        super().__init__(root)
        fd = os.open(root, _ROOT)
        self._root_fd = fd
        self._let_root_go = weakref.finalize(self, os.close, fd)
        self._unnamed: weakref.WeakSet[_UnnamedFile] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._kept: dict[bytes, int] = {}
        self._let_kept_go = weakref.finalize(self, _close_all, self._kept)
        self._keeping = threading.Lock()

    def close(self) -> None:
        """Let go of all files, also of those that threads still write to. Idempotent.

        A thread that waits for the network would keep the disk from being unmounted.
        """
        with self._lock:
            self._let_root_go()
            files = list(self._unnamed)
        with self._keeping:
            _close_all(self._kept)
        for file in files:
            file.close()

    def new_file(self) -> NewFile:
        """Begin a file in the root, as ext4 places the files of one directory near."""
        flags = os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC
        with _translated(), self._lock:
            if not self._let_root_go.alive:
                raise OSError(errno.EBADF, "it is closed")
            file = _UnnamedFile(os.open(".", flags, 0o644, dir_fd=self._root_fd))
            self._unnamed.add(file)
            return file

    def make_room_for(self, path: TreePath) -> None:
        """Make the directories, and look for the name."""
        directory, _, name = path.rpartition(b"/")
        if len(name) > LONGEST_NAME_BYTES:
            raise PathUnusable("its name is too long")
        with _translated(), self._made_directory(directory) as parent:
            try:
                os.stat(name, dir_fd=parent, follow_symlinks=False)
            except FileNotFoundError:
                return
        raise PathUnusable("something else has this name")

    def give_name(self, file: NewFile, path: TreePath) -> None:
        """Link it into its directory."""
        if not isinstance(file, _UnnamedFile):
            raise TypeError(f"{type(file).__name__} is no file of this tree")
        directory, _, name = path.rpartition(b"/")
        with _translated(), self._made_directory(directory) as parent:
            os.link(
                f"/proc/self/fd/{file.fileno()}",
                name,
                dst_dir_fd=parent,
                follow_symlinks=True,
            )

    def append(self, path: TreePath, data: bytes) -> None:
        """Write at the end of a file."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        directory, _, name = path.rpartition(b"/")
        with _translated(), self._made_directory(directory) as parent:
            fd = os.open(name, flags, 0o644, dir_fd=parent)
            with io.FileIO(fd, "wb") as file:
                _write_all(file, data)

    def truncate(self, path: TreePath, size_bytes: int) -> None:
        """Cut a file."""
        directory, _, name = path.rpartition(b"/")
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        with _translated(), self._directory(directory) as parent:
            fd = os.open(name, flags, dir_fd=parent)
            try:
                os.ftruncate(fd, size_bytes)
            finally:
                os.close(fd)

    def size_of(self, path: TreePath) -> int | None:
        """Look at a file, following no link."""
        try:
            found = self._stat(path)
        except OSError as error:
            if error.errno in _NOT_A_DIRECTORY:
                return None
            raise _failed(error, "looking at a file on") from error
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def remove(self, path: TreePath) -> None:
        """Unlink a file."""
        directory, _, name = path.rpartition(b"/")
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            try:
                with self._directory(directory) as parent:
                    os.unlink(name, dir_fd=parent)
            except (FileNotFoundError, NotADirectoryError):
                raise
            except OSError as error:
                raise _failed(error) from error

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
        """Write a small file, replacing another in one step."""
        directory, _, name = path.rpartition(b"/")
        new = b".%s.%s" % (name, secrets.token_hex(4).encode())
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with _translated(), self._made_directory(directory) as parent:
            try:
                fd = os.open(new, flags, 0o644, dir_fd=parent)
                with io.FileIO(fd, "wb") as file:
                    _write_all(file, content)
                    os.fsync(fd)
                os.replace(new, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(new, dir_fd=parent)
                raise
            os.fsync(parent)

    def free_bytes(self) -> int:
        """Return what the file system says is free for this user."""
        found = os.statvfs(self._root)
        return found.f_bavail * found.f_frsize

    def sync(self) -> None:
        """Write what the kernel buffers for this file system, and hear of errors.

        syncfs(2) reports errors of writing back since Linux 5.8; sync(2) reports none.
        """
        if _LIBC.syncfs(self._root_fd):
            number = ctypes.get_errno()
            raise _failed(OSError(number, os.strerror(number)))

    @contextmanager
    def _made_directory(self, path: bytes) -> Iterator[int]:
        """Open a directory, made if need be; keep it open for the next file in it."""
        with self._keeping:
            fd = self._kept.get(path)
            if fd is None:
                if not self._let_root_go.alive:
                    raise OSError(errno.EBADF, "it is closed")
                fd = self._opened_or_made(path)
                if len(self._kept) >= _MOST_KEPT:
                    os.close(self._kept.pop(next(iter(self._kept))))
                self._kept[path] = fd
            yield fd

    def _opened_or_made(self, path: bytes) -> int:
        fd = os.open(".", DIRECTORY, dir_fd=self._root_fd)
        try:
            for name in names_of(path):
                # What exists is a directory, or something that opening it will refuse.
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=fd)
                deeper = os.open(name, DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = deeper
        except BaseException:
            os.close(fd)
            raise
        return fd


def _close_all(kept: dict[bytes, int]) -> None:
    while kept:
        os.close(kept.popitem()[1])


class _UnnamedFile(NewFile):
    def __init__(self, fd: int) -> None:
        self._file = io.FileIO(fd, "rb+")
        self._size = 0
        self._lock = threading.Lock()  # none writes to a number that is closed

    @property
    def size_bytes(self) -> int:
        return self._size

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, data: bytes | memoryview, /) -> None:
        with _translated(), self._lock:
            if self._file.closed:
                raise OSError(errno.EBADF, "it is closed")
            self._size += _write_all(self._file, data)

    def chunks(self) -> Iterator[memoryview]:
        buffer = memoryview(bytearray(1 << 20))
        place = 0
        with _translated():
            while got := os.preadv(self._file.fileno(), [buffer], place):
                yield buffer[:got]
                place += got

    def close(self) -> None:
        with _translated(), self._lock:
            self._file.close()


def _write_all(file: io.FileIO, chunk: bytes | memoryview) -> int:
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]
    return len(chunk)


def _failed(error: OSError, what: str = "writing to") -> DeviceError:
    said = f"{what} the disk failed: {error.strerror or error}"
    if error.errno in DAMAGED:
        return DeviceUnreadable(said, next_step="its file system is damaged")
    return DeviceFailed(said, next_step="the disk, or its cable, is probably faulty")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _NO_ROOM:
            raise DiskFull(reason) from error
        if error.errno in _NOT_A_NAME:
            raise PathUnusable(reason) from error
        raise _failed(error) from error
