"""Directories that wait to be read, taken in the order in which a disk's arm moves.

A walk that reads every directory where it happens to be found moves the arm to and fro.
Here the next one is always the nearest ahead; at the end of the disk the arm goes back
to its beginning, once a sweep.
"""

import heapq
import struct
import tempfile
from io import FileIO

from s3export.domain.errors import ScratchFull

MOST_WAITING = 1 << 17
MOST_BYTES = 32 << 20
_HEAD = struct.Struct("<QI")


class Elevator:
    """Paths by their places on the disk: an inode's number, say, or a block's.

    Memory is bounded: of what waits, the part that the arm reaches last goes to a
    temporary file without a name, and comes back when nothing else waits.

    Args:
        most: How many paths wait in memory; at least 1.
        most_bytes: How many bytes these have together, or one more path.
    """

    def __init__(self, most: int = MOST_WAITING, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._arm = 0
        self._ahead: list[tuple[int, bytes]] = []  # a heap
        self._behind: list[tuple[int, bytes]] = []
        self._bytes = 0
        self._file: FileIO | None = None
        self._runs: list[int] = []  # where each begins in the file
        self._end = 0

    def close(self) -> None:
        """Forget all that waits; idempotent."""
        if self._file:
            self._file.close()
            self._file = None
        self._runs, self._ahead, self._behind = [], [], []

    def waiting_in_memory(self) -> int:
        """Return how many paths wait in memory."""
        return len(self._ahead) + len(self._behind)

    def put(self, place: int, path: bytes) -> None:
        """Let a path wait.

        Args:
            place: In 0 … 2⁶⁴-1.

        Raises:
            ScratchFull: There is no room in TMPDIR for the paths that are too many.
        """
        self._keep(place, path)
        if self.waiting_in_memory() > self._most or self._bytes > self._most_bytes:
            self._put_away()

    def take(self) -> tuple[int, bytes] | None:
        """Return the next path and its place; ``None`` where nothing waits."""
        if not self._ahead:
            if not self._behind and self._runs:
                self._bring_back()
            if not self._ahead:
                self._ahead, self._behind = self._behind, []
                heapq.heapify(self._ahead)
        if not self._ahead:
            return None
        place, path = heapq.heappop(self._ahead)
        self._arm = place
        self._bytes -= len(path)
        return place, path

    def _keep(self, place: int, path: bytes) -> None:
        if place >= self._arm:
            heapq.heappush(self._ahead, (place, path))
        else:
            self._behind.append((place, path))
        self._bytes += len(path)

    def _put_away(self) -> None:
        """Write the half that the arm reaches last to the file."""
        waiting = sorted(self._ahead) + sorted(self._behind)
        kept, others = waiting[: len(waiting) // 2], waiting[len(waiting) // 2 :]
        self._ahead = [each for each in kept if each[0] >= self._arm]
        self._behind = kept[len(self._ahead) :]
        self._bytes = sum(len(path) for _, path in kept)
        run = b"".join(_HEAD.pack(place, len(path)) + path for place, path in others)
        try:
            if self._file is None:
                self._file = _nameless()
            self._file.seek(self._end)
            rest = memoryview(run)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise ScratchFull(
                f"temporary files cannot grow: {error.strerror}"
            ) from error
        self._runs.append(self._end)
        self._end += len(run)

    def _bring_back(self) -> None:
        """Read the run that was written last."""
        assert self._file is not None  # there is a run
        start = self._runs.pop()
        run = b""
        self._file.seek(start)
        while len(run) < self._end - start:
            run += self._file.read(self._end - start - len(run))
        self._end = start
        at = 0
        while at < len(run):
            place, length = _HEAD.unpack_from(run, at)
            at += _HEAD.size
            self._keep(place, run[at : at + length])
            at += length


def _nameless() -> FileIO:
    return tempfile.TemporaryFile(prefix="s3export-", buffering=0)
