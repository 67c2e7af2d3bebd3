"""S3 through boto3: what AWS answers and moto does not."""

import base64
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from contracts.object_store_contract import BUCKET, ObjectStoreContract, all_of
from fixtures.aws_s3 import AwsS3
from fixtures.aws_s3_objects import Stored

from s3export.adapters.s3_store import S3Store
from s3export.domain import errors
from s3export.domain.evidence import Checksum
from s3export.domain.ports import ObjectVersion
from s3export.domain.secret import Secret

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def aws() -> Iterator[AwsS3]:
    """A server that answers as AWS does."""
    with AwsS3() as server:
        server.create_bucket("b")
        server.create_bucket("versions", versioned=True)
        yield server


KEY = bytes(range(32))
"""What `Stored` encrypts with, where it is said to be encrypted so."""


def client_of(aws: AwsS3) -> Any:
    """Return a client for the server."""
    return boto3.client(
        "s3",
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(
            s3={"addressing_style": "path"},
            response_checksum_validation="when_required",
            retries={"mode": "standard", "total_max_attempts": 3},
        ),
    )


def secret(key: bytes) -> Secret:
    """Return a customer's key as settings hold it."""
    return Secret(base64.b64encode(key).decode())


@pytest.fixture
def store(aws: AwsS3) -> S3Store:
    """The adapter, talking to it."""
    return S3Store(client_of(aws))


@dataclass
class Store:
    aws: AwsS3
    store: S3Store

    def put(self, key: str, body: bytes, part_sizes: Sequence[int] = ()) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        stored = Stored(body, part_sizes=tuple(part_sizes), modified_at=now)
        self.aws.put(BUCKET, key, stored)


class TestS3StoreOnAws(ObjectStoreContract):
    """The contract, with the answers of AWS."""

    @pytest.fixture
    def arranged(self, aws: AwsS3, store: S3Store) -> Store:
        aws.create_bucket(BUCKET)
        return Store(aws, store)


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


def test_an_opened_object_tells_all_that_a_head_tells(
    aws: AwsS3, store: S3Store
) -> None:
    """Version, encryption, storage class, checksums and metadata."""
    aws.put(
        "versions",
        "k",
        Stored(
            b"12345",
            part_sizes=(2, 3),
            checksum="CRC32",
            encryption="aws:kms",
            storage_class="STANDARD_IA",
            metadata={"md5chksum": "abc"},
        ),
    )

    with store.open("versions", "k") as body:
        assert body.facts == store.head("versions", "k")
        assert all_of(body) == b"12345"
        assert body.facts.checksums
    with store.open("versions", "k", start=2) as body:
        assert body.facts.size_bytes == 5
        assert body.facts.checksums == ()


def test_a_version_is_opened_by_its_id(aws: AwsS3, store: S3Store) -> None:
    """An older one too, and none that is a deletion."""
    first = aws.put("versions", "k", Stored(b"one"))
    aws.put("versions", "k", Stored(b"other"))
    mark = aws.delete("versions", "k", at=NOW)

    with store.open("versions", "k", version_id=first) as body:
        assert (all_of(body), body.facts.version_id) == (b"one", first)
    with pytest.raises(errors.AwsError), store.open("versions", "k", version_id=mark):
        pass
    with pytest.raises(errors.NoSuchObject), store.open("versions", "k"):
        pass


@pytest.mark.parametrize(
    ("kind", "payer", "request_text"),
    [
        ("GLACIER", False, '{"Days":7,"GlacierJobParameters":{"Tier":"Standard"}}'),
        ("DEEP_ARCHIVE", True, '{"Days":7,"GlacierJobParameters":{"Tier":"Standard"}}'),
    ],
)
def test_an_archived_object_says_how_it_is_restored(
    aws: AwsS3, kind: str, payer: bool, request_text: str
) -> None:
    """The storage class, and the command, quoted for a shell."""
    store = S3Store(client_of(aws), request_payer=payer)
    for key in ("it's here", "-f"):
        aws.put("b", key, Stored(b"x", storage_class=kind))

        with (
            pytest.raises(errors.ObjectArchived, match=kind) as raised,
            store.open("b", key),
        ):
            pass

        command = shlex.split(raised.value.next_step.removeprefix("restore it: "))
        named = ["--key", key] if key[0] != "-" else [f"--key={key}"]
        pays = ["--request-payer", "requester"] if payer else []
        assert command == [
            *("aws", "s3api", "restore-object", "--bucket", "b"),
            *named,
            *pays,
            *("--restore-request", request_text),
        ]


def test_a_server_that_ignores_ranges_is_noticed(aws: AwsS3, store: S3Store) -> None:
    """The whole object is never taken for a piece of it."""
    aws.put("b", "k", Stored(b"123456789"))
    aws.ignores_ranges = True

    with (
        pytest.raises(errors.BodyBroken, match=r"bytes 2 to 4 .* the whole object"),
        store.open("b", "k", start=2, length=3),
    ):
        pass
    with (
        pytest.raises(errors.BodyBroken, match=r"bytes 2 to the end"),
        store.open("b", "k", start=2),
    ):
        pass


def test_a_body_is_had_without_the_permission_to_see_its_checksum(
    aws: AwsS3, store: S3Store
) -> None:
    """It is asked for again, without; why is told."""
    aws.put("b", "k", Stored(b"x", encryption="aws:kms", checksum="SHA256"))
    aws.denies = {"GetObject:checksum-mode"}

    with store.open("b", "k") as body:
        assert all_of(body) == b"x"
        assert body.facts.checksums == ()
        assert "kms:Decrypt" in body.facts.checksums_withheld
    assert b"".join(store.read("b", "k")) == b"x"
    assert store.requests() == {"GET": 4}
    aws.denies = {"GetObject"}
    with pytest.raises(errors.PermissionMissing), store.open("b", "k"):
        pass


def test_throttling_is_waited_out_before_a_body_comes(
    aws: AwsS3, store: S3Store
) -> None:
    """Each try counts; when all are used up it is an error."""
    aws.put("b", "k", Stored(b"x"))
    aws.throttle = 2

    with store.open("b", "k") as body:
        assert all_of(body) == b"x"
    assert store.requests() == {"GET": 3}
    aws.throttle = 9
    with pytest.raises(errors.Throttled), store.open("b", "k"):
        pass


def test_who_asks_can_say_that_they_pay(aws: AwsS3) -> None:
    """With every request that knows it; without, the bucket refuses."""
    aws.create_bucket("theirs")
    aws.requester_pays = {"theirs"}
    sizes = (5, 5)
    stored = Stored(b"0123456789", part_sizes=sizes, checksum="SHA256")
    aws.put("theirs", "k", stored)
    paying = S3Store(client_of(aws), request_payer=True)

    paying.check_bucket("theirs")
    assert paying.head("theirs", "k")
    assert paying.part("theirs", "k", 1)
    assert paying.part_sizes("theirs", "k") == sizes
    assert paying.versions("theirs", "k")
    assert [facts.key for facts in paying.list_objects("theirs")] == ["k"]
    assert b"".join(paying.read("theirs", "k")) == b"0123456789"
    with paying.open("theirs", "k") as body:
        assert all_of(body) == b"0123456789"
    paying.write("theirs", "log", b"x")
    paying.check_writable("theirs", "log")
    other = S3Store(client_of(aws))
    with pytest.raises(errors.PermissionMissing):
        list(other.list_objects("theirs"))


def test_objects_under_a_customers_key_are_read_with_it(aws: AwsS3) -> None:
    """Others too; which of the two is tried first is what the last one was."""
    encrypted = Stored(
        b"12345", part_sizes=(2, 3), checksum="SHA256", customer_key=True
    )
    for key in ("a", "b", "c"):
        aws.put("b", key, encrypted)
    for key in ("p", "q"):
        aws.put("b", key, Stored(b"plain"))
    store = S3Store(client_of(aws), customer_key=secret(KEY))

    facts = store.head("b", "a")

    assert facts is not None
    assert facts.customer_key
    assert facts.checksums == (
        Checksum("SHA256", f"{encrypted.checksum_value}-2", "COMPOSITE"),
    )
    assert sum(store.requests().values()) == len(aws.requests)
    aws.requests.clear()
    assert store.part("b", "b", 2) is not None
    assert store.part_sizes("b", "c") == (2, 3)
    with store.open("b", "c") as body:
        assert all_of(body) == b"12345"
        assert body.facts == store.head("b", "c")
    assert len(aws.requests) == 4
    assert b"".join(store.read("b", "p")) == b"plain"
    with store.open("b", "q") as body:
        assert all_of(body) == b"plain"
        assert not body.facts.customer_key
    assert len(aws.requests) == 7


def test_another_customers_key_is_named_as_the_reason(aws: AwsS3) -> None:
    """The object is there, and cannot be read; permissions are not blamed."""
    aws.put("b", "theirs", Stored(b"12345", customer_key=True, key=b"o" * 32))
    aws.put("b", "ours", Stored(b"1", customer_key=True))
    store = S3Store(client_of(aws), customer_key=secret(KEY))

    for _ in ("plain objects so far", "encrypted ones so far"):
        facts = store.head("b", "theirs")
        assert facts is not None
        assert (facts.size_bytes, facts.customer_key) == (5, True)
        with (
            pytest.raises(errors.ObjectUnreadable, match="another key"),
            store.open("b", "theirs"),
        ):
            pass
        assert store.part("b", "theirs", 1) is None
        assert store.part_sizes("b", "theirs") is None
        assert store.head("b", "ours")
    assert store.head("b", "not-there") is None


def test_a_customers_key_is_not_sent_in_the_clear() -> None:
    """To another machine it goes by https alone."""
    for endpoint, refused in (
        ("http://s3.example.com", True),
        ("http://192.0.2.1:9000", True),
        ("https://s3.example.com", False),
        ("http://localhost:9000", False),
        ("http://[::1]:9000", False),
    ):
        client = boto3.client("s3", endpoint_url=endpoint)
        if refused:
            with pytest.raises(errors.SettingsRejected, match="unencrypted") as raised:
                S3Store(client, customer_key=secret(KEY))
            assert secret(KEY).reveal() not in str(raised.value)
        else:
            S3Store(client, customer_key=secret(KEY))


def test_credentials_that_expired_are_not_the_objects_fault() -> None:
    """S3 answers them with 400, as it answers a missing key."""
    client = boto3.client("s3")
    store = S3Store(client)
    with Stubber(client) as stubber:
        stubber.add_client_error("get_object", "ExpiredToken", http_status_code=400)

        with pytest.raises(errors.CredentialsRejected), store.open("b", "k"):
            pass
