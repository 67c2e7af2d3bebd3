"""The export log: written here, and read in whatever form it comes."""

import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import SETTINGS, keys, paths

from s3export.domain.backup_layout import TreePath
from s3export.domain.errors import InputRefused
from s3export.domain.export_log import (
    FIELDS,
    ExportLog,
    LogEntry,
    parse_export_log,
    write_export_log,
)

SAMPLE = (  # Developer Guide, "Log file fields"
    "Wed Nov 12 11:07:34 PST 2008",
    "/images/image.jpg",
    "200",
    "OK",
    "/mybucket/myprefix/images/image.jpg",
    "d2a22fcab097sample32c544",
)
MOMENT = datetime(2008, 11, 12, 19, 7, 34, tzinfo=UTC)
ENTRY = LogEntry(
    at=MOMENT,
    bucket="mybucket",
    key="myprefix/images/image.jpg",
    file=TreePath(b"images/image.jpg"),
    status=200,
    code="OK",
    md5="d2a22fcab097sample32c544",
)


def read(text: str) -> ExportLog:
    """Read a log."""
    return parse_export_log(text.encode(), "some.log")


def moment(text: str) -> datetime | None:
    """Read a time as it stands in a log."""
    return read("\t".join((text, *SAMPLE[1:]))).entries[0].at


entries = st.builds(
    LogEntry,
    at=st.none()
    | st.datetimes(
        min_value=datetime(1900, 1, 1),
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))]),
    ).map(lambda at: at.replace(microsecond=0)),
    bucket=st.from_regex(r"[a-z0-9][a-z0-9.-]{1,20}", fullmatch=True),
    key=keys.filter(bool),
    file=st.one_of(
        st.just(b""),
        paths,
        st.text(st.sampled_from('\\x5cf\r\n",;|\t é'), min_size=1).map(str.encode),
    ).map(TreePath),
    status=st.sampled_from([200, 103, 404]),
    code=st.sampled_from(["OK", "Ignored", ""]),
    md5=st.sampled_from(["", "d41d8cd98f00b204e9800998ecf8427e"]),
)


@given(st.lists(entries, min_size=1, max_size=5))
@example([LogEntry(None, "b", "a\rb", TreePath(b"a\rb"), 200, "", "")])
@example([LogEntry(None, "b", r"a\xffb", TreePath(rb"a\xffb"), 200, "", "")])
@example([LogEntry(None, "b", "k", TreePath(rb"a\x5cxff\\x\xff"), 200, "", "")])
@SETTINGS
def test_what_is_written_is_read_back(written: list[LogEntry]) -> None:
    """Whatever the keys and the paths are, bytes that are not UTF-8 included."""
    log = parse_export_log(write_export_log(written), "our.log")

    assert list(log.entries) == written
    assert log.unread == 0


@pytest.mark.parametrize("separator", [",", "\t", ";", "|", ", "])
@pytest.mark.parametrize("header", [(), FIELDS, ("#DateTime", *FIELDS[1:])])
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_documented_sample_is_read(
    separator: str, header: tuple[str, ...], end: str, mark: str
) -> None:
    """In every form that the fields may be parted by, with a header and without."""
    lines = [separator.join(row) for row in (header, SAMPLE) if row]

    log = read(mark + (end or "\n").join(lines) + end)

    assert log == ExportLog((ENTRY,))
    assert log.newest == MOMENT
    assert log.entries == (ENTRY,)


@given(st.permutations(range(6)), st.sampled_from([",", "\t", ";", "|"]))
@SETTINGS
def test_a_header_names_the_columns_in_any_order(
    order: list[int], separator: str
) -> None:
    """In capitals or not; columns of other names are passed by."""
    header = [FIELDS[n].upper() for n in order]
    row = [SAMPLE[n] for n in order]
    lines = [[*header[:3], "Region", *header[3:]], [*row[:3], "eu", *row[3:]]]

    assert read("\n".join(map(separator.join, lines))).entries == (ENTRY,)


def test_each_header_is_for_the_lines_below_it() -> None:
    """As in logs that were put one behind the other."""
    other = FIELDS[::-1]
    lines = [FIELDS, SAMPLE, (), other, SAMPLE[::-1]]

    assert read("\n".join(map(",".join, lines))).entries == (ENTRY, ENTRY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wed Nov 12 11:07:34 PST 2008", MOMENT),
        ("Wed Nov 12 12:07:34 PDT 2008", MOMENT),
        ("Wed Nov 12 19:07:34 UTC 2008", MOMENT),
        ("Wed Nov 12 19:07:34 GMT 2008", MOMENT),
        ("Wed Nov 12 14:07:34 EST 2008", MOMENT),
        ("Wed, 12 Nov 2008 11:07:34 -0800", MOMENT),
        ("Wed, 12 Nov 2008 19:07:34 GMT", MOMENT),
        ("2008-11-12T19:07:34Z", MOMENT),
        ("2008-11-12T20:07:34+01:00", MOMENT),
        ("2008-11-12 19:07:34", MOMENT),
        ("Fri Dec 31 23:30:00 PST 2010", datetime(2011, 1, 1, 7, 30, tzinfo=UTC)),
    ],
)
def test_times_are_read(text: str, expected: datetime) -> None:
    """With their zones; without one it is UTC."""
    assert moment(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "1226516854",
        "12/11/2008 11:07",
        "Wed Nov 31 11:07:34 PST 2008",
        "Wed Nov 12 11:07:34 CET 2008",
        "Wed, 12 Nov 2008 11:07:34 CEST",
        "Mi Nov 12 11:07:34 XYZ 2008",
        "Fri Dec 31 23:00:00 PST 9999",
        f"Wed Nov 12 11:07:34 PST {'9' * 30}",
        f"Wed, {'9' * 30} Nov 2008 11:07:34 +0000",
        f"Wed, 12 Nov 2008 11:07:34 +{'9' * 30}",
    ],
)
def test_a_time_of_an_unknown_form_or_zone_is_none(text: str) -> None:
    """No moment is made up; the rest of the line counts."""
    assert moment(text) is None


@given(st.text(st.characters(codec="utf-8", exclude_characters='\t\r\n"'), max_size=40))
@SETTINGS
def test_no_time_is_an_error(text: str) -> None:
    """Whatever stands in its column."""
    found = moment(text)

    assert found is None or found.tzinfo is UTC


@given(
    st.lists(st.sampled_from("0123456789:+- WedNovPSTGMT,"), max_size=12).map("".join)
)
@example(",,,,")  # more commas than there are tabs between the columns
@SETTINGS
def test_nothing_that_is_nearly_a_time_is_an_error(text: str) -> None:
    """As in lines that were cut or mangled."""
    found = moment(f"Wed, 12 Nov {text}")

    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"some other text\n",
        b"a,b,c,d,e,f\n",
        ",".join(FIELDS).encode(),
        b"\x00\x01\x02\xff" * 100,
        b"x" * 200_000,
        b'"' + b"x" * 200_000,
        b",,200,,no-slash-and-no-key,\n",
        b",,OK,200,/b/k,\n",
        b",,\xc2\xb2,OK,/b/k,\n",
        b",," + b"9" * 5000 + b",OK,/b/k,\n",
    ],
)
def test_what_is_no_export_log_is_refused(content: bytes) -> None:
    """With its name, and what is missing."""
    with pytest.raises(InputRefused, match=r"bad\.log"):
        parse_export_log(content, "bad.log")


@given(st.binary(max_size=300))
@SETTINGS
def test_bytes_are_read_or_refused(content: bytes) -> None:
    """Nothing that a file can hold is another error."""
    try:
        log = parse_export_log(content, "any.log")
    except InputRefused:
        return
    assert log.entries


def test_lines_that_say_nothing_are_counted() -> None:
    """They are told of, and do not stop the others; blank ones are none."""
    log = read("\n".join(["what is this", ",".join(SAMPLE), "", "x,y", ",,,,,"]))

    assert log == ExportLog((ENTRY,), unread=2)


def test_bytes_that_are_not_utf_8_stay_what_they_are() -> None:
    """In a path they are the name on the disk."""
    line = b",/d/\xff.jpg,200,OK,/b/k,"

    (entry,) = parse_export_log(line, "some.log").entries

    assert entry.file == b"d/\xff.jpg"


def test_what_is_said_of_an_object_is_text() -> None:
    """Reports quote it; a bucket that is none has no objects."""
    said = b"\xffWed,/f\xff,404,No\xff\xed\xb2\x80,/b/key,m\xff\n"

    log = parse_export_log(said + b"Wed,/f,200,OK,/b\xff/key,m\n", "some.log")

    (entry,) = log.entries
    assert (entry.code, entry.md5) == (r"No\xff\xed\xb2\x80", r"m\xff")
    assert log.unread == 1


@pytest.mark.parametrize(
    ("status", "file", "written"),
    [("200", "/f", True), ("200", "", False), ("404", "/f", False), ("103", "", False)],
)
def test_what_was_written_has_a_file_and_the_status_200(
    status: str, file: str, written: bool
) -> None:
    """The others are in the log and not on the device."""
    log = read(f"x,{file},{status},OK,/b/k,")

    assert log.entries[0].written is written
    assert sum(entry.written for entry in log.entries) == written


def test_the_newest_time_counts_across_zones() -> None:
    """Times that are not known are passed by; without any there is none."""
    times = ["2008-11-12T20:00:00+02:00", "2008-11-12T19:00:00Z", "?"]
    for order in itertools.permutations(times):
        lines = [f"{at},/f,200,OK,/b/k," for at in order]
        newest = read("\n".join(lines)).newest
        assert newest == datetime(2008, 11, 12, 19, tzinfo=UTC)
    assert read("?,/f,200,OK,/b/k,").newest is None
