"""What is in use is refused under each of its names, and stays as it is."""

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from samples import MANIFEST

from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.commands import Commands
from s3export.adapters.memory import FixedClock, MemoryExportService, MemoryManifests
from s3export.domain.devices import refusals_to_read, refusals_to_write
from s3export.domain.devices.preparation import Preparation
from s3export.domain.errors import DeviceRefused
from s3export.domain.services.create_job import CreateJob

pytestmark = pytest.mark.loop

MIB = 1 << 20
QUIETLY = "noinit_itable,no_prefetch_block_bitmaps"


def tool(*argv: str) -> str:
    """Run a system tool that must succeed."""
    done = subprocess.run(argv, check=True, capture_output=True)
    return os.fsdecode(done.stdout).strip()


def checksum(path: str) -> str:
    """Return the SHA-256 of a whole device or image."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Place:
    """Images, loop devices and mounts in a directory, all released in the end."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self.devices = SystemBlockDevices(
            Commands(),
            run_directory=str(directory / "run"),
            backup_directory=str(directory / "erased"),
        )
        self._stack = stack

    def image(self, name: str = "a.img", mib: int = 40) -> str:
        """Make an image with a file system over all of it."""
        path = self.directory / name
        with path.open("wb") as file:
            file.truncate(mib * MIB)
        tool("mkfs.ext4", "-q", "-F", str(path))
        return str(path)

    def name(self, name: str) -> str:
        """Return a path in the directory."""
        return str(self.directory / name)

    def releasing(self, *argv: str) -> None:
        """Run a tool in the end."""
        self._stack.callback(tool, *argv)

    def loop(self, file: str, *options: str) -> str:
        """Attach a file."""
        loop = tool("losetup", "--find", "--show", *options, file)
        self.releasing("losetup", "--detach", loop)
        return loop

    def mount(self, source: str, *options: str) -> str:
        """Mount something; the kernel writes nothing to it of its own accord."""
        place = self.directory / "place"
        place.mkdir()
        tool("mount", *(options or ("-o", QUIETLY)), source, str(place))
        self.releasing("umount", str(place))
        return str(place)

    def bound(self, file: str) -> str:
        """Give a file another name by a bind mount."""
        other = self.directory / "bound.img"
        other.touch()
        tool("mount", "--bind", file, str(other))
        self.releasing("umount", str(other))
        return str(other)

    def swap(self, file: str) -> None:
        """Use a file as swap space."""
        Path(file).write_bytes(os.urandom(20 * MIB))
        Path(file).chmod(0o600)
        tool("mkswap", file)
        tool("swapon", file)
        self.releasing("swapoff", file)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Nothing stays mounted or attached."""
    with ExitStack() as stack:
        yield Place(tmp_path, stack)
    loops = tool("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE")
    assert str(tmp_path) not in loops + os.fsdecode(Path("/proc/mounts").read_bytes())


def hard_link(place: Place) -> str:
    """An image is mounted, and has another hard link."""
    os.link(place.image(), place.name("hard.img"))
    place.mount(place.loop(place.name("a.img")))
    return place.name("hard.img")


def bind_mount(place: Place) -> str:
    """An image is mounted, and bound to another name."""
    other = place.bound(place.image())
    place.mount(place.loop(place.name("a.img")))
    return other


def last_link(place: Place) -> str:
    """The name by which an image was mounted is gone."""
    os.link(place.image(), place.name("hard.img"))
    place.mount(place.loop(place.name("a.img")))
    Path(place.name("a.img")).unlink()
    return place.name("hard.img")


def no_text(place: Place) -> str:
    """The name of the mounted image is in no encoding."""
    path = place.image("\udcff.img")
    place.mount(place.loop(path))
    return path


def second_loop(place: Place) -> str:
    """Two loop devices are over an image, one of them mounted."""
    target, other = place.loop(place.image()), place.loop(place.name("a.img"))
    place.mount(other)
    return target


def second_loop_by_another_link(place: Place) -> str:
    """The other one is over another hard link."""
    os.link(place.image(), place.name("hard.img"))
    target, other = place.loop(place.name("hard.img")), place.loop(place.name("a.img"))
    place.mount(other)
    return target


def whole_of_a_mounted_part(place: Place) -> str:
    """The file system begins within the image."""
    image = place.image()
    part = place.loop(image, "--offset", str(MIB))
    tool("mkfs.ext4", "-q", "-F", part)
    place.mount(part)
    return place.loop(image)


def part_of_a_mounted_whole(place: Place) -> str:
    """The target begins within the file system."""
    image = place.image()
    place.mount(place.loop(image))
    return place.loop(image, "--offset", str(MIB))


def partition_of_a_mounted_image(place: Place) -> str:
    """The partition is mounted by the other loop device, and named of this one."""
    image = place.name("a.img")
    with Path(image).open("wb") as file:
        file.truncate(40 * MIB)
    tool("sh", "-c", f"printf 'label: gpt\\nstart=1MiB\\n' | sfdisk -q {image}")
    target, part = place.loop(image), place.loop(image, "--offset", str(MIB))
    tool("mkfs.ext4", "-q", part)
    tool("partx", "--update", target)
    place.releasing("partx", "--delete", target)
    place.mount(part)
    return f"{target}p1"


def second_loop_over_a_device(place: Place) -> str:
    """What the loop device is over is mounted itself."""
    below = place.loop(place.image())
    place.mount(below)
    return place.loop(below)


MOUNTED: tuple[Callable[[Place], str], ...] = (
    hard_link,
    bind_mount,
    last_link,
    no_text,
    second_loop,
    second_loop_by_another_link,
    whole_of_a_mounted_part,
    part_of_a_mounted_whole,
    partition_of_a_mounted_image,
    second_loop_over_a_device,
)


def swap_file(place: Place) -> str:
    """The file is swap space."""
    place.swap(place.name("swap.img"))
    return place.name("swap.img")


def link_of_a_swap_file(place: Place) -> str:
    """It is swap space by another name."""
    place.swap(place.name("swap.img"))
    os.link(place.name("swap.img"), place.name("hard.img"))
    return place.name("hard.img")


def loop_over_a_swap_file(place: Place) -> str:
    """A loop device stands on the file."""
    place.swap(place.name("swap.img"))
    return place.loop(place.name("swap.img"))


SWAPS = (swap_file, link_of_a_swap_file, loop_over_a_swap_file)


@pytest.mark.parametrize("arrange", MOUNTED)
def test_what_is_mounted_under_another_name_is_refused(
    place: Place, arrange: Callable[[Place], str]
) -> None:
    """To write to and to read, with where it is mounted and the way out."""
    target = arrange(place)
    tool("sync")
    before = checksum(target)
    mounted = place.name("place")

    facts = place.devices.inspect(target)

    for refusals in (refusals_to_write(facts), refusals_to_read(facts)):
        told = [refusal for refusal in refusals if "is mounted at" in refusal.reason]
        assert [refusal.way_out for refusal in told] == [f"umount {mounted} first"]
        assert f"is mounted at {mounted}" in told[0].reason
        assert "/dev/loop" in told[0].reason
    assert checksum(target) == before


@pytest.mark.parametrize("arrange", SWAPS)
def test_a_swap_file_in_use_is_refused(
    place: Place, arrange: Callable[[Place], str]
) -> None:
    """Under each of its names, and where a loop device stands on it."""
    target = arrange(place)

    refusals = refusals_to_write(place.devices.inspect(target))

    (told,) = [refusal for refusal in refusals if "swap space in use" in refusal.reason]
    assert told.way_out == f"swapoff {place.name('swap.img')} first"


def test_no_job_is_planned_for_what_is_mounted_under_another_name(place: Place) -> None:
    """The image stays as it is, byte for byte."""
    target = hard_link(place)
    tool("sync")
    before = checksum(target)
    export = MemoryExportService()
    create = CreateJob(export, place.devices, FixedClock())
    manifest = MemoryManifests({"m": MANIFEST}).read("m").accepted()

    with pytest.raises(DeviceRefused, match="is mounted at"):
        create.plan(manifest, target)

    assert list(export.jobs()) == []
    assert checksum(target) == before


def test_the_other_name_is_said(place: Place) -> None:
    """The one by which the loop device was attached."""
    refusals = refusals_to_write(place.devices.inspect(hard_link(place)))

    assert any(
        f"(attached to {place.name('a.img')})" in refusal.reason for refusal in refusals
    )


def test_a_loop_device_beside_one_that_is_not_in_use_can_be_prepared(
    place: Place,
) -> None:
    """What the run itself attaches on the way is in nobody's way."""
    target, _ = place.loop(place.image()), place.loop(place.name("a.img"))
    facts = place.devices.inspect(target)
    assert refusals_to_write(facts) == ()

    with place.devices.hold(facts) as held:
        place.devices.prepare(held, Preparation("beside"))

    assert refusals_to_write(place.devices.inspect(target)) == ()


def test_a_container_that_a_loop_device_has_under_another_name_is_refused(
    place: Place,
) -> None:
    """And one that is swap space."""
    os.link(place.image(), place.name("hard.img"))
    loop = place.loop(place.name("a.img"))
    place.swap(place.name("swap.img"))

    with pytest.raises(DeviceRefused, match=f"{loop} stands on it"):
        place.devices.check_unattached(place.name("hard.img"))
    with pytest.raises(DeviceRefused, match="swap space in use"):
        place.devices.check_unattached(place.name("swap.img"))
