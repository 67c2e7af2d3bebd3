"""What S3 holds about an object, and what must be computed from a file to compare.

S3 gives an ETag for every object. Uploaded in one piece and not encrypted with a KMS
or customer key, it is the MD5 of the content; uploaded in N parts, it is the MD5 of the
N binary MD5s of the parts, followed by ``-N`` (Amazon S3 User Guide, "Checking object
integrity"). To compute the latter the sizes of the parts must be known.

`evidence_of` decides what can be compared, `Digest` computes it in one pass over the
bytes, and equality is equality of text.
"""

import enum
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

_SINGLE = re.compile(r"^[0-9a-f]{32}$")
_MULTIPART = re.compile(r"^[0-9a-f]{32}-(?P<parts>[1-9]\d*)$")

_KEYS_THAT_HIDE_MD5 = ("aws:kms", "aws:kms:dsse")


@dataclass(frozen=True)
class ObjectFacts:
    """What HeadObject tells.

    Attributes:
        size_bytes: The object's length.
        etag: Without quotes.
        modified_at: When this version was written, aware, to the second.
        version_id: Empty where the bucket keeps no versions.
        encryption: ``ServerSideEncryption`` as S3 names it; empty for none told.
        customer_key: Encrypted with a key of the customer (SSE-C).
        storage_class: Empty means STANDARD.

    """

    bucket: str
    key: str
    size_bytes: int
    etag: str
    modified_at: datetime
    version_id: str = ""
    encryption: str = ""
    customer_key: bool = False
    storage_class: str = ""


@dataclass(frozen=True)
class PartFacts:
    """What HeadObject with a PartNumber tells.

    Attributes:
        size_bytes: The part's length.
        parts: How many parts the object has; ``None`` from servers that ignore
            PartNumber and answer for the whole object.

    """

    size_bytes: int
    parts: int | None


class EvidenceKind(enum.Enum):
    """What a comparison rested on; the values are those of the report."""

    ETAG_MD5 = "etag-md5"
    ETAG_MULTIPART = "etag-multipart"
    SIZE = "size"
    NONE = "none"


@dataclass(frozen=True)
class Evidence:
    """Something that S3 holds and that can be computed from a file.

    Attributes:
        expected: What `Digest.result` gives for an equal file.
        part_sizes: Of a multipart object, in bytes, adding up to the object's size;
            empty for a digest over the whole.

    """

    kind: EvidenceKind
    expected: str
    part_sizes: tuple[int, ...] = ()

    def digest(self) -> "Digest":
        """Return a fresh computation of this evidence."""
        return Digest(self)


@dataclass(frozen=True)
class PartsNeeded:
    """The ETag is a multipart one: the sizes of its parts must be asked for."""

    parts: int


@dataclass(frozen=True)
class NoEvidence:
    """Nothing can be compared; ``reason`` says why."""

    reason: str


def evidence_of(facts: ObjectFacts) -> Evidence | PartsNeeded | NoEvidence:
    """Choose what to compare a file with, from an object's metadata."""
    if facts.customer_key:
        return NoEvidence("encrypted with a customer's key (SSE-C): its ETag is no MD5")
    if facts.encryption in _KEYS_THAT_HIDE_MD5:
        return NoEvidence(f"encrypted with {facts.encryption}: its ETag is no MD5")
    if _SINGLE.match(facts.etag):
        return Evidence(EvidenceKind.ETAG_MD5, facts.etag)
    multipart = _MULTIPART.match(facts.etag)
    if multipart:
        return PartsNeeded(int(multipart["parts"]))
    return NoEvidence(f"the server's ETag {facts.etag!r} has no known form")


def multipart_evidence(
    facts: ObjectFacts, part_sizes: Sequence[int]
) -> Evidence | NoEvidence:
    """Return the evidence of a multipart ETag, if the part sizes can be trusted.

    They can where there are as many as the ETag's suffix says, and they add up.
    """
    multipart = _MULTIPART.match(facts.etag)
    if multipart is None:
        raise ValueError(f"{facts.etag!r} is not a multipart ETag")
    if len(part_sizes) != int(multipart["parts"]):
        return NoEvidence(
            f"the server names {len(part_sizes)} parts, the ETag {multipart['parts']}"
        )
    if sum(part_sizes) != facts.size_bytes:
        return NoEvidence("the sizes of the parts do not add up to the object's size")
    return Evidence(EvidenceKind.ETAG_MULTIPART, facts.etag, tuple(part_sizes))


def trusted_part(part: PartFacts | None, parts: int) -> int | NoEvidence:
    """Return a part's size, if the answer really speaks of a part.

    Some servers ignore PartNumber and answer for the whole object (Ceph RGW and
    ``rclone serve s3`` do): then the number of parts is missing or another one.
    """
    if part is None:
        return NoEvidence("the server does not tell the sizes of the parts")
    if part.parts is None:
        return NoEvidence("the server ignores PartNumber")
    if part.parts != parts:
        return NoEvidence(f"the server names {part.parts} parts, the ETag {parts}")
    return part.size_bytes


def uniform_parts(size_bytes: int, parts: int, first: int) -> tuple[int, ...] | None:
    """Return the part sizes if all are as long as the first but for a shorter last.

    That is how every common uploader cuts. ``None`` if the numbers do not fit it.
    """
    last = size_bytes - first * (parts - 1)
    if 0 < last <= first or (parts == 1 and last == first):
        return (*(first,) * (parts - 1), last)
    return None


class Digest:
    """Computes an `Evidence` from a file's bytes, given in order, in one pass."""

    def __init__(self, evidence: Evidence) -> None:
        self._parts = evidence.part_sizes
        self._done: list[bytes] = []
        self._current = _md5()
        self._pending = False  # the current part has bytes
        self._room = self._parts[0] if self._parts else 0

    def update(self, chunk: memoryview) -> None:
        """Take the next bytes of the file; any number of them."""
        if not self._parts:
            self._current.update(chunk)
            return
        while chunk:
            taken, chunk = chunk[: self._room], chunk[self._room :]
            self._current.update(taken)
            self._room -= len(taken)
            self._pending = self._pending or len(taken) > 0
            if self._room == 0:
                self._end_part()

    def result(self) -> str:
        """Return the digest in the ETag's form. The file has ended."""
        if not self._parts:
            return self._current.hexdigest()
        while self._pending or len(self._done) < len(self._parts):
            self._end_part()
        return f"{_md5(b''.join(self._done)).hexdigest()}-{len(self._done)}"

    def _end_part(self) -> None:
        self._done.append(self._current.digest())
        self._current = _md5()
        self._pending = False
        number = len(self._done)
        # Bytes beyond the last part make one part more, which no ETag can equal.
        self._room = self._parts[number] if number < len(self._parts) else _ENDLESS


_ENDLESS = 1 << 62


def _md5(data: bytes = b"") -> "hashlib._Hash":
    return hashlib.md5(data, usedforsecurity=False)
