"""What S3's answers mean: facts of objects, and refusals, from what botocore parsed."""

import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore import exceptions as aws

from s3export.adapters.aws_errors import CLIENT_ERRORS
from s3export.domain.errors import (
    AwsError,
    AwsFailed,
    BodyBroken,
    NoSuchObject,
    ObjectArchived,
    ObjectChanged,
    ObjectUnreadable,
)
from s3export.domain.evidence import Checksum, ObjectFacts

ABSENT = ("404", "NoSuchKey", "NotFound", "NoSuchVersion")
"""The codes of what is not there; HEAD is answered without a code."""

_CONTENT_RANGE = re.compile(
    r"bytes (?P<first>\d{1,18})-(?P<last>\d{1,18})/(?P<whole>\d{1,18})", re.ASCII
)
_HTTP_TIME = re.compile(
    r"[A-Z][a-z]{2}, (\d\d) (?P<month>[A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT",
    re.ASCII,
)
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_ENCRYPTION = "x-amz-server-side-encryption"
_METADATA = "x-amz-meta-"
_CHECKSUM = "x-amz-checksum-"
_NO_CHECKSUMS = (f"{_CHECKSUM}type", f"{_CHECKSUM}algorithm", f"{_CHECKSUM}mode")
_TIER = '"GlacierJobParameters":{"Tier":"Standard"}'
_WITHOUT_DAYS = "INTELLIGENT_TIERING"
"""Restored for good: ``Days`` must not be given (API reference, RestoreObject)."""


def object_facts(
    answer: Mapping[str, Any], bucket: str, key: str, version_id: str
) -> ObjectFacts:
    """Return what an answer to HeadObject or GetObject tells."""
    return ObjectFacts(
        bucket=bucket,
        key=key,
        size_bytes=answer["ContentLength"],
        etag=unquoted(answer.get("ETag", "")),
        modified_at=answer["LastModified"],
        version_id=version_id or _version(answer),
        encryption=answer.get("ServerSideEncryption", ""),
        customer_key="SSECustomerAlgorithm" in answer,
        storage_class=answer.get("StorageClass", ""),
        checksums=tuple(_checksums(answer)),
        metadata={k.lower(): v for k, v in answer.get("Metadata", {}).items()},
    )


def facts_of_range(
    facts: ObjectFacts,
    content_range: str,
    start: int,
    length: int | None,
) -> ObjectFacts:
    """Return the facts of the whole, if the answer is the range that was asked for.

    Args:
        facts: Of the answer: its size is the range's.
        content_range: The answer's header of this name; empty where it has none.

    """
    name = f"s3://{facts.bucket}/{facts.key}"
    told = _CONTENT_RANGE.fullmatch(content_range)
    whole = int(told["whole"]) if told else 0
    last = whole - 1 if length is None else start + length - 1
    if not told or (int(told["first"]), int(told["last"])) != (start, last):
        end = "the end" if length is None else str(last)
        raise BodyBroken(
            f"{name}: bytes {start} to {end} were asked for, and the answer is "
            f"{content_range or 'the whole object'}"
        )
    if facts.size_bytes != last - start + 1:
        raise BodyBroken(
            f"{name}: the answer is said to be {content_range}, and to have "
            f"{facts.size_bytes} bytes"
        )
    return facts._replace(size_bytes=whole, checksums=())


def size_of_range(content_range: str) -> int | None:
    """Return the length of an answer that is a range; ``None`` for another answer."""
    told = _CONTENT_RANGE.fullmatch(content_range)
    return int(told["last"]) - int(told["first"]) + 1 if told else None


def following_page(bucket: str, truncated: bool, token: str, following: str) -> str:
    """Return what the next page of a listing begins with; empty after the last one.

    Args:
        token: What this page began with.
        following: What it tells of the next one.

    """
    if truncated and following in ("", token):
        raise AwsFailed(
            f"s3://{bucket}: the listing breaks off: there is more, and the server "
            "does not say from where"
        )
    return following if truncated else ""


def turns_in_a_circle(bucket: str) -> AwsFailed:
    """Return the error for a page that begins with what another had begun with."""
    return AwsFailed(
        f"s3://{bucket}: the listing has no end: the server gives a page again that it "
        "has given before"
    )


def facts_of_headers(
    headers: Mapping[str, str], size_bytes: int, bucket: str, key: str, version_id: str
) -> ObjectFacts:
    """Return what the headers of a GetObject tell; the same as `object_facts`.

    Args:
        headers: Names in lower case.

    Raises:
        ValueError: They do not tell a time, or none that can be read.

    """
    version = headers.get("x-amz-version-id", "")
    kind = headers.get(f"{_CHECKSUM}type", "")
    return ObjectFacts(
        bucket=bucket,
        key=key,
        size_bytes=size_bytes,
        etag=unquoted(headers.get("etag", "")),
        modified_at=_time(headers.get("last-modified", "")),
        version_id=version_id or ("" if version == "null" else version),
        encryption=headers.get(_ENCRYPTION, ""),
        customer_key=f"{_ENCRYPTION}-customer-algorithm" in headers,
        storage_class=headers.get("x-amz-storage-class", ""),
        checksums=tuple(
            Checksum(name.removeprefix(_CHECKSUM).upper(), value, kind)
            for name, value in headers.items()
            if name.startswith(_CHECKSUM) and name not in _NO_CHECKSUMS
        ),
        metadata={
            name.removeprefix(_METADATA): value
            for name, value in headers.items()
            if name.startswith(_METADATA)
        },
    )


def _time(text: str) -> datetime:
    """Return the time of a header; the usual form is read without a parser."""
    usual = _HTTP_TIME.fullmatch(text)
    if usual is None or usual["month"] not in _MONTHS:
        try:
            return parsedate_to_datetime(text).astimezone(UTC)
        except (TypeError, OverflowError) as error:
            raise ValueError(text) from error
    day, year, hour, minute, second = map(int, usual.group(1, 3, 4, 5, 6))
    month = _MONTHS.index(usual["month"]) + 1
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def refusal(
    error: aws.ClientError, request: Mapping[str, Any], payer: str = ""
) -> AwsError | None:
    """Return what a refused GetObject means, if it means something of the object.

    Args:
        payer: As RestoreObject needs to be told; empty where it need not.

    """
    name = f"s3://{request['Bucket']}/{request['Key']}"
    if code(error) == "InvalidObjectState":
        kind = str(error.response["Error"].get("StorageClass") or "")
        return ObjectArchived(
            f"{name} is archived{f' in {kind}' if kind else ''}",
            next_step="restore it: " + _restoring(request, kind, payer),
        )
    if status(error) == 412:
        return ObjectChanged(f"{name} was written anew while it was read")
    if status(error) == 400 and code(error) not in CLIENT_ERRORS:
        said = error.response["Error"].get("Message") or "its key is another's"
        return ObjectUnreadable(f"{name}: {said}")
    if code(error) in ABSENT:
        return NoSuchObject(f"{name}: there is no such object")
    return None


def _restoring(request: Mapping[str, Any], kind: str, payer: str) -> str:
    days = "" if kind == _WITHOUT_DAYS else '"Days":7,'
    key = request["Key"]
    version = request.get("VersionId")
    return shlex.join(
        (
            *("aws", "s3api", "restore-object", "--bucket", request["Bucket"]),
            *((f"--key={key}",) if key.startswith("-") else ("--key", key)),
            *(("--version-id", version) if version else ()),
            *(("--request-payer", payer) if payer else ()),
            *("--restore-request", f"{{{days}{_TIER}}}"),
        )
    )


def header(answer: Mapping[str, Any], name: str) -> str:
    """Return a header of an answer; empty where it has none."""
    return str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get(name, ""))


def code(error: aws.ClientError) -> str:
    """Return the code of an error; of HEAD, which is told none, the status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status(error: aws.ClientError) -> int:
    """Return the HTTP status of an error."""
    metadata = error.response.get("ResponseMetadata", {})
    return int(metadata.get("HTTPStatusCode", 0))


def unquoted(etag: str) -> str:
    """Return an ETag without its quotes."""
    return etag.strip('"')


def _checksums(answer: Mapping[str, Any]) -> Iterator[Checksum]:
    """Yield the checksums of an answer, those of algorithms not invented yet too."""
    for name, value in answer.items():
        algorithm = name.removeprefix("Checksum")
        if algorithm not in (name, "Type", "Algorithm") and isinstance(value, str):
            yield Checksum(algorithm, value, answer.get("ChecksumType", ""))


def _version(answer: Mapping[str, Any]) -> str:
    version = str(answer.get("VersionId") or "")
    return "" if version == "null" else version
