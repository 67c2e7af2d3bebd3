"""Bytes that can be read anywhere: a file, a device, a slice, a decrypted view."""

import os
from abc import abstractmethod
from types import TracebackType
from typing import Protocol, Self

from s3export.domain.errors import DeviceUnreadable


class ByteSource(Protocol):
    """Bytes by position. Thread-safe. Closing one closes what it reads from."""

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """How many there are."""

    @abstractmethod
    def read(self, start: int, length: int) -> bytes:
        """Return bytes; fewer where the end comes first, none beyond it.

        Raises:
            errors.DeviceUnreadable: The disk gives an error there.

        """

    @abstractmethod
    def close(self) -> None:
        """Release it; idempotent."""


class FileSource(ByteSource):
    """A file or a block device, opened for reading only.

    Raises:
        DeviceUnreadable: It cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise DeviceUnreadable(f"{path}: {error.strerror}") from error
        self._size = os.lseek(self._fd, 0, os.SEEK_END)

    @property
    def size_bytes(self) -> int:
        """How many there are."""
        return self._size

    def read(self, start: int, length: int) -> bytes:
        """Read at a position."""
        try:
            return os.pread(self._fd, max(0, min(length, self._size - start)), start)
        except OSError as error:
            raise DeviceUnreadable(
                f"{self._path}: reading at byte {start:,}: {error.strerror}"
            ) from error

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Slice(ByteSource):
    """A part of another source: a partition, say."""

    def __init__(self, whole: ByteSource, start: int, size_bytes: int) -> None:
        if start < 0 or size_bytes < 0:
            raise ValueError("a slice begins at 0 or later, and has 0 bytes or more")
        self._whole = whole
        self._start = start
        self._size = min(size_bytes, max(0, whole.size_bytes - start))

    @property
    def size_bytes(self) -> int:
        """How many there are."""
        return self._size

    def read(self, start: int, length: int) -> bytes:
        """Read at a position of the slice."""
        length = max(0, min(length, self._size - start))
        return self._whole.read(self._start + start, length) if length else b""

    def close(self) -> None:
        """Close the whole."""
        self._whole.close()
