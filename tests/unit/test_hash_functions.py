"""The digests that can be computed here."""

import pytest

from s3export.adapters.hash_functions import InstalledHashes

PUBLISHED = {  # of the CRC catalogue's and XXHash's check input
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "MD5": "25f9e794323b453885f5181f1b624d0b",
    "SHA1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "SHA256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
    "XXHASH64": "8cb841db40e6ae83",
}


@pytest.mark.parametrize("algorithm", sorted(InstalledHashes().algorithms()))
def test_a_digest_is_the_same_in_pieces_of_a_buffer_that_is_used_again(
    algorithm: str,
) -> None:
    """Files are read into one writable buffer, and hashed from views of it."""
    hashes = InstalledHashes()
    buffer = bytearray(5)
    in_pieces = hashes.new(algorithm)
    for piece in (b"12345", b"6789"):
        buffer[: len(piece)] = piece
        in_pieces.update(memoryview(buffer)[: len(piece)])
    at_once = hashes.new(algorithm)
    at_once.update(memoryview(b"123456789"))

    assert in_pieces.digest() == at_once.digest()
    if algorithm in PUBLISHED:
        assert in_pieces.digest().hex() == PUBLISHED[algorithm]


def test_all_algorithms_of_s3_can_be_computed_with_a_recent_runtime() -> None:
    """Ten of them, as S3 spells them."""
    assert set(InstalledHashes().algorithms()) >= PUBLISHED.keys() | {
        "SHA512",
        "XXHASH3",
        "XXHASH128",
    }
