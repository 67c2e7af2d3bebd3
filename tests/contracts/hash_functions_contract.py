"""What all `HashFunctions` do."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from s3export.domain.ports import HashFunctions

CHECK = b"123456789"
CHECK_VALUES = {  # the CRCs as RFC 3720 and the catalogues of CRCs publish them
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "MD5": hashlib.md5(CHECK, usedforsecurity=False).hexdigest(),
    "SHA1": hashlib.sha1(CHECK, usedforsecurity=False).hexdigest(),
    "SHA256": hashlib.sha256(CHECK).hexdigest(),
    "SHA512": hashlib.sha512(CHECK).hexdigest(),
    "XXHASH64": "8cb841db40e6ae83",
}
OF_NOTHING = {  # XXH64, XXH3_64bits and XXH3_128bits with seed 0, as xxHash tests them
    "CRC32": "00000000",
    "CRC32C": "00000000",
    "CRC64NVME": "0000000000000000",
    "MD5": "d41d8cd98f00b204e9800998ecf8427e",
    "XXHASH64": "ef46db3751d8e999",
    "XXHASH3": "2d06800538d394c2",
    "XXHASH128": "99aa06d3014798d86001c324468d497f",
}
ALWAYS = ("CRC32", "CRC32C", "MD5", "SHA1", "SHA256", "SHA512")
LONG = bytes(range(251)) * 5000


def digest(hashes: HashFunctions, algorithm: str, *chunks: bytes) -> bytes:
    """Return the digest of chunks, handed over as slices of one writable buffer."""
    running = hashes.new(algorithm)
    for chunk in chunks:
        buffer = memoryview(bytearray(b"before" + chunk + b"after"))
        running.update(buffer[6 : 6 + len(chunk)])
    return running.digest()


class HashFunctionsContract:
    """Subclass it with a fixture ``hashes``."""

    def test_the_common_ones_are_offered(self, hashes: HashFunctions) -> None:
        """Whatever the machine has."""
        assert set(ALWAYS) <= set(hashes.algorithms())

    @pytest.mark.parametrize("algorithm", CHECK_VALUES)
    def test_check_values_are_the_published_ones(
        self, hashes: HashFunctions, algorithm: str
    ) -> None:
        """In one piece or byte by byte; a CRC's highest byte comes first."""
        if algorithm not in hashes.algorithms():
            pytest.skip(f"{algorithm} is not offered")
        bytewise = [CHECK[n : n + 1] for n in range(len(CHECK))]

        assert digest(hashes, algorithm, CHECK).hex() == CHECK_VALUES[algorithm]
        assert digest(hashes, algorithm, *bytewise).hex() == CHECK_VALUES[algorithm]

    @pytest.mark.parametrize("algorithm", OF_NOTHING)
    def test_nothing_has_a_digest(self, hashes: HashFunctions, algorithm: str) -> None:
        """Without an update and with an empty one."""
        if algorithm not in hashes.algorithms():
            pytest.skip(f"{algorithm} is not offered")

        assert digest(hashes, algorithm).hex() == OF_NOTHING[algorithm]
        assert digest(hashes, algorithm, b"").hex() == OF_NOTHING[algorithm]

    def test_chunks_do_not_matter(self, hashes: HashFunctions) -> None:
        """A megabyte at once is a megabyte in pieces, by every algorithm."""
        pieces = [LONG[n : n + 70_001] for n in range(0, len(LONG), 70_001)]

        for algorithm in hashes.algorithms():
            at_once = digest(hashes, algorithm, LONG)
            assert digest(hashes, algorithm, *pieces) == at_once
            assert digest(hashes, algorithm, LONG[:-1], b"\0") != at_once

    def test_a_digest_can_be_asked_for_twice(self, hashes: HashFunctions) -> None:
        """It is that of the bytes so far, and more bytes can follow."""
        for algorithm in hashes.algorithms():
            running = hashes.new(algorithm)
            running.update(memoryview(CHECK[:4]))
            assert running.digest() == running.digest()
            assert running.digest() == digest(hashes, algorithm, CHECK[:4])
            running.update(memoryview(CHECK[4:]))
            assert running.digest() == digest(hashes, algorithm, CHECK)

    @pytest.mark.parametrize("algorithm", ["BLAKE9", "", "sha256", "CRC-32"])
    def test_an_unknown_one_is_refused(
        self, hashes: HashFunctions, algorithm: str
    ) -> None:
        """By whatever name; those of S3 are in capitals."""
        with pytest.raises(ValueError, match="cannot be computed"):
            hashes.new(algorithm)

    def test_threads_do_not_disturb_each_other(self, hashes: HashFunctions) -> None:
        """Digests that run at the same time are those that run alone."""
        jobs = [
            (algorithm, LONG[n:])
            for n, algorithm in enumerate(sorted(hashes.algorithms()) * 4)
        ]
        alone = [digest(hashes, algorithm, body) for algorithm, body in jobs]

        with ThreadPoolExecutor(8) as pool:
            at_once = list(
                pool.map(lambda job: digest(hashes, job[0], job[1]), jobs * 3)
            )

        assert at_once == alone * 3
