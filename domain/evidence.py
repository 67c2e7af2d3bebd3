"""What S3 holds about an object, and which of it proves a file right or wrong.

S3 tells an ETag of every object, and of most a checksum. Uploaded in one piece and not
encrypted with a KMS or customer key, the ETag is the MD5 of the content; uploaded in N
parts, it is the MD5 of the N binary MD5s of the parts, followed by ``-N``. A checksum
is over the full object, or composite: the digest of the parts' digests (Amazon S3 User
Guide, "Checking object integrity"). For composite values and multipart ETags the sizes
of the parts must be known.

`ladder` puts what there is in order, strongest first. Equality is equality of text.
"""

import base64
import binascii
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, NewType

from s3export.domain.digests import Recipe

_SINGLE = re.compile(r"[0-9a-f]{32}")
_MULTIPART = re.compile(r"[0-9a-f]{32}-(?P<parts>[1-9]\d{0,4})")
_COMPOSITE = re.compile(r"(?P<digest>.+)-(?P<parts>[1-9]\d{0,4})")

_ENCRYPTION_THAT_SHOWS_MD5 = ("", "AES256")
"""None, and SSE-S3 (API reference, "Object"); with any other the ETag is no MD5."""

DIRECTORY_BUCKET = ("--x-s3", "--xa-s3")
"""How the names of directory buckets, and of access points for them, end; their ETags
are no MD5 (User Guide)."""

MULTIPART_ALGORITHM = "MD5"

_STRONGEST_FIRST = (
    "SHA512",
    "SHA256",
    "SHA1",
    "MD5",
    "XXHASH128",
    "CRC64NVME",
    "XXHASH3",
    "XXHASH64",
    "CRC32C",
    "CRC32",
)
_WEAK = ("CRC32C", "CRC32")
_DIGEST_BYTES = {
    "MD5": 16,
    "SHA1": 20,
    "SHA256": 32,
    "SHA512": 64,
    "CRC32": 4,
    "CRC32C": 4,
    "CRC64NVME": 8,
    "XXHASH64": 8,
    "XXHASH3": 8,
    "XXHASH128": 16,
}

_ALWAYS_COMPOSITE_IN_PARTS = ("SHA1", "SHA256", "SHA512")
"""S3 combines CRCs over parts to one over the object; the SHA family it cannot."""

_NEVER_COMPOSITE = ("CRC64NVME",)
"""User Guide: a checksum of the full object, always."""

_MIB = 1 << 20
COMMON_PART_SIZES = tuple(
    mib * _MIB for mib in (8, 5, 16, 15, 64, 100, 10, 50, 32, 128, 25, 20, 256, 512)
)
"""What uploaders cut by where nobody says otherwise: aws-cli and boto3 8, rclone 5,
s3cmd 15, s3fs 10, s5cmd 50, Hadoop 64 and 100 MiB, and their multiples."""

_MOST_GUESSES = 6  # each costs an MD5 over the file, in the same pass

EvidenceKind = NewType("EvidenceKind", str)
"""What a comparison rested on, as in the report: an algorithm's name in lower case
(``crc64nvme``; ``sha256-composite`` for the digest of digests), or one of these."""

ETAG_MD5 = EvidenceKind("etag-md5")
ETAG_MULTIPART = EvidenceKind("etag-multipart")
METADATA_MD5 = EvidenceKind("metadata-md5")
EXPORT_LOG = EvidenceKind("export-log")
DOWNLOAD = EvidenceKind("download")
SIZE = EvidenceKind("size")
NONE = EvidenceKind("none")


# --- what S3 tells ---------------------------------------------------------------


@dataclass(frozen=True)
class Checksum:
    """A checksum as S3 tells it.

    Attributes:
        algorithm: As S3 spells it: ``CRC64NVME``. An open set.
        value: Base64; ``-N`` may follow where it is over N parts.
        type: ``FULL_OBJECT``, ``COMPOSITE``, or empty where the server says nothing.

    """

    algorithm: str
    value: str
    type: str = ""


class ObjectFacts(NamedTuple):
    """What HeadObject tells: a tuple, since a listing makes one for every object.

    Attributes:
        size_bytes: The object's length.
        etag: Without quotes.
        modified_at: When this version was written, aware, to the second.
        version_id: Empty where the bucket keeps no versions.
        encryption: ``ServerSideEncryption`` as S3 names it; empty for none told.
        customer_key: Encrypted with a key of the customer (SSE-C).
        storage_class: Empty means STANDARD.
        checksums: None, one, or several.
        checksums_withheld: The server refuses to tell them; empty for no.
        metadata: The uploader's (``x-amz-meta-``), names in lower case.

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
    checksums: tuple[Checksum, ...] = ()
    checksums_withheld: str = ""
    metadata: Mapping[str, str] = MappingProxyType({})


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


# --- the ladder ------------------------------------------------------------------


class Evidence(NamedTuple):
    """Something that is told of an object and that can be computed from a file.

    Attributes:
        expected: What `text` gives for an equal file.
        parts: Of how many parts it is a digest of digests; 0 for one over the whole.
        part_sizes: In bytes, adding up to the object's size; empty while they are
            not known, and where there are no parts.
        decisive: A file that gives another digest is different. Otherwise only
            equality proves anything.
        whose: Who says it, if not S3; for the finding.

    """

    kind: EvidenceKind
    algorithm: str
    expected: str
    parts: int = 0
    part_sizes: tuple[int, ...] = ()
    decisive: bool = True
    whose: str = ""

    @property
    def ready(self) -> bool:
        """Whether all is known that computing it needs."""
        return len(self.part_sizes) == self.parts

    @property
    def recipe(self) -> Recipe:
        """How it is computed from a file."""
        return Recipe(self.algorithm, self.part_sizes)

    def of_parts(self, sizes: Sequence[int], *, decisive: bool = True) -> "Evidence":
        """Return the same with the sizes of the parts, or with a guess at them."""
        return self._replace(part_sizes=tuple(sizes), decisive=decisive)

    def text(self, digest: bytes) -> str:
        """Return a file's digest in the form of ``expected``."""
        if self.kind in _IN_HEXADECIMAL:
            text = digest.hex()
        else:
            text = base64.b64encode(digest).decode()
        return f"{text}-{self.parts}" if self.parts else text


_IN_HEXADECIMAL = (ETAG_MD5, ETAG_MULTIPART, METADATA_MD5, EXPORT_LOG)


@dataclass(frozen=True)
class NoEvidence:
    """Something cannot be compared; ``reason`` says why."""

    reason: str


@dataclass(frozen=True)
class Ladder:
    """What an object can be compared by, strongest first, and why not by more."""

    rungs: tuple[Evidence, ...]
    reasons: tuple[str, ...]

    @property
    def reason(self) -> str:
        """Why there is no more, in one sentence."""
        return "; ".join(self.reasons)


def ladder(
    facts: ObjectFacts,
    computable: Container[str],
    *,
    strong: bool = False,
    witnesses: Iterable[Evidence] = (),
) -> Ladder:
    """Put in order what an object's file can be compared by.

    Full-object checksums come first, then composite ones, the ETag, an MD5 that the
    uploader left in the metadata, and what others than S3 say.

    Args:
        computable: The algorithms that can be computed here, as S3 spells them.
        strong: Without what a forged or an unlucky file could equal: checksums of 32
            bits, and the word of others than S3: the uploader, the export log.
        witnesses: Evidence from elsewhere: a checksum report (with S3's checksums),
            an export log (last).

    """
    told = tuple(witnesses)
    reports = (one for one in told if one.kind != EXPORT_LOG)
    found: list[Evidence | NoEvidence] = [
        *sorted((*reports, *_checksums(facts, computable)), key=_strength),
        _etag(facts),
        *_claims(facts),
        *(one for one in told if one.kind == EXPORT_LOG),
    ]
    if strong:
        found = [_if_strong(one) for one in found]
    rungs = [one for one in found if isinstance(one, Evidence)]
    reasons = [one.reason for one in found if isinstance(one, NoEvidence)]
    if facts.checksums_withheld:
        reasons.append(facts.checksums_withheld)
    whole = (facts.size_bytes,)
    return Ladder(
        tuple(
            one.of_parts(whole, decisive=one.decisive) if one.parts == 1 else one
            for one in rungs
        ),
        tuple(reasons),
    )


def listed_evidence(facts: ObjectFacts) -> Evidence | None:
    """Return what an object can be compared by, if only its listing is known.

    A listing does not tell how an object is encrypted, so that only equality proves
    anything: whatever the ETag is, a file does not give it by chance.
    """
    if _SINGLE.fullmatch(facts.etag):
        return Evidence(ETAG_MD5, "MD5", facts.etag, decisive=False)
    return None


def whole_checksum(algorithm: str, value: str, whose: str) -> Evidence | NoEvidence:
    """Return the evidence of a checksum over the whole, from a checksum report."""
    return _checksum(Checksum(algorithm, value), parts=0, whose=whose)


def _checksums(
    facts: ObjectFacts, computable: Container[str]
) -> Iterator[Evidence | NoEvidence]:
    """Yield what S3's checksums give: those over the full object first."""
    etag = _MULTIPART.fullmatch(facts.etag)
    parts = int(etag["parts"]) if etag else 0
    found = []
    for checksum in facts.checksums:
        if checksum.algorithm in computable:
            found += _readings(checksum, parts)
        else:
            found.append(
                NoEvidence(f"its {checksum.algorithm} cannot be computed here")
            )
    yield from found


def _readings(checksum: Checksum, parts: int) -> list[Evidence | NoEvidence]:
    """Return what a checksum can mean: one thing where its type is told."""
    composite = _COMPOSITE.fullmatch(checksum.value)
    if composite:
        bare = replace(checksum, value=composite["digest"])
        return [_checksum(bare, int(composite["parts"]))]
    if checksum.type == "COMPOSITE":
        if not parts:
            return [
                NoEvidence(f"its {checksum.algorithm} is of an unknown number of parts")
            ]
        return [_checksum(checksum, parts)]
    if checksum.type or checksum.algorithm in _NEVER_COMPOSITE:
        return [_checksum(checksum, 0)]
    # Servers that tell no type: over the whole or over the parts, whichever fits. They
    # may even carry the digest of parts over to a copy that has none.
    either = [_checksum(checksum, parts, decisive=False)] if parts else []
    if not parts or checksum.algorithm not in _ALWAYS_COMPOSITE_IN_PARTS:
        either.append(_checksum(checksum, 0, decisive=False))
    return either


def _checksum(
    checksum: Checksum, parts: int, *, decisive: bool = True, whose: str = ""
) -> Evidence | NoEvidence:
    try:
        digest = base64.b64decode(checksum.value, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if not digest:
        return NoEvidence(f"its {checksum.algorithm} {checksum.value!r} is not base64")
    if len(digest) != _DIGEST_BYTES.get(checksum.algorithm, len(digest)):
        return NoEvidence(
            f"its {checksum.algorithm} {checksum.value!r} has {len(digest)} bytes"
        )
    name = checksum.algorithm.lower()
    return Evidence(
        EvidenceKind(f"{name}-composite" if parts else name),
        checksum.algorithm,
        f"{checksum.value}-{parts}" if parts else checksum.value,
        parts,
        decisive=decisive,
        whose=whose,
    )


def _strength(found: Evidence | NoEvidence) -> tuple[bool, int]:
    if isinstance(found, NoEvidence):
        return True, 0
    known = found.algorithm in _STRONGEST_FIRST
    place = _STRONGEST_FIRST.index(found.algorithm) if known else len(_STRONGEST_FIRST)
    return found.parts > 0, place


def _etag(facts: ObjectFacts) -> Evidence | NoEvidence:
    if facts.customer_key:
        return NoEvidence("encrypted with a customer's key (SSE-C): its ETag is no MD5")
    if facts.encryption not in _ENCRYPTION_THAT_SHOWS_MD5:
        return NoEvidence(f"encrypted with {facts.encryption}: its ETag is no MD5")
    if facts.bucket.endswith(DIRECTORY_BUCKET):
        return NoEvidence("in a directory bucket: its ETag is no MD5")
    if _SINGLE.fullmatch(facts.etag):
        return Evidence(ETAG_MD5, "MD5", facts.etag)
    multipart = _MULTIPART.fullmatch(facts.etag)
    if multipart:
        return Evidence(ETAG_MULTIPART, "MD5", facts.etag, int(multipart["parts"]))
    return NoEvidence(f"the server's ETag {facts.etag!r} has no known form")


def _claims(facts: ObjectFacts) -> Iterator[Evidence]:
    """Yield the MD5s that tools leave in an object's metadata when they upload it.

    rclone ``md5chksum`` (base64), s3cmd ``s3cmd-attrs`` (``.../md5:<hex>/...``), s4cmd
    ``md5`` (hex). The uploader's word, not S3's. What s3cmd encrypted before it sent it
    (``s3tools-gpgenc``) it may claim the MD5 of the plain text of. ``md5`` is anybody's
    name: others keep the MD5 of the content before compression there, so that it proves
    equality only.
    """
    try:
        digest = base64.b64decode(facts.metadata.get("md5chksum", ""), validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    plain = "s3tools-gpgenc" not in facts.metadata
    attributes = facts.metadata.get("s3cmd-attrs", "").split("/") if plain else []
    claimed = [
        ("rclone", digest.hex()),
        *(("s3cmd", text[4:]) for text in attributes if text.startswith("md5:")),
        ("s4cmd", facts.metadata.get("md5", "")),
    ]
    for tool, text in claimed:
        if _SINGLE.fullmatch(text.lower()):
            whose = f"the uploader's claim ({tool})"
            decisive = tool != "s4cmd"
            yield Evidence(
                METADATA_MD5, "MD5", text.lower(), decisive=decisive, whose=whose
            )
            return


def logged_md5(text: str, *, own: bool = False) -> Evidence | None:
    """Return the evidence of an export log's checksum, if it is an MD5.

    Args:
        own: The log lies on the disk whose files it speaks of.

    """
    if _SINGLE.fullmatch(text.lower()):
        whose = "the export log on the disk" if own else "the export log"
        return Evidence(EXPORT_LOG, "MD5", text.lower(), whose=whose)
    return None


def _if_strong(found: Evidence | NoEvidence) -> Evidence | NoEvidence:
    if isinstance(found, NoEvidence):
        return found
    if found.algorithm in _WEAK:
        return NoEvidence(f"its {found.algorithm} is no strong proof")
    if found.kind in (METADATA_MD5, EXPORT_LOG):
        return NoEvidence(f"{found.whose} is no strong proof")
    return found


# --- the sizes of the parts ------------------------------------------------------


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


def trusted_sizes(
    sizes: Sequence[int], size_bytes: int, parts: int
) -> tuple[int, ...] | NoEvidence:
    """Return the sizes, if there are as many as parts, and they add up."""
    if len(sizes) != parts:
        return NoEvidence(f"the server names {len(sizes)} parts, the ETag {parts}")
    if sum(sizes) != size_bytes:
        return NoEvidence("the sizes of the parts do not add up to the object's size")
    return tuple(sizes)


def uniform_parts(size_bytes: int, parts: int, first: int) -> tuple[int, ...] | None:
    """Return the part sizes if all are as long as the first but for a shorter last.

    That is how every common uploader cuts. ``None`` if the numbers do not fit it.
    """
    last = size_bytes - first * (parts - 1)
    if 0 < last <= first:
        return (*(first,) * (parts - 1), last)
    return None


def common_parts(size_bytes: int, parts: int) -> tuple[tuple[int, ...], ...]:
    """Return the ways in which common uploaders would have cut, likeliest first.

    A file whose digest fits one of them is proven; one that fits none is not.
    """
    even = -(-size_bytes // parts)
    rounded = -(-even // _MIB) * _MIB
    ways = dict.fromkeys(
        uniform_parts(size_bytes, parts, first)
        for first in (*COMMON_PART_SIZES, rounded, even)
    )
    return tuple(way for way in ways if way is not None)[:_MOST_GUESSES]
