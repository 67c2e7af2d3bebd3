"""What the server that reads like AWS S3 answers, seen through boto3."""

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from fixtures.aws_s3 import AwsS3, Stored, Zeros

BUCKET = "some-bucket"
GIB = 1 << 30
MIB = 1 << 20

# captured from S3 in eu-west-1: the SHA-256 of three parts and what S3 made of them
CAPTURED_PARTS = (
    "lcKa6Boe7a167tUCN5C4OaFygGSYD8MBnBARTrdL+1w=",
    "gHjhbUT4oo2tSCtSZJdlKi+jeNXJT+VImqdPXsXvkOc=",
    "4l9PQ3zOPZ0oGFvknFX+J4zZwE4WMzO+l3r8XrbWOeM=",
)
CAPTURED_COMPOSITE = "rVWtNbadtsaKXJAcgWPWjifHzJaXde/iV4jaJAOdivc="

BODY = b"the first part, the second, the third"
PARTS = (16, 12, 9)
PIECES = (BODY[:16], BODY[16:28], BODY[28:])
ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]


@pytest.fixture
def s3() -> Iterator[AwsS3]:
    with AwsS3() as server:
        server.create_bucket(BUCKET)
        yield server


@pytest.fixture
def client(s3: AwsS3) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=s3.endpoint_url,
        config=Config(retries={"total_max_attempts": 1}),
    )


def status(raised: pytest.ExceptionInfo[ClientError]) -> int:
    return int(raised.value.response["ResponseMetadata"]["HTTPStatusCode"])


def code(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])


def header(raised: pytest.ExceptionInfo[ClientError], name: str) -> str | None:
    headers = raised.value.response["ResponseMetadata"]["HTTPHeaders"]
    value: str | None = headers.get(name)
    return value


def in_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def composite(pieces: tuple[bytes, ...]) -> str:
    """Compute a composite SHA-256 by the rule that the captured values follow."""
    return in_base64(
        hashlib.sha256(b"".join(hashlib.sha256(p).digest() for p in pieces)).digest()
    )


def head(client: Any, key: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.head_object(Bucket=BUCKET, Key=key, **more)
    return answer


def attributes(client: Any, key: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.get_object_attributes(
        Bucket=BUCKET, Key=key, ObjectAttributes=ALL, **more
    )
    return answer


def test_a_single_put_has_the_md5_as_its_etag(s3: AwsS3, client: Any) -> None:
    """HEAD tells size, ETag, date and the user's metadata, and no checksum unasked."""
    at = datetime(2025, 5, 6, 7, 8, 9, tzinfo=UTC)
    facts = Stored(BODY, checksum="SHA256", metadata={"md5": "x"}, modified_at=at)
    s3.put(BUCKET, "key", facts)

    answer = head(client, "key")

    assert answer["ETag"] == f'"{hashlib.md5(BODY).hexdigest()}"'
    assert answer["ContentLength"] == len(BODY)
    assert answer["LastModified"] == at
    assert answer["Metadata"] == {"md5": "x"}
    assert "ChecksumSHA256" not in answer
    assert "StorageClass" not in answer
    assert "VersionId" not in answer


def test_a_multipart_etag_is_the_md5_of_the_md5s(s3: AwsS3, client: Any) -> None:
    """One part is enough for a suffix."""
    s3.put(BUCKET, "three", Stored(BODY, PARTS))
    s3.put(BUCKET, "one", Stored(BODY, (len(BODY),)))

    md5s = b"".join(hashlib.md5(piece).digest() for piece in PIECES)
    one = hashlib.md5(hashlib.md5(BODY).digest()).hexdigest()

    assert head(client, "three")["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-3"'
    assert head(client, "one")["ETag"] == f'"{one}-1"'


def test_captured_part_digests_make_the_captured_composite() -> None:
    """The rule of these tests for composite checksums is the rule of S3."""
    digests = b"".join(base64.b64decode(part) for part in CAPTURED_PARTS)

    assert in_base64(hashlib.sha256(digests).digest()) == CAPTURED_COMPOSITE


def test_a_composite_checksum_has_a_suffix_in_head_alone(
    s3: AwsS3, client: Any
) -> None:
    """GetObjectAttributes gives the checksum without it and the ETag without quotes."""
    s3.put(BUCKET, "key", Stored(BODY, PARTS, checksum="SHA256"))

    told = head(client, "key", ChecksumMode="ENABLED")
    attributed = attributes(client, "key")

    assert told["ChecksumSHA256"] == composite(PIECES) + "-3"
    assert told["ChecksumType"] == "COMPOSITE"
    assert attributed["Checksum"]["ChecksumSHA256"] == composite(PIECES)
    assert attributed["Checksum"]["ChecksumType"] == "COMPOSITE"
    assert f'"{attributed["ETag"]}"' == told["ETag"]
    assert attributed["ObjectSize"] == len(BODY)
    assert attributed["StorageClass"] == "STANDARD"


def test_the_parts_of_a_composite_object_are_listed(s3: AwsS3, client: Any) -> None:
    """Each with its number, size and checksum."""
    s3.put(BUCKET, "key", Stored(BODY, PARTS, checksum="SHA256"))

    parts = attributes(client, "key")["ObjectParts"]

    assert parts["TotalPartsCount"] == 3
    assert parts["IsTruncated"] is False
    assert parts["Parts"] == [
        {
            "PartNumber": number,
            "Size": len(piece),
            "ChecksumSHA256": in_base64(hashlib.sha256(piece).digest()),
        }
        for number, piece in enumerate(PIECES, start=1)
    ]


def test_parts_are_listed_in_pages(s3: AwsS3, client: Any) -> None:
    """At most 1000, and as few as asked."""
    s3.put(BUCKET, "key", Stored(Zeros(1002), (1,) * 1002, checksum="CRC32"))

    first = attributes(client, "key")["ObjectParts"]
    second = attributes(
        client, "key", PartNumberMarker=first["NextPartNumberMarker"], MaxParts=1
    )["ObjectParts"]

    assert first["IsTruncated"] is True
    assert [part["PartNumber"] for part in first["Parts"]] == list(range(1, 1001))
    assert second["IsTruncated"] is True
    assert [part["PartNumber"] for part in second["Parts"]] == [1001]


@pytest.mark.parametrize(
    "stored",
    [Stored(BODY, PARTS), Stored(BODY, PARTS, checksum="CRC64NVME")],
    ids=["no checksum", "full object"],
)
def test_without_a_composite_checksum_parts_are_only_counted(
    s3: AwsS3, client: Any, stored: Stored
) -> None:
    """The sizes of the parts are then only in the answers to HEAD of each part."""
    s3.put(BUCKET, "key", stored)

    assert attributes(client, "key")["ObjectParts"] == {"TotalPartsCount": 3}


def test_an_object_put_at_once_has_no_parts(s3: AwsS3, client: Any) -> None:
    """Neither its attributes nor HEAD of its one part count any."""
    s3.put(BUCKET, "key", Stored(BODY))

    answer = head(client, "key", PartNumber=1)

    assert "ObjectParts" not in attributes(client, "key")
    assert "Checksum" not in attributes(client, "key")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert answer["ContentLength"] == len(BODY)
    assert "PartsCount" not in answer


def test_head_of_a_part_tells_its_size_and_the_etag_of_the_whole(
    s3: AwsS3, client: Any
) -> None:
    """The number of parts is told here and not in HEAD of the whole."""
    s3.put(BUCKET, "key", Stored(BODY, PARTS))
    whole = head(client, "key")

    second = head(client, "key", PartNumber=2)

    assert second["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert second["ContentLength"] == PARTS[1]
    assert second["ContentRange"] == f"bytes 16-27/{len(BODY)}"
    assert second["PartsCount"] == 3
    assert second["ETag"] == whole["ETag"]
    assert "PartsCount" not in whole


@pytest.mark.parametrize("parts", [(), PARTS])
def test_a_part_beyond_the_last_is_not_satisfiable(
    s3: AwsS3, client: Any, parts: tuple[int, ...]
) -> None:
    """416, for a single object as for one of many parts."""
    s3.put(BUCKET, "key", Stored(BODY, parts))

    with pytest.raises(ClientError) as raised:
        head(client, "key", PartNumber=4)

    assert status(raised) == 416


def test_a_part_has_a_checksum_only_under_a_composite(s3: AwsS3, client: Any) -> None:
    """It is the part's own; a part of a full-object checksum has none."""
    s3.put(BUCKET, "composite", Stored(BODY, PARTS, checksum="SHA256"))
    s3.put(BUCKET, "full", Stored(BODY, PARTS, checksum="CRC64NVME"))
    asked = {"PartNumber": 2, "ChecksumMode": "ENABLED"}

    part = head(client, "composite", **asked)

    assert part["ChecksumSHA256"] == in_base64(hashlib.sha256(PIECES[1]).digest())
    assert "ChecksumCRC64NVME" not in head(client, "full", **asked)


@pytest.mark.parametrize(
    ("algorithm", "check_value"),
    [  # of the CRCs and XXH64, as published for "123456789"
        ("CRC32", "cbf43926"),
        ("CRC32C", "e3069283"),
        ("CRC64NVME", "ae8b14860a799888"),
        ("XXHASH64", "8cb841db40e6ae83"),
        ("SHA1", hashlib.sha1(b"123456789").hexdigest()),
        ("SHA256", hashlib.sha256(b"123456789").hexdigest()),
        ("SHA512", hashlib.sha512(b"123456789").hexdigest()),
        ("MD5", hashlib.md5(b"123456789").hexdigest()),
    ],
)
def test_a_full_object_checksum_is_of_the_whole_body(
    s3: AwsS3, client: Any, algorithm: str, check_value: str
) -> None:
    """In base64 of big-endian bytes; only CRCs have one of an object in parts."""
    s3.put(BUCKET, "single", Stored(b"123456789", checksum=algorithm))
    in_parts = ["parts"] if algorithm.startswith("CRC") else []
    for key in in_parts:
        s3.put(BUCKET, key, Stored(b"123456789", (5, 4), algorithm, "FULL_OBJECT"))

    for key in ("single", *in_parts):
        answer = head(client, key, ChecksumMode="ENABLED")
        assert answer[f"Checksum{algorithm}"] == in_base64(bytes.fromhex(check_value))
        assert answer["ChecksumType"] == "FULL_OBJECT"


@pytest.mark.parametrize(
    ("parts", "algorithm", "usual", "impossible"),
    [
        ((), "SHA256", "FULL_OBJECT", "COMPOSITE"),
        (PARTS, "SHA256", "COMPOSITE", "FULL_OBJECT"),
        (PARTS, "XXHASH3", "COMPOSITE", "FULL_OBJECT"),
        (PARTS, "CRC64NVME", "FULL_OBJECT", "COMPOSITE"),
        (PARTS, "CRC32", "COMPOSITE", "OTHER"),
    ],
)
def test_checksums_are_of_the_types_that_s3_makes(
    parts: tuple[int, ...], algorithm: str, usual: str, impossible: str
) -> None:
    """No test can store what S3 never has."""
    assert Stored(BODY, parts, algorithm).checksum_type == usual
    with pytest.raises(ValueError, match=impossible):
        Stored(BODY, parts, algorithm, impossible)


def test_the_sizes_of_the_parts_are_the_size_of_the_body() -> None:
    """Parts that leave something out are a mistake in a test."""
    with pytest.raises(ValueError, match="36 bytes, not 37"):
        Stored(BODY, (16, 12, 8))


@pytest.mark.parametrize("algorithm", ["XXHASH3", "XXHASH128"])
def test_newer_checksums_are_told(s3: AwsS3, client: Any, algorithm: str) -> None:
    """boto3 accepts the body of an object that has one."""
    s3.put(BUCKET, "key", Stored(BODY, checksum=algorithm))

    answer = client.get_object(Bucket=BUCKET, Key="key", ChecksumMode="ENABLED")

    assert answer[f"Checksum{algorithm}"]
    assert answer["Body"].read() == BODY


def test_an_unknown_checksum_is_told_in_its_own_header(s3: AwsS3, client: Any) -> None:
    """boto3 does not know it and passes it by."""
    s3.put(BUCKET, "key", Stored(BODY, checksum="BLAKE9"))

    answer = head(client, "key", ChecksumMode="ENABLED")
    listed = client.list_objects_v2(Bucket=BUCKET)["Contents"][0]

    assert "x-amz-checksum-blake9" in answer["ResponseMetadata"]["HTTPHeaders"]
    assert answer["ChecksumType"] == "FULL_OBJECT"
    assert listed["ChecksumAlgorithm"] == ["BLAKE9"]


def test_zeros_beyond_memory_have_the_digests_of_zeros(s3: AwsS3, client: Any) -> None:
    """Equal parts are hashed once, and CRCs of zeros are combined."""
    parts = (64 * MIB,) * 96
    whole = Zeros(6 * GIB)
    s3.put(BUCKET, "key", Stored(whole, parts, "CRC32", "FULL_OBJECT"))
    s3.put(BUCKET, "small", Stored(Zeros(3 * MIB + 1), checksum="CRC32"))

    one = hashlib.md5(bytes(64 * MIB)).digest()
    crc = 0
    for _ in range(96):
        crc = zlib.crc32(bytes(64 * MIB), crc)

    answer = head(client, "key", ChecksumMode="ENABLED")
    small = head(client, "small", ChecksumMode="ENABLED")

    assert answer["ContentLength"] == 6 * GIB
    assert answer["ETag"] == f'"{hashlib.md5(one * 96).hexdigest()}-96"'
    assert answer["ChecksumCRC32"] == in_base64(crc.to_bytes(4, "big"))
    assert small["ChecksumCRC32"] == in_base64(
        zlib.crc32(bytes(3 * MIB + 1)).to_bytes(4, "big")
    )


def test_zeros_are_read_in_ranges(s3: AwsS3, client: Any) -> None:
    """A range far inside a huge object is sent without the rest."""
    s3.put(BUCKET, "key", Stored(Zeros(6 * GIB), (64 * MIB,) * 96))

    wanted = f"bytes={5 * GIB}-{5 * GIB + 2 * MIB}"
    answer = client.get_object(Bucket=BUCKET, Key="key", Range=wanted)

    assert answer["ContentRange"] == f"{wanted.replace('=', ' ')}/{6 * GIB}"
    assert answer["Body"].read() == bytes(2 * MIB + 1)


@pytest.mark.parametrize("encryption", ["aws:kms", "aws:kms:dsse"])
def test_under_kms_the_etag_is_no_md5(s3: AwsS3, client: Any, encryption: str) -> None:
    """It looks like one, with the number of parts where there are any."""
    s3.put(BUCKET, "single", Stored(BODY, encryption=encryption))
    s3.put(BUCKET, "parts", Stored(BODY, PARTS, encryption=encryption))
    s3.put(BUCKET, "plain", Stored(BODY, encryption="AES256"))

    single, parts = head(client, "single"), head(client, "parts")

    assert single["ServerSideEncryption"] == encryption
    assert len(single["ETag"]) == 34
    assert hashlib.md5(BODY).hexdigest() not in single["ETag"]
    assert parts["ETag"].endswith('-3"')
    assert hashlib.md5(BODY).hexdigest() in head(client, "plain")["ETag"]


def test_an_object_under_a_customers_key_is_refused_without_it(
    s3: AwsS3, client: Any
) -> None:
    """400 to all but listings, of which HEAD says no more; 403 with another key.

    With a key for an object that has none it is 400, too.
    """
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    s3.put(BUCKET, "key", Stored(BODY, customer_key=True, key=b"k" * 32))
    s3.put(BUCKET, "other", Stored(BODY, customer_key=True))
    s3.put(BUCKET, "plain", Stored(BODY))

    with pytest.raises(ClientError) as by_head:
        head(client, "key")
    with pytest.raises(ClientError) as by_get:
        client.get_object(Bucket=BUCKET, Key="key")
    with pytest.raises(ClientError) as by_attributes:
        attributes(client, "key")
    listed = client.list_objects_v2(Bucket=BUCKET)["Contents"]
    with_key = head(client, "key", **key)
    with pytest.raises(ClientError) as by_another:
        client.get_object(Bucket=BUCKET, Key="other", **key)
    with pytest.raises(ClientError) as for_plain:
        client.get_object(Bucket=BUCKET, Key="plain", **key)

    assert (status(by_another), code(by_another)) == (403, "AccessDenied")
    assert (status(for_plain), code(for_plain)) == (400, "InvalidRequest")
    assert (status(by_head), code(by_head)) == (400, "400")
    assert (status(by_get), code(by_get)) == (400, "InvalidRequest")
    assert code(by_attributes) == "InvalidRequest"
    assert listed[0]["Size"] == len(BODY)
    assert with_key["ContentLength"] == len(BODY)


def test_a_body_is_read_whole_in_ranges_and_if_it_matches(
    s3: AwsS3, client: Any
) -> None:
    """A body that is another than expected is not sent."""
    s3.put(BUCKET, "key", Stored(BODY, PARTS, checksum="CRC32C"))
    etag = head(client, "key")["ETag"]

    def read(**more: Any) -> tuple[bytes, str | None]:
        answer = client.get_object(Bucket=BUCKET, Key="key", **more)
        return answer["Body"].read(), answer.get("ContentRange")

    assert read(IfMatch=etag) == (BODY, None)
    assert read(Range="bytes=0-") == (BODY, "bytes 0-36/37")
    assert read(Range="bytes=4-8") == (BODY[4:9], "bytes 4-8/37")
    assert read(Range="bytes=30-99") == (BODY[30:], "bytes 30-36/37")
    assert read(Range="bytes=-3") == (BODY[-3:], "bytes 34-36/37")
    with pytest.raises(ClientError) as beyond:
        read(Range="bytes=1000-")
    with pytest.raises(ClientError) as other:
        read(IfMatch='"other"')
    assert (status(beyond), code(beyond)) == (416, "InvalidRange")
    assert (status(other), code(other)) == (412, "PreconditionFailed")


def test_an_empty_object_has_no_range(s3: AwsS3, client: Any) -> None:
    """Its one part is the whole object."""
    s3.put(BUCKET, "key", Stored(b"", checksum="CRC64NVME"))

    part = head(client, "key", PartNumber=1)
    read = client.get_object(Bucket=BUCKET, Key="key")

    assert part["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert (part["ContentLength"], part.get("ContentRange")) == (0, None)
    assert read["Body"].read() == b""


def test_an_archived_object_is_told_but_not_read(s3: AwsS3, client: Any) -> None:
    """HEAD tells its storage class."""
    s3.put(BUCKET, "key", Stored(BODY, storage_class="GLACIER"))

    with pytest.raises(ClientError) as raised:
        client.get_object(Bucket=BUCKET, Key="key")

    assert code(raised) == "InvalidObjectState"
    assert head(client, "key")["StorageClass"] == "GLACIER"


def test_listings_come_in_pages_of_a_thousand_keys(s3: AwsS3, client: Any) -> None:
    """However many are asked for; the pages together hold each key once."""
    names = [f"n/{number:04}" for number in range(2001)]
    for name in names:
        s3.put(BUCKET, name, Stored(b"x"))

    first = client.list_objects_v2(Bucket=BUCKET, MaxKeys=5000)
    pages = list(client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET))

    assert (first["KeyCount"], first["IsTruncated"]) == (1000, True)
    assert [page["KeyCount"] for page in pages] == [1000, 1000, 1]
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == names


def test_keys_are_listed_in_the_order_of_their_bytes(s3: AwsS3, client: Any) -> None:
    """Whatever they contain, and an emoji comes after U+FFxx unlike in UTF-16."""
    names = ["B", "a b+c%20&<>", "a\nb\rc", "b/", "é", "\uff21", "\U0001f600"]
    names.sort(key=lambda name: name.encode())
    for name in reversed(names):
        s3.put(BUCKET, name, Stored(b"x"))

    listed = client.list_objects_v2(Bucket=BUCKET)["Contents"]
    later = client.list_objects_v2(Bucket=BUCKET, StartAfter="b/")["Contents"]
    by_prefix = client.list_objects_v2(Bucket=BUCKET, Prefix="a")["Contents"]

    assert [entry["Key"] for entry in listed] == names
    assert [entry["Key"] for entry in later] == ["é", "\uff21", "\U0001f600"]
    assert [entry["Key"] for entry in by_prefix] == ["a\nb\rc", "a b+c%20&<>"]
    assert all(head(client, name)["ContentLength"] == 1 for name in names)


def test_a_listing_tells_what_checksum_an_object_has(s3: AwsS3, client: Any) -> None:
    """Its algorithm and type, not its value."""
    s3.put(BUCKET, "a", Stored(BODY, PARTS, checksum="SHA1"))
    s3.put(BUCKET, "b", Stored(BODY, checksum="CRC64NVME"))
    s3.put(BUCKET, "c", Stored(BODY))

    a, b, c = client.list_objects_v2(Bucket=BUCKET)["Contents"]

    assert (a["ChecksumAlgorithm"], a["ChecksumType"]) == (["SHA1"], "COMPOSITE")
    assert (b["ChecksumAlgorithm"], b["ChecksumType"]) == (["CRC64NVME"], "FULL_OBJECT")
    assert "ChecksumAlgorithm" not in c
    assert c["StorageClass"] == "STANDARD"
    assert c["ETag"] == f'"{hashlib.md5(BODY).hexdigest()}"'


def test_a_versioned_bucket_keeps_what_is_overwritten_and_deleted(
    s3: AwsS3, client: Any
) -> None:
    """The newest is listed first, and a delete marker hides the object."""
    s3.create_bucket("versioned", versioned=True)
    old = s3.put("versioned", "key", Stored(b"old"))
    new = s3.put("versioned", "key", Stored(b"newer"))
    at = datetime(2026, 6, 7, tzinfo=UTC)
    marker = s3.delete("versioned", "key", at)

    listed = client.list_object_versions(Bucket="versioned")
    with pytest.raises(ClientError) as current:
        client.head_object(Bucket="versioned", Key="key")
    with pytest.raises(ClientError) as named:
        client.head_object(Bucket="versioned", Key="key", VersionId=marker)
    with pytest.raises(ClientError) as unknown:
        client.get_object(Bucket="versioned", Key="key", VersionId="other")
    read = client.get_object(Bucket="versioned", Key="key", VersionId=old)

    assert [(v["VersionId"], v["IsLatest"], v["Size"]) for v in listed["Versions"]] == [
        (new, False, 5),
        (old, False, 3),
    ]
    assert [
        (v["VersionId"], v["IsLatest"], v["LastModified"])
        for v in listed["DeleteMarkers"]
    ] == [(marker, True, at)]
    assert client.list_objects_v2(Bucket="versioned")["KeyCount"] == 0
    assert (status(current), header(current, "x-amz-delete-marker")) == (404, "true")
    assert (status(named), header(named, "x-amz-delete-marker")) == (405, "true")
    assert (status(unknown), code(unknown)) == (404, "NoSuchVersion")
    assert (read["Body"].read(), read["VersionId"]) == (b"old", old)


def test_versions_are_listed_in_pages(s3: AwsS3, client: Any) -> None:
    """A page may end between two versions of a key."""
    s3.create_bucket("versioned", versioned=True)
    made = {
        (key, s3.put("versioned", key, Stored(b"x")))
        for key in ("a", "p/1", "p/2")
        for _ in range(4)
    }

    def versions(**more: Any) -> list[tuple[str, str]]:
        pages = client.get_paginator("list_object_versions").paginate(
            Bucket="versioned", PaginationConfig={"PageSize": 3}, **more
        )
        return [
            (version["Key"], version["VersionId"])
            for page in pages
            for version in page["Versions"]
        ]

    assert len(versions()) == 12
    assert set(versions()) == made
    assert {key for key, _ in versions(Prefix="p/")} == {"p/1", "p/2"}
    assert versions(KeyMarker="p/1") == versions()[8:]


def test_in_a_bucket_without_versions_the_version_is_null(
    s3: AwsS3, client: Any
) -> None:
    """What is overwritten or deleted is gone."""
    s3.put(BUCKET, "key", Stored(b"old"))
    s3.put(BUCKET, "key", Stored(b"newer"))
    s3.put(BUCKET, "gone", Stored(b"x"))
    s3.delete(BUCKET, "gone", datetime(2026, 1, 1, tzinfo=UTC))

    listed = client.list_object_versions(Bucket=BUCKET)["Versions"]
    with pytest.raises(ClientError) as gone:
        client.get_object(Bucket=BUCKET, Key="gone")

    assert [(v["Key"], v["VersionId"], v["Size"]) for v in listed] == [
        ("key", "null", 5)
    ]
    assert (status(gone), code(gone)) == (404, "NoSuchKey")
    assert header(gone, "x-amz-delete-marker") is None
    assert head(client, "key", VersionId="null")["ContentLength"] == 5


def test_a_server_may_ignore_part_numbers(s3: AwsS3, client: Any) -> None:
    """It answers for the whole object and counts no parts."""
    s3.put(BUCKET, "key", Stored(BODY, PARTS))
    s3.ignores_part_number = True

    answer = head(client, "key", PartNumber=7)

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["ContentLength"] == len(BODY)
    assert "PartsCount" not in answer


def test_a_server_may_tell_no_parts(s3: AwsS3, client: Any) -> None:
    """The other attributes are told."""
    s3.put(BUCKET, "key", Stored(BODY, PARTS, checksum="SHA256"))
    s3.tells_no_attributes = True

    answer = attributes(client, "key")

    assert "ObjectParts" not in answer
    assert answer["Checksum"]["ChecksumSHA256"] == composite(PIECES)


@pytest.mark.parametrize(
    "operation",
    [
        "HeadBucket",
        "HeadObject",
        "GetObject",
        "GetObjectAttributes",
        "ListObjectsV2",
        "ListObjectVersions",
    ],
)
def test_an_operation_may_be_denied(s3: AwsS3, client: Any, operation: str) -> None:
    """It alone gets 403, and HEAD no code."""
    s3.put(BUCKET, "key", Stored(BODY))
    of_key: dict[str, Any] = {"Bucket": BUCKET, "Key": "key"}
    calls: dict[str, Callable[[], Any]] = {
        "HeadBucket": lambda: client.head_bucket(Bucket=BUCKET),
        "HeadObject": lambda: client.head_object(**of_key),
        "GetObject": lambda: client.get_object(**of_key),
        "GetObjectAttributes": lambda: attributes(client, "key"),
        "ListObjectsV2": lambda: client.list_objects_v2(Bucket=BUCKET),
        "ListObjectVersions": lambda: client.list_object_versions(Bucket=BUCKET),
    }
    s3.denies.add(operation)

    with pytest.raises(ClientError) as raised:
        calls.pop(operation)()
    for call in calls.values():
        call()

    assert status(raised) == 403
    assert code(raised) == ("403" if "Head" in operation else "AccessDenied")


def test_the_checksum_under_a_kms_key_may_be_denied(s3: AwsS3, client: Any) -> None:
    """HEAD without it is answered, and so is every HEAD of another object."""
    kms = Stored(BODY, checksum="SHA256", encryption="aws:kms")
    s3.put(BUCKET, "kms", kms)
    s3.put(BUCKET, "plain", Stored(BODY, checksum="SHA256"))
    s3.denies.add("HeadObject:checksum-mode")

    with pytest.raises(ClientError) as raised:
        head(client, "kms", ChecksumMode="ENABLED")

    assert status(raised) == 403
    assert head(client, "kms")["ContentLength"] == len(BODY)
    assert "ChecksumSHA256" in head(client, "plain", ChecksumMode="ENABLED")


def test_the_next_requests_may_be_throttled(s3: AwsS3, client: Any) -> None:
    """503 SlowDown, as often as set."""
    s3.throttle = 2

    with pytest.raises(ClientError) as by_list:
        client.list_objects_v2(Bucket=BUCKET)
    with pytest.raises(ClientError) as by_head:
        client.head_bucket(Bucket=BUCKET)
    client.head_bucket(Bucket=BUCKET)

    assert (status(by_list), code(by_list)) == (503, "SlowDown")
    assert status(by_head) == 503


def test_requests_are_noted_in_their_order(s3: AwsS3, client: Any) -> None:
    """Those of many threads, too."""
    s3.put(BUCKET, "a b", Stored(BODY, PARTS))
    head(client, "a b", PartNumber=2)
    noted = list(s3.requests)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: head(client, "a b"), range(100)))

    assert noted == [("HEAD", f"/{BUCKET}/a%20b?partNumber=2")]
    assert len(s3.requests) == 101


def test_an_unknown_bucket_is_not_found(s3: AwsS3, client: Any) -> None:
    """By its code, and by 404 alone to HEAD."""
    with pytest.raises(ClientError) as by_list:
        client.list_objects_v2(Bucket="other")
    with pytest.raises(ClientError) as by_head:
        client.head_bucket(Bucket="other")

    assert code(by_list) == "NoSuchBucket"
    assert status(by_head) == 404


def test_what_is_not_modelled_is_refused(s3: AwsS3, client: Any) -> None:
    """No test can rest on an answer that nobody has thought about."""
    with pytest.raises(ClientError) as by_delimiter:
        client.list_objects_v2(Bucket=BUCKET, Delimiter="/")
    with pytest.raises(ClientError) as by_operation:
        client.get_object_tagging(Bucket=BUCKET, Key="key")

    assert status(by_delimiter) == 501
    assert status(by_operation) == 501
