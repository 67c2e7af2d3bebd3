"""Laws of digests: one pass over any chunks gives what S3 computes."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS, cut

from s3export.adapters.hash_functions import InstalledHashes
from s3export.domain.digests import OnePass, Recipe

HASHES = InstalledHashes()
algorithms = st.sampled_from(sorted(HASHES.algorithms()))

# captured from S3 in eu-west-1: the SHA-256 of three parts and what S3 made of them
CAPTURED_PARTS = (
    "lcKa6Boe7a167tUCN5C4OaFygGSYD8MBnBARTrdL+1w=",
    "gHjhbUT4oo2tSCtSZJdlKi+jeNXJT+VImqdPXsXvkOc=",
    "4l9PQ3zOPZ0oGFvknFX+J4zZwE4WMzO+l3r8XrbWOeM=",
)
CAPTURED_COMPOSITE = "rVWtNbadtsaKXJAcgWPWjifHzJaXde/iV4jaJAOdivc="


def digest(algorithm: str, content: bytes) -> bytes:
    """Compute a digest at once; by `hashlib` where it can."""
    if algorithm.lower() in hashlib.algorithms_guaranteed:
        return hashlib.new(algorithm.lower(), content, usedforsecurity=False).digest()
    running = HASHES.new(algorithm)
    running.update(memoryview(content))
    return running.digest()


def expected(algorithm: str, parts: list[bytes] | None, content: bytes) -> bytes:
    """Compute a digest of the whole, or of the digests of the parts, the plain way."""
    if not parts:
        return digest(algorithm, content)
    return digest(algorithm, b"".join(digest(algorithm, part) for part in parts))


def recipe(algorithm: str, parts: list[bytes] | None) -> Recipe:
    """Return the recipe of parts as long as these."""
    return Recipe(algorithm, tuple(map(len, parts or ())))


@given(st.data(), st.binary(max_size=300))
@SETTINGS
def test_many_digests_of_one_pass_are_those_computed_alone(
    data: st.DataObject, content: bytes
) -> None:
    """By every algorithm, over the whole and over parts, empty ones too, in chunks."""
    splits: list[tuple[str, list[bytes] | None]] = [
        (data.draw(algorithms), data.draw(st.none() | cut(content)))
        for _ in range(data.draw(st.integers(0, 5)))
    ]
    running = OnePass([recipe(*split) for split in splits], HASHES.new)
    buffer = bytearray(len(content))
    for chunk in data.draw(cut(content)):
        buffer[: len(chunk)] = chunk  # the buffer is used again, as a reader does
        running.update(memoryview(buffer)[: len(chunk)])

    assert running.digests() == {
        recipe(*split): expected(*split, content) for split in splits
    }


@given(
    algorithms, st.data(), st.binary(max_size=60), st.binary(min_size=1, max_size=60)
)
@SETTINGS
def test_bytes_beyond_the_last_part_are_never_equal(
    algorithm: str, data: st.DataObject, content: bytes, more: bytes
) -> None:
    """A longer file gives neither the digest of the parts nor that of one more part.

    Not even where the last part, or every part, is empty.
    """
    parts = data.draw(cut(content))
    for chunks in ([content, more], [content + more]):
        running = OnePass([recipe(algorithm, parts)], HASHES.new)
        for chunk in chunks:
            running.update(memoryview(chunk))
        (found,) = running.digests().values()

        assert found != expected(algorithm, parts, content)
        assert found == expected(algorithm, [*parts, more], content + more)


@given(algorithms, st.data(), st.binary(min_size=1, max_size=60))
@SETTINGS
def test_bytes_that_are_lacking_are_never_equal(
    algorithm: str, data: st.DataObject, content: bytes
) -> None:
    """A file that ends within a part gives another digest."""
    parts = data.draw(cut(content))
    length = data.draw(st.integers(0, len(content) - 1))
    running = OnePass([recipe(algorithm, parts)], HASHES.new)
    running.update(memoryview(content[:length]))
    (found,) = running.digests().values()

    assert found != expected(algorithm, parts, content)


def test_a_digest_of_digests_is_the_one_that_s3_makes() -> None:
    """The SHA-256 of three captured parts' SHA-256 is the captured composite."""

    class Known:
        """Takes a part's own digest for its content."""

        def __init__(self, algorithm: str) -> None:
            self.taken = b""

        def update(self, data: memoryview, /) -> None:
            self.taken += data

        def digest(self) -> bytes:
            if len(self.taken) == 32:
                return self.taken
            return hashlib.sha256(self.taken).digest()

    content = b"".join(base64.b64decode(part) for part in CAPTURED_PARTS)
    captured = Recipe("SHA256", (32, 32, 32))
    running = OnePass([captured], Known)
    running.update(memoryview(content))

    assert base64.b64encode(running.digests()[captured]).decode() == CAPTURED_COMPOSITE


def test_an_algorithm_that_is_not_offered_is_refused_at_once() -> None:
    """Before a byte is read."""
    for parts in ((), (1, 2)):
        with pytest.raises(ValueError, match="BLAKE9"):
            OnePass([Recipe("BLAKE9", parts)], HASHES.new)
