"""A volume that is written to anywhere reads back as plain bytes would."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3export.adapters.byte_sources import FileSource, Slice
from s3export.adapters.containers.decrypted_source import DecryptedSource
from s3export.adapters.containers.sector_ciphers import SectorCipher
from s3export.adapters.containers.tcrypt_header import Region
from s3export.adapters.containers.writable_volume import WritableVolume

CASCADE = ("twofish", "aes")
KEYS = bytes(range(128))
BASE, REGION, AFTER = 1536, Region(2048, 16 * 512), 700
SIZE = BASE + REGION.start + REGION.size + AFTER

places = st.integers(0, REGION.size)


@contextmanager
def volume() -> Iterator[tuple[WritableVolume, Path]]:
    """Give a volume of random content, and its container."""
    with TemporaryDirectory() as directory:
        path = Path(directory, "container")
        path.write_bytes(secrets.token_bytes(SIZE))
        file = os.open(path, os.O_RDWR)
        found = WritableVolume(file, REGION, SectorCipher(CASCADE, KEYS), base=BASE)
        try:
            with closing(found):
                yield found, path
        finally:
            os.close(file)


@given(st.lists(st.tuples(places, st.binary(max_size=1500)), max_size=8), places)
@settings(max_examples=60, deadline=None)
def test_it_is_like_plain_bytes(writes: list[tuple[int, bytes]], start: int) -> None:
    """Whole sectors and parts of them; and what reads containers reads the same."""
    with volume() as (found, path):
        before = path.read_bytes()
        model = bytearray(found.read(0, REGION.size))
        for at, data in writes:
            data = data[: REGION.size - at]
            assert found.write(at, data) == len(data)
            model[at : at + len(data)] = data
        found.sync()

        assert found.read(start, 3000) == model[start : start + 3000]
        with FileSource(str(path)) as source:
            whole = Slice(source, BASE, SIZE - BASE)
            cipher = SectorCipher(CASCADE, KEYS)
            assert DecryptedSource(whole, REGION, cipher).read(0, SIZE) == model
        after = path.read_bytes()
        begin, end = BASE + REGION.start, BASE + REGION.start + REGION.size
        assert (after[:begin], after[end:]) == (before[:begin], before[end:])


@given(places, st.integers(1, 2000))
def test_nothing_is_written_beyond_its_end(start: int, length: int) -> None:
    """A write that does not fit is refused as a whole."""
    start = max(start, REGION.size - length + 1)
    with volume() as (found, path):
        before = path.read_bytes()
        with pytest.raises(OSError, match="space"):
            found.write(start, bytes(length))
        assert path.read_bytes() == before
        assert found.failure == ""


@pytest.mark.parametrize("function", ["pwrite", "fdatasync"])
def test_after_an_error_syncing_goes_on_to_fail(
    function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells each error once; here it is told for ever, with the first."""

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with volume() as (found, _):
        with monkeypatch.context() as patched:
            patched.setattr(os, function, fail)
            with pytest.raises(OSError, match="space"):
                found.write(512, bytes(512))
                found.sync()
        for _ in range(2):
            with pytest.raises(OSError, match="Input/output"):
                found.sync()

        assert "No space left" in found.failure


def test_a_container_that_was_cut_gives_an_error() -> None:
    """Where nothing is left, nothing is made up."""
    with volume() as (found, path):
        os.truncate(path, BASE + REGION.start + 512)
        assert len(found.read(0, 512)) == 512
        with pytest.raises(OSError, match="ends"):
            found.read(512, 512)


def test_after_closing_nothing_is_written() -> None:
    """The keys are gone."""
    with volume() as (found, path):
        before = path.read_bytes()
        found.close()
        with pytest.raises(OSError, match="closed"):
            found.write(0, bytes(512))
        assert path.read_bytes() == before
