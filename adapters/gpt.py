"""The primary GPT of a disk whose backup GPT is not where it should be.

A disk partitioned behind one USB bridge and read behind another can end some sectors
earlier; its backup table is then cut off, and the kernel and sfdisk reject the primary
one with it. The repair (``sgdisk --move-second-header``) writes to the disk; reading
the primary table does not. Layout: UEFI Specification 2.10, section 5.3.
"""

import struct
import zlib

from s3export.adapters.byte_sources import ByteSource, FileSource
from s3export.adapters.device_facts import Partition

_HEADER = struct.Struct("<8s4sIIIQQQQ16sQIII")
_ENTRY = struct.Struct("<16s16sQQQ72s")
_SIGNATURE = b"EFI PART"
_UNUSED = bytes(16)
_LARGEST_TABLE_BYTES = 1 << 20  # 128 entries of 128 bytes are 16 KiB
_SECTOR_SIZES = (512, 4096)


def primary_partitions(path: str) -> tuple[Partition, ...]:
    """Return the partitions of the primary GPT, or none where it is not intact.

    Raises:
        DeviceUnreadable: The disk gives an error there.
    """
    with FileSource(path) as disk:
        for sector in _SECTOR_SIZES:
            found = _read(disk, sector)
            if found:
                return found
    return ()


def _read(disk: ByteSource, sector: int) -> tuple[Partition, ...]:
    raw = disk.read(sector, _HEADER.size)
    if len(raw) < _HEADER.size or not raw.startswith(_SIGNATURE):
        return ()
    fields = _HEADER.unpack(raw)
    header_size, header_crc = fields[2], fields[3]
    table_lba, count, entry_size, table_crc = fields[10:14]
    unchecked = raw[:16] + bytes(4) + raw[20:]
    if header_size != _HEADER.size or zlib.crc32(unchecked) != header_crc:
        return ()
    length, end = count * entry_size, disk.size_bytes
    if entry_size < _ENTRY.size or length > _LARGEST_TABLE_BYTES:
        return ()
    if table_lba * sector + length > end:
        return ()
    table = disk.read(table_lba * sector, length)
    if zlib.crc32(table) != table_crc:
        return ()
    found = []
    for number in range(count):
        kind, _, first, last, _, _ = _ENTRY.unpack_from(table, number * entry_size)
        offset, size = first * sector, (last - first + 1) * sector
        if kind != _UNUSED and size > 0 and offset < end:
            found.append(Partition(number + 1, offset, min(size, end - offset)))
    return tuple(found)
