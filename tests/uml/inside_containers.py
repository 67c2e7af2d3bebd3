"""Runs within user-mode Linux: the contract of containers, through real dm-crypt.

Arguments: a file for the results, and which tests, as for ``pytest -k``. The last line
printed is JSON: what is held in the end. A container that the host has made is named by
the variable ``WRITTEN_OUTSIDE``.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from contracts.containers_contract import (
    KEY,
    PASSWORD,
    PATH,
    SIZE,
    ContainersContract,
    DeviceContainersContract,
    content,
    fill,
)

from s3export.adapters import command_lines
from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.command_lines import CommandLine
from s3export.domain.backup_layout import TreePath
from s3export.domain.containers import Opening, OpenWith
from s3export.domain.devices import DeviceFacts
from s3export.domain.devices.preparation import Preparation
from s3export.domain.errors import DeviceFailed
from s3export.domain.ports import Containers, WritableTree
from s3export.entrypoints.container import application
from s3export.entrypoints.settings import Settings

MIB = 1 << 20
RUN = "/run/s3export"


def wired() -> tuple[SystemBlockDevices, Containers]:
    """Return the real parts."""
    adapters = application(Settings()).adapters
    return adapters.block_devices(), adapters.disk_containers()


def tool(*argv: str, stdin: str = "") -> str:
    """Run a system tool that must succeed."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def held() -> str:
    """Say what the kernel has of mappings, loop devices, mounts; and what is noted."""
    mappings = tool("dmsetup", "ls").replace("No devices found", "")
    mounts = [
        line for line in Path("/proc/mounts").read_text().splitlines() if RUN in line
    ]
    notes = [str(path) for path in Path(RUN).glob("*")]
    return mappings + tool("losetup", "--list") + "".join(mounts + notes)


def new_image(directory: Path, size: int = 48 * MIB) -> str:
    """Return an image of an empty disk."""
    image = directory / "disk.img"
    with image.open("wb") as file:
        file.truncate(size)
    return str(image)


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Whatever a test does, nothing stays held."""
    yield
    assert held() == ""


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are derived in a moment, but where the derivation is what is tested."""
    if "derivation" in request.node.name:
        return
    make = command_lines.make_luks

    def make_quickly(device: str) -> CommandLine:
        program, action, *more = make(device).argv
        cheap = ("--pbkdf-force-iterations=4", "--pbkdf-memory=64")
        return CommandLine((program, action, *cheap, *more))

    monkeypatch.setattr(command_lines, "make_luks", make_quickly)


@dataclass
class Arranged:
    containers: Containers
    tree: WritableTree


class TestByTheKernel(ContainersContract):
    @pytest.fixture
    def arranged(self, nothing_left: None, tmp_path: Path) -> Iterator[Arranged]:
        devices, containers = wired()
        image = new_image(tmp_path)
        whole = Preparation("x", whole_disk=True)
        devices.prepare(devices.inspect(image), whole)
        with devices.open_for_writing(devices.inspect(image)) as tree:
            yield Arranged(containers, tree)

    @pytest.mark.parametrize("writes", [OpenWith.CRYPTSETUP, OpenWith.USERSPACE])
    def test_both_means_write_the_same_volume(
        self, arranged: Arranged, writes: OpenWith
    ) -> None:
        """What one has written, the other one reads, and adds to."""
        (reads,) = {OpenWith.CRYPTSETUP, OpenWith.USERSPACE} - {writes}
        arranged.containers.create(arranged.tree, PATH, SIZE, PASSWORD, "x")
        for number, means in enumerate((writes, reads, writes)):
            opening = Opening(open_with=means)
            with arranged.containers.open_for_writing(
                arranged.tree, PATH, KEY, opening
            ) as inside:
                for earlier in range(number):
                    assert content(inside, b"%d" % earlier) == b"%d" % earlier
                inside.write(TreePath(b"%d" % number), [b"%d" % number])
        with arranged.containers.open_file(
            arranged.tree, PATH, KEY, Opening(open_with=reads)
        ) as opened:
            assert opened.facts.opened_with == reads.value
            assert content(opened.tree, b"2") == b"2"


@dataclass
class OnDevice:
    containers: Containers
    devices: SystemBlockDevices
    path: str

    def facts(self) -> DeviceFacts:
        return self.devices.inspect(self.path)


class TestLuksPartition(DeviceContainersContract):
    @pytest.fixture
    def arranged(self, nothing_left: None, tmp_path: Path) -> OnDevice:
        devices, containers = wired()
        image = new_image(tmp_path)
        empty = Preparation("", file_system=False)
        devices.prepare(devices.inspect(image), empty)
        return OnDevice(containers, devices, image)


class TestLuksDevice(DeviceContainersContract):
    @pytest.fixture
    def arranged(self, nothing_left: None, tmp_path: Path) -> Iterator[OnDevice]:
        devices, containers = wired()
        with devices.attach_image(new_image(tmp_path)) as path:
            empty = Preparation("", whole_disk=True, file_system=False)
            devices.prepare(devices.inspect(path), empty)
            yield OnDevice(containers, devices, path)


def test_what_the_disk_did_not_take_is_an_error(nothing_left: None) -> None:
    """Through dm-crypt as well; at the latest on leaving."""
    place = Path("/run/small")
    place.mkdir()
    tool("mount", "-t", "tmpfs", "-o", f"size={16 * MIB}", "small", str(place))
    try:
        devices, containers = wired()
        image = new_image(place, 64 * MIB)
        whole = Preparation("x", whole_disk=True)
        devices.prepare(devices.inspect(image), whole)
        with (
            contextlib.suppress(DeviceFailed),
            devices.open_for_writing(devices.inspect(image)) as tree,
        ):
            containers.create(tree, PATH, 40 * MIB, PASSWORD, "x")
            with (
                pytest.raises(DeviceFailed),
                containers.open_for_writing(tree, PATH, KEY) as inside,
            ):
                inside.write(TreePath(b"large"), [os.urandom(MIB)] * 30)
    finally:
        tool("umount", str(place))


@pytest.mark.parametrize("kind", ["truecrypt", "luks2"])
def test_what_a_killed_run_had_synced_is_there(
    nothing_left: None, tmp_path: Path, kind: str
) -> None:
    """After cleaning what it left, and the journal's replay."""
    devices, containers = wired()
    image = new_image(tmp_path)
    child = os.fork()
    if not child:
        try:
            kill_me(image, kind)
        finally:
            os._exit(1)
    while not Path(image).with_name("synced").exists():
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "it ended by itself"
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for leftover in devices.leftovers():
        devices.clean(leftover)

    assert held() == ""
    facts = devices.inspect(image)
    with contextlib.ExitStack() as stack:
        if kind == "luks2":
            opened = containers.open_device_for_writing(facts, KEY)
        else:
            tree = stack.enter_context(devices.open_for_writing(facts))
            opened = containers.open_for_writing(tree, PATH, KEY)
        assert content(stack.enter_context(opened), b"bucket/a") == b"one"


def kill_me(image: str, kind: str) -> None:
    """Write, sync, say so, and go on until killed."""
    devices, containers = wired()
    facts = devices.inspect(image)
    with contextlib.ExitStack() as stack:
        if kind == "luks2":
            containers.create_device(facts, PASSWORD, "x")
            opened = containers.open_device_for_writing(devices.inspect(image), KEY)
        else:
            devices.prepare(facts, Preparation("x", whole_disk=True))
            disk = devices.open_for_writing(devices.inspect(image))
            tree = stack.enter_context(disk)
            containers.create(tree, PATH, SIZE, PASSWORD, "x")
            opened = containers.open_for_writing(tree, PATH, KEY)
        inside = stack.enter_context(opened)
        fill(inside)
        inside.sync()
        Path(image).with_name("synced").touch()
        while True:
            inside.replace(TreePath(b"busy"), os.urandom(50_000))


def test_what_was_written_through_fuse_opens_with_cryptsetup(tmp_path: Path) -> None:
    """A container of a host without dm-crypt, as it is; nothing of ours opens it."""
    container = os.environ["WRITTEN_OUTSIDE"]
    password = f"{PASSWORD.reveal()}\n"
    options = ("--readonly", "--type=tcrypt", "--disable-veracrypt")
    tool("cryptsetup", "open", *options, container, "outside", stdin=password)
    try:
        assert "clean" in tool("e2fsck", "-n", "/dev/mapper/outside")
        tool("mount", "-o", "ro,noload", "/dev/mapper/outside", str(tmp_path))
        try:
            assert Path(tmp_path, "bucket/sub/b").read_bytes() == b"twothree"
        finally:
            tool("umount", str(tmp_path))
    finally:
        tool("cryptsetup", "close", "outside")


def test_the_derivation_is_the_default_of_cryptsetup(tmp_path: Path) -> None:
    """LUKS2, with a key derivation that is hard on memory."""
    devices, containers = wired()
    image = new_image(tmp_path)
    containers.create_device(devices.inspect(image), PASSWORD, "x")

    told = tool("cryptsetup", "luksDump", image)

    assert "Version:       \t2" in told
    assert "argon2id" in told and "aes-xts-plain64" in told


def main(results: str, only: str) -> int:
    """Run some of the above."""
    return pytest.main(
        [
            *("--noconftest", "-v", "--durations=9", "-p", "no:cacheprovider"),
            *("-o", "tmp_path_retention_policy=none"),  # all is in memory
            *("--basetemp=/run/tmp/pytest", "--import-mode=importlib"),
            *(f"--junit-xml={results}", "-k", only, __file__),
        ]
    )


if __name__ == "__main__":
    status = main(*sys.argv[1:])
    print(json.dumps({"status": int(status), "left": held()}))  # noqa: T201
