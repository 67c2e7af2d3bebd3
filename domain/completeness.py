"""Everything that S3 lists, so that a tree of any size and order can be joined with it.

The listing comes first and is kept compactly: 52 bytes an object, sorted by a
fingerprint of the path that the object should have on the disk, and the key beside it.
Then the tree streams by, in whatever order suits the disk: each path is looked up, and
what was never looked up is missing. Keys are compared in full, so that two paths of
one fingerprint are never taken for each other.

Both tables lie in scratch files, which spill to disk when they grow. In memory remain
half a megabyte of places and one bit an object.
"""

import hashlib
import struct
from array import array
from collections.abc import Callable, Container, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from s3export.domain.backup_layout import NotAPath, ObjectName, Source, TreePath
from s3export.domain.evidence import ObjectFacts
from s3export.domain.ports import ScratchFile

_RECORD = struct.Struct(">8sQQqI16s")
"""Fingerprint, place of the key, size, time, parts of the ETag, its digest."""

_KEY_HEAD = struct.Struct(">HI")
"""Number of the source, bytes of the key."""

_NO_ETAG = 0xFFFF_FFFF

_CHUNKS = 256  # sorted one by one, by the first byte of the fingerprint
_PLACES = 1 << 16  # looked up by the first two bytes
_WINDOW = 256  # records that are read at once to find one
_BUFFER_RECORDS = 256


class Listed(NamedTuple):
    """An object of the listing, and where it should be on the disk.

    Attributes:
        path: ``None`` where no file can have the key as its path; ``reason`` says why.

    """

    source: Source
    facts: ObjectFacts
    path: TreePath | None
    reason: str = ""


class _Found(NamedTuple):
    """A record of the listing, and what is known of it.

    Attributes:
        number: Of the source.
        where: Its path and why it has none, if that was worked out already.

    """

    number: int
    key: str
    ordinal: int
    record: bytes
    where: tuple[bytes, str] | None = None


class Inventory:
    """What the sources list. First `add` everything, then `seal`, then look up.

    What is listed twice for one path, by sources that overlap or by a server that
    repeats itself, is one object.

    Attributes:
        count, size_bytes: Of what was added; once it is sealed, without repetitions.

    Args:
        sources: At most 65,535.
        new_file: Opens scratch files; whoever passes it closes them.

    """

    def __init__(
        self, sources: Sequence[Source], new_file: Callable[[], ScratchFile]
    ) -> None:
        self._sources = sources
        self._keys = new_file()
        self._loose = new_file()
        self._sorted = new_file()
        self._buffers: list[list[bytes]] = [[] for _ in range(_CHUNKS)]
        self._segments: list[list[tuple[int, int]]] = [[] for _ in range(_CHUNKS)]
        self._starts = array("Q", [0]) * (_PLACES + 1)
        self._seen = bytearray()
        self._records = 0
        self.count = 0
        self.size_bytes = 0

    def add(self, number: int, facts: ObjectFacts) -> None:
        """Take an object of the source of that number (from 0)."""
        key = facts.key.encode()
        place = self._keys.append(_KEY_HEAD.pack(number, len(key)) + key)
        parts, digest = _packed_etag(facts.etag)
        fingerprint = _fingerprint(_place_of(self._sources[number], facts.key)[0])
        record = _RECORD.pack(
            fingerprint,
            place,
            facts.size_bytes,
            int(facts.modified_at.timestamp()),
            parts,
            digest,
        )
        buffer = self._buffers[fingerprint[0]]
        buffer.append(record)
        if len(buffer) >= _BUFFER_RECORDS:
            self._flush(fingerprint[0])
        self._records += 1
        self.count += 1
        self.size_bytes += facts.size_bytes

    def seal(self) -> None:
        """Sort what was added: from now on it is only looked up."""
        self._seen = bytearray(self._records // 8 + 1)
        counts = array("Q", [0]) * _PLACES
        ordinal = 0
        for chunk in range(_CHUNKS):
            self._flush(chunk)
            records = sorted(self._chunk(chunk))
            self._sorted.append(b"".join(records))
            for _, alike in groupby(records, key=itemgetter(slice(8))):
                together = list(alike)
                counts[int.from_bytes(together[0][:2])] += len(together)
                if len(together) > 1:
                    self._forget_repetitions(together, ordinal)
                ordinal += len(together)
        for number, many in enumerate(counts):
            self._starts[number + 1] = self._starts[number] + many
        self._buffers, self._segments = [], []

    def _forget_repetitions(self, records: Sequence[bytes], first: int) -> None:
        """Call all but the first of one object at one path seen, and count them off.

        Args:
            records: Of one fingerprint, that of the ordinal ``first`` and the next.

        """
        same: dict[tuple[bytes, str, bytes], list[tuple[int, int, int]]] = {}
        for ordinal, record in enumerate(records, first):
            number, key = self._key(record)
            source = self._sources[number]
            one = _place_of(source, key.decode())[0], source.bucket, key
            found = same.setdefault(one, [])
            found.append((number, ordinal, _RECORD.unpack(record)[2]))
        for found in same.values():
            for _, ordinal, size_bytes in sorted(found)[1:]:
                self._seen[ordinal >> 3] |= 1 << (ordinal & 7)
                self.count -= 1
                self.size_bytes -= size_bytes

    def find(self, path: TreePath, name: ObjectName | None = None) -> Listed | None:
        """Return the object that a path should hold, and note that it was seen.

        Where several objects are exported to one path, it is the one of that name, or
        else the first that was loaded; the others remain unseen, unless they are the
        same object.
        """
        found = self._found(bytes(path), *((name.bucket, name.key) if name else ()))
        return self._see(found) if found else None

    def find_key(
        self, bucket: str, key: str, elsewhere: Container[bytes] = ()
    ) -> Listed | None:
        """Return an object by its name, and note that it was seen.

        That is for files that do not lie where their keys say. Exported twice, the
        object is seen once by each call.

        Args:
            elsewhere: Paths where the object lies as it should, too: they have files of
                their own, and are taken last.

        """
        seen_before = None
        for source in self._sources:
            if source.bucket == bucket and source.selects(key):
                place = _place_of(source, key)[0]
                found = self._found(place, bucket, key)
                own = place not in elsewhere
                if found and own and not self._was_seen(found[0].ordinal):
                    return self._see(found)
                seen_before = found or seen_before
        return self._see(seen_before) if seen_before else None

    def has(self, path: TreePath) -> bool:
        """Say whether some object should be at a path; notes nothing."""
        return bool(self._found(bytes(path)))

    def has_of_size(self, path: TreePath, size_bytes: int) -> bool:
        """Say whether some object of that size should be at a path; notes nothing."""
        found = self._found(bytes(path))
        return any(_RECORD.unpack(one.record)[2] == size_bytes for one in found)

    def has_another(self, path: TreePath, name: ObjectName) -> bool:
        """Say whether an object of another name should be at a path, too."""
        return any(
            (self._sources[one.number].bucket, one.key) != (name.bucket, name.key)
            for one in self._found(bytes(path))
        )

    def rivals(
        self, path: TreePath, name: ObjectName, *, seen: bool = False
    ) -> list[Listed]:
        """Return the other objects that should be at a path; notes nothing.

        Args:
            seen: Only those that a file was found for.

        """
        firsts: dict[ObjectName, _Found] = {}
        for one in self._found(bytes(path)):
            bucket = self._sources[one.number].bucket
            firsts.setdefault(ObjectName(bucket, one.key), one)
        firsts.pop(name, None)
        return [
            self._listed(one)
            for one in firsts.values()
            if not seen or self._was_seen(one.ordinal)
        ]

    def unseen(self) -> Iterator[Listed]:
        """Yield what was never found, in no promised order."""
        for ordinal in range(self._records):
            if not self._was_seen(ordinal):
                record = self._sorted.read(ordinal * _RECORD.size, _RECORD.size)
                number, key = self._key(record)
                yield self._listed(_Found(number, key.decode(), ordinal, record))

    def _found(self, place: bytes, bucket: str = "", key: str = "") -> "list[_Found]":
        """Return what is at a place, in order."""
        fingerprint = _fingerprint(place)
        start, records = self._near(fingerprint)
        size = _RECORD.size
        found = []
        offset = -1
        while (offset := records.find(fingerprint, offset + 1)) >= 0:
            if offset % size:  # the same bytes, but no fingerprint
                continue
            ordinal = start + offset // size
            record = records[offset : offset + size]
            number, own_key = self._key(record)
            text = own_key.decode()
            source = self._sources[number]
            where = _place_of(source, text)
            if place != where[0]:
                continue
            if not key or (source.bucket, text) == (bucket, key):
                found.append(_Found(number, text, ordinal, record, where))
        return sorted(found)

    def _near(self, fingerprint: bytes) -> tuple[int, bytes]:
        """Read all records of a fingerprint, and some around them.

        Fingerprints are spread evenly and sorted: where one stands can be reckoned, and
        a look-up reads no more of a hundred million records than of one million.

        Returns:
            The ordinal of the first record, and the records.

        """
        number = int.from_bytes(fingerprint[:2])
        first, last = self._starts[number], self._starts[number + 1]
        size, many = _RECORD.size, last - first
        width = max(_WINDOW // 2, 1)
        guess = first + (many * int.from_bytes(fingerprint[2:]) >> 48)
        start, end = max(first, guess - width), min(last, guess + width)
        while True:
            records = self._sorted.read(start * size, (end - start) * size)
            if start > first and records[:8] >= fingerprint:
                start = max(first, start - width)
            elif end < last and records[-size:][:8] <= fingerprint:
                end = min(last, end + width)
            else:
                return start, records
            width *= 2

    def _see(self, found: "list[_Found]") -> Listed:
        """Note that the first was seen, and the others of the same object."""
        first = found[0]
        bucket = self._sources[first.number].bucket
        for one in found:
            if (self._sources[one.number].bucket, one.key) == (bucket, first.key):
                self._seen[one.ordinal >> 3] |= 1 << (one.ordinal & 7)
        return self._listed(first)

    def _was_seen(self, ordinal: int) -> bool:
        return bool(self._seen[ordinal >> 3] & (1 << (ordinal & 7)))

    def _key(self, record: bytes) -> tuple[int, bytes]:
        """Return the number of the source, and the key."""
        place = _RECORD.unpack(record)[1]
        number, length = _KEY_HEAD.unpack(self._keys.read(place, _KEY_HEAD.size))
        return number, self._keys.read(place + _KEY_HEAD.size, length)

    def _listed(self, found: "_Found") -> Listed:
        _, _, size, moment, parts, digest = _RECORD.unpack(found.record)
        source = self._sources[found.number]
        facts = ObjectFacts(
            bucket=source.bucket,
            key=found.key,
            size_bytes=size,
            etag=_unpacked_etag(parts, digest),
            modified_at=datetime.fromtimestamp(moment, UTC),
        )
        where, reason = found.where or _place_of(source, facts.key)
        path = None if reason else TreePath(where)
        return Listed(source, facts, path, reason)

    def _flush(self, chunk: int) -> None:
        data = b"".join(self._buffers[chunk])
        if data:
            self._segments[chunk].append((self._loose.append(data), len(data)))
            self._buffers[chunk].clear()

    def _chunk(self, chunk: int) -> Iterator[bytes]:
        for start, length in self._segments[chunk]:
            data = self._loose.read(start, length)
            for offset in range(0, length, _RECORD.size):
                yield data[offset : offset + _RECORD.size]


def _place_of(source: Source, key: str) -> tuple[bytes, str]:
    """Return where an object is looked up: its path, or what can be none; and why."""
    try:
        return source.place(key), ""
    except NotAPath as error:
        return _no_place(source, key.encode()), str(error)


def _no_place(source: Source, key: bytes) -> bytes:
    """Return what no path is equal to: a NUL stands in none."""
    return b"\0" + source.directory + b"\0" + key


def _fingerprint(place: bytes) -> bytes:
    return hashlib.blake2b(place, digest_size=8).digest()


def _packed_etag(etag: str) -> tuple[int, bytes]:
    """Return the parts (0 for none) and the digest, or that it has no such form."""
    head, _, parts = etag.partition("-")
    try:
        number, digest = int(parts or "0"), bytes.fromhex(head)
    except ValueError:
        return _NO_ETAG, bytes(16)
    fits = len(digest) == 16 and 0 <= number < _NO_ETAG
    if fits and _unpacked_etag(number, digest) == etag:
        return number, digest
    return _NO_ETAG, bytes(16)


def _unpacked_etag(parts: int, digest: bytes) -> str:
    if parts == _NO_ETAG:
        return ""
    return f"{digest.hex()}-{parts}" if parts else digest.hex()
