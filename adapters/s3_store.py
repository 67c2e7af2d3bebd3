"""S3 through boto3."""

import base64
import hashlib
import ipaddress
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

from botocore import exceptions as aws
from urllib3.exceptions import HTTPError

from s3export.adapters.aws_errors import not_of_aws, translated
from s3export.adapters.key_ranges import Asked, KeyRanges
from s3export.adapters.range_listing import Page, RangeListing
from s3export.adapters.s3_answers import (
    ABSENT,
    code,
    facts_of_range,
    following_page,
    header,
    object_facts,
    refusal,
    size_of_range,
    status,
    turns_in_a_circle,
    unquoted,
)
from s3export.domain.errors import (
    BodyBroken,
    NoSuchBucket,
    ObjectUnreadable,
    PermissionMissing,
    SettingsRejected,
)
from s3export.domain.evidence import DIRECTORY_BUCKET, ObjectFacts, PartFacts
from s3export.domain.ports import ObjectBody, ObjectStore, ObjectVersion
from s3export.domain.secret import Secret

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
_REQUESTER = "requester"


class S3Store(ObjectStore):
    """S3, or a server that speaks its protocol.

    Args:
        client: A boto3 ``s3`` client; boto3's clients are thread-safe. Made with
            ``response_checksum_validation="when_required"``, for otherwise boto3 asks
            for checksums even where they are withheld.
        request_payer: Say with every request that whoever asks pays for it.
        customer_key: The key, 32 bytes in base64, of objects that are encrypted with a
            key of the customer (SSE-C); others are still found.

    Raises:
        SettingsRejected: The customer's key would cross the network in the clear.
    """

    def __init__(
        self,
        client: Any,
        *,
        request_payer: bool = False,
        customer_key: Secret | None = None,
    ) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._downloaded = 0
        self._payer = _REQUESTER if request_payer else ""
        self._customer_key = customer_key
        self._encrypted_last: set[str] = set()
        if customer_key:
            _refuse_the_clear(client.meta.endpoint_url)
        client.meta.events.register("before-send.s3", self._count_request)
        if request_payer:
            client.meta.events.register("before-call.s3", _say_who_pays)

    def check_bucket(self, bucket: str) -> None:
        """Call HeadBucket."""
        self._head_bucket(bucket)

    def service(self) -> str:
        """Return the partition, where the endpoint is one of AWS's."""
        address = urlsplit(self._client.meta.endpoint_url)
        host = address.hostname or ""
        if f".{host}".endswith(_OF_AWS):
            return str(self._client.meta.partition)
        # Without a name and password before the host, which are nobody's business.
        port = "" if address.port in _USUAL_PORTS else f":{address.port}"
        host = f"[{host}]" if ":" in host else host
        return f"{address.scheme}://{host}{port}{address.path.rstrip('/')}"

    def region(self, bucket: str) -> str:
        """Call HeadBucket, whose answer names the region in a header.

        So does its refusal to who may not list the bucket (API reference, HeadBucket).
        """
        try:
            answer = self._head_bucket(bucket)
        except PermissionMissing as refused:
            if not isinstance(refused.__cause__, aws.ClientError):
                raise
            region = header(refused.__cause__.response, "x-amz-bucket-region")
            if not region:
                raise
            return region
        return header(answer, "x-amz-bucket-region")

    def _head_bucket(self, bucket: str) -> Mapping[str, Any]:
        with translated(f"s3://{bucket}"):
            try:
                answer: Mapping[str, Any] = self._client.head_bucket(Bucket=bucket)
            except aws.ClientError as error:
                if code(error) not in ABSENT:
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
                if status(error) != 403:
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
        with translated(f"s3://{bucket}/{key}"):
            try:
                answer, withheld = self._told(self._client.head_object, request)
            except ObjectUnreadable as error:
                return self._by_listing(bucket, key, version_id, error)
            except aws.ClientError as error:
                if code(error) in ABSENT or (version_id and status(error) == 405):
                    return None  # 405: the version is a delete marker
                if status(error) == 400:
                    return self._by_listing(bucket, key, version_id, error)
                raise
            facts = object_facts(answer, bucket, key, version_id)
        return facts._replace(checksums_withheld=withheld)

    def _told(
        self, operation: Callable[..., Any], request: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], str]:
        """Ask for an object and its checksums; without these where they are withheld.

        Returns:
            The answer, and why its checksums are withheld; empty for no.

        """
        try:
            return self._keyed(operation, {**request, "ChecksumMode": "ENABLED"}), ""
        except aws.ClientError as error:
            if status(error) != 403 or code(error) == "InvalidObjectState":
                raise
        return self._keyed(operation, request), _WITHHELD

    def _keyed(
        self, operation: Callable[..., Any], request: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Ask for an object, with the customer's key if the object is encrypted so.

        S3 refuses with 400 where the key is missing, and where one is sent for an
        object that has none; with 403 where it is another one. Which of the two the
        bucket's last object was is tried first.

        Raises:
            ObjectUnreadable: It is encrypted with another key.

        """
        if self._customer_key is None:
            return _mapping(operation(**request))
        bucket = request["Bucket"]
        key = _key_parameters(self._customer_key)
        ways: list[Mapping[str, Any]] = [{}, key]
        if bucket in self._encrypted_last:
            ways.reverse()
        refused: dict[bool, aws.ClientError] = {}
        for way in ways:
            try:
                answer = _mapping(operation(**request, **way))
            except aws.ClientError as error:
                refused[way is key] = error
                if status(error) not in ((400, 403) if way is key else (400,)):
                    raise
            else:
                remember = self._encrypted_last
                (remember.add if way is key else remember.discard)(bucket)
                return answer
        if status(refused[True]) == 403:
            raise ObjectUnreadable(
                f"s3://{bucket}/{request['Key']} is encrypted with another key than "
                "the one that was given"
            ) from refused[True]
        raise refused[False]

    def part(
        self, bucket: str, key: str, number: int, *, version_id: str = ""
    ) -> PartFacts | None:
        """Call HeadObject with a PartNumber."""
        request = {"Bucket": bucket, "Key": key, "PartNumber": number}
        request |= _of_version(version_id)
        with translated(f"s3://{bucket}/{key}, part {number}"):
            try:
                answer = self._keyed(self._client.head_object, request)
            except ObjectUnreadable:
                return None
            except aws.ClientError as error:
                if status(error) in (400, 403, 404, 416, 501):
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
                    answer = self._keyed(self._client.get_object_attributes, request)
                except ObjectUnreadable:
                    return None
                except aws.ClientError as error:
                    if status(error) in (400, 403, 404, 405, 501):
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
                if status(error) != 501:
                    raise

    def list_objects(
        self, bucket: str, *, prefix: str = "", after: str = ""
    ) -> Iterator[ObjectFacts]:
        """Call ListObjectsV2, page after page."""
        token = ""
        tokens: set[str] = set()
        with translated(f"s3://{bucket}"):
            while True:
                page, token = self._page(bucket, prefix, after, token)
                yield from page
                if not token:
                    return
                if token in tokens:
                    raise turns_in_a_circle(bucket)
                tokens.add(token)

    def list_unordered(
        self,
        bucket: str,
        *,
        prefix: str = "",
        after: str = "",
        up_to: str = "",
        at_once: int = 1,
    ) -> Generator[ObjectFacts, None, None]:
        """Call ListObjectsV2 for several ranges of keys at once.

        Directory buckets list keys in no order and know no StartAfter (API reference,
        ListObjectsV2).
        """
        in_order = not bucket.endswith(DIRECTORY_BUCKET)
        at_once = at_once if in_order else 1
        ranges = KeyRanges(
            prefix, after=after, up_to=up_to, at_once=at_once, in_order=in_order
        )

        def ask(asked: Asked) -> Page:
            with translated(f"s3://{bucket}"):
                return self._page(bucket, asked.prefix, asked.after, asked.token)

        return RangeListing(bucket, ranges, ask, at_once=at_once).objects()

    def _page(
        self, bucket: str, prefix: str, after: str, token: str
    ) -> tuple[Sequence[ObjectFacts], str]:
        """Return a page of a listing, and what the next one begins with."""
        request = {"Bucket": bucket, "Prefix": prefix}
        if after:
            request["StartAfter"] = after
        if token:
            request["ContinuationToken"] = token
        answer = self._client.list_objects_v2(**request)
        if "IsTruncated" not in answer:  # other XML looks like an empty bucket
            raise not_of_aws(f"s3://{bucket}", "IsTruncated")
        page = [
            ObjectFacts(
                bucket=bucket,
                key=entry["Key"],
                size_bytes=entry["Size"],
                etag=unquoted(entry.get("ETag", "")),
                modified_at=entry["LastModified"],
                storage_class=entry.get("StorageClass", ""),
            )
            for entry in answer.get("Contents", [])
        ]
        following = str(answer.get("NextContinuationToken") or "")
        truncated = bool(answer.get("IsTruncated"))
        return page, following_page(bucket, truncated, token, following)

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
        answer, withheld = self._got(request)
        with closing(answer["Body"]) as body:
            if "ContentLength" not in answer:
                size = self._size(answer, request)
                answer = {**answer, "ContentLength": size}
            with translated(name):
                facts = object_facts(answer, bucket, key, version_id)
            facts = facts._replace(checksums_withheld=withheld)
            announced = facts.size_bytes
            if ranged:
                told = answer.get("ContentRange", "")
                facts = facts_of_range(facts, told, start, length)
            yield _Body(self, facts, body, announced, name)

    def _got(self, request: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        with translated(f"s3://{request['Bucket']}/{request['Key']}"):
            try:
                return self._told(self._client.get_object, request)
            except aws.ClientError as error:
                refused = refusal(error, request, self._payer)
                raise refused or error from error

    def _size(self, answer: Mapping[str, Any], request: Mapping[str, Any]) -> int:
        """Return the length of a body that comes in chunks without telling it."""
        size = size_of_range(answer.get("ContentRange", ""))
        if size is not None:
            return size
        bucket, key = request["Bucket"], request["Key"]
        version_id = request.get("VersionId") or answer.get("VersionId") or ""
        facts = self.head(bucket, key, version_id=version_id)
        if facts is None or facts.etag != unquoted(answer.get("ETag", "")):
            raise BodyBroken(
                f"s3://{bucket}/{key}: the answer does not say how long it is"
            )
        return facts.size_bytes

    def note_downloaded(self, size_bytes: int) -> None:
        """Count bytes that a body has handed out."""
        with self._lock:
            self._downloaded += size_bytes

    def read(self, bucket: str, key: str, *, version_id: str = "") -> Iterator[bytes]:
        """Call GetObject; boto3 compares the body with its checksum."""
        name = f"s3://{bucket}/{key}"
        request = {"Bucket": bucket, "Key": key, **_of_version(version_id)}
        answer, _ = self._got(request)
        with translated(name), closing(answer["Body"]) as body:
            for chunk in body.iter_chunks(_CHUNK_BYTES):
                self.note_downloaded(len(chunk))
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
        self._count(_KINDS.get(operation, operation))

    def _count(self, kind: str) -> None:
        with self._lock:
            self._requests[kind] += 1

    def _by_listing(
        self, bucket: str, key: str, version_id: str, error: Exception
    ) -> ObjectFacts:
        """Tell what can be told of an object whose metadata needs another's key.

        S3 answers HeadObject with 400 where the key of SSE-C is missing (Amazon S3 User
        Guide, "Using server-side encryption with customer-provided keys"); the listing
        still has its size.
        """
        if version_id:
            told = self._version_entries(bucket, key)
            entry = next((e for e in told if e.get("VersionId") == version_id), None)
            if entry is None:
                raise error
            size, etag = entry.get("Size", 0), unquoted(entry.get("ETag", ""))
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


def _of_version(version_id: str) -> Mapping[str, str]:
    return {"VersionId": version_id} if version_id else {}


def _mapping(answer: Any) -> Mapping[str, Any]:
    told: Mapping[str, Any] = answer
    return told


def _key_parameters(customer_key: Secret) -> Mapping[str, str]:
    """Return the parameters in the form of the headers, in which boto3 leaves them.

    It knows no other form with GetObjectAttributes.
    """
    text = customer_key.reveal()
    md5 = hashlib.md5(base64.b64decode(text), usedforsecurity=False).digest()
    return {
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": text,
        "SSECustomerKeyMD5": base64.b64encode(md5).decode(),
    }


def _say_who_pays(params: Mapping[str, Any], **_: object) -> None:
    """Say it with HeadBucket too, for which boto3 has no parameter."""
    params["headers"]["x-amz-request-payer"] = _REQUESTER


# General Reference, "AWS service endpoints", those of VPCs and both protocols included.
_USUAL_PORTS = (None, 80, 443)  # nobody speaks HTTP on 443, or HTTPS on 80
_OF_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazonaws.eu")


def _refuse_the_clear(endpoint_url: str) -> None:
    """Refuse to send a key unencrypted to another machine, as S3 itself does."""
    url = urlsplit(endpoint_url)
    try:
        here = ipaddress.ip_address(url.hostname or "").is_loopback
    except ValueError:
        here = url.hostname == "localhost"
    if url.scheme != "https" and not here:
        raise SettingsRejected(
            f"{endpoint_url}: the customer's key (SSE-C) would cross the network "
            "unencrypted",
            next_step="give an endpoint that begins with https://",
        )
