"""What is saved of a disk before it is erased can be put back as its README says."""

import hashlib
import os
import re
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.command_line import Run

from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.commands import Commands
from s3export.domain.devices.preparation import Preparation
from s3export.domain.errors import FileRefused
from s3export.entrypoints.sandbox import contents
from s3export.entrypoints.sandbox.actions import s3_client
from s3export.entrypoints.sandbox.server import running

pytestmark = pytest.mark.loop

MIB = 1 << 20
LAYOUT = """\
label: gpt
label-id: 5B6A9C4E-8A53-4C0D-9C8E-6A7B8C9D0E1F
start=1MiB, size=20MiB, name="photos"
start=22MiB, size=8MiB, type=swap
start=31MiB, size=30MiB, name="secret"
"""
PLACES = ((MIB, 20 * MIB), (22 * MIB, 8 * MIB), (31 * MIB, 30 * MIB))


def tool(*argv: str, stdin: str = "") -> str:
    """Run a system tool that must succeed."""
    done = subprocess.run(argv, check=True, capture_output=True, text=True, input=stdin)
    return done.stdout.strip()


def content(path: str) -> bytes:
    """Return all bytes of a device."""
    tool("blockdev", "--flushbufs", path)
    return Path(path).read_bytes()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[str]:
    """Three partitions: ext4, swap, and what looks like random bytes."""
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(64 * MIB)
    loop = tool("losetup", "--find", "--show", str(image))
    try:
        tool("sfdisk", "--quiet", loop, stdin=LAYOUT)
        with Path(loop).open("r+b") as file:
            file.seek(PLACES[2][0])
            file.write(os.urandom(PLACES[2][1]))
            file.seek(100)
            file.write(b"a boot loader")
        for (offset, size), program in zip(
            PLACES, (["mkfs.ext4", "-q"], ["mkswap", "--quiet"]), strict=False
        ):
            part = tool(
                *("losetup", "--find", "--show", "--offset", str(offset)),
                *("--sizelimit", str(size), loop),
            )
            try:
                tool(*program, part)
            finally:
                tool("losetup", "--detach", part)
        yield loop
    finally:
        tool("losetup", "--detach", loop)


@pytest.fixture
def devices(tmp_path: Path) -> SystemBlockDevices:
    """The adapter, with a place for backups."""
    return SystemBlockDevices(
        Commands(),
        run_directory=str(tmp_path / "run"),
        backup_directory=str(tmp_path / "erased"),
    )


def put_back(saved: str, directory: Path) -> None:
    """Do what the README says, through a shell, word by word."""
    directory.mkdir()
    with tarfile.open(saved) as archive:
        archive.extractall(directory, filter="data")
    lines = (directory / "README.txt").read_text().splitlines()
    commands = [
        line for line in lines if line.startswith(("sfdisk ", "dd ", "blockdev "))
    ]
    assert any(line.startswith("dd ") for line in commands)
    for command in commands:
        done = subprocess.run(
            ("sh", "-c", command),
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or "rereadpt" in command, done.stderr


@pytest.mark.parametrize("whole_disk", [False, True])
def test_what_was_saved_is_put_back_byte_for_byte(
    devices: SystemBlockDevices, disk: str, tmp_path: Path, whole_disk: bool
) -> None:
    """The table, both of its copies, and both ends of each partition."""
    facts = devices.inspect(disk)
    table, before = tool("sfdisk", "--dump", disk), content(disk)

    saved = devices.back_up(facts)
    devices.prepare(facts, Preparation("new", whole_disk=whole_disk, full=True))
    assert content(disk) != before
    put_back(saved, tmp_path / "unpacked")

    after = content(disk)
    assert tool("sfdisk", "--dump", disk) == table
    places = [(0, 4 * MIB), (63 * MIB, MIB)]
    for offset, size in PLACES:
        places += [(offset, MIB), (offset + size - MIB, MIB)]
    for offset, size in places:
        assert after[offset : offset + size] == before[offset : offset + size]


def test_a_disk_without_a_table_is_put_back_without_making_one(
    devices: SystemBlockDevices, tmp_path: Path
) -> None:
    """An image whose name a shell would take apart, with no table on it."""
    image = tmp_path / "it's a disk; $(touch surprise).img"
    image.write_bytes(b"\x55" * (32 * MIB))
    saved = devices.back_up(devices.inspect(str(image)))
    devices.prepare(devices.inspect(str(image)), Preparation("new", full=True))

    put_back(saved, tmp_path / "unpacked")

    after = image.read_bytes()
    assert after[: 4 * MIB] == b"\x55" * (4 * MIB)
    assert after[31 * MIB :] == b"\x55" * MIB
    assert not (tmp_path / "unpacked" / "surprise").exists()


def test_a_backup_is_for_nobody_elses_eyes(
    devices: SystemBlockDevices, disk: str
) -> None:
    """Headers of encrypted volumes are in it."""
    before = os.umask(0o022)
    try:
        saved = Path(devices.back_up(devices.inspect(disk)))
    finally:
        os.umask(before)

    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert stat.S_IMODE(saved.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "serial",
    [
        "../../etc/cron.d/x",
        "a/b",
        "..",
        ".",
        "\x00\n\x1b[2J",
        "\u202e",
        "-rf",
        "x" * 300,
    ],
)
def test_the_name_of_a_backup_is_safe_whatever_the_serial_is(
    devices: SystemBlockDevices, disk: str, tmp_path: Path, serial: str
) -> None:
    """It is one plain name in the directory, in a length that fits."""
    facts = replace(devices.inspect(disk), serial=serial)

    saved = Path(devices.back_up(facts))

    assert saved.parent == tmp_path / "erased"
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*\.tar\.gz", saved.name)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    tool("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place))
    try:
        yield place
    finally:
        tool("umount", str(place))


@pytest.mark.parametrize("lacking", ["room", "a writable directory", "a directory"])
def test_without_a_backup_nothing_is_erased_and_no_job_created(
    run: Run, disk: str, tiny: Path, tmp_path: Path, lacking: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Exit code 4; nothing half written is left, and another place is the way out."""
    place = tiny
    if lacking == "a writable directory":
        tool("mount", "-o", "remount,ro", str(tiny))
    if lacking == "a directory":
        place = tiny / "file"
        place.touch()
    manifest = tmp_path / "manifest.yml"
    manifest.write_text(contents.MANIFEST)
    before = hashlib.sha256(content(disk)).digest()
    names = sorted(tiny.iterdir())
    with running() as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        contents.fill(s3_client(server))
        arguments = (str(manifest), disk, f"--confirm-device={disk}")

        refused = run("create-job", *arguments, f"--backup-directory={place}")

        assert refused.code == 4, refused.err
        assert "--backup-directory" in refused.err
        assert run("list-jobs", "--json").document() == []
    assert hashlib.sha256(content(disk)).digest() == before
    assert sorted(tiny.iterdir()) == names


def test_a_backup_that_fails_names_the_place(
    disk: str, tiny: Path, tmp_path: Path
) -> None:
    """For the library it is `FileRefused`."""
    devices = SystemBlockDevices(
        Commands(), run_directory=str(tmp_path / "run"), backup_directory=str(tiny)
    )

    with pytest.raises(FileRefused, match=str(tiny)):
        devices.back_up(devices.inspect(disk))

    assert list(tiny.iterdir()) == []
