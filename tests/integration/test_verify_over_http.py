"""Whole verifications against a server that answers as AWS S3 does."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
from fixtures.aws_s3 import AwsS3, Stored
from fixtures.backups import Backup, by_path, flipped, outcomes
from fixtures.command_line import Run

from s3export import Finding, Outcome, Verdict, Watch
from s3export.domain.verification import Report

BUCKET = "some-bucket"
KMS = "aws:kms"

BEFORE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EXPORTED = datetime(2026, 2, 1, tzinfo=UTC)
SINCE = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

NO_LISTING = {"sample_size": 10_000, "completeness": False}


@pytest.fixture
def s3() -> Iterator[AwsS3]:
    """A server with an empty bucket."""
    with AwsS3() as server:
        server.create_bucket(BUCKET)
        yield server


@pytest.fixture
def versioned(s3: AwsS3) -> AwsS3:
    """The same, and the bucket keeps versions."""
    s3.create_bucket(BUCKET, versioned=True)
    return s3


def content(key: str, size: int = 3000) -> bytes:
    """Return bytes that are others for every key."""
    return hashlib.shake_128(key.encode()).digest(size)


def put(s3: AwsS3, disk: Backup, key: str, stored: Stored) -> None:
    """Store an object, and its file as it should be."""
    assert isinstance(stored.body, bytes)
    s3.put(BUCKET, key, stored)
    disk.write(BUCKET, key, stored.body)


def keys(s3: AwsS3) -> list[str]:
    """Return the keys that were asked for; empty for the bucket itself."""
    return [
        unquote(target.partition("?")[0].removeprefix(f"/{BUCKET}").strip("/"))
        for _, target in s3.requests
    ]


# --- what a verification costs ---------------------------------------------------


def test_two_thousand_files_cost_a_listing_and_what_differs(
    s3: AwsS3, disk: Backup
) -> None:
    """All damage is found and nothing else; equal single objects cost no request."""
    multipart = [f"videos/{number}" for number in range(5)]
    single = [f"photos/{number:04}" for number in range(1995)]
    for key in multipart:
        put(s3, disk, key, Stored(content(key), (1000, 1500, 500)))
    for key in single:
        put(s3, disk, key, Stored(content(key, 100)))
    for key in (multipart[1], multipart[3], single[700]):
        file = disk.file(BUCKET, key)
        file.write_bytes(flipped(file.read_bytes(), 50))
    for key in (single[0], multipart[4]):
        disk.file(BUCKET, key).unlink()
    for key in ("photos/new", "zzz"):
        disk.write(BUCKET, key, b"x")

    report = disk.verify(s3.endpoint_url, BUCKET)

    assert outcomes(report) == {
        multipart[1]: "mismatch",
        multipart[3]: "mismatch",
        single[700]: "mismatch",
        single[0]: "missing_from_backup",
        multipart[4]: "missing_from_backup",
        "photos/new": "missing_from_source",
        "zzz": "missing_from_source",
    }
    assert report.verdict is Verdict.DIFFERS
    bucket, pages, differing = 1, 2, 1
    others = [key for key in keys(s3) if key not in multipart]
    assert len(others) == bucket + pages + differing <= 20
    assert multipart[4] not in keys(s3)


def test_a_drawn_file_costs_one_request(s3: AwsS3, disk: Backup) -> None:
    """In one piece, or in parts with a checksum over all of them."""
    kinds = {
        "single": Stored(content("single")),
        "single, checksum": Stored(content("s"), checksum="SHA256"),
        "parts, checksum": Stored(content("p"), (1000, 1500, 500), "CRC64NVME"),
        "KMS, checksum": Stored(
            content("k"), (2000, 1000), "CRC64NVME", encryption=KMS
        ),
    }
    for key, stored in kinds.items():
        put(s3, disk, key, stored)

    report = disk.verify(s3.endpoint_url, BUCKET, **NO_LISTING)

    assert report.verdict is Verdict.VERIFIED
    assert sorted(keys(s3)) == sorted(["", *kinds])
    assert {method for method, _ in s3.requests} == {"HEAD"}
    assert report.requests == {"HEAD": 1 + len(kinds)}


def test_the_sizes_of_many_parts_come_in_pages(s3: AwsS3, disk: Backup) -> None:
    """1,002 parts, each of another size than its neighbours, cost four requests."""
    parts = (3, 1, 2) * 334
    for key in ("intact", "damaged"):
        put(s3, disk, key, Stored(content(key, sum(parts)), parts, "SHA256"))
    disk.write(BUCKET, "damaged", flipped(content("damaged", sum(parts)), -1))

    report = disk.verify(s3.endpoint_url, BUCKET, **NO_LISTING)

    found = {key: (f.outcome, f.evidence) for key, f in by_path(report).items()}
    assert found == {
        "intact": (Outcome.MATCH, "sha256-composite"),
        "damaged": (Outcome.MISMATCH, "sha256-composite"),
    }
    head, first_part, pages = 1, 1, 2
    assert len(s3.requests) == 1 + 2 * (head + first_part + pages)


class ThrottledOnce(Watch):
    """Throttles the server when the first finding comes."""

    def __init__(self, s3: AwsS3) -> None:
        self.s3 = s3
        self.waiting = True

    def found(self, finding: Finding) -> None:
        if self.waiting:
            self.waiting = False
            self.s3.throttle = 4

    def unfinished(self, report: Report) -> None:
        raise AssertionError(report.cut_short)


@pytest.mark.parametrize("at_the_start", [True, False])
def test_throttled_requests_are_sent_again_and_the_verdict_is_the_same(
    s3: AwsS3, disk: Backup, at_the_start: bool
) -> None:
    """503 SlowDown costs requests and time, nothing else."""
    for number in range(100):
        key = f"f{number:03}"
        put(s3, disk, key, Stored(content(key)))
    disk.write(BUCKET, "f007", content("f008"))
    before = disk.verify(s3.endpoint_url, BUCKET, **NO_LISTING)
    asked = len(s3.requests)

    s3.throttle = 2 if at_the_start else 0
    watch = None if at_the_start else ThrottledOnce(s3)
    after = disk.verify(s3.endpoint_url, BUCKET, **NO_LISTING, forks=2, watch=watch)

    assert s3.throttle == 0
    again = 2 if at_the_start else 4
    assert len(s3.requests) == asked + asked + again
    assert after.requests["HEAD"] == before.requests["HEAD"] + again
    assert after.findings == before.findings
    assert outcomes(after) == {"f007": "mismatch"}


# --- what is demanded of evidence ------------------------------------------------


def test_32_bits_are_no_strong_proof(s3: AwsS3, disk: Backup) -> None:
    """Under KMS, where there is nothing else; 64 bits are enough."""
    for algorithm in ("CRC32", "CRC32C", "CRC64NVME"):
        body = content(algorithm)
        put(s3, disk, algorithm, Stored(body, checksum=algorithm, encryption=KMS))

    usual = disk.verify(s3.endpoint_url, BUCKET)
    strong = disk.verify(s3.endpoint_url, BUCKET, strong=True)

    assert usual.verdict is Verdict.VERIFIED
    assert outcomes(strong) == {"CRC32": "unverifiable", "CRC32C": "unverifiable"}
    assert "its CRC32 is no strong proof" in by_path(strong)["CRC32"].detail
    assert by_path(strong)["CRC64NVME"].evidence == "crc64nvme"
    assert strong.verdict is Verdict.INCONCLUSIVE


# --- downloading -----------------------------------------------------------------


def test_what_metadata_cannot_settle_is_settled_by_content(
    s3: AwsS3, disk: Backup
) -> None:
    """Equal, and different from a byte on; what is archived stays unverifiable."""
    kms = {key: Stored(content(key), encryption=KMS) for key in ("equal", "flipped")}
    for key, stored in kms.items():
        put(s3, disk, key, stored)
    disk.write(BUCKET, "flipped", flipped(content("flipped"), 2000))
    cold = Stored(content("cold"), encryption=KMS, storage_class="GLACIER")
    put(s3, disk, "cold", cold)
    put(s3, disk, "plain", Stored(content("plain")))
    put(s3, disk, "customer", Stored(content("customer"), customer_key=True))

    report = disk.verify(s3.endpoint_url, BUCKET, download_unverifiable=True)

    found = by_path(report)
    assert {key: (f.outcome, f.evidence) for key, f in found.items()} == {
        "equal": (Outcome.MATCH, "download"),
        "flipped": (Outcome.MISMATCH, "download"),
        "cold": (Outcome.UNVERIFIABLE, "none"),
        "customer": (Outcome.UNVERIFIABLE, "none"),
        "plain": (Outcome.MATCH, "etag-md5"),
    }
    assert found["flipped"].detail == "the content differs from byte 2,000 on"
    assert "is archived in GLACIER" in found["cold"].detail
    assert "encrypted with aws:kms" in found["cold"].detail
    assert "SSE-C" in found["customer"].detail
    assert report.bytes_downloaded == 2 * 3000


def test_a_download_needs_no_sizes_of_parts(s3: AwsS3, disk: Backup) -> None:
    """What a server keeps to itself does not matter then."""
    for key in ("equal", "flipped"):
        put(s3, disk, key, Stored(content(key), (1000, 1500, 500)))
    disk.write(BUCKET, "flipped", flipped(content("flipped"), 0))
    s3.ignores_part_number = True

    without = disk.verify(s3.endpoint_url, BUCKET)
    report = disk.verify(s3.endpoint_url, BUCKET, download_unverifiable=True)

    assert outcomes(without) == {"equal": "unverifiable", "flipped": "unverifiable"}
    assert outcomes(report) == {"flipped": "mismatch"}


def test_what_may_not_be_downloaded_stays_unverifiable(s3: AwsS3, disk: Backup) -> None:
    """Both reasons are told."""
    put(s3, disk, "key", Stored(content("key"), encryption=KMS))
    s3.denies.add("GetObject")

    report = disk.verify(s3.endpoint_url, BUCKET, download_unverifiable=True)

    finding = by_path(report)["key"]
    assert finding.outcome is Outcome.UNVERIFIABLE
    assert "encrypted with aws:kms" in finding.detail
    assert "it cannot be downloaded" in finding.detail


@pytest.mark.parametrize(
    ("budget", "settled"), [(0, 0), (2999, 0), (3000, 1), (8999, 2), (9000, 3)]
)
def test_no_more_is_downloaded_than_the_budget(
    s3: AwsS3, disk: Backup, budget: int, settled: int
) -> None:
    """What would be more stays unverifiable and says so."""
    for key in ("a", "b", "c"):
        put(s3, disk, key, Stored(content(key), encryption=KMS))

    report = disk.verify(
        s3.endpoint_url, BUCKET, download_unverifiable=True, download_budget=budget
    )

    assert report.tally[Outcome.MATCH] == settled
    assert report.bytes_downloaded == settled * 3000 <= budget
    for key in outcomes(report):
        finding = by_path(report)[key]
        assert finding.outcome is Outcome.UNVERIFIABLE
        assert "more than is left of the budget" in finding.detail


# --- changed since the export ----------------------------------------------------


@pytest.mark.parametrize("wishes", [{}, NO_LISTING], ids=["listing", "sample"])
@pytest.mark.parametrize("parts", [(), (1000, 1500, 500)], ids=["single", "parts"])
def test_the_version_of_the_export_is_compared_where_there_is_a_later_one(
    versioned: AwsS3,
    disk: Backup,
    parts: tuple[int, ...],
    wishes: dict[str, object],
) -> None:
    """An intact file has changed since; a damaged one is different, then as now."""
    old = {key: Stored(content(key), parts) for key in ("intact", "damaged", "cut")}
    versions = {}
    for key, stored in old.items():
        versions[key] = versioned.put(BUCKET, key, stored)
        now = Stored(content(f"{key}, now"), parts, modified_at=SINCE)
        versioned.put(BUCKET, key, now)
    disk.write(BUCKET, "intact", content("intact"))
    disk.write(BUCKET, "damaged", flipped(content("damaged"), 1200))
    disk.write(BUCKET, "cut", content("cut")[:-1])
    put(versioned, disk, "same", Stored(content("same"), parts))

    report = disk.verify(versioned.endpoint_url, BUCKET, exported_at=EXPORTED, **wishes)

    found = by_path(report)
    assert outcomes(report) == {
        "intact": "changed_since_export",
        "damaged": "mismatch",
        "cut": "mismatch",
    }
    for key, version in versions.items():
        assert version in found[key].detail
    evidence = "etag-multipart" if parts else "etag-md5"
    assert found["intact"].evidence == found["damaged"].evidence == evidence
    assert found["cut"].evidence == "size"
    assert report.verdict is Verdict.DIFFERS


@pytest.mark.parametrize("parts", [(), (1000, 1500, 500)], ids=["single", "parts"])
def test_what_is_older_than_versioning_is_compared_too(
    s3: AwsS3, disk: Backup, parts: tuple[int, ...]
) -> None:
    """Objects from before a bucket kept versions are the version ``null``."""
    for key in ("intact", "damaged", "kept"):
        put(s3, disk, key, Stored(content(key), parts))
    s3.keep_versions(BUCKET)
    for key in ("intact", "damaged"):
        s3.put(BUCKET, key, Stored(content("now"), (1200, 1800), modified_at=SINCE))
    disk.write(BUCKET, "damaged", flipped(content("damaged"), 1200))

    report = disk.verify(s3.endpoint_url, BUCKET, exported_at=EXPORTED)

    assert outcomes(report) == {
        "intact": "changed_since_export",
        "damaged": "mismatch",
    }
    assert "version null of 2026-01-02" in by_path(report)["damaged"].detail


@pytest.mark.parametrize(
    "now",
    [content("now"), content("now") * 2],
    ids=["as long", "longer"],
)
def test_a_version_under_a_customers_key_is_as_long_as_it_was(
    versioned: AwsS3, disk: Backup, now: bytes
) -> None:
    """An intact file cannot be proven; one of another length is different."""
    for key in ("intact", "cut"):
        put(versioned, disk, key, Stored(content(key), customer_key=True))
        later = Stored(now, customer_key=True, modified_at=SINCE)
        versioned.put(BUCKET, key, later)
    disk.write(BUCKET, "cut", content("cut")[:-1])

    report = disk.verify(versioned.endpoint_url, BUCKET, exported_at=EXPORTED)

    assert outcomes(report) == {"intact": "unverifiable", "cut": "mismatch"}
    assert "SSE-C" in by_path(report)["intact"].detail
    assert by_path(report)["cut"].expected == "3000"


def test_versions_that_may_not_be_listed_are_as_if_there_were_none(
    versioned: AwsS3, disk: Backup
) -> None:
    """What is newer than the export may differ."""
    versioned.put(BUCKET, "key", Stored(b"then"))
    versioned.put(BUCKET, "key", Stored(b"now!", modified_at=SINCE))
    disk.write(BUCKET, "key", b"then")
    versioned.denies.add("ListObjectVersions")

    report = disk.verify(versioned.endpoint_url, BUCKET, exported_at=EXPORTED)

    assert outcomes(report) == {"key": "changed_since_export"}


def test_a_file_equal_to_the_later_version_is_equal(
    versioned: AwsS3, disk: Backup
) -> None:
    """The object was written in the second of the export, or again as it was."""
    versioned.put(BUCKET, "key", Stored(b"then"))
    put(versioned, disk, "key", Stored(b"now!", modified_at=SINCE))

    report = disk.verify(versioned.endpoint_url, BUCKET, exported_at=EXPORTED)

    assert outcomes(report) == {}
    assert report.verdict is Verdict.VERIFIED


@pytest.mark.parametrize("wishes", [{}, NO_LISTING], ids=["listing", "sample"])
def test_an_object_deleted_since_is_missing_from_the_source(
    versioned: AwsS3, disk: Backup, wishes: dict[str, object]
) -> None:
    """That is no fault of the disk."""
    put(versioned, disk, "deleted", Stored(b"x"))
    put(versioned, disk, "kept", Stored(b"y"))
    versioned.delete(BUCKET, "deleted", SINCE)

    report = disk.verify(versioned.endpoint_url, BUCKET, exported_at=EXPORTED, **wishes)

    assert outcomes(report) == {"deleted": "missing_from_source"}
    assert report.verdict is Verdict.VERIFIED


@pytest.mark.parametrize("parts", [(), (1000, 1500, 500)], ids=["single", "parts"])
@pytest.mark.parametrize("wishes", [{}, NO_LISTING], ids=["listing", "sample"])
@pytest.mark.parametrize(
    ("modified_at", "outcome", "verdict"),
    [
        (SINCE, "changed_since_export", Verdict.VERIFIED),
        (EXPORTED, "mismatch", Verdict.DIFFERS),
        (BEFORE, "mismatch", Verdict.DIFFERS),
    ],
)
def test_without_versions_only_newer_objects_may_differ(
    s3: AwsS3,
    disk: Backup,
    parts: tuple[int, ...],
    wishes: dict[str, object],
    modified_at: datetime,
    outcome: str,
    verdict: Verdict,
) -> None:
    """An object that is older than the export differs by damage."""
    s3.put(BUCKET, "key", Stored(content("now"), parts, modified_at=modified_at))
    s3.put(BUCKET, "longer", Stored(content("now") * 2, modified_at=modified_at))
    for key in ("key", "longer"):
        disk.write(BUCKET, key, content("then"))
    put(s3, disk, "same", Stored(content("same"), parts, modified_at=SINCE))

    report = disk.verify(s3.endpoint_url, BUCKET, exported_at=EXPORTED, **wishes)

    assert outcomes(report) == {"key": outcome, "longer": outcome}
    assert report.verdict is verdict


@pytest.mark.parametrize("keeps_versions", [True, False])
def test_a_download_too_compares_with_what_was_exported(
    s3: AwsS3, disk: Backup, keeps_versions: bool
) -> None:
    """A later version is no proof of damage, and an earlier one no proof of none."""
    s3.create_bucket(BUCKET, versioned=keeps_versions)
    then = Stored(content("then"), encryption=KMS)
    now = dataclasses.replace(then, body=content("now"), modified_at=SINCE)
    for key in ("intact", "damaged"):
        s3.put(BUCKET, key, then)
        s3.put(BUCKET, key, now)
    disk.write(BUCKET, "intact", content("then"))
    disk.write(BUCKET, "damaged", flipped(content("then"), 2000))
    put(s3, disk, "new", now)

    report = disk.verify(
        s3.endpoint_url, BUCKET, exported_at=EXPORTED, download_unverifiable=True
    )

    assert outcomes(report) == {
        "intact": "changed_since_export",
        "damaged": "mismatch" if keeps_versions else "changed_since_export",
    }
    detail = by_path(report)["damaged"].detail
    assert keeps_versions == ("differs from byte 2,000 on" in detail)
    assert by_path(report)["new"].evidence == "download"


def test_with_the_customers_key_its_objects_are_verified(
    s3: AwsS3, disk: Backup, run: Run, tmp_path: Path
) -> None:
    """By the checksums that S3 tells who has it; in a bucket where the asker pays."""
    s3.requester_pays = {BUCKET}
    key = tmp_path / "key"
    stored = Stored(content("k"), customer_key=True, checksum="CRC64NVME")
    key.write_text(stored.key.hex() + "\n")
    put(s3, disk, "k", stored)
    paying = ("--endpoint-url", s3.endpoint_url, "--request-payer", "--json")
    command = ("verify-backup", str(disk.disk), "--bucket", BUCKET, *paying)

    without = run(*command)
    with_key = run(*command, "--sse-c-key-file", str(key), "--all-findings")
    key.write_text("not the key")
    no_key = run(*command, "--sse-c-key-file", str(key))
    not_paying = run(*command[:-2])

    assert (without.code, with_key.code) == (3, 0)
    (finding,) = json.loads(with_key.out)["findings"]
    assert finding["evidence"] == "crc64nvme"
    assert no_key.code == 4
    assert "32 bytes" in no_key.err
    assert "not the key" not in no_key.err
    assert not_paying.code == 6
    assert stored.key.hex() not in with_key.out + with_key.err
