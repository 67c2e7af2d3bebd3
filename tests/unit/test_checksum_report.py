"""The manifest of a Batch Operations job, and the report that it ends with."""

import csv
import io
import json
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import SETTINGS, keys

from s3export.domain.backup_layout import ObjectName
from s3export.domain.checksum_report import (
    Computed,
    batch_manifest,
    parse_checksum_report,
)
from s3export.domain.errors import InputRefused

HEADER = "Bucket,Key,VersionId,TaskStatus,ErrorCode,HTTPStatusCode,ResultMessage"
RESULT = {  # User Guide, "Examples: S3 Batch Operations completion reports"
    "checksum_base64": "xqBcMA==",
    "etag": '"3c3c1813042989094598e4b57ecbdc82"',
    "checksumAlgorithm": "CRC32",
    "checksumType": "FULL_OBJECT",
    "checksum_hex": "C6A05C30",
}
COMPUTED = Computed("CRC32", "xqBcMA==", "3c3c1813042989094598e4b57ecbdc82")


def line(
    key: str = "k", bucket: str = "b", status: str = "succeeded", **result: Any
) -> str:
    """Return a line of a report; a part of the result that is ``None`` is left out."""
    told = {name: value for name, value in (RESULT | result).items() if value}
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="").writerow(
        (bucket, key, "", status, "", 200, json.dumps(told))
    )
    return text.getvalue()


def read(*lines: str, end: str = "\n", mark: str = "") -> dict[ObjectName, Computed]:
    """Read a report of these lines."""
    content = mark + "".join(text + end for text in lines)
    return dict(parse_checksum_report(content.encode(), "report.csv"))


# --- the manifest ---------------------------------------------------------------

objects = st.builds(
    ObjectName,
    bucket=st.from_regex(r"[a-z0-9][a-z0-9.-]{1,20}", fullmatch=True),
    key=keys.filter(bool),
)


@given(st.lists(objects, max_size=8))
@example([ObjectName("b", key) for key in (" ", "a b", "a,b", 'a"b', "a+b", "a\r\nb")])
@example([ObjectName("bucket", "key"), ObjectName("b", "100%"), ObjectName("b", "é/ü")])
@SETTINGS
def test_a_manifest_names_every_object_once(names: list[ObjectName]) -> None:
    """One line an object, whatever its key; it needs no more of CSV than the comma."""
    wanted = list(dict.fromkeys(names))

    lines = batch_manifest(names + names).splitlines()

    assert [text.partition(",")[0] for text in lines] == [n.bucket for n in wanted]
    assert [unquote(text.partition(",")[2]) for text in lines] == [
        name.key for name in wanted
    ]
    assert all(text.isascii() and not set(text) & set(' "+') for text in lines)


@given(st.lists(objects, min_size=1, max_size=8, unique=True))
@example([ObjectName("bucket", "key")])
@example([ObjectName("bucket", "k"), ObjectName("b", "k")])
@SETTINGS
def test_what_was_asked_for_is_found_in_the_report(names: list[ObjectName]) -> None:
    """The report repeats bucket and key as the manifest has them."""
    asked = [text.split(",") for text in batch_manifest(names).splitlines()]

    found = read(*(line(key, bucket) for bucket, key in asked))

    assert found == dict.fromkeys(names, COMPUTED)


# --- the report -----------------------------------------------------------------


@pytest.mark.parametrize("header", [(), (HEADER,), (HEADER.upper(),)])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_report_is_read_with_a_header_or_without(
    header: tuple[str, ...], end: str, mark: str
) -> None:
    """The example of the User Guide, with quotes around the ETag."""
    found = read(*header, line("one"), "", line("two"), end=end, mark=mark)

    assert found == {
        ObjectName("b", "one"): COMPUTED,
        ObjectName("b", "two"): COMPUTED,
    }


@pytest.mark.parametrize(
    ("told", "key"),
    [
        ("a%20b", "a b"),
        ("a+b", "a b"),
        ("a%2Bb", "a+b"),
        ("a%2Cb%22c", 'a,b"c'),
        ("a%0D%0Ab", "a\r\nb"),
        ("%C3%A9", "é"),
        ("é", "é"),
        ("a/b", "a/b"),
        ("a%2fb", "a/b"),
        ("%2525", "%25"),
    ],
)
def test_keys_are_decoded(told: str, key: str) -> None:
    """Once."""
    assert list(read(line(told))) == [ObjectName("b", key)]


@pytest.mark.parametrize(
    "left_out",
    [
        line("x", status="failed"),
        line("x", checksumType="COMPOSITE"),
        line("x", checksumType="composite"),
        line("x", checksum_base64=None),
        line("x", checksumAlgorithm=None),
        line("x", checksum_base64=5),
        line("x", checksumAlgorithm=["CRC32"]),
        "b,x,,succeeded,,200,",
        "b,x,,succeeded,,200,Successful",
        'b,x,,succeeded,,200,"[1, 2]"',
        "b,x,,succeeded,,200,null",
        "b,x,,failed,AccessDenied,403,Access denied",
        "b,x,,succeeded,,200," + "[" * 100_000,
    ],
    ids=lambda text: text[:60],
)
def test_what_failed_or_is_no_checksum_over_the_whole_is_left_out(
    left_out: str,
) -> None:
    """The other lines count."""
    found = read(HEADER, line("one"), left_out, line("two"))

    assert [name.key for name in found] == ["one", "two"]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (
            {"checksumAlgorithm": "sha256"},
            Computed("SHA256", "xqBcMA==", COMPUTED.etag),
        ),
        ({"checksumAlgorithm": "NEW1"}, Computed("NEW1", "xqBcMA==", COMPUTED.etag)),
        ({"checksumType": "full_object"}, COMPUTED),
        ({"checksumType": None}, COMPUTED),
        ({"etag": None}, Computed("CRC32", "xqBcMA==", "")),
        ({"etag": "abc-3"}, Computed("CRC32", "xqBcMA==", "abc-3")),
    ],
)
def test_what_is_told_is_taken_over(result: dict[str, Any], expected: Computed) -> None:
    """The algorithm as S3 spells it, the ETag without quotes."""
    assert list(read(line(**result)).values()) == [expected]


def test_names_in_the_result_may_be_written_otherwise() -> None:
    """With underscores or without; in the example there are both."""
    told = {"checksumBase64": "xqBcMA==", "checksum_algorithm": "CRC32", "e_tag": "x"}
    text = f"b,k,,succeeded,,200,{quote_cell(json.dumps(told))}"

    assert list(read(text).values()) == [Computed("CRC32", "xqBcMA==", "x")]


def quote_cell(text: str) -> str:
    """Return a cell of CSV in quotes."""
    return '"' + text.replace('"', '""') + '"'


def test_the_last_word_counts() -> None:
    """Of several lines about one object."""
    (found,) = read(line(checksum_base64="AAAA"), line()).values()

    assert found == COMPUTED


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([HEADER, line(), "b,k,,succeeded"], "line 3 has 4 columns"),
        (["some text"], "line 1 has 1 columns"),
        ([line(), "b," + quote_cell("x" * 200_000)], "line 2"),
    ],
)
def test_another_file_is_refused(lines: list[str], reason: str) -> None:
    """With its name and the line."""
    with pytest.raises(InputRefused, match=f"report.csv: {reason}"):
        read(*lines)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"b,\xe9,,succeeded,,200,{}"])
def test_bytes_that_are_not_utf_8_are_refused(content: bytes) -> None:
    """A report has its keys URL-encoded."""
    with pytest.raises(InputRefused, match=r"report\.csv: not UTF-8"):
        parse_checksum_report(content, "report.csv")


@given(st.binary(max_size=100), st.text(max_size=100))
@SETTINGS
def test_any_file_is_read_or_refused(content: bytes, text: str) -> None:
    """Nothing that it can hold is another error; a manifest is no report."""
    for one in (content, text.encode(), f"b,k,,succeeded,,200,{text}".encode()):
        try:
            parse_checksum_report(one, "any.csv")
        except InputRefused as refused:
            assert "any.csv" in refused.message
    with pytest.raises(InputRefused):
        read(f"some-bucket,{quote(text)}")
