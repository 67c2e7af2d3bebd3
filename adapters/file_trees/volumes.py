"""What a file system is to those who read it without the kernel."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import pytsk3

KINDS = {
    int(pytsk3.TSK_FS_META_TYPE_LNK): "symbolic link",
    int(pytsk3.TSK_FS_META_TYPE_FIFO): "named pipe",
    int(pytsk3.TSK_FS_META_TYPE_SOCK): "socket",
    int(pytsk3.TSK_FS_META_TYPE_CHR): "character device",
    int(pytsk3.TSK_FS_META_TYPE_BLK): "block device",
}
REGULAR = int(pytsk3.TSK_FS_META_TYPE_REG)
DIRECTORY = int(pytsk3.TSK_FS_META_TYPE_DIR)

NO_NAME = "the directory is damaged: a name that cannot be one"
STALE = (
    "the {name} file system was not unmounted before it was unplugged, and its journal "
    "is not replayed here: the newest writes may be missing, or show older content"
)


class Broken(Exception):
    """Something on the disk that cannot be read, or makes no sense."""


class CutOff(Broken):
    """The end of a file system is not there."""

    def __init__(self, wanted: int, there: int) -> None:
        super().__init__(f"it is {wanted:,} bytes long, but there are only {there:,}")


class Facts(NamedTuple):
    """What is known of an inode; ``kind`` as TSK counts them."""

    kind: int
    size_bytes: int
    modified_ns: int
    changed_ns: int


class Content(Protocol):
    """An open inode."""

    @abstractmethod
    def read(self, start: int, length: int) -> bytes:
        """Return bytes that lie before the end."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""


class Volume(Protocol):
    """A file system. Thread-safe."""

    root: int

    @abstractmethod
    def close(self) -> None:
        """Release it; idempotent."""

    @abstractmethod
    def warnings(self) -> tuple[str, ...]:
        """Say what may be wrong with what is read."""

    @abstractmethod
    def facts(self, inode: int) -> Facts:
        """Return what is known of an inode."""

    def place(self, inode: int) -> int:
        """Return what directories are sorted by as they lie on the disk."""
        return inode

    @abstractmethod
    def content(self, inode: int) -> Content:
        """Open a regular file, or a directory."""

    @abstractmethod
    def listed(self, directory: int) -> Iterator[tuple[bytes, int]]:
        """Yield names and inodes of a directory, without ``.`` and ``..``."""


def can_be(name: bytes) -> bool:
    """Say whether a name can stand in a directory."""
    return bool(name) and b"/" not in name and b"\0" not in name
