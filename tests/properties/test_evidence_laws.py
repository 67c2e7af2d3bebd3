"""Laws of digests: one pass over any chunks gives what S3 computes."""

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS, cut

from s3export.domain.evidence import (
    Evidence,
    EvidenceKind,
    NoEvidence,
    ObjectFacts,
    PartFacts,
    PartsNeeded,
    evidence_of,
    multipart_evidence,
    trusted_part,
    uniform_parts,
)

MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def facts(etag: str, size: int = 0, encryption: str = "", **more: bool) -> ObjectFacts:
    """Return an object's metadata."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return ObjectFacts(
        "b",
        "k",
        size,
        etag,
        moment,
        encryption=encryption,
        **more,  # type: ignore[arg-type]
    )


def md5(content: bytes) -> bytes:
    """Return the binary MD5."""
    return hashlib.md5(content, usedforsecurity=False).digest()


def etag_of_parts(parts: list[bytes]) -> str:
    """Compute a multipart ETag the plain way."""
    return f"{md5(b''.join(map(md5, parts))).hex()}-{len(parts)}"


@given(st.data(), st.binary(max_size=300))
@SETTINGS
def test_one_pass_over_the_whole(data: st.DataObject, content: bytes) -> None:
    """The MD5 does not depend on the chunks."""
    digest = Evidence(EvidenceKind.ETAG_MD5, "").digest()
    for chunk in data.draw(cut(content)):
        digest.update(memoryview(chunk))

    assert digest.result() == md5(content).hex()


@given(st.data(), st.binary(max_size=300))
@SETTINGS
def test_one_pass_over_parts(data: st.DataObject, content: bytes) -> None:
    """Parts of any sizes, empty ones too, cut across chunks of any sizes."""
    parts = data.draw(cut(content))
    evidence = Evidence(EvidenceKind.ETAG_MULTIPART, "", tuple(map(len, parts)))
    digest = evidence.digest()
    for chunk in data.draw(cut(content)):
        digest.update(memoryview(chunk))

    assert digest.result() == etag_of_parts(parts)


@given(st.data(), st.binary(min_size=1, max_size=100), st.binary(min_size=1))
@SETTINGS
def test_bytes_beyond_the_last_part_are_never_equal(
    data: st.DataObject, content: bytes, more: bytes
) -> None:
    """A file that is longer than its object gives another digest."""
    parts = data.draw(cut(content))
    evidence = Evidence(EvidenceKind.ETAG_MULTIPART, "", tuple(map(len, parts)))
    digest = evidence.digest()
    digest.update(memoryview(content))
    digest.update(memoryview(more))

    assert digest.result() != etag_of_parts(parts)


@given(st.integers(0, 10**12), st.integers(1, 10_000), st.integers(0, 10**9))
@SETTINGS
def test_uniform_parts_add_up(size: int, parts: int, first: int) -> None:
    """All as long as the first, but for a shorter last; or nothing."""
    sizes = uniform_parts(size, parts, first)

    if sizes is not None:
        assert sum(sizes) == size
        assert len(sizes) == parts
        assert set(sizes[:-1]) <= {first}
        assert sizes[-1] <= first


@pytest.mark.parametrize(
    ("etag", "encryption", "customer_key", "expected"),
    [
        (MD5, "", False, Evidence(EvidenceKind.ETAG_MD5, MD5)),
        (MD5, "AES256", False, Evidence(EvidenceKind.ETAG_MD5, MD5)),
        (f"{MD5}-1", "", False, PartsNeeded(1)),
        (f"{MD5}-10000", "", False, PartsNeeded(10_000)),
    ],
)
def test_an_etag_that_is_a_digest_is_evidence(
    etag: str, encryption: str, customer_key: bool, expected: object
) -> None:
    """One piece gives an MD5, several give a digest of digests."""
    assert evidence_of(facts(etag, 0, encryption, customer_key=customer_key)) == (
        expected
    )


@pytest.mark.parametrize(
    ("etag", "encryption", "customer_key", "reason"),
    [
        (MD5, "aws:kms", False, "aws:kms"),
        (MD5, "aws:kms:dsse", False, "dsse"),
        (f"{MD5}-3", "aws:kms", False, "aws:kms"),
        (MD5, "", True, "SSE-C"),
        (MD5.upper(), "", False, "no known form"),
        (f"{MD5}-0", "", False, "no known form"),
        ("", "", False, "no known form"),
    ],
)
def test_an_etag_that_is_no_digest_is_no_evidence(
    etag: str, encryption: str, customer_key: bool, reason: str
) -> None:
    """The reason is named."""
    found = evidence_of(facts(etag, 0, encryption, customer_key=customer_key))

    assert isinstance(found, NoEvidence)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("sizes", "trusted"), [((5, 5), True), ((5, 4), False), ((10,), False)]
)
def test_part_sizes_are_trusted_if_they_fit_the_etag_and_the_size(
    sizes: tuple[int, ...], trusted: bool
) -> None:
    """As many as the suffix says, adding up to the object's size."""
    found = multipart_evidence(facts(f"{MD5}-2", 10), sizes)

    assert isinstance(found, Evidence) is trusted


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (PartFacts(5, 2), 5),
        (PartFacts(10, None), "ignores"),
        (PartFacts(5, 3), "3 parts"),
        (None, "does not tell"),
    ],
)
def test_a_part_is_trusted_if_it_knows_how_many_there_are(
    part: PartFacts | None, expected: int | str
) -> None:
    """An answer for the whole object is recognised."""
    found = trusted_part(part, 2)

    if isinstance(expected, int):
        assert found == expected
    else:
        assert isinstance(found, NoEvidence)
        assert expected in found.reason
