"""What lies in the sandbox: a bucket of objects of many kinds, and a manifest."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUCKET = "sandbox-photos"
LOG_BUCKET = "sandbox-export-logs"
DISK_BYTES = 256 << 20

PASSWORD = "correct horse battery staple"
"""Everybody's example (xkcd 936), so that nobody takes it for a secret."""

EVEN = "videos/even-parts.mp4"
UNEVEN = "videos/uneven-parts.mp4"
NO_PATH = "up/../and-away"
"""A key that no file can have: a plain copy lacks it."""

_MIB = 1 << 20

MANIFEST = f"""\
manifestVersion: 2.0
generator: s3export sandbox
deviceId: SANDBOX-1
fileSystem: EXT4
logBucket: {LOG_BUCKET}
logPrefix: logs/
trueCryptPassword: {PASSWORD}
notificationEmail: operator@example.com
operations:
  - exportBucket: {BUCKET}
returnAddress:
  name: Jo Operator
  street1: 1 Example Street
  city: Seattle
  stateOrProvince: WA
  postalCode: "98101"
  phoneNumber: 206-555-1000
  country: USA
"""


@dataclass(frozen=True)
class SandboxObject:
    """An object to put: its parts' sizes where it is to have parts."""

    key: str
    size: int
    part_sizes: Sequence[int] = ()


def objects() -> Iterator[SandboxObject]:
    """Yield what is put into the bucket."""
    for album in ("2023/summer", "2023/winter", "2024/garden"):
        for number in range(1, 21):
            yield SandboxObject(f"albums/{album}/photo-{number:03}.jpg", 900 * number)
    yield SandboxObject("empty", 0)
    yield SandboxObject("names/with blanks and 'quotes'.txt", 20)
    yield SandboxObject("names/Größe #1?.txt", 20)
    yield SandboxObject("names/tab\there.txt", 20)
    yield SandboxObject(f"names/{'x' * 255}", 20)
    yield SandboxObject(EVEN, 12 * _MIB, (5 * _MIB, 5 * _MIB, 2 * _MIB))
    yield SandboxObject(UNEVEN, 12 * _MIB, (5 * _MIB, 6 * _MIB, 1 * _MIB))
    # Keys that cannot be paths: the loading facility puts them where they can.
    yield SandboxObject("folder/", 0)
    yield SandboxObject(NO_PATH, 20)


def fill(client: Any) -> int:
    """Make the buckets and put the objects; return how many."""
    for bucket in (BUCKET, LOG_BUCKET):
        client.create_bucket(Bucket=bucket)
    count = 0
    for wanted in objects():
        body = _bytes(wanted)
        if wanted.part_sizes:
            put_in_parts(client, BUCKET, wanted.key, body, wanted.part_sizes)
        else:
            client.put_object(Bucket=BUCKET, Key=wanted.key, Body=body)
        count += 1
    return count


def copy(client: Any, directory: Path) -> None:
    """Copy the bucket into a directory, without the key that no path can be."""
    for there in objects():
        if there.key == NO_PATH:
            continue
        path = directory / there.key
        if there.key.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(BUCKET, there.key, str(path))


def put_in_parts(
    client: Any, bucket: str, key: str, body: bytes, sizes: Sequence[int]
) -> None:
    """Upload an object in parts of the given sizes."""
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    parts, start = [], 0
    for number, size in enumerate(sizes, 1):
        answer = client.upload_part(
            Bucket=bucket,
            Key=key,
            UploadId=upload,
            PartNumber=number,
            Body=body[start : start + size],
        )
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        start += size
    client.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
    )


def _bytes(wanted: SandboxObject) -> bytes:
    """Return content that is different for every key and the same in every run."""
    return hashlib.shake_128(wanted.key.encode()).digest(wanted.size)
