"""Bytes that notice when someone reads beside them."""

from s3export.adapters.byte_sources import ByteSource, Slice

MARGIN_BYTES = 1 << 16


class Fenced(ByteSource):
    """Some bytes between two margins that nobody may read."""

    def __init__(self, inside: bytes) -> None:
        self._inside = inside
        self.beside: list[tuple[int, int]] = []

    @property
    def size_bytes(self) -> int:
        return len(self._inside) + 2 * MARGIN_BYTES

    def read(self, start: int, length: int) -> bytes:
        at = start - MARGIN_BYTES
        if not 0 <= at <= at + length <= len(self._inside):
            # Kept, since The Sleuth Kit turns an error raised here into one of its own.
            self.beside.append((at, length))
        return self._inside[max(at, 0) : max(at + length, 0)]

    def close(self) -> None:
        pass

    def slice(self) -> Slice:
        """Return the bytes without their margins."""
        return Slice(self, MARGIN_BYTES, len(self._inside))

    def check(self) -> None:
        """Fail where a margin was read."""
        assert not self.beside, f"bytes beside the source were read: {self.beside[:5]}"
