"""What is said of a process that presents a volume, without any process."""

import os
from pathlib import Path

import pytest

from s3export.adapters.command_lines import CommandLine
from s3export.adapters.commands import Commands, Server
from s3export.adapters.containers import fuse_mounts, fuse_volume
from s3export.adapters.containers.fuse_mounts import FuseMounts
from s3export.adapters.containers.opening import FoundVolume, VolumeFacts
from s3export.adapters.containers.tcrypt_header import Region
from s3export.domain.errors import DeviceFailed, ToolMissing

KEYS = bytes(range(64))
VOLUME = FoundVolume(
    VolumeFacts("truecrypt", "aes-xts", "ripemd160", 5, False, False, 4096),
    Region(131072, 4096),
    ("aes",),
    bytearray(KEYS),
)


class Acting(Server):
    """Says what it is told to say, and ends with a status."""

    def __init__(self, says: list[bytes], status: int | None) -> None:
        self.says = says
        self.status = status
        self.killed = False

    def line(self, seconds: float) -> bytes:
        return self.says.pop(0) if self.says else b""

    def wait(self, seconds: float) -> int | None:
        return self.status

    def kill(self) -> None:
        self.killed = True

    def let_go(self) -> None: ...


class Starting(Commands):
    """Starts nothing; remembers what it was to start."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.given = b""
        self.argv: tuple[str, ...] = ()

    def serve(self, line: CommandLine, given: bytes, *, file: int) -> Server:
        self.argv, self.given = line.argv, given
        return self.server


def present(commands: Commands, run: Path) -> str:
    """Present a volume, and leave it."""
    mounted = FuseMounts(commands, run_directory=str(run))
    with mounted.presented(7, VOLUME, base=512) as path:
        return path


def test_keys_go_through_the_pipe_alone(tmp_path: Path) -> None:
    """After a line that says where the data is."""
    commands = Starting(Acting([fuse_volume.READY, b'{"failure": ""}\n'], 0))

    path = present(commands, tmp_path)

    head, _, keys = commands.given.partition(b"\n")
    assert keys == KEYS
    assert b'"base": 512' in head and b'"file": 7' in head
    assert path == f"{commands.argv[-1]}/volume"
    assert not any(KEYS in os.fsencode(word) for word in commands.argv)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("says", "status", "reason"),
    [
        (b'{"failure": "syncing: Input/output error"}\n', 1, "syncing: Input/output"),
        (b"", -9, "was ended (status -9)"),
        (b"", None, "does not end"),
        (b"[]\n", 1, "was ended (status 1)"),
    ],
)
def test_how_it_ended_is_told(
    tmp_path: Path, says: bytes, status: int | None, reason: str
) -> None:
    """In its own last words, if it had any."""
    with pytest.raises(DeviceFailed) as failed:
        present(Starting(Acting([fuse_volume.READY, says], status)), tmp_path)

    assert "not all that was written to the container is on the disk" in str(
        failed.value
    )
    assert reason in failed.value.message


@pytest.mark.parametrize(
    ("says", "reason"),
    [(b"", "did not begin"), (b'{"failure": "no such device"}\n', "no such device")],
)
def test_one_that_does_not_begin_is_ended(
    tmp_path: Path, says: bytes, reason: str
) -> None:
    """And nothing is left of it."""
    server = Acting([says], 2)
    with pytest.raises(DeviceFailed, match=reason):
        present(Starting(server), tmp_path)

    assert server.killed
    assert list(tmp_path.iterdir()) == []


def test_what_is_lacking_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's part and the library's."""
    mounted = FuseMounts(Starting(Acting([], 0)), run_directory=str(tmp_path))
    device = tmp_path / "fuse"
    monkeypatch.setattr(fuse_mounts, "_DEVICE", device)
    assert "no FUSE" in mounted.available()

    device.touch()
    monkeypatch.setattr(fuse_volume, "_LIBRARIES", ("libnothing.so.9",))
    assert "libfuse3 is not installed" in mounted.available()
    with pytest.raises(ToolMissing) as missing:
        fuse_volume.library()
    assert "apt-get install fuse3" in missing.value.next_step
