"""What is saved of a disk before it is erased, in one file.

A file system is not saved: making a new one overwrites parts of it everywhere. What can
be put back is the partition table, and the headers and signatures at the beginnings and
the ends, by which what is left can be found.
"""

import io
import os
import re
import shlex
import tarfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from s3export.adapters.device_facts import Partition
from s3export.adapters.whole_files import write_whole
from s3export.domain.devices import DeviceFacts
from s3export.domain.errors import DeviceFailed, FileRefused

_MIB = 1 << 20
_AT_START = 4 * _MIB  # GPT and boot loader, LUKS1 headers, superblocks
_AT_END = _MIB  # backup GPT, RAID and ZFS labels, TrueCrypt's backup header
_OF_PARTITION = _MIB
_LONGEST_NAME = 64
_ELSEWHERE = "name another place with --backup-directory"

_MOST_PARTITIONS = 128  # what a GPT has room for as a rule; a crafted one for more

_HOW_TO = """\
This was on {path} ({what}) when it was erased on {when}.

partition-table.sfdisk   the partition table, as sfdisk --dump tells it
signatures.json          what wipefs recognised on it
bytes-from-OFFSET        the bytes from that offset on

To put it back, unpack this archive into an empty directory, go there, and run:

{commands}

What files were on the disk is not saved.{more}
"""


def save(
    facts: DeviceFacts,
    directory: str,
    *,
    table: str,
    signatures: str,
    partitions: Sequence[Partition],
) -> str:
    """Write the file; return its path.

    Args:
        table: What ``sfdisk --dump`` told.
        signatures: What ``wipefs --json`` told.

    Raises:
        FileRefused: It cannot be written; nothing is left of it.
        DeviceFailed: The disk cannot be read there.
    """
    now = datetime.now(UTC)
    name = _plain(facts.serial) or _plain(Path(facts.path).name) or "disk"
    path = Path(directory, f"{name}-{now:%Y%m%dT%H%M%S.%fZ}.tar.gz")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FileRefused(
            f"{path.parent}: {error.strerror}",
            next_step=_ELSEWHERE,
        ) from error
    what = " ".join(filter(None, (facts.model, facts.serial)))
    places = tuple(_places(facts.size_bytes, partitions[:_MOST_PARTITIONS]))
    more = len(partitions) - _MOST_PARTITIONS
    told = {
        "README.txt": _HOW_TO.format(
            path=facts.path,
            what=what or facts.kind.value,
            when=f"{now:%F %T} UTC",
            commands="\n".join(_commands(facts.path, table, places)),
            more=f"\nNor is anything of its last {more} partitions." * (more > 0),
        ).encode(errors="surrogateescape"),
        "partition-table.sfdisk": table.encode(),
        "signatures.json": signatures.encode(),
    }
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for member, data in (*told.items(), *_pieces(facts, places)):
            entry = tarfile.TarInfo(member)
            entry.size, entry.mtime, entry.mode = len(data), int(now.timestamp()), 0o600
            archive.addfile(entry, io.BytesIO(data))
    try:
        write_whole(str(path), content.getvalue(), mode=0o600)
    except FileRefused as error:
        raise FileRefused(error.message, next_step=_ELSEWHERE) from error
    return str(path)


def _plain(name: str) -> str:
    """Return what of a name is safe in a file's, also as an argument of a program."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:_LONGEST_NAME]


def _commands(
    path: str, table: str, places: Sequence[tuple[int, int]]
) -> Iterator[str]:
    """Yield the command lines that put it back, for a shell."""
    disk = shlex.quote(path)
    if table.strip():
        yield f"sfdisk --wipe never {disk} < partition-table.sfdisk"
    for offset, _ in places:
        yield (
            f"dd if=bytes-from-{offset} of={disk} bs=64K oflag=seek_bytes "
            f"seek={offset} conv=notrunc,fsync"
        )
    if table.strip():
        yield f"blockdev --rereadpt {disk}"


def _pieces(
    facts: DeviceFacts, places: Sequence[tuple[int, int]]
) -> Iterator[tuple[str, bytes]]:
    try:
        descriptor = os.open(facts.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for offset, length in places:
                yield f"bytes-from-{offset}", _read(descriptor, offset, length)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DeviceFailed(
            f"{facts.path} cannot be read, to save its partition table: "
            f"{error.strerror}",
            next_step="the disk is probably faulty: use another one",
        ) from error


def _places(size: int, partitions: Sequence[Partition]) -> Iterator[tuple[int, int]]:
    """Yield offset and length of what is saved; no byte twice."""
    wanted = [(0, _AT_START), (max(0, size - _AT_END), size)]
    for part in partitions:
        end = part.offset + part.size
        wanted.append((part.offset, min(part.offset + _OF_PARTITION, end)))
        wanted.append((max(part.offset, end - _OF_PARTITION), end))
    done = 0
    for start, end in sorted(wanted):
        start, end = max(start, done), min(end, size)
        if start < end:
            yield start, end - start
            done = end


def _read(descriptor: int, offset: int, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        piece = os.pread(descriptor, length - len(found), offset + len(found))
        if not piece:
            break
        found += piece
    return bytes(found)
