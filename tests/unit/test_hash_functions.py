"""The digests of the installed libraries."""

import pytest
from awscrt import checksums
from contracts.hash_functions_contract import HashFunctionsContract

from s3export.adapters.hash_functions import InstalledHashes
from s3export.domain.ports import HashFunctions


class TestInstalledHashes(HashFunctionsContract):
    @pytest.fixture
    def hashes(self) -> HashFunctions:
        return InstalledHashes()


def test_what_the_runtime_lacks_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older runtime has neither CRC-64/NVME nor XXHash: no error, no offer."""
    monkeypatch.delattr(checksums, "crc64nvme", raising=False)
    monkeypatch.delattr(checksums, "XXHash", raising=False)

    offered = set(InstalledHashes().algorithms())

    assert offered == {"CRC32", "CRC32C", "MD5", "SHA1", "SHA256", "SHA512"}
    with pytest.raises(ValueError, match="XXHASH64 cannot be computed"):
        InstalledHashes().new("XXHASH64")
