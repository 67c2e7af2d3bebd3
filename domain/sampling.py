"""Which files a verification looks at.

The draw is the k files whose keyed hash is smallest, the hash being BLAKE2b of the
path's bytes under a key made from the seed. So it is uniform over all files whatever
the order they come in, it is the same for everybody with the same seed, and a larger
sample with the same seed contains the smaller one. Memory: k entries.
"""

import hashlib
import heapq
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

_RANK_BYTES = 16


class Draw(Generic[T]):
    """Keeps the k items of smallest rank among all that are offered.

    Args:
        seed: Any text; printed in the report, so that a draw can be repeated.
        size: How many items to keep, at least 1.

    """

    def __init__(self, seed: str, size: int) -> None:
        if size < 1:
            raise ValueError("a sample holds at least one file")
        # A key of BLAKE2b has at most 64 bytes; the digest of the seed always fits.
        self._key = hashlib.blake2b(seed.encode(errors="surrogateescape")).digest()
        self._size = size
        # heapq keeps the smallest on top; negated ranks put the worst kept one there.
        self._kept: list[tuple[int, bytes, T]] = []

    def rank(self, path: bytes) -> int:
        """Return a path's place in the drawing order, uniform in 0 … 2¹²⁸-1."""
        digest = hashlib.blake2b(path, key=self._key, digest_size=_RANK_BYTES).digest()
        return int.from_bytes(digest)

    def offer(self, path: bytes, item: T) -> None:
        """Take part in the draw. Each path is offered once."""
        entry = (-self.rank(path), path, item)
        if len(self._kept) < self._size:
            heapq.heappush(self._kept, entry)
        elif entry[0] > self._kept[0][0]:
            heapq.heapreplace(self._kept, entry)

    def fingerprint(self, path: bytes, *state: int) -> int:
        """Return what names a file, as it is now, under this seed: 64 bits.

        Args:
            state: What changes when the file does: its size, its times, its inode.

        """
        told = b"\0".join([path, *(b"%d" % number for number in state)])
        digest = hashlib.blake2b(told, key=self._key, digest_size=8).digest()
        return int.from_bytes(digest)

    def drawn(self) -> list[T]:
        """Return what was drawn, in drawing order: best rank first."""
        return [item for _, _, item in sorted(self._kept, key=lambda kept: -kept[0])]


def draw(seed: str, size: int, paths: Iterable[bytes]) -> list[bytes]:
    """Draw from a stream of paths: `Draw` for those who only have paths."""
    drawing: Draw[bytes] = Draw(seed, size)
    for path in paths:
        drawing.offer(path, path)
    return drawing.drawn()
