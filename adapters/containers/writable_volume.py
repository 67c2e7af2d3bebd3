"""The plain bytes of a volume, to be read and written at any place of it."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from s3export.adapters.containers.sector_ciphers import UNIT_BYTES, SectorCipher
from s3export.adapters.containers.tcrypt_header import Region
from s3export.domain.errors import S3ExportError


class WritableVolume:
    """A region of an open container through a cipher. Thread-safe.

    Every method but `close` may raise `OSError`. After a first error of writing or
    syncing `sync` goes on to fail: what was lost then is nowhere.

    Args:
        file: A descriptor of the file or device that holds the container, for reading
            and writing; it is left open.
        base: Where the container begins in it, in bytes; data units are numbered from
            there.
        region: Where the data is in the container.

    Attributes:
        failure: The first error of writing, in words; empty for none.
    """

    def __init__(
        self, file: int, region: Region, cipher: SectorCipher, *, base: int = 0
    ) -> None:
        self._file = file
        self._base = base
        self._region = region
        self._cipher = cipher
        self._partial = Lock()
        self.failure = ""

    @property
    def size_bytes(self) -> int:
        """How many there are."""
        return self._region.size

    def read(self, start: int, length: int) -> bytes:
        """Return the bytes at a place; fewer where the end comes first."""
        end = min(start + length, self._region.size)
        if start >= end:
            return b""
        first, last = _whole(start, end)
        plain = self._decrypted(first, last)
        return bytes(memoryview(plain)[start - first : end - first])

    def write(self, start: int, plain: bytes) -> int:
        """Write at a place, and return how much: all of it."""
        end = start + len(plain)
        if start < 0 or end > self._region.size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if not plain:
            return 0
        first, last = _whole(start, end)
        if (first, last) == (start, end):
            self._encrypt(start, bytearray(plain))
        else:
            # Another one may be about to write the rest of the same sector.
            with self._partial:
                data = self._decrypted(first, last)
                data[start - first : end - first] = plain
                self._encrypt(first, data)
        return len(plain)

    def sync(self) -> None:
        """Return when all that was written has reached the disk."""
        if self.failure:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        try:
            os.fdatasync(self._file)
        except OSError as error:
            self._note(error, "syncing")
            raise

    def close(self) -> None:
        """Wipe the keys; idempotent."""
        self._cipher.close()

    def _decrypted(self, start: int, end: int) -> bytearray:
        place = self._region.start + start
        data = bytearray(end - start)
        view, at = memoryview(data), self._base + place
        while view:
            done = os.preadv(self._file, [view], at)
            if not done:
                raise OSError(errno.EIO, "the container ends within the volume")
            view, at = view[done:], at + done
        with _as_os_error():
            self._cipher.decrypt(data, place // UNIT_BYTES)
        return data

    def _encrypt(self, start: int, data: bytearray) -> None:
        place = self._region.start + start
        try:
            with _as_os_error():
                self._cipher.encrypt(data, place // UNIT_BYTES)
            view, at = memoryview(data), self._base + place
            while view:
                done = os.pwrite(self._file, view, at)
                view, at = view[done:], at + done
        except OSError as error:
            self._note(error, f"writing at byte {place:,}")
            raise

    def _note(self, error: OSError, what: str) -> None:
        self.failure = self.failure or f"{what}: {error.strerror or error}"


@contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except S3ExportError as error:
        raise OSError(errno.EIO, error.message) from error


def _whole(start: int, end: int) -> tuple[int, int]:
    return start - start % UNIT_BYTES, end + -end % UNIT_BYTES
