"""Laws of reading pages of a listing."""

from typing import Final
from urllib.parse import quote_plus
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3export.adapters.listed_pages import fully_listed, plainly_listed

SETTINGS: Final = settings(max_examples=300, deadline=None)
SPACE: Final = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

texts = st.text(
    st.one_of(
        st.sampled_from("a/+%&<>\"' ;\r\n\t\x7f\x85é\u2028💾"),
        st.characters(codec="utf-8"),
    ),
    max_size=8,
)
odd_texts = st.one_of(texts.map(escape), texts, st.just("&quot;x&quot;"))


def element(name: str, text: str) -> str:
    """Return a field."""
    return f"<{name}>{text}</{name}>"


@st.composite
def entries(draw: st.DrawFn, *, odd: bool) -> str:
    """An object as AWS tells it; or with fields that are odd, moved or missing."""
    key = draw(odd_texts if odd else texts.map(quote_plus))
    fields = [
        element("Key", key),
        element("LastModified", "2026-01-01T00:00:00.000Z"),
        element("ETag", draw(odd_texts) if odd else "&quot;ab-2&quot;"),
        element("ChecksumAlgorithm", "CRC32") * draw(st.integers(0, 2)),
        element("Size", draw(st.sampled_from(["0", "+7", " 7", "x"])) if odd else "5"),
        element("StorageClass", "STANDARD"),
    ]
    if odd:
        fields = draw(st.permutations(fields))[draw(st.integers(0, 2)) :]
        fields.append(draw(st.sampled_from(["", "<!-- x -->", "<Owner><ID/></Owner>"])))
    return element("Contents", "".join(fields))


@st.composite
def documents(draw: st.DrawFn, *, odd: bool) -> bytes:
    """A page, whole or damaged."""
    space = draw(st.sampled_from(["", SPACE]))
    between = (
        draw(st.sampled_from(["", "\n", "<!--", "<X>", "<![CDATA["])) if odd else ""
    )
    kinds = st.booleans() if odd else st.just(False)
    inside = between.join(draw(entries(odd=draw(kinds))) for _ in range(3))
    fields = [
        element("IsTruncated", "true"),
        element("EncodingType", draw(st.sampled_from(["url", ""])) if odd else "url"),
        element("NextContinuationToken", "a+b"),
    ]
    place = draw(st.integers(0, 3)) if odd else 3
    content = "".join([*fields[:place], inside, *fields[place:]])
    page = f"<ListBucketResult{space}>{content}</ListBucketResult>"
    head = draw(st.sampled_from(["", '<?xml version="1.0" encoding="UTF-8"?>\n']))
    text = (head + page).encode("utf-8", "surrogatepass")
    if odd and draw(st.booleans()):
        cut = draw(st.integers(0, len(text)))
        text = text[:cut] + draw(st.binary(max_size=3)) + text[cut + 1 :]
    return text


@given(documents(odd=True))
@SETTINGS
def test_a_page_that_is_read_plainly_is_read_right(text: bytes) -> None:
    """What the parser says, errors included; or it is left to the parser."""
    try:
        plainly = plainly_listed(text, "bucket")
    except (ValueError, ElementTree.ParseError) as error:
        with pytest.raises((ValueError, ElementTree.ParseError)):
            fully_listed(text, "bucket")
        assert error is not None
        return
    if plainly is not None:
        assert plainly == fully_listed(text, "bucket")


@given(documents(odd=False))
@SETTINGS
def test_pages_of_aws_are_read_plainly(text: bytes) -> None:
    """Whatever the keys."""
    assert plainly_listed(text, "bucket") == fully_listed(text, "bucket")
