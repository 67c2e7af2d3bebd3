"""Buckets that are hard on a loader: many small objects, parts, and awkward keys."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fixtures.aws_s3 import AwsS3, Stored

BUCKET = "hostile"
ROOTED = "rooted"
"""Its objects go to the root of the disk, beside what is not theirs."""

MANIFEST = f"""\
manifestVersion: 2.0
deviceId: HD001
logBucket: logs
operations:
  - exportBucket: {BUCKET}
  - exportBucket: {ROOTED}
    targetDirectory: /
"""

_NFC, _NFD = "Gr\u00f6\u00dfe", "Gro\u0308\u00dfe"

AWKWARD = (
    "a", "a/b", "a/b/c", "a//b", "/leading", "trailing/", "trailing", "/", "//",
    "../up", "..", ".", "x/../y", "x/./y", "nul\0nul", "n" * 255, "n" * 256,
    "d/" * 500 + "deep", "é" * 127, "é" * 128, "k" * 1024, ("p" * 200 + "/") * 5,
    "two\nlines", "\n", "cr\rcr", "tab\t", 'quo"te', "'", "comma,semi;bar|", "=1+1",
    "\\x41", "\\", " leading and trailing ", "*?:<>|", "con", "-rf", "~", "%2F", "+ +",
    f"{_NFC}/nfc", f"{_NFD}/nfd", _NFC, _NFD, "Case", "case", "CASE/x", "case/x",
    "\u202egnp.exe", "\U0001f4be", "\x7f", "\x01", "SIGNATURE", "S3EXPORT/journal",
)  # fmt: skip

RESERVED = (
    "EXPORT-RECOVERY", "EXPORT-RECOVERY/0000/0000", "SIGNATURE", "S3EXPORT/journal",
    "S3EXPORT", "S3EXPORT/export-log-JOB1", "lost+found/x", "lost+found", "JOB1.tc",
    "hostile", "hostile/a", "hostile/new", "plain", "../../etc/passwd",
)  # fmt: skip

SMALL_PARTS = ((5, 6, 1), (6, 5, 7), (5, 5, 5), (9,))
MANY_PARTS = (30, 25, 15)
"""MiB: one object is large enough to be asked for in ranges."""

LONG_PARTS = ((40, 60), (8, 90, 2), (50, 50), (33, 33, 34), (5, 7, 11, 77))

_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Hostile:
    """How large the buckets are.

    Attributes:
        small: How many small objects.
        parts: Of the objects that were uploaded in parts, in MiB.
    """

    small: int = 2000
    parts: tuple[tuple[int, ...], ...] = (*SMALL_PARTS, MANY_PARTS)

    def fill(self, s3: AwsS3) -> None:
        """Make the buckets; the same bytes each time."""
        chance = random.Random("hostile")
        s3.create_bucket(BUCKET, versioned=True)
        s3.create_bucket(ROOTED)
        for number, key in enumerate(AWKWARD):
            s3.put(BUCKET, key, _stored(chance, number % 3 * 1000 + number))
        for key in RESERVED:
            s3.put(ROOTED, key, _stored(chance, 50))
        for number in range(self.small):
            s3.put(BUCKET, small_key(number), _stored(chance, _small(number)))
        for number, parts in enumerate(self.parts):
            sizes = tuple((size << 20) + number + 1 for size in parts)
            body = chance.randbytes(sum(sizes))
            checksum = ("", "CRC64NVME", "SHA256")[number % 3]
            stored = Stored(body, sizes, checksum=checksum, modified_at=_AT)
            s3.put(BUCKET, f"parts/{number}", stored)
        for number in range(0, self.small, 40):  # older versions, delete markers
            later = _AT + timedelta(days=1)
            s3.put(BUCKET, small_key(number), _stored(chance, 77, later))
            s3.delete(BUCKET, small_key(number + 1), later)
            s3.put(BUCKET, f"gone/{number}", _stored(chance, 5))
            s3.delete(BUCKET, f"gone/{number}", later)


def small_key(number: int) -> str:
    """Return the key of a small object."""
    return f"small/{number % 7}/{number:05}"


def _small(number: int) -> int:
    return (0, 1, 100, 4096, 5000, 20_000)[number % 6]


def _stored(chance: random.Random, size: int, at: datetime = _AT) -> Stored:
    return Stored(chance.randbytes(size), checksum="CRC64NVME", modified_at=at)


def objects_of(s3: AwsS3) -> dict[tuple[str, str], bytes]:
    """Return what the buckets hold now, by bucket and key."""
    found = {}
    for name in (BUCKET, ROOTED):
        bucket = s3.bucket(name)
        for key in bucket.keys:
            stored = bucket.versions[key][0].stored
            if stored is not None:
                assert isinstance(stored.body, bytes)
                found[name, key] = stored.body
    return found
