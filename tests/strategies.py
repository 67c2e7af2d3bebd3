"""What hypothesis draws from, named and explained once."""

from hypothesis import settings
from hypothesis import strategies as st

SETTINGS = settings(max_examples=150, deadline=None)

keys = st.text(
    st.one_of(
        st.sampled_from("/.ab \n'\"#?üß日\x00\\%"),
        st.characters(codec="utf-8"),
    ),
    max_size=40,
)
"""Keys of S3: any text, with the awkward characters likely."""

names = st.binary(min_size=1, max_size=20).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
"""Names as a file system takes them: bytes."""

paths = st.lists(names, min_size=1, max_size=4).map(b"/".join)
"""Paths below a root."""

path_sets = st.lists(paths, unique=True, max_size=60)
"""The files of a small tree, in some order."""


@st.composite
def samples(draw: st.DrawFn, largest: int = 60) -> tuple[int, int, int]:
    """Population, how many of it were drawn, how many of those failed."""
    population = draw(st.integers(0, largest))
    drawn = draw(st.integers(0, population))
    return population, drawn, draw(st.integers(0, drawn))


@st.composite
def cut(draw: st.DrawFn, content: bytes) -> list[bytes]:
    """Content in chunks of any sizes, empty ones included."""
    places = sorted(draw(st.lists(st.integers(0, len(content)), max_size=6)))
    ends = [*places, len(content)]
    return [content[a:b] for a, b in zip([0, *places], ends, strict=True)]
