"""Temporary files: in memory while they are small, then without a name in TMPDIR."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO

from s3export.domain.errors import ScratchFull
from s3export.domain.ports import Scratch, ScratchFile

IN_MEMORY_BYTES = 32 << 20
"""What one file may take before it goes to the disk."""

_WRITE_BYTES = 1 << 20


class TemporaryScratch(Scratch):
    """Files of `tempfile`; the system forgets them when the process ends.

    Args:
        in_memory_bytes: What one file may take before it goes to the disk.
    """

    def __init__(self, in_memory_bytes: int = IN_MEMORY_BYTES) -> None:
        self._in_memory_bytes = in_memory_bytes

    @contextmanager
    def file(self) -> Iterator[ScratchFile]:
        """Open an empty file."""
        with _File(self._in_memory_bytes) as file:
            yield file


class _File(ScratchFile):
    """Bytes kept in memory up to a limit, then on the disk but for the last ones."""

    def __init__(self, in_memory_bytes: int) -> None:
        self._most = in_memory_bytes
        self._memory = bytearray()
        self._on_disk = 0
        self._file: FileIO | None = None

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def append(self, data: bytes) -> int:
        """Write at the end."""
        start = self._on_disk + len(self._memory)
        self._memory += data
        if len(self._memory) > (_WRITE_BYTES if self._file else self._most):
            self._spill()
        return start

    def read(self, start: int, length: int) -> bytes:
        """Read what was written, from wherever it is."""
        end = start + length
        found = self._on_disk_from(start, min(end, self._on_disk))
        if len(found) == length:
            return found
        rest = max(0, start - self._on_disk)
        return found + bytes(self._memory[rest : max(0, end - self._on_disk)])

    def _on_disk_from(self, start: int, end: int) -> bytes:
        found = b""
        while self._file and start + len(found) < end:  # a call may give less
            place = start + len(found)
            found += os.pread(self._file.fileno(), end - place, place)
        return found

    def _spill(self) -> None:
        try:
            if self._file is None:
                self._file = _nameless()
            waiting = bytes(self._memory)
            self._memory.clear()
            while waiting:
                written = os.pwrite(self._file.fileno(), waiting, self._on_disk)
                self._on_disk += written
                waiting = waiting[written:]
        except OSError as error:
            where = f" in {tempfile.tempdir}" if tempfile.tempdir else ""
            raise ScratchFull(
                f"temporary files{where} cannot grow: {error.strerror}"
            ) from error


def _nameless() -> FileIO:
    return tempfile.TemporaryFile(prefix="s3export-", buffering=0)
