"""Temporary files: in memory, across the boundary, and where there is no room."""

import errno
import os
import tempfile
from pathlib import Path

import pytest
from contracts.scratch_contract import ScratchContract

from s3export.adapters.scratch import TemporaryScratch
from s3export.domain.errors import ScratchFull
from s3export.domain.ports import Scratch


class TestTemporaryScratch(ScratchContract):
    @pytest.fixture
    def scratch(self) -> Scratch:
        return TemporaryScratch()


class TestAlwaysOnTheDisk(ScratchContract):
    @pytest.fixture
    def scratch(self) -> Scratch:
        return TemporaryScratch(in_memory_bytes=0)


class TestSoonOnTheDisk(ScratchContract):
    @pytest.fixture
    def scratch(self) -> Scratch:
        return TemporaryScratch(in_memory_bytes=10)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def full(*_: object) -> int:
    """Fail as a write to a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the directory, the reason, and what helps."""
    monkeypatch.setattr(os, "pwrite", full)

    with (
        TemporaryScratch(in_memory_bytes=10).file() as file,
        pytest.raises(ScratchFull, match="No space left") as raised,
    ):
        file.append(b"more than ten bytes")

    assert str(room) in raised.value.message
    assert "TMPDIR" in raised.value.next_step


def test_no_directory_for_temporary_files_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on a machine whose only disk is full before the first file."""
    absent = str(tmp_path / "absent")
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [absent])

    with (
        TemporaryScratch(in_memory_bytes=0).file() as file,
        pytest.raises(ScratchFull, match=absent),
    ):
        file.append(b"x")


def test_short_writes_and_reads_are_gone_on_with(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system may move fewer bytes at a time than it is asked for."""
    pwrite, pread = os.pwrite, os.pread
    monkeypatch.setattr(os, "pwrite", lambda to, data, at: pwrite(to, data[:7], at))
    monkeypatch.setattr(os, "pread", lambda of, count, at: pread(of, min(count, 7), at))

    with TemporaryScratch(in_memory_bytes=30).file() as file:
        file.append(b"0123456789" * 4)
        file.append(b"the end")

        assert file.read(1, 60) == (b"0123456789" * 4 + b"the end")[1:]


def test_small_files_touch_no_disk(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the limit; one byte more goes to the disk, where it has no name."""
    monkeypatch.setattr(os, "pwrite", full)

    with TemporaryScratch(in_memory_bytes=10).file() as file:
        file.append(b"0123456789")
        assert file.read(0, 10) == b"0123456789"
        with pytest.raises(ScratchFull):
            file.append(b"!")
        assert list(room.iterdir()) == []
