"""S3 through boto3."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from botocore import exceptions as aws

from s3export.adapters.aws_errors import translated
from s3export.domain.errors import NoSuchBucket, NoSuchObject
from s3export.domain.evidence import ObjectFacts, PartFacts
from s3export.domain.ports import ObjectStore

_CHUNK_BYTES = 1 << 20
_KINDS = {
    "GetObject": "GET",
    "HeadBucket": "HEAD",
    "HeadObject": "HEAD",
    "ListObjectsV2": "LIST",
    "PutObject": "PUT",
}
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
        with translated(f"s3://{bucket}"):
            try:
                self._client.head_bucket(Bucket=bucket)
            except aws.ClientError as error:
                if _code(error) not in _ABSENT:
                    raise
                raise NoSuchBucket(f"s3://{bucket}: there is no such bucket") from error

    def head(self, bucket: str, key: str) -> ObjectFacts | None:
        """Call HeadObject."""
        with translated(f"s3://{bucket}/{key}"):
            try:
                answer = self._client.head_object(Bucket=bucket, Key=key)
            except aws.ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                if _code(error) in ("400", "BadRequest", "InvalidRequest"):
                    return self._with_customer_key(bucket, key, error)
                raise
        return ObjectFacts(
            bucket=bucket,
            key=key,
            size_bytes=answer["ContentLength"],
            etag=_unquoted(answer["ETag"]),
            modified_at=answer["LastModified"],
            version_id=_version(answer),
            encryption=answer.get("ServerSideEncryption", ""),
            customer_key="SSECustomerAlgorithm" in answer,
            storage_class=answer.get("StorageClass", ""),
        )

    def part(
        self, bucket: str, key: str, number: int, *, version_id: str = ""
    ) -> PartFacts | None:
        """Call HeadObject with a PartNumber."""
        version = {"VersionId": version_id} if version_id else {}
        with translated(f"s3://{bucket}/{key}, part {number}"):
            try:
                answer = self._client.head_object(
                    Bucket=bucket, Key=key, PartNumber=number, **version
                )
            except aws.ClientError as error:
                if _status(error) in (400, 404, 416, 501):
                    return None
                raise
        return PartFacts(answer["ContentLength"], answer.get("PartsCount"))

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
                        etag=_unquoted(entry["ETag"]),
                        modified_at=entry["LastModified"],
                        storage_class=entry.get("StorageClass", ""),
                    )

    def read(self, bucket: str, key: str) -> Iterator[bytes]:
        """Call GetObject."""
        with translated(f"s3://{bucket}/{key}"):
            try:
                body = self._client.get_object(Bucket=bucket, Key=key)["Body"]
            except aws.ClientError as error:
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
        self, bucket: str, key: str, error: aws.ClientError
    ) -> ObjectFacts | None:
        """Tell what can be told of an object whose metadata needs a customer's key.

        S3 answers HeadObject with 400 where the key of SSE-C is missing (Amazon S3 User
        Guide, "Using server-side encryption with customer-provided keys"); the listing
        still has its size.
        """
        for facts in self.list_objects(bucket, prefix=key):
            if facts.key == key:
                return ObjectFacts(
                    bucket,
                    key,
                    facts.size_bytes,
                    facts.etag,
                    facts.modified_at,
                    customer_key=True,
                )
            break
        raise error


def _code(error: aws.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: aws.ClientError) -> int:
    metadata = error.response.get("ResponseMetadata", {})
    return int(metadata.get("HTTPStatusCode", 0))


def _unquoted(etag: str) -> str:
    return etag.strip('"')


def _version(answer: Mapping[str, Any]) -> str:
    version = str(answer.get("VersionId") or "")
    return "" if version == "null" else version
