"""Pages of a listing in XML, read without a parser where AWS wrote them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from s3export.adapters.s3_answers import unquoted
from s3export.domain.evidence import ObjectFacts

Page = tuple[list[ObjectFacts], bool, str]
"""Objects, whether there are more, and what they begin with."""

_TEXT = r"[^<&\x00-\x1f\x7f-\x9f]*"
_ENTRY = re.compile(
    f"<Contents><Key>({_TEXT})</Key><LastModified>({_TEXT})</LastModified>"
    rf'<ETag>(?:&quot;|")*([^<&"\x00-\x1f\x7f-\x9f]*)(?:&quot;|")*</ETag>'
    f"(?:<ChecksumAlgorithm>{_TEXT}</ChecksumAlgorithm>)*"
    f"(?:<ChecksumType>{_TEXT}</ChecksumType>)?"
    f"<Size>([0-9]{{1,18}})</Size>"
    f"(?:<StorageClass>({_TEXT})</StorageClass>)?</Contents>"
)
_GROUPS = 6  # what lies before an entry, and five of its fields
_BEGIN, _END = "<Contents>", "</Contents>"
_UTF_8 = re.compile(r'(?:<\?xml version="1\.0"(?: encoding="UTF-8")?\?>\s*)?<List')


def listed(text: bytes, bucket: str) -> Page:
    """Return what a page tells.

    Raises:
        ValueError: It is no page of a listing.
        xml.etree.ElementTree.ParseError: It is no XML.

    """
    return plainly_listed(text, bucket) or fully_listed(text, bucket)


def plainly_listed(text: bytes, bucket: str) -> Page | None:
    """Return the same as `fully_listed` in half of its time, or ``None``.

    That is for entries one after the other, with the fields of AWS in its order, and
    no reference but that of a quote. A parser reads what is around them.
    """
    try:
        page = text.decode("utf-8")
    except UnicodeDecodeError:
        return None
    begin, end = page.find(_BEGIN), page.rfind(_END) + len(_END)
    if begin < 0 or not _UTF_8.match(page) or "<!" in page:
        return None
    # What stands between matches comes with their groups: one pass over it all.
    parts: list[str | None] = [*_ENTRY.split(page[begin:end])]
    if any(parts[::_GROUPS]):
        return None
    root = ElementTree.fromstring((page[:begin] + page[end:]).encode())
    encoded, truncated, following, space = _frame(root)
    if root.find(f"{space}Contents") is not None:
        return None
    keys, times, etags, sizes, classes = (
        parts[number::_GROUPS] for number in range(1, _GROUPS)
    )
    key_of = _key_of(encoded=encoded)
    page_of = [
        ObjectFacts(
            bucket,
            key_of(key or ""),
            int(size or ""),
            etag or "",
            _moment(time or ""),
            storage_class=storage_class or "",
        )
        for key, time, etag, size, storage_class in zip(
            keys, times, etags, sizes, classes, strict=True
        )
    ]
    return page_of, truncated, following


def fully_listed(text: bytes, bucket: str) -> Page:
    """Return what a page tells, however it is written."""
    root = ElementTree.fromstring(text)
    encoded, truncated, following, space = _frame(root)
    key_of = _key_of(encoded=encoded)
    skipped = len(space)
    page = []
    for contents in root.findall(f"{space}Contents"):
        entry = {child.tag[skipped:]: child.text or "" for child in contents}
        page.append(
            ObjectFacts(
                bucket,
                key_of(entry.get("Key", "")),
                int(entry.get("Size", "")),
                unquoted(entry.get("ETag", "")),
                _moment(entry.get("LastModified", "")),
                storage_class=entry.get("StorageClass", ""),
            )
        )
    return page, truncated, following


def _frame(root: ElementTree.Element) -> tuple[bool, bool, str, str]:
    """Return what stands around the entries.

    Returns:
        Whether keys are encoded, whether there are more, what these begin with, and
        the namespace in front of names.

    """
    space, _, name = root.tag.rpartition("}")
    space = f"{space}}}" if space else ""
    if name != "ListBucketResult":
        raise ValueError(name)
    truncated = root.findtext(f"{space}IsTruncated", "")
    if truncated not in ("true", "false"):
        raise ValueError(truncated)
    encoded = root.findtext(f"{space}EncodingType", "") == "url"
    following = root.findtext(f"{space}NextContinuationToken", "")
    return encoded, truncated == "true", following, space


def _key_of(*, encoded: bool) -> Callable[[str], str]:
    return unquote_plus if encoded else str


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
