"""Every command line that the program can run, as data; and nothing else is run."""

import ast
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from s3export.adapters import command_lines
from s3export.adapters.command_lines import DEBIAN_PACKAGES, CommandLine

ROOT = Path(__file__).parents[2]

LINES: dict[str, tuple[Callable[[], CommandLine], str]] = {
    "list_block_devices": (
        command_lines.list_block_devices,
        "lsblk --json --bytes --output NAME,PATH,MAJ:MIN,TYPE,SIZE,RO,RM,HOTPLUG,"
        "TRAN,MODEL,SERIAL,FSTYPE,LABEL,PTTYPE",
    ),
    "list_loop_devices": (
        command_lines.list_loop_devices,
        "losetup --json --list",
    ),
    "list_signatures": (
        lambda: command_lines.list_signatures("/dev/x"),
        "wipefs --no-act --json /dev/x",
    ),
    "read_partition_table": (
        lambda: command_lines.read_partition_table("/dev/x"),
        "sfdisk --json /dev/x",
    ),
    "dump_partition_table": (
        lambda: command_lines.dump_partition_table("/dev/x"),
        "sfdisk --dump /dev/x",
    ),
    "probe_file_system": (
        lambda: command_lines.probe_file_system("/dev/x", 5, 6),
        "blkid --probe --output export --offset 5 --size 6 /dev/x",
    ),
    "make_partition_table": (
        lambda: command_lines.make_partition_table("/dev/x"),
        "sfdisk --quiet --lock --wipe always --wipe-partitions always /dev/x",
    ),
    "wipe_signatures": (
        lambda: command_lines.wipe_signatures("/dev/x"),
        "wipefs --all --quiet --lock /dev/x",
    ),
    "make_ext4": (
        lambda: command_lines.make_ext4("/dev/x", "label", full=True),
        "mkfs.ext4 -q -m 0 -L label -E lazy_itable_init=0,lazy_journal_init=0 /dev/x",
    ),
    "attach_loop": (
        lambda: command_lines.attach_loop("f", read_only=True, offset=5, size=6),
        "losetup --find --show --read-only --offset 5 --sizelimit 6 f",
    ),
    "detach_loop": (
        lambda: command_lines.detach_loop("/dev/x"),
        "losetup --detach /dev/x",
    ),
    "mount_read_only": (
        lambda: command_lines.mount_read_only("/dev/x", "/m", "ext4"),
        "mount -t ext4 -o ro,nodev,nosuid,noexec,noload /dev/x /m",
    ),
    "mount_read_write": (
        lambda: command_lines.mount_read_write("/dev/x", "/m", "ext4"),
        "mount -t ext4 -o rw,nodev,nosuid,noexec /dev/x /m",
    ),
    "unmount": (lambda: command_lines.unmount("/m"), "umount /m"),
    "flush": (lambda: command_lines.flush("/dev/x"), "blockdev --flushbufs /dev/x"),
    "list_device_mapper_targets": (
        command_lines.list_device_mapper_targets,
        "dmsetup targets",
    ),
    "is_luks": (lambda: command_lines.is_luks("/dev/x"), "cryptsetup isLuks /dev/x"),
    "open_tcrypt": (
        lambda: command_lines.open_tcrypt(
            "/dev/x", "n", veracrypt=False, keyfiles=["k"], hidden=True
        ),
        "cryptsetup open --readonly --type=tcrypt --disable-veracrypt --tcrypt-hidden "
        "--key-file=k /dev/x n",
    ),
    "open_luks": (
        lambda: command_lines.open_luks("/dev/x", "n", keyfile="k"),
        "cryptsetup open --readonly --type=luks --tries=1 --key-file=k /dev/x n",
    ),
    "show_mapping": (lambda: command_lines.show_mapping("n"), "cryptsetup status n"),
    "close_mapping": (lambda: command_lines.close_mapping("n"), "cryptsetup close n"),
}


@pytest.mark.parametrize("name", LINES)
def test_a_command_line_is_what_it_says(name: str) -> None:
    """Program and arguments; the program's package is known."""
    make, expected = LINES[name]

    line = make()

    assert " ".join(line.argv) == expected
    assert line.program in DEBIAN_PACKAGES


def test_no_command_line_is_forgotten() -> None:
    """Each function that gives one is tried above."""
    functions = {
        name
        for name, function in inspect.getmembers(command_lines, inspect.isfunction)
        if function.__module__ == command_lines.__name__
    }

    assert functions == LINES.keys()


STARTERS = {"subprocess", "pty", "multiprocessing", "plumbum"}
CALLS = {"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp"}
CALLS |= {"execv", "execve", "execvp", "execl", "spawnv", "spawnve", "spawnvp"}
RUNNERS = {
    ROOT / "adapters" / "commands.py",
    ROOT / "entrypoints" / "sandbox" / "story.py",  # the program itself, to show it
}


@pytest.mark.parametrize(
    "path",
    sorted(
        path
        for layer in ("domain", "adapters", "entrypoints")
        for path in (ROOT / layer).rglob("*.py")
        if path not in RUNNERS
    ),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_one_module_alone_starts_programs(path: Path) -> None:
    """No other imports what starts a process, or calls it."""
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not {name.partition(".")[0] for name in names} & STARTERS
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert not (node.value.id == "os" and node.attr in CALLS)
