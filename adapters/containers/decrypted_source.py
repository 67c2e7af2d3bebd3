"""The plain bytes of a volume, decrypted as they are read."""

from typing import Final

from s3export.adapters.byte_sources import ByteSource
from s3export.adapters.containers.sector_ciphers import UNIT_BYTES, SectorCipher
from s3export.adapters.containers.tcrypt_header import Region
from s3export.domain.errors import DeviceUnreadable

_AT_ONCE: Final = 1 << 20


class DecryptedSource(ByteSource):
    """A region of a container through a cipher.

    Data units are numbered from the start of the container, not of the region.
    """

    def __init__(
        self, container: ByteSource, region: Region, cipher: SectorCipher
    ) -> None:
        self._container = container
        self._region = region
        self._cipher = cipher

    @property
    def size_bytes(self) -> int:
        """How many there are."""
        return self._region.size

    def read(self, start: int, length: int) -> bytes:
        """Read at a position of the volume."""
        if start < 0:
            raise ValueError("a volume begins at 0")
        end = min(start + length, self._region.size)
        if start >= end:
            return b""
        first = start - start % UNIT_BYTES
        last = end + -end % UNIT_BYTES
        parts = [
            self._units(at, min(_AT_ONCE, last - at))
            for at in range(first, last, _AT_ONCE)
        ]
        plain = parts[0] if len(parts) == 1 else b"".join(parts)
        return bytes(memoryview(plain)[start - first : end - first])

    def close(self) -> None:
        """Wipe the keys and close the container."""
        self._cipher.close()
        self._container.close()

    def _units(self, start: int, length: int) -> bytearray:
        place = self._region.start + start
        data = bytearray(self._container.read(place, length))
        if len(data) != length:
            raise DeviceUnreadable(
                f"the encrypted container ended at byte {place + len(data):,}, "
                "which was inside the volume when it was opened"
            )
        self._cipher.decrypt(data, place // UNIT_BYTES)
        return data
