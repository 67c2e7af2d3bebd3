"""Every kind of object, on every kind of server, under every kind of damage.

The tables say what each comparison rests on; the tests hold every cell to them.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from fixtures.aws_s3 import AwsS3, Stored, Zeros
from fixtures.aws_s3_objects import COMPOSITE
from fixtures.backups import LONG_AFTER, Backup, by_path, flipped, outcomes
from fixtures.object_kinds import KINDS, MIB, body_of, stored

from s3export import Finding, Outcome, Verdict
from s3export.domain.evidence import NONE, SIZE
from s3export.domain.verification import Tally
from s3export.entrypoints.sandbox.server import running

# --- what every comparison rests on ----------------------------------------------

# listed: by what a listing alone proves an intact file; . where it cannot.
# AWS: by what HeadObject and its like prove a file right or wrong; - where nothing
#   does, and the file is unverifiable.
# ignores: a server that answers HEAD of a part for the whole object.
# blind: a server that does not list the parts either.
# denied: AWS without s3:GetObjectAttributes and kms:Decrypt.
# = the same as on AWS; ? that proves a file right, but none wrong; - unverifiable.
ON_AWS = """
kind                            listed    AWS                  ignores       blind         denied
single                          etag-md5  etag-md5             =             =             =
empty                           etag-md5  etag-md5             =             =             =
even parts                      .         etag-multipart       ?             ?             =
uneven parts                    .         etag-multipart       -             -             =
misleading parts                .         etag-multipart       -             -             =
one part                        .         etag-multipart       =             =             =
one empty part                  .         etag-multipart       =             =             =
copied whole                    etag-md5  sha256               =             =             =
copied in parts                 .         etag-multipart       -             -             =
KMS                             .         -                    -             -             -
KMS parts                       .         -                    -             -             -
KMS CRC64NVME                   .         crc64nvme            =             =             -
KMS CRC64NVME over parts        .         crc64nvme            =             =             -
KMS SHA256 of parts             .         sha256-composite     =             ?             -
DSSE                            .         -                    -             -             -
DSSE SHA256                     .         sha256               =             =             -
SSE-C                           .         -                    -             -             -
SSE-C parts                     .         -                    -             -             -
rclone KMS                      .         metadata-md5         =             =             =
rclone KMS parts                .         metadata-md5         =             =             =
rclone uneven parts             .         etag-multipart       metadata-md5  metadata-md5  =
s3cmd KMS                       .         metadata-md5         =             =             =
s4cmd KMS                       .         metadata-md5 ?       =             =             =
CRC32 single                    etag-md5  crc32                =             =             =
CRC32C single                   etag-md5  crc32c               =             =             =
CRC64NVME single                etag-md5  crc64nvme            =             =             =
MD5 single                      etag-md5  md5                  =             =             =
SHA1 single                     etag-md5  sha1                 =             =             =
SHA256 single                   etag-md5  sha256               =             =             =
SHA512 single                   etag-md5  sha512               =             =             =
XXHASH64 single                 etag-md5  xxhash64             =             =             =
XXHASH3 single                  etag-md5  xxhash3              =             =             =
XXHASH128 single                etag-md5  xxhash128            =             =             =
CRC32 over parts                .         crc32                =             =             =
CRC32C over parts               .         crc32c               =             =             =
CRC64NVME over parts            .         crc64nvme            =             =             =
CRC32 of parts                  .         crc32-composite      =             ?             =
CRC32C of parts                 .         crc32c-composite     =             ?             =
MD5 of parts                    .         md5-composite        =             ?             =
SHA1 of parts                   .         sha1-composite       =             ?             =
SHA256 of parts                 .         sha256-composite     =             ?             =
SHA512 of parts                 .         sha512-composite     =             ?             =
XXHASH64 of parts               .         xxhash64-composite   =             ?             =
XXHASH3 of parts                .         xxhash3-composite    =             ?             =
XXHASH128 of parts              .         xxhash128-composite  =             ?             =
SHA256 of uneven parts          .         sha256-composite     =             -             =
KMS SHA256 of misleading parts  .         sha256-composite     =             -             -
SHA256 of large parts           .         sha256-composite     =             ?             =
SHA256 of one part              .         sha256-composite     =             =             =
CRC32C of uneven parts          .         crc32c-composite     =             -             =
BLAKE9 single                   etag-md5  etag-md5             =             =             =
BLAKE9 of parts                 .         etag-multipart       =             ?             =
KMS BLAKE9                      .         -                    -             -             -
Glacier                         etag-md5  etag-md5             =             =             =
Glacier parts                   .         etag-multipart       ?             ?             =
Glacier KMS                     .         -                    -             -             -
"""  # noqa: E501

# equal, other: by what HeadObject and its like prove a file right, or wrong. moto tells
# no type of checksums, so that those which can be of parts prove a file right only; and
# it leaves the ETag of KMS objects an MD5, which only an equal file gives.
ON_MOTO = """
kind                      listed    equal                 other
single                    etag-md5  etag-md5              etag-md5
empty                     etag-md5  etag-md5              etag-md5
even parts                .         etag-multipart        etag-multipart
uneven parts              .         etag-multipart        etag-multipart
one part                  .         etag-multipart        etag-multipart
copied whole              etag-md5  sha256                etag-md5
KMS                       etag-md5  -                     -
KMS CRC64NVME             etag-md5  crc64nvme             crc64nvme
DSSE                      etag-md5  -                     -
rclone KMS                etag-md5  metadata-md5          metadata-md5
s3cmd KMS                 etag-md5  metadata-md5          metadata-md5
s4cmd KMS                 etag-md5  metadata-md5          -
CRC32 single              etag-md5  crc32                 etag-md5
CRC32C single             etag-md5  crc32c                etag-md5
CRC64NVME single          etag-md5  crc64nvme             crc64nvme
SHA1 single               etag-md5  sha1                  etag-md5
SHA256 single             etag-md5  sha256                etag-md5
SHA256 of large parts     .         sha256-composite      etag-multipart
Glacier                   etag-md5  etag-md5              etag-md5
"""

# Why a file is unverifiable: the first line whose words the kind has.
REASONS = {
    "SSE-C": "encrypted with a customer's key (SSE-C): its ETag is no MD5",
    "DSSE": "encrypted with aws:kms:dsse: its ETag is no MD5",
    "KMS SHA256 of": "",  # of the parts on blind servers, else of kms:Decrypt
    "KMS": "encrypted with aws:kms: its ETag is no MD5",
    "parts": "the server ignores PartNumber",
}


@dataclass(frozen=True)
class Expected:
    """What a kind's files are compared by; empty where nothing proves it."""

    listed: str
    equal: str
    other: str


Table = Mapping[str, Expected]


def rows(text: str) -> list[dict[str, str]]:
    head, *lines = (re.split(r" {2,}", line) for line in text.strip().splitlines())
    return [dict(zip(head, line, strict=True)) for line in lines]


def table_of(server: str) -> Table:
    table = {}
    for row in rows(ON_MOTO if server == "moto" else ON_AWS):
        if server == "moto":
            equal, other = row["equal"], row["other"]
        else:
            usual, doubted = row["AWS"].removesuffix(" ?"), row["AWS"].endswith(" ?")
            cell = row[server]
            equal = cell if cell not in ("=", "?", row["AWS"]) else usual
            other = "-" if cell == "?" or doubted else equal
        known = (row["listed"].strip("."), equal.strip("-"), other.strip("-"))
        table[row["kind"]] = Expected(*known)
    return table


# --- damage ----------------------------------------------------------------------

Damage = Callable[[bytes, bytes], bytes]  # of a file, by one of the same size

DAMAGE: Mapping[str, Damage] = {
    "a flipped bit in the first byte": lambda own, _: own and flipped(own, 0),
    "a flipped bit in the middle": lambda own, _: own and flipped(own, len(own) // 2),
    "a flipped bit in the last byte": lambda own, _: own and flipped(own, -1),
    "cut by a byte": lambda own, _: own[:-1],
    "extended by a byte": lambda own, _: own + b"\0",
    "swapped": lambda _, twin: twin,
}


# --- servers ---------------------------------------------------------------------

ALL = "all-kinds"
PROVABLE = "provable-kinds"


def keys_of(kind: str) -> tuple[str, str]:
    """Return the keys of an object and of another of its kind and size."""
    return kind, f"{kind}, twin"


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsS3]:
    """Every kind of object, twice."""
    with AwsS3() as server:
        server.create_bucket(ALL)
        for kind in KINDS:
            for key in keys_of(kind):
                server.put(ALL, key, stored(key, kind))
        yield server


@pytest.fixture
def endpoint(request: pytest.FixtureRequest, server: str) -> str:
    """The server of that name."""
    if server == "moto":
        url: str = request.getfixturevalue("moto")
        return url
    s3: AwsS3 = request.getfixturevalue("aws")
    s3.ignores_part_number = server in ("ignores", "blind")
    s3.tells_no_attributes = server == "blind"
    denied = {"GetObjectAttributes", "HeadObject:checksum-mode"}
    s3.denies = denied if server == "denied" else set()
    return s3.endpoint_url


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The kinds that moto can hold, twice."""
    with running() as server:
        client = boto3.client(
            "s3",
            endpoint_url=server.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="nothing",
            config=Config(request_checksum_calculation="when_required"),
        )
        client.create_bucket(Bucket=ALL)
        for kind in table_of("moto"):
            for key in keys_of(kind):
                upload(client, key, stored(key, kind))
        yield server.endpoint_url


def upload(client: Any, key: str, wanted: Stored) -> None:
    """Store an object as a client of S3 does."""
    assert isinstance(wanted.body, bytes)
    whose = {"Bucket": ALL, "Key": key}
    checksum = {"ChecksumAlgorithm": wanted.checksum} if wanted.checksum else {}
    facts: dict[str, Any] = {
        "Metadata": wanted.metadata,
        **({"StorageClass": wanted.storage_class} if wanted.storage_class else {}),
        **({"ServerSideEncryption": wanted.encryption} if wanted.encryption else {}),
    }
    if not wanted.part_sizes:
        client.put_object(**whose, Body=wanted.body, **facts, **checksum)
        return
    started = client.create_multipart_upload(**whose, **facts, **checksum)
    whose["UploadId"] = started["UploadId"]
    parts = []
    for number, (start, end) in enumerate(wanted.parts, 1):
        piece = wanted.body[start:end]
        told = client.upload_part(**whose, PartNumber=number, Body=piece, **checksum)
        part = {"PartNumber": number, "ETag": told["ETag"]}
        if wanted.checksum_type == COMPOSITE:
            name = f"Checksum{wanted.checksum}"
            part[name] = told[name]
        parts.append(part)
    client.complete_multipart_upload(**whose, MultipartUpload={"Parts": parts})


# --- the matrix ------------------------------------------------------------------

SERVERS = ("AWS", "ignores", "blind", "denied", "moto")
EVERY_SERVER = pytest.mark.parametrize("server", SERVERS)
LOOKS: Mapping[str, Mapping[str, Any]] = {
    "all files against the listing": {},
    "a sample against HeadObject": {"sample_size": 1000, "completeness": False},
}


def fill(disk: Backup, table: Table) -> None:
    """Write every file of a server as it should be."""
    for kind in table:
        for key in keys_of(kind):
            disk.write(ALL, key, body_of(key, kind))


def expectation(expected: Expected, own: bytes, now: bytes, listing: bool) -> str:
    """Say what a file should be called, and by what."""
    if len(now) != len(own):
        return f"{Outcome.MISMATCH.value} by {SIZE}"
    if now != own:
        outcome, evidence = Outcome.MISMATCH, expected.other
    else:
        listed = expected.listed if listing else ""
        outcome, evidence = Outcome.MATCH, listed or expected.equal
    if not evidence:
        return f"{Outcome.UNVERIFIABLE.value} by {NONE}"
    return f"{outcome.value} by {evidence}"


def verdict_of(outcomes: set[str]) -> Verdict:
    """Return what outcomes amount to."""
    if "mismatch" in outcomes:
        return Verdict.DIFFERS
    return Verdict.INCONCLUSIVE if "unverifiable" in outcomes else Verdict.VERIFIED


def reason(kind: str) -> str:
    """Return why a kind is unverifiable, where it is."""
    return next(said for words, said in REASONS.items() if words in kind)


def broken_laws(kind: str, finding: Finding, damaged: bool) -> Iterator[str]:
    """Name what must never be said of a file, whatever the tables say."""
    if damaged and finding.outcome is Outcome.MATCH:
        yield "damage passes"
    if damaged and Tally([finding]).verdict() is Verdict.VERIFIED:
        yield "damage is called verified"
    if not damaged and finding.outcome is Outcome.MISMATCH:
        yield "an intact file is called different"
    if finding.outcome is Outcome.UNVERIFIABLE and (
        not finding.detail or reason(kind) not in finding.detail
    ):
        yield f"the reason is {finding.detail!r}"


def test_the_tables_name_every_kind() -> None:
    """No kind of object is left out, and none is unknown."""
    assert {row["kind"] for row in rows(ON_AWS)} == set(KINDS)
    assert {row["kind"] for row in rows(ON_MOTO)} <= set(KINDS)


@EVERY_SERVER
@pytest.mark.parametrize("damage", ["none", *DAMAGE])
def test_every_file_is_called_what_it_is(
    endpoint: str, server: str, damage: str, disk: Backup
) -> None:
    """What can be proven is, by the strongest evidence; the rest has a reason."""
    table = table_of(server)
    fill(disk, table)
    content = {
        key: body_of(key, kind) for kind in table for key in keys_of(kind)
    }  # as on the disk
    if damage != "none":
        for kind in table:
            one, twin = keys_of(kind)
            own, other = content[one], content[twin]
            content[one] = DAMAGE[damage](own, other)
            if damage == "swapped":
                content[twin] = own
            for key in (one, twin):
                disk.write(ALL, key, content[key])

    wrong = []
    for look, wishes in LOOKS.items():
        report = disk.verify(endpoint, ALL, **wishes)
        found = by_path(report)
        assert found.keys() == content.keys()
        dues = set()
        for kind in table:
            for key in keys_of(kind):
                own, finding = body_of(key, kind), found[key]
                listing = "listing" in look
                said = f"{finding.outcome.value} by {finding.evidence}"
                due = expectation(table[kind], own, content[key], listing)
                dues.add(due.split()[0])
                laws = broken_laws(kind, finding, damaged=content[key] != own)
                errors = [f"{said}, not {due}"] if said != due else []
                wrong += [
                    f"{key} on {server} on {damage}, {look}: {error}"
                    for error in (*errors, *laws)
                ]
        if report.verdict is not verdict_of(dues):
            wrong.append(f"{server} on {damage}, {look}: {report.verdict}")

    assert not wrong, "\n".join(wrong)


@EVERY_SERVER
def test_what_is_missing_on_either_side_is_named_and_nothing_else(
    endpoint: str, server: str, disk: Backup
) -> None:
    """Whatever kind of object it is: a listing is enough."""
    table = table_of(server)
    fill(disk, table)
    for kind in table:
        disk.file(ALL, kind).unlink()
        disk.write(ALL, f"{kind}, extra", body_of(kind, kind))

    by_listing, by_head = (
        disk.verify(endpoint, ALL, **wishes) for wishes in LOOKS.values()
    )

    missing = {kind: "missing_from_backup" for kind in table}
    extra = {f"{kind}, extra": "missing_from_source" for kind in table}
    kept = [
        {p: what for p, what in outcomes(report).items() if what != "unverifiable"}
        for report in (by_listing, by_head)
    ]
    assert kept == [missing | extra, extra]
    assert by_listing.verdict is Verdict.DIFFERS


@EVERY_SERVER
@pytest.mark.parametrize("look", LOOKS)
def test_an_intact_disk_of_what_can_be_proven_is_verified(
    aws: AwsS3, endpoint: str, server: str, look: str, disk: Backup
) -> None:
    """Nothing in the way of that server makes it inconclusive."""
    wishes = LOOKS[look]
    bucket = ALL
    if server != "moto":
        bucket = PROVABLE
        aws.create_bucket(PROVABLE)
    provable = {kind: one for kind, one in table_of(server).items() if one.equal}
    for kind in provable:
        for key in keys_of(kind):
            disk.write(bucket, key, body_of(key, kind))
            if bucket == PROVABLE:
                aws.put(bucket, key, stored(key, kind))

    report = disk.verify(endpoint, bucket, **{**wishes, "completeness": False})

    assert outcomes(report) == {}
    assert report.verdict is Verdict.VERIFIED


# --- beyond 5 GiB ----------------------------------------------------------------

GIB = 1 << 30
HUGE = 6 * GIB
HUGE_PARTS = (512 * MIB,) * 12


@pytest.mark.parametrize(
    ("checksum", "evidence"), [("CRC64NVME", "crc64nvme"), ("", "etag-multipart")]
)
def test_one_byte_in_six_gibibytes_is_found(
    disk: Backup, checksum: str, evidence: str
) -> None:
    """Beyond what S3 takes in one piece, with a checksum and without."""
    with AwsS3() as server:
        server.create_bucket("huge")
        for key in ("intact", "damaged"):
            server.put("huge", key, Stored(Zeros(HUGE), HUGE_PARTS, checksum))
            with disk.file("huge", key).open("wb") as file:
                file.truncate(HUGE)
        with disk.file("huge", "damaged").open("rb+") as file:
            os.pwrite(file.fileno(), b"\1", HUGE // 2)

        report = disk.verify(server.endpoint_url, "huge", exported_at=LONG_AFTER)

    found = {key: (f.outcome, f.evidence) for key, f in by_path(report).items()}
    assert found == {
        "intact": (Outcome.MATCH, evidence),
        "damaged": (Outcome.MISMATCH, evidence),
    }
    assert report.bytes_read == 2 * HUGE
