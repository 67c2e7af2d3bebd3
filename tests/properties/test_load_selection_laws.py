"""Laws of what a disk says was loaded: it comes back, and its parts make the whole."""

import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import SETTINGS, keys

from s3export.domain.backup_layout import (
    LONGEST_KEY_BYTES,
    Source,
    Substitution,
    TreePath,
    directory_of,
)
from s3export.domain.errors import InputRefused
from s3export.domain.load_selection import LoadSelection

markers = st.one_of(st.just(""), keys)

directories = st.binary(max_size=12).map(
    lambda raw: raw.replace(b"\0", b"").decode("utf-8", "surrogateescape")
)


@st.composite
def sources(draw: st.DrawFn) -> Source:
    """A source as a manifest may have it."""
    begin, end = sorted((draw(markers), draw(markers)))
    try:
        directory = directory_of(draw(directories))
    except InputRefused:
        directory = TreePath(b"")
    substitutions = st.builds(Substitution, part=keys, instead=keys)
    return Source(
        draw(st.sampled_from(["b", "my-bucket", "two.parts"])),
        directory,
        draw(markers),
        begin,
        end,
        tuple(draw(st.lists(substitutions, max_size=2))),
    )


selections = st.builds(
    LoadSelection,
    job_id=keys,
    sources=st.lists(sources(), min_size=1, max_size=4).map(tuple),
    recovery_directory=st.sampled_from([b"EXPORT-RECOVERY", b"a/\xff"]).map(TreePath),
)


@given(selections)
@SETTINGS
def test_a_selection_comes_back(selection: LoadSelection) -> None:
    """Every key, marker, directory and substitution; as ASCII."""
    text = selection.to_json()

    assert text.isascii()
    assert LoadSelection.from_json(text, "it") == selection
    assert selection.starts_at(selection.sources) == 0


def test_a_source_may_end_where_it_begins() -> None:
    """Older disks of a series say so where the one before took the end of it."""
    read = LoadSelection.from_json(document(begin_marker="a", end_marker="a"), "it")

    assert not any(read.sources[0].selects(key) for key in ("a", "a\0", "b"))
    assert read.starts_at((replace(B, end_marker="a"), A)) == 0


@given(
    st.lists(keys.filter(bool), unique=True, min_size=1, max_size=12),
    st.lists(st.integers(1, 12), min_size=1, max_size=3),
    st.data(),
)
@SETTINGS
def test_the_parts_of_a_series_are_the_whole(
    names: list[str], shares: list[int], data: st.DataObject
) -> None:
    """Each object belongs to one disk; each disk's part is one of the whole."""
    ordered = sorted(names, key=str.encode)
    whole = tuple(
        Source(bucket, TreePath(bucket.encode())) for bucket in ("one", "two")
    )
    everything = [(number, key) for number in (0, 1) for key in ordered]
    left, rest, loaded = LoadSelection("J", whole), everything, []
    while rest:
        many = data.draw(st.integers(1, len(rest)))
        done, rest = rest[:many], rest[many:]
        offset = len(whole) - len(left.sources)
        part = left
        if rest:
            number = rest[0][0]
            last = [key for n, key in done if n == number]
            part = left.up_to(number - offset, last[-1] if last else "")
            following = whole[number:]
            if last:
                following = (
                    replace(whole[number], begin_marker=last[-1]),
                    *following[1:],
                )
            left = LoadSelection("J", following)
        start = part.starts_at(whole)
        assert start == offset
        on_it = [
            (start + n, key)
            for n, source in enumerate(part.sources)
            for key in ordered
            if source.selects(key)
        ]
        assert on_it == done
        loaded += on_it
    assert loaded == everything


A = Source("b", TreePath(b"b"), "p", "pb", "py")
B = Source("c", TreePath(b"c"))


@pytest.mark.parametrize(
    ("part", "start"),
    [
        ((A, B), 0),
        ((A,), 0),
        ((B,), 1),
        ((replace(A, end_marker="px"),), 0),
        ((replace(A, begin_marker="pc"), B), 0),
        ((A, replace(B, end_marker="x")), 0),
        ((replace(B, begin_marker="x"),), 1),
        ((replace(A, end_marker="px"), B), None),  # a gap
        ((A, replace(B, begin_marker="x")), None),  # a gap
        ((B, A), None),
        ((A, B, B), None),
        ((replace(A, begin_marker="pa"),), None),  # more than the whole
        ((replace(A, end_marker="pz"),), None),
        ((replace(A, end_marker=""),), None),
        ((replace(A, begin_marker=""),), None),
        ((replace(A, prefix="pc"),), None),
        ((replace(A, directory=TreePath(b"x")),), None),
        ((replace(A, bucket="x"),), None),
        ((replace(B, substitutions=(Substitution("a", "b"),)),), None),
    ],
)
def test_a_part_is_one_stretch_of_the_whole(
    part: tuple[Source, ...], start: int | None
) -> None:
    """Nothing is left out within it, and nothing goes beyond."""
    assert LoadSelection("J", part).starts_at((A, B)) == start


def test_a_disk_with_nothing_on_it_has_no_part() -> None:
    """The first object of all did not fit."""
    whole = LoadSelection("J", (A, B))

    for key in ("", "pb"):
        with pytest.raises(ValueError, match="nothing"):
            whole.up_to(0, key)
    assert whole.up_to(1, "").sources == (A,)
    assert whole.up_to(0, "pc").sources == (replace(A, end_marker="pc"),)


def document(**changes: object) -> bytes:
    """Return a selection of one source, changed."""
    source = json.loads(LoadSelection("J", (B,)).to_json())["sources"][0]
    top: dict[str, object] = {"schema": "s3export/load/1", "job_id": "J"}
    for name, value in changes.items():
        (top if name in ("schema", "job_id", "recovery_directory") else source)[
            name
        ] = value
    return json.dumps({"sources": [source], **top}).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Expecting value"),
        (b"\xff", "decode"),
        (b"[" * 100_000, ""),
        (b"9" * 5000, ""),
        (b"[]", "object"),
        (b'{"schema": "s3export/load/2"}', "schema"),
        (b'{"schema": "s3export/load/1", "job_id": ""}', "sources"),
        (b'{"schema": "s3export/load/1", "job_id": "", "sources": []}', "0 sources"),
        (b'{"schema": "s3export/load/1", "job_id": "", "sources": [1]}', "object"),
        (document(job_id=1), "job_id"),
        (document(job_id="\ud800"), "job_id"),
        (document(recovery_directory=""), "recovery_directory"),
        (document(recovery_directory="../x"), "leaves the root"),
        (document(bucket=""), "bucket"),
        (document(bucket="a/b"), "bucket"),
        (document(bucket="\u0661"), "bucket"),
        (document(bucket=None), "bucket"),
        (document(directory="a/../../b"), "leaves the root"),
        (document(directory="\ud800"), ""),
        (document(directory="a\0"), "cannot be a path"),
        (document(prefix="\ud800"), "prefix"),
        (document(prefix="x" * (LONGEST_KEY_BYTES + 1)), "longer"),
        (document(begin_marker=7), "begin_marker"),
        (document(begin_marker="b", end_marker="a"), "ends before it begins"),
        (document(substitutions={}), "substitutions"),
        (document(substitutions=[["a", "b"]]), "object"),
        (document(substitutions=[{"part": "a"}]), "instead"),
    ],
)
def test_nonsense_is_refused(content: bytes, said: str) -> None:
    """With the name of the file, and what is wrong."""
    with pytest.raises(InputRefused, match=f"(?s)^/it: .*{said}"):
        LoadSelection.from_json(content, "/it")


def test_what_is_added_later_is_passed_over() -> None:
    """Unknown names are no error; null is no marker; recovery is where AWS has it."""
    content = document(end_marker=None, more=[1])

    read = LoadSelection.from_json(content, "it")

    assert (read.sources, read.recovery_directory) == ((B,), b"EXPORT-RECOVERY")


@given(st.binary(max_size=80))
@example(b'{"schema":"s3export/load/1"}')
@SETTINGS
def test_whatever_is_there_is_read_or_refused(content: bytes) -> None:
    """No other error comes of it."""
    with pytest.raises(InputRefused):
        LoadSelection.from_json(content, "it")
