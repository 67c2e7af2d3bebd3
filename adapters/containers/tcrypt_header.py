"""The header of a TrueCrypt or VeraCrypt volume, decrypted; and where headers are.

Layout: TrueCrypt 7.1a User's Guide, "TrueCrypt Volume Format Specification"; that of
VeraCrypt differs in its magic alone. Numbers are big-endian; offsets below count from
the end of the salt, which is the first 64 bytes of a header. Version 3 (TrueCrypt 5)
has rules of its own, those of cryptsetup (lib/tcrypt/tcrypt.c); its test images agree.
"""

import struct
import zlib
from dataclasses import dataclass, field
from typing import Final

from s3export.adapters.containers.sector_ciphers import UNIT_BYTES
from s3export.domain.errors import ContainerDamaged, ContainerUnsupported

HEADER_BYTES: Final = 512
SALT_BYTES: Final = 64
PLAIN_BYTES: Final = HEADER_BYTES - SALT_BYTES
DATA_OFFSET: Final = 131_072  # a header group at the start; one as large at the end
NEWEST_VERSION: Final = 5

_HIDDEN_AT = 65_536
_OLD_HIDDEN_FROM_END = 1536
_OLD_DATA_OFFSET = 512
_OLD_VERSION = 3

_FIELDS = struct.Struct(">4sHHI8x8xQQQQII")
_HEADER_CRC_AT = 188
_KEYS_AT = 192
_KEYS_BYTES = 256
_KINDS = {b"TRUE": "truecrypt", b"VERA": "veracrypt"}
_OLDEST_PROGRAM = 0x0700  # TrueCrypt 7.0, the first of header version 5
_SYSTEM, _IN_PLACE = 1, 2  # flags


@dataclass(frozen=True)
class Place:
    """Where a header may be.

    Attributes:
        start: In bytes.
        old: Only headers of version 3 are there, which VeraCrypt never wrote.
    """

    start: int
    hidden: bool
    backup: bool
    old: bool = False


def places(
    container_bytes: int, *, hidden: bool | None, backup: bool
) -> tuple[Place, ...]:
    """Return where to look, the outer volume first; ``hidden`` as `None`: both.

    Volumes of header version 3 have their hidden header near the end, and no backups.
    """
    end = container_bytes
    if backup:
        found = [
            Place(end - DATA_OFFSET, hidden=False, backup=True),
            Place(end - DATA_OFFSET + _HIDDEN_AT, hidden=True, backup=True),
        ]
    else:
        found = [
            Place(0, hidden=False, backup=False),
            Place(_HIDDEN_AT, hidden=True, backup=False),
            Place(end - _OLD_HIDDEN_FROM_END, hidden=True, backup=False, old=True),
        ]
    return tuple(
        place
        for place in found
        if (hidden is None or place.hidden == hidden)
        and 0 <= place.start <= end - HEADER_BYTES
    )


@dataclass(frozen=True)
class Header:
    """The fields of a header; sizes and offsets in bytes, not yet to be trusted."""

    kind: str
    version: int
    hidden_bytes: int
    volume_bytes: int
    data_offset: int
    encrypted_bytes: int
    flags: int
    sector_bytes: int
    keys: bytes = field(repr=False)


def parse(plain: bytes | bytearray) -> Header | None:
    """Read a decrypted header; ``None`` where it was decrypted with a wrong key.

    Raises:
        ContainerDamaged: The key is right, and a checksum is not.
        ContainerUnsupported: The header's version is none that is known.
    """
    kind = _KINDS.get(bytes(plain[:4]))
    if kind is None or len(plain) != PLAIN_BYTES:
        return None
    _, version, _, keys_crc, *numbers = _FIELDS.unpack_from(plain)
    hidden, volume, offset, encrypted, flags, sector = numbers
    keys = bytes(plain[_KEYS_AT : _KEYS_AT + _KEYS_BYTES])
    if zlib.crc32(keys) != keys_crc:
        raise _damaged("the checksum of its keys is wrong")
    if not _OLD_VERSION <= version <= NEWEST_VERSION:
        raise ContainerUnsupported(
            f"the volume's header is of version {version}; "
            f"{_OLD_VERSION} to {NEWEST_VERSION} can be read"
        )
    if version > _OLD_VERSION:
        (header_crc,) = struct.unpack_from(">I", plain, _HEADER_CRC_AT)
        if zlib.crc32(plain[:_HEADER_CRC_AT]) != header_crc:
            raise _damaged("the checksum of its fields is wrong")
    if version < NEWEST_VERSION:
        sector = UNIT_BYTES  # the field came with version 5
    return Header(kind, version, hidden, volume, offset, encrypted, flags, sector, keys)


def build(volume_bytes: int, keys: bytes) -> bytes:
    """Make a header of version 5 for a volume that is not hidden; the inverse."""
    padded = keys.ljust(_KEYS_BYTES, b"\0")
    fields = _FIELDS.pack(
        b"TRUE", NEWEST_VERSION, _OLDEST_PROGRAM, zlib.crc32(padded),
        0, volume_bytes, DATA_OFFSET, volume_bytes, 0, UNIT_BYTES,
    ).ljust(_HEADER_CRC_AT, b"\0")  # fmt: skip
    return fields + struct.pack(">I", zlib.crc32(fields)) + padded


@dataclass(frozen=True)
class Region:
    """Where a volume's data lies in its container; in bytes."""

    start: int
    size: int


def data_region(header: Header, container_bytes: int, *, hidden: bool) -> Region:
    """Return where the data is, which is inside the container.

    Raises:
        ContainerDamaged: The header says what cannot be.
        ContainerUnsupported: The volume is of a kind that is not read.
    """
    if header.flags & _SYSTEM:
        raise ContainerUnsupported("the volume is an encrypted system drive")
    if header.sector_bytes != UNIT_BYTES:
        raise ContainerUnsupported(
            f"the volume has sectors of {header.sector_bytes:,} bytes; "
            f"only those of {UNIT_BYTES} can be read"
        )
    region = _region(header, container_bytes, hidden)
    if region.start < UNIT_BYTES or region.start % UNIT_BYTES:
        raise _damaged(f"the volume's data cannot start at byte {region.start:,}")
    if region.size <= 0 or region.size % UNIT_BYTES:
        raise _damaged(f"the volume cannot have a size of {region.size:,} bytes")
    if region.start + region.size > container_bytes:
        raise ContainerDamaged(
            f"the volume ends at byte {region.start + region.size:,} of its container, "
            f"which has {container_bytes:,}",
            next_step="copy the container again, whole",
        )
    if header.version > _OLD_VERSION and header.encrypted_bytes != region.size:
        if header.flags & _IN_PLACE:
            raise ContainerUnsupported("the volume's encryption was not finished")
        raise _damaged(
            f"{header.encrypted_bytes:,} bytes are encrypted of {region.size:,}"
        )
    return region


def _region(header: Header, container_bytes: int, hidden: bool) -> Region:
    if header.version > _OLD_VERSION:
        return Region(header.data_offset, header.volume_bytes)
    if hidden:
        end = container_bytes - _OLD_HIDDEN_FROM_END
        return Region(end - header.hidden_bytes, header.hidden_bytes)
    start = header.data_offset or _OLD_DATA_OFFSET
    return Region(start, header.volume_bytes or container_bytes - start)


def _damaged(reason: str) -> ContainerDamaged:
    return ContainerDamaged(
        f"the volume's header is damaged: {reason}",
        next_step="read the copy at the end of the container with --backup-header",
    )
