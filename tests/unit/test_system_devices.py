"""The graph is read from files whose names and bytes others have chosen."""

from pathlib import Path

import pytest

from s3export.adapters import system_devices
from s3export.adapters.command_lines import CommandLine
from s3export.adapters.commands import Commands, Output
from s3export.adapters.system_devices import SystemGraph
from s3export.domain.errors import DeviceFailed

LSBLK = """{"blockdevices": [
{"path": "/dev/none-a", "maj:min": "8:0", "type": "disk", "size": 1073741824},
{"path": "/dev/none-b", "maj:min": "8:16", "type": "disk", "size": 1073741824}
]}"""


class Told(Commands):
    """Tells two disks, and no loop device."""

    def run(self, line: CommandLine, *, secret: bytes | None = None) -> Output:
        """Answer without running anything."""
        return Output(LSBLK if line.program == "lsblk" else "", "", 0)


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc with us and another process, in a mount namespace of its own."""
    process(tmp_path / "self", "mnt:[1]", b"1 2 8:0 / / rw - ext4 /dev/none-a rw\n")
    monkeypatch.setattr(system_devices, "_PROCESSES", tmp_path)
    monkeypatch.setattr(system_devices, "_BTRFS", tmp_path / "btrfs")
    return tmp_path


def process(folder: Path, namespace: str, mounts: bytes, name: bytes = b"sh\n") -> None:
    """Make what /proc shows of a process."""
    (folder / "ns").mkdir(parents=True)
    (folder / "ns/mnt").symlink_to(namespace)
    (folder / "mountinfo").write_bytes(mounts)
    (folder / "comm").write_bytes(name)


def places(path: str) -> tuple[str, ...]:
    """Return where a disk is mounted."""
    facts = SystemGraph(Told()).read().facts(path)
    assert facts is not None
    return facts.mount_points


def test_names_that_are_no_text_hide_no_mount(processes: Path) -> None:
    """A process and a directory may be called by any bytes."""
    line = b"1 2 8:16 / /mnt/\xff\r rw - ext4 /dev/none-b rw\n"
    process(processes / "12", "mnt:[2]", line, name=b"caf\xe9\n")

    (place,) = places("/dev/none-b")

    assert place == "/mnt/\udcff\r in the mount namespace of process 12 (caf\udce9)"


def test_each_mount_namespace_is_told_once_and_ours_first(processes: Path) -> None:
    """By the oldest process in it; a process that has ended is passed over."""
    other = b"1 2 8:0 / /mnt rw - ext4 /dev/none-a rw\n"
    process(processes / "100", "mnt:[3]", other)
    process(processes / "99", "mnt:[3]", other)
    process(processes / "7", "mnt:[1]", other)
    (processes / "8").mkdir()

    assert places("/dev/none-a") == (
        "/",
        "/mnt in the mount namespace of process 99 (sh)",
    )


def test_nothing_is_judged_where_nobody_can_tell_what_is_mounted(
    processes: Path,
) -> None:
    """A system without /proc is refused, and not taken for one without mounts."""
    (processes / "self/mountinfo").unlink()

    with pytest.raises(DeviceFailed, match="what is mounted"):
        SystemGraph(Told()).read()


def test_every_device_of_a_mounted_btrfs_is_held(processes: Path) -> None:
    """Its mount names one of them at most."""
    for number, name in (("8:16", "b"), ("9:9", "x")):
        folder = processes / "btrfs/some-uuid/devices" / name
        folder.mkdir(parents=True)
        (folder / "dev").write_text(f"{number}\n")

    assert SystemGraph(Told()).read().held == {"/dev/none-b"}


def test_a_kernel_without_swap_space_has_none(processes: Path) -> None:
    """There is no file to read then."""
    assert SystemGraph(Told()).read().swaps == frozenset()


def test_a_swap_file_is_known_under_each_of_its_names(processes: Path) -> None:
    """One that is gone is none, and neither is another file."""
    swap, link, other = (processes / name for name in ("swap", "link", "other"))
    swap.touch()
    other.touch()
    link.hardlink_to(swap)
    (processes / "swaps").write_text(
        f"Filename\tType\n{swap}  file\t1\t0\t-2\n/gone\\040(deleted) file\t1\n"
    )
    graph = SystemGraph(Told())

    assert graph.swap_file(str(swap)) == graph.swap_file(str(link)) == str(swap)
    assert graph.swap_file(str(other)) == graph.swap_file("/gone") == ""
