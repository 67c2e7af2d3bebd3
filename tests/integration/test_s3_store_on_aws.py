"""S3 through boto3: what AWS answers and moto does not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.config import Config
from fixtures.aws_s3 import AwsS3
from fixtures.aws_s3_objects import Stored

from s3export.adapters.s3_store import S3Store
from s3export.domain import errors
from s3export.domain.evidence import Checksum
from s3export.domain.ports import ObjectVersion

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def aws() -> Iterator[AwsS3]:
    """A server that answers as AWS does."""
    with AwsS3() as server:
        server.create_bucket("b")
        server.create_bucket("versions", versioned=True)
        yield server


@pytest.fixture
def store(aws: AwsS3) -> S3Store:
    """The adapter, talking to it."""
    client = boto3.client(
        "s3",
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(s3={"addressing_style": "path"}),
    )
    return S3Store(client)


def test_checksums_of_every_name_are_told(aws: AwsS3, store: S3Store) -> None:
    """Full-object and composite, with their types; unknown ones are left out."""
    aws.put("b", "full", Stored(b"123456789", checksum="CRC64NVME"))
    parts = Stored(b"12345", part_sizes=(2, 3), checksum="SHA256")
    aws.put("b", "parts", parts)

    full = store.head("b", "full")
    composite = store.head("b", "parts")

    assert full is not None
    assert composite is not None
    assert full.checksums == (Checksum("CRC64NVME", "rosUhgp5mIg=", "FULL_OBJECT"),)
    value = f"{parts.checksum_value}-2"
    assert composite.checksums == (Checksum("SHA256", value, "COMPOSITE"),)


def test_the_list_of_parts_comes_in_pages(aws: AwsS3, store: S3Store) -> None:
    """All sizes, in order, where the checksum is composite."""
    sizes = tuple(1 + number % 7 for number in range(2_345))
    body = bytes(sum(sizes))
    aws.put("b", "many", Stored(body, part_sizes=sizes, checksum="CRC32"))
    aws.put("b", "plain", Stored(body, part_sizes=sizes))

    assert store.part_sizes("b", "many") == sizes
    assert store.requests()["HEAD"] == 3
    assert store.part_sizes("b", "plain") is None
    aws.denies = {"GetObjectAttributes"}
    assert store.part_sizes("b", "many") is None


def test_versions_are_told_newest_first_and_each_has_its_own_metadata(
    aws: AwsS3, store: S3Store
) -> None:
    """Deletions are among them; a version's parts and content are its own."""
    first = aws.put("versions", "k", Stored(b"one", modified_at=NOW))
    day = timedelta(days=1)
    later = Stored(b"other", part_sizes=(2, 3), modified_at=NOW + day)
    second = aws.put("versions", "k", later)
    aws.put("versions", "k2", Stored(b"x"))
    mark = aws.delete("versions", "k", at=NOW + 2 * day)

    assert store.versions("versions", "k") == (
        ObjectVersion(mark, NOW + 2 * day, deleted=True),
        ObjectVersion(second, NOW + day),
        ObjectVersion(first, NOW),
    )
    assert store.head("versions", "k") is None
    assert store.head("versions", "k", version_id=mark) is None
    facts = store.head("versions", "k", version_id=second)
    assert facts is not None
    assert (facts.size_bytes, facts.version_id) == (5, second)
    part = store.part("versions", "k", 1, version_id=second)
    assert part is not None
    assert (part.size_bytes, part.parts) == (2, 2)
    assert b"".join(store.read("versions", "k", version_id=first)) == b"one"
    aws.denies = {"ListObjectVersions"}
    assert store.versions("versions", "k") == ()


def test_without_the_permission_to_decrypt_the_rest_is_told(
    aws: AwsS3, store: S3Store
) -> None:
    """The checksums are withheld, and it is said why."""
    aws.put("b", "kms", Stored(b"x", encryption="aws:kms", checksum="SHA256"))
    aws.denies = {"HeadObject:checksum-mode"}

    facts = store.head("b", "kms")

    assert facts is not None
    assert (facts.encryption, facts.checksums) == ("aws:kms", ())
    assert "kms:Decrypt" in facts.checksums_withheld
    aws.denies = {"HeadObject"}
    with pytest.raises(errors.PermissionMissing):
        store.head("b", "kms")


def test_metadata_of_uploaders_is_told(aws: AwsS3, store: S3Store) -> None:
    """Names in lower case, as S3 sends them."""
    aws.put("b", "k", Stored(b"x", metadata={"Md5chksum": "abc"}))

    facts = store.head("b", "k")

    assert facts is not None
    assert facts.metadata == {"md5chksum": "abc"}


@pytest.mark.parametrize(
    "stored",
    [Stored(b"x", storage_class="DEEP_ARCHIVE"), Stored(b"x", customer_key=True)],
)
def test_what_s3_cannot_hand_out_is_an_error_of_its_own(
    aws: AwsS3, store: S3Store, stored: Stored
) -> None:
    """Archived, or under a customer's key: there, and not to be read."""
    aws.put("b", "k", stored)

    facts = store.head("b", "k")

    assert facts is not None
    assert facts.size_bytes == 1
    with pytest.raises(errors.ObjectUnreadable, match="s3://b/k"):
        next(iter(store.read("b", "k")))
