"""The blank after a colon, put in where a field has none and nowhere else."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from samples import MANIFEST

from s3export.entrypoints.sandbox.importexport.manifest_text import read
from s3export.entrypoints.sandbox.importexport.missing_blanks import with_blanks


@pytest.mark.parametrize("colon", [":", " :", " : ", ":   "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_all_ways_to_write_a_field_say_the_same(
    colon: str, end: str, mark: str
) -> None:
    """Also in a list's items, with any line end, and after a byte order mark."""
    text = mark + MANIFEST.replace(": ", colon).replace("\n", end)

    assert read(text) == read(MANIFEST)


@pytest.mark.parametrize(
    "text",
    [
        "# name:in a comment\nname: x\n",
        "name: x # city:in a comment\n",
        "generator: |\n  name:in a block\n\n  city:in it, too\ncity: y\n",
        "generator: >-\n  name:folded\ncity: y\n",
        "generator: !!str |\n  name:tagged\ncity: y\n",
        "generator: 'it''s\n  name:quoted'\ncity: y\n",
        'generator: "a \\" quote\nname:within"\ncity: y\n',
        "generator: text\n  name:that goes on\ncity: y\n",
        "ignore:\n  - text\n    name:that goes on\ncity: y\n",
        "ignore: [a,\nname:b, 'c]\nname:d' # ]\n]\ncity: y\n",
        "substitutions:\n  'prefix:a' : b\ncity: y\n",
        "unknown:name\n",
        "name:\n",
        "name: it's\ncity: [don't]\nstreet1: y\n",
    ],
)
def test_what_lies_within_a_value_is_left_alone(text: str) -> None:
    """A block, a quoted text, brackets and comments may hold what looks like fields."""
    assert with_blanks(text) == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("name:x", "name: x"),
        ("  - exportBucket:x\n    prefix:y\n", "  - exportBucket: x\n    prefix: y\n"),
        ("generator: |\n  a\nname:x\n", "generator: |\n  a\nname: x\n"),
        ('name:"a\ncity:b"\ncity:c\n', 'name: "a\ncity:b"\ncity: c\n'),
        ("name:[a\n]\ncity:c\n", "name: [a\n]\ncity: c\n"),
        ("customs: &a\n  deviceHTS:x\n", "customs: &a\n  deviceHTS: x\n"),
        ("customs: # these\n  deviceHTS:x\n", "customs: # these\n  deviceHTS: x\n"),
        ("street2:\r\ncity:x\r\n", "street2:\r\ncity: x\r\n"),
        ("name:Example ATTN:Jo", "name: Example ATTN:Jo"),
        ("# it's\nname:x", "# it's\nname: x"),
        ("name: 'it''s'\ncity:x", "name: 'it''s'\ncity: x"),
    ],
)
def test_a_field_after_a_value_gets_its_blank(text: str, wanted: str) -> None:
    """Where a value ends, the next field begins."""
    assert with_blanks(text) == wanted


PIECES = ["name:x", "city: y", "prefix:", "\n", " ", "'", '"', "#", "[", "]", "{", "|"]
PIECES += ["- ", "\\", "&a", ",", ":"]
TEXTS = (
    st.lists(st.sampled_from(PIECES), max_size=8)
    .map("".join)
    .filter(lambda text: not text.startswith(("name", "prefix")))  # fields in a list
)
VALUES = st.recursive(
    TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "city", "other", "a b"]), inner)
    ),
    max_leaves=8,
)


@given(
    fields=st.dictionaries(st.sampled_from(["generator", "prefix", "x"]), VALUES),
    style=st.sampled_from([None, "'", '"', "|", ">"]),
    flow=st.booleans(),
    width=st.sampled_from([10, 80]),
)
def test_yaml_that_has_its_blanks_is_left_alone(
    fields: object, style: str | None, flow: bool, width: int
) -> None:
    """Whatever PyYAML writes, in any of its styles, stays as it is."""
    text = yaml.safe_dump(
        fields, default_style=style, default_flow_style=flow, width=width
    )

    assert with_blanks(text) == text
