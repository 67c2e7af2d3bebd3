"""S3 through boto3."""

import re
import shlex
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from botocore import exceptions as aws
from urllib3.exceptions import HTTPError

from s3export.adapters.aws_errors import translated
from s3export.domain.errors import (
    AwsError,
    BodyBroken,
    NoSuchBucket,
    NoSuchObject,
    ObjectArchived,
    ObjectChanged,
    ObjectUnreadable,
    PermissionMissing,
)
from s3export.domain.evidence import Checksum, ObjectFacts, PartFacts
from s3export.domain.ports import ObjectBody, ObjectStore, ObjectVersion

_CHUNK_BYTES = 1 << 20
_KINDS = {
    "GetObject": "GET",
    "GetObjectAttributes": "HEAD",
    "AbortMultipartUpload": "DELETE",
    "CreateMultipartUpload": "POST",
    "HeadBucket": "HEAD",
    "HeadObject": "HEAD",
    "ListObjectVersions": "LIST",
    "ListObjectsV2": "LIST",
    "PutObject": "PUT",
}
_PARTS_A_PAGE = 1000
_WITHHELD = "its checksums are withheld: kms:Decrypt may be missing"
_RESTORE = '{"Days":7,"GlacierJobParameters":{"Tier":"Standard"}}'
_CONTENT_RANGE = re.compile(r"bytes (?P<first>\d+)-(?P<last>\d+)/(?P<whole>\d+)")
_ABSENT = ("404", "NoSuchKey", "NotFound", "NoSuchVersion")


class S3Store(ObjectStore):
    """S3, or a server that speaks its protocol.

    Args:
        client: A boto3 ``s3`` client; boto3's clients are thread-safe.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._downloaded = 0
        client.meta.events.register("before-send.s3", self._count_request)

    def check_bucket(self, bucket: str) -> None:
        """Call HeadBucket."""
        self._head_bucket(bucket)

    def region(self, bucket: str) -> str:
        """Call HeadBucket, whose answer names the region in a header.

        So does its refusal to who may not list the bucket (API reference, HeadBucket).
        """
        try:
            answer = self._head_bucket(bucket)
        except PermissionMissing as refused:
            if not isinstance(refused.__cause__, aws.ClientError):
                raise
            region = _header(refused.__cause__.response, "x-amz-bucket-region")
            if not region:
                raise
            return region
        return _header(answer, "x-amz-bucket-region")

    def _head_bucket(self, bucket: str) -> Mapping[str, Any]:
        with translated(f"s3://{bucket}"):
            try:
                answer: Mapping[str, Any] = self._client.head_bucket(Bucket=bucket)
            except aws.ClientError as error:
                if _code(error) not in _ABSENT:
                    raise
                raise NoSuchBucket(f"s3://{bucket}: there is no such bucket") from error
        return answer

    def check_writable(self, bucket: str, key: str) -> None:
        """Begin a multipart upload, which needs s3:PutObject, and give it up at once.

        Nothing becomes an object before CompleteMultipartUpload (Amazon S3 User Guide,
        "Multipart upload process"). Giving up needs s3:AbortMultipartUpload; where that
        is missing, an upload without parts stays, which takes no room.
        """
        with translated(f"s3://{bucket}/{key}"):
            upload = self._client.create_multipart_upload(Bucket=bucket, Key=key)
            try:
                self._client.abort_multipart_upload(
                    Bucket=bucket, Key=key, UploadId=upload["UploadId"]
                )
            except aws.ClientError as error:
                if _status(error) != 403:
                    raise

    def head(
        self, bucket: str, key: str, *, version_id: str = ""
    ) -> ObjectFacts | None:
        """Call HeadObject with the checksums.

        For checksums of an object encrypted with a KMS key S3 also demands
        ``kms:Decrypt`` (API reference, HeadObject, ``ChecksumMode``); without that
        permission the rest of the metadata may still be told.
        """
        request = {"Bucket": bucket, "Key": key, **_of_version(version_id)}
        withheld = ""
        with translated(f"s3://{bucket}/{key}"):
            try:
                try:
                    answer = self._client.head_object(**request, ChecksumMode="ENABLED")
                except aws.ClientError as error:
                    if _status(error) != 403:
                        raise
                    answer = self._client.head_object(**request)
                    withheld = _WITHHELD
            except aws.ClientError as error:
                if _code(error) in _ABSENT or _status(error) == 405:
                    return None  # 405: the version is a delete marker
                if _status(error) == 400:
                    return self._with_customer_key(bucket, key, version_id, error)
                raise
        facts = _object_facts(answer, bucket, key, version_id)
        return replace(facts, checksums_withheld=withheld)

    def part(
        self, bucket: str, key: str, number: int, *, version_id: str = ""
    ) -> PartFacts | None:
        """Call HeadObject with a PartNumber."""
        with translated(f"s3://{bucket}/{key}, part {number}"):
            try:
                answer = self._client.head_object(
                    Bucket=bucket,
                    Key=key,
                    PartNumber=number,
                    **_of_version(version_id),
                )
            except aws.ClientError as error:
                if _status(error) in (400, 403, 404, 416, 501):
                    return None
                raise
        return PartFacts(answer["ContentLength"], answer.get("PartsCount"))

    def part_sizes(
        self, bucket: str, key: str, *, version_id: str = ""
    ) -> tuple[int, ...] | None:
        """Call GetObjectAttributes, page after page."""
        sizes: list[int] = []
        request: dict[str, Any] = {
            "Bucket": bucket,
            "Key": key,
            "ObjectAttributes": ["ObjectParts"],
            "MaxParts": _PARTS_A_PAGE,
            **_of_version(version_id),
        }
        with translated(f"s3://{bucket}/{key}"):
            while True:
                try:
                    answer = self._client.get_object_attributes(**request)
                except aws.ClientError as error:
                    if _status(error) in (400, 403, 404, 405, 501):
                        return None  # not permitted, or not known to the server
                    raise
                told = answer.get("ObjectParts", {})
                sizes += [part["Size"] for part in told.get("Parts", [])]
                marker = told.get("NextPartNumberMarker", 0)
                if not told.get("IsTruncated") or not told.get("Parts") or not marker:
                    return tuple(sizes) or None
                request["PartNumberMarker"] = marker

    def versions(self, bucket: str, key: str) -> Sequence[ObjectVersion]:
        """Call ListObjectVersions for one key, which comes first in its own prefix."""
        try:
            found = [
                ObjectVersion(
                    str(entry.get("VersionId") or "null"),
                    entry["LastModified"],
                    deleted="Size" not in entry,
                )
                for entry in self._version_entries(bucket, key)
            ]
        except PermissionMissing:
            return ()
        return tuple(sorted(found, key=lambda v: v.modified_at, reverse=True))

    def _version_entries(self, bucket: str, key: str) -> Iterator[Mapping[str, Any]]:
        """Yield what is told of a key's versions; delete markers have no size."""
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=bucket, Prefix=key
        )
        with translated(f"s3://{bucket}/{key}"):
            try:
                for page in pages:
                    told = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                    yield from (entry for entry in told if entry["Key"] == key)
                    if any(entry["Key"] != key for entry in told):
                        return
            except aws.ClientError as error:
                if _status(error) != 501:
                    raise

    def list_objects(
        self, bucket: str, *, prefix: str = "", after: str = ""
    ) -> Iterator[ObjectFacts]:
        """Call ListObjectsV2, page after page."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, StartAfter=after
        )
        with translated(f"s3://{bucket}"):
            for page in pages:
                for entry in page.get("Contents", []):
                    yield ObjectFacts(
                        bucket=bucket,
                        key=entry["Key"],
                        size_bytes=entry["Size"],
                        etag=_unquoted(entry.get("ETag", "")),
                        modified_at=entry["LastModified"],
                        storage_class=entry.get("StorageClass", ""),
                    )

    @contextmanager
    def open(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str = "",
        if_match: str = "",
        start: int = 0,
        length: int | None = None,
    ) -> Iterator[ObjectBody]:
        """Call GetObject with the checksums."""
        name = f"s3://{bucket}/{key}"
        request = {"Bucket": bucket, "Key": key, **_of_version(version_id)}
        if if_match:
            request["IfMatch"] = f'"{if_match}"'
        ranged = bool(start) or length is not None
        if ranged:
            last = "" if length is None else start + length - 1
            request["Range"] = f"bytes={start}-{last}"
        with translated(name):
            try:
                answer, withheld = self._get(request)
            except aws.ClientError as error:
                refused = _refusal(error, bucket, key)
                raise refused or error from error
        facts = replace(
            _object_facts(answer, bucket, key, version_id), checksums_withheld=withheld
        )
        with closing(answer["Body"]) as body:
            announced = answer["ContentLength"]
            if ranged:
                facts = _facts_of_range(facts, answer, start, length, name)
            yield _Body(self, facts, body, announced, name)

    def _get(self, request: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        """Call GetObject, without the checksums where they are withheld."""
        try:
            return self._client.get_object(**request, ChecksumMode="ENABLED"), ""
        except aws.ClientError as error:
            if _status(error) != 403 or _code(error) == "InvalidObjectState":
                raise
        return self._client.get_object(**request), _WITHHELD

    def note_downloaded(self, size_bytes: int) -> None:
        """Count bytes that a body has handed out."""
        with self._lock:
            self._downloaded += size_bytes

    def read(self, bucket: str, key: str, *, version_id: str = "") -> Iterator[bytes]:
        """Call GetObject."""
        with translated(f"s3://{bucket}/{key}"):
            try:
                body = self._client.get_object(
                    Bucket=bucket, Key=key, **_of_version(version_id)
                )["Body"]
            except aws.ClientError as error:
                if _status(error) == 400 or _code(error) == "InvalidObjectState":
                    raise ObjectUnreadable(
                        f"s3://{bucket}/{key}: {error.response['Error']['Message']}",
                        next_step="archived objects: aws s3api restore-object",
                    ) from error
                if _code(error) in _ABSENT:
                    raise NoSuchObject(
                        f"s3://{bucket}/{key}: there is no such object"
                    ) from error
                raise
            with body:
                for chunk in body.iter_chunks(_CHUNK_BYTES):
                    with self._lock:
                        self._downloaded += len(chunk)
                    yield chunk

    def write(self, bucket: str, key: str, body: bytes) -> None:
        """Call PutObject."""
        with translated(f"s3://{bucket}/{key}"):
            self._client.put_object(Bucket=bucket, Key=key, Body=body)

    def requests(self) -> Mapping[str, int]:
        """Return how many requests were sent, retries included."""
        with self._lock:
            return dict(self._requests)

    def bytes_downloaded(self) -> int:
        """Return how many bytes `read` has yielded."""
        return self._downloaded

    def _count_request(self, event_name: str, **_: object) -> None:
        operation = event_name.rpartition(".")[2]
        with self._lock:
            self._requests[_KINDS.get(operation, operation)] += 1

    def _with_customer_key(
        self, bucket: str, key: str, version_id: str, error: aws.ClientError
    ) -> ObjectFacts | None:
        """Tell what can be told of an object whose metadata needs a customer's key.

        S3 answers HeadObject with 400 where the key of SSE-C is missing (Amazon S3 User
        Guide, "Using server-side encryption with customer-provided keys"); the listing
        still has its size.
        """
        if version_id:
            told = self._version_entries(bucket, key)
            entry = next((e for e in told if e.get("VersionId") == version_id), None)
            if entry is None:
                raise error
            size, etag = entry.get("Size", 0), _unquoted(entry.get("ETag", ""))
            modified_at = entry["LastModified"]
        else:
            facts = next(self.list_objects(bucket, prefix=key), None)
            if facts is None or facts.key != key:
                raise error
            size, etag, modified_at = facts.size_bytes, facts.etag, facts.modified_at
        return ObjectFacts(
            bucket, key, size, etag, modified_at, version_id, customer_key=True
        )


class _Body(ObjectBody):
    """A body that boto3 does not check: the loader does, by all that S3 tells."""

    def __init__(
        self, store: S3Store, facts: ObjectFacts, body: Any, announced: int, name: str
    ) -> None:
        self.facts = facts
        self._store = store
        self._raw = getattr(body, "_raw_stream", body)
        self._left = announced
        self._name = name

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        try:
            chunk = self._raw.read(len(buffer))
        except (HTTPError, OSError, aws.BotoCoreError) as error:
            raise BodyBroken(f"{self._name}: the connection broke: {error}") from error
        got = len(chunk)
        self._left -= got
        if self._left < 0 or (not got and len(buffer) and self._left):
            many = "more" if self._left < 0 else "fewer"
            raise BodyBroken(f"{self._name}: {many} bytes came than were announced")
        buffer[:got] = chunk
        self._store.note_downloaded(got)
        return got


def _object_facts(
    answer: Mapping[str, Any], bucket: str, key: str, version_id: str
) -> ObjectFacts:
    return ObjectFacts(
        bucket=bucket,
        key=key,
        size_bytes=answer["ContentLength"],
        etag=_unquoted(answer.get("ETag", "")),
        modified_at=answer["LastModified"],
        version_id=version_id or _version(answer),
        encryption=answer.get("ServerSideEncryption", ""),
        customer_key="SSECustomerAlgorithm" in answer,
        storage_class=answer.get("StorageClass", ""),
        checksums=tuple(_checksums(answer)),
        metadata={k.lower(): v for k, v in answer.get("Metadata", {}).items()},
    )


def _facts_of_range(
    facts: ObjectFacts,
    answer: Mapping[str, Any],
    start: int,
    length: int | None,
    name: str,
) -> ObjectFacts:
    """Return the facts of the whole, if the answer is the range that was asked for."""
    told = _CONTENT_RANGE.fullmatch(answer.get("ContentRange", ""))
    whole = int(told["whole"]) if told else 0
    last = whole - 1 if length is None else start + length - 1
    if not told or (int(told["first"]), int(told["last"])) != (start, last):
        raise BodyBroken(
            f"{name}: bytes {start} to {last} were asked for, and the answer is "
            f"{answer.get('ContentRange') or 'the whole'}"
        )
    return replace(facts, size_bytes=whole, checksums=())


def _refusal(error: aws.ClientError, bucket: str, key: str) -> AwsError | None:
    """Return what a refused GetObject means, if it means something of the object."""
    name = f"s3://{bucket}/{key}"
    if _code(error) == "InvalidObjectState":
        kind = error.response["Error"].get("StorageClass", "")
        return ObjectArchived(
            f"{name} is archived{f' in {kind}' if kind else ''}",
            next_step="restore it: "
            + shlex.join(
                (
                    *("aws", "s3api", "restore-object", "--bucket", bucket),
                    *("--key", key, "--restore-request", _RESTORE),
                )
            ),
        )
    if _status(error) == 412:
        return ObjectChanged(f"{name} was written anew while it was read")
    if _status(error) == 400:
        return ObjectUnreadable(f"{name}: {error.response['Error']['Message']}")
    if _code(error) in _ABSENT:
        return NoSuchObject(f"{name}: there is no such object")
    return None


def _header(answer: Mapping[str, Any], name: str) -> str:
    return str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get(name, ""))


def _code(error: aws.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: aws.ClientError) -> int:
    metadata = error.response.get("ResponseMetadata", {})
    return int(metadata.get("HTTPStatusCode", 0))


def _unquoted(etag: str) -> str:
    return etag.strip('"')


def _of_version(version_id: str) -> Mapping[str, str]:
    return {"VersionId": version_id} if version_id else {}


def _checksums(answer: Mapping[str, Any]) -> Iterator[Checksum]:
    """Yield the checksums of an answer, those of algorithms not invented yet too."""
    for name, value in answer.items():
        algorithm = name.removeprefix("Checksum")
        if algorithm not in (name, "Type", "Algorithm") and isinstance(value, str):
            yield Checksum(algorithm, value, answer.get("ChecksumType", ""))


def _version(answer: Mapping[str, Any]) -> str:
    version = str(answer.get("VersionId") or "")
    return "" if version == "null" else version
