"""Every command line that s3export can run, and that nothing else starts a process."""

import ast
import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s3export.adapters import command_lines
from s3export.adapters.command_lines import DEBIAN_PACKAGES, CommandLine

ROOT = Path(__file__).parents[2]
LAYERS = ("domain", "adapters", "entrypoints", "s3export")

LSBLK_COLUMNS = (
    "NAME,PATH,MAJ:MIN,TYPE,SIZE,RO,RM,HOTPLUG,TRAN,MODEL,SERIAL,FSTYPE,LABEL,PTTYPE"
)
OPEN = "cryptsetup open --readonly"

SAMPLES: tuple[tuple[CommandLine, str], ...] = (
    (command_lines.open_editor(f"{sys.executable} -i", "F"), f"{sys.executable} -i F"),
    (command_lines.tell_version("sfdisk"), "sfdisk --version"),
    (command_lines.tell_version("mkfs.ext4"), "mkfs.ext4 -V"),
    (command_lines.tell_version("dmsetup"), "dmsetup --version"),
    (
        command_lines.list_block_devices(),
        f"lsblk --json --bytes --output {LSBLK_COLUMNS}",
    ),
    (
        command_lines.list_loop_devices(),
        "losetup --json --list --output "
        "NAME,BACK-FILE,OFFSET,SIZELIMIT,RO,BACK-INO,BACK-MAJ:MIN",
    ),
    (command_lines.list_signatures("D"), "wipefs --no-act --json D"),
    (command_lines.read_partition_table("D"), "sfdisk --json D"),
    (command_lines.probe_file_system("D"), "blkid --probe --output export D"),
    (
        command_lines.probe_file_system("D", 512, 1024),
        "blkid --probe --output export --offset 512 --size 1024 D",
    ),
    (
        command_lines.make_partition_table("D"),
        "sfdisk --quiet --lock --wipe always --wipe-partitions always D",
    ),
    (command_lines.dump_partition_table("D"), "sfdisk --dump D"),
    (command_lines.wipe_signatures("D"), "wipefs --all --quiet --lock D"),
    (command_lines.make_ext4("D", "L"), "mkfs.ext4 -q -m 0 -L L D"),
    (
        command_lines.make_ext4("D", "L", full=True),
        "mkfs.ext4 -q -m 0 -L L -E lazy_itable_init=0,lazy_journal_init=0 D",
    ),
    (command_lines.attach_loop("F", read_only=False), "losetup --find --show F"),
    (
        command_lines.attach_loop("F", read_only=True, offset=512, size=1024),
        "losetup --find --show --read-only --offset 512 --sizelimit 1024 F",
    ),
    (command_lines.detach_loop("D"), "losetup --detach D"),
    (
        command_lines.mount_read_only("D", "P", "ext2"),
        "mount -t ext2 -o ro,nodev,nosuid,noexec D P",
    ),
    (
        command_lines.mount_read_only("D", "P", "ext4"),
        "mount -t ext4 -o ro,nodev,nosuid,noexec,noload D P",
    ),
    (
        command_lines.mount_read_write("D", "P", "ext4"),
        "mount -t ext4 -o rw,nodev,nosuid,noexec D P",
    ),
    (command_lines.unmount("P"), "umount P"),
    (command_lines.flush("D"), "blockdev --flushbufs D"),
    (command_lines.list_device_mapper_targets(), "dmsetup targets"),
    (command_lines.is_luks("D"), "cryptsetup isLuks D"),
    (
        command_lines.open_tcrypt("D", "N", veracrypt=False),
        f"{OPEN} --type=tcrypt --disable-veracrypt D N",
    ),
    (
        command_lines.open_tcrypt(
            "D", "N", veracrypt=True, keyfiles=("K",), pim=7, hidden=True,
            backup_header=True,
        ),
        f"{OPEN} --type=tcrypt --tcrypt-hidden --tcrypt-backup --veracrypt-pim=7 "
        "--key-file=K D N",
    ),
    (command_lines.open_luks("D", "N"), f"{OPEN} --type=luks --tries=1 D N"),
    (
        command_lines.open_luks("D", "N", keyfile="K"),
        f"{OPEN} --type=luks --tries=1 --key-file=K D N",
    ),
    (
        command_lines.open_tcrypt("D", "N", veracrypt=True, read_only=False),
        "cryptsetup open --type=tcrypt D N",
    ),
    (
        command_lines.open_luks("D", "N", read_only=False),
        "cryptsetup open --type=luks --tries=1 D N",
    ),
    (
        command_lines.make_luks("D"),
        "cryptsetup luksFormat --batch-mode --type=luks2 D",
    ),
    (
        command_lines.serve_volume("P"),
        f"{sys.executable} -P -m s3export.adapters.containers.fuse_volume P",
    ),
    (command_lines.show_mapping("N"), "cryptsetup status N"),
    (command_lines.close_mapping("N"), "cryptsetup close N"),
)  # fmt: skip
"""Each function with sample arguments, and the line that it makes."""

each_sample = pytest.mark.parametrize(
    ("line", "argv"),
    SAMPLES,
    ids=[argv.partition(" --output")[0] for _, argv in SAMPLES],
)


@each_sample
def test_a_command_line_is_this_one(line: CommandLine, argv: str) -> None:
    """A device or a file is one argument, and the last but for a mount's place."""
    assert line.argv == tuple(argv.split(" "))
    assert line.program == argv.split(" ")[0]


@each_sample
def test_every_program_comes_with_a_package(line: CommandLine, argv: str) -> None:
    """Whoever lacks it is told which."""
    assert line.program == sys.executable or DEBIAN_PACKAGES[line.program]


def test_every_function_has_a_sample() -> None:
    """A new command line is one more row, and no program is listed for nothing."""
    made = {name for name, _ in makers()}
    source = inspect.getsource(sys.modules[__name__])
    called = {
        node.func.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "command_lines"
    }

    assert called == made
    programs = {line.program for line, _ in SAMPLES}
    assert programs == {*DEBIAN_PACKAGES, sys.executable}


def makers() -> Iterator[tuple[str, Callable[..., CommandLine]]]:
    """Yield the public functions of the module."""
    for name, member in inspect.getmembers(command_lines, inspect.isfunction):
        if member.__module__ == command_lines.__name__ and not name.startswith("_"):
            yield name, member


def test_only_statuses_that_are_answers_are_good() -> None:
    """What else a program ends with is a failure."""
    good = {line.argv[:2]: line.good for line, _ in SAMPLES if line.good != (0,)}

    assert good == {
        ("dmsetup", "--version"): (0, 1),
        ("sfdisk", "--json"): (0, 1),
        ("sfdisk", "--dump"): (0, 1),
        ("blkid", "--probe"): (0, 2),
        ("cryptsetup", "isLuks"): (0, 1),
        ("cryptsetup", "open"): (0, 1, 2, 3, 4, 5),
        ("cryptsetup", "close"): (0, 4),
    }


def test_only_the_new_partition_table_goes_to_standard_input() -> None:
    """One partition over the whole disk, from 1 MiB on."""
    given = {line.program: line.stdin for line, _ in SAMPLES if line.stdin}

    assert given == {"sfdisk": "label: gpt\nstart=1MiB, type=linux, name=s3export\n"}


@pytest.mark.parametrize("line", [line for line, _ in SAMPLES], ids=lambda x: x.argv[0])
def test_nothing_is_forced(line: CommandLine) -> None:
    """No tool is told to go on where it would refuse a device in use."""
    forcing = {"--force", "-f", "-F", "-ff", "--no-reread", "--lazy", "-l"}

    assert not forcing & set(line.argv)


PROCESSES = {"subprocess", "multiprocessing", "plumbum", "pty", "popen2"}
STARTERS = ("system", "popen", "fork", "forkpty", "posix_spawn", "exec", "spawn")
ALLOWED = {
    "adapters/commands.py": "it is the one place",
    "entrypoints/sandbox/story.py": "the sandbox shows s3export as a user starts it",
}


def starts(tree: ast.AST) -> Iterator[str]:
    """Yield what a module has with which processes can be started."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if top(a.name) in PROCESSES)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if top(module) in PROCESSES:
                yield module
            if module == "os":
                yield from (a.name for a in node.names if a.name.startswith(STARTERS))
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (node.value.id, node.attr.startswith(STARTERS)) in STARTING
        ):
            yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Attribute) and node.attr.startswith("subprocess_"):
            yield node.attr


STARTING = {("os", True), ("posix", True), ("asyncio", True)}


def top(module: str) -> str:
    """Return the package of a module."""
    return module.partition(".")[0]


def test_one_module_alone_starts_processes() -> None:
    """Everything else asks it, with a command line that is data."""
    found = {}
    for path in sorted(p for layer in LAYERS for p in (ROOT / layer).rglob("*.py")):
        if not path.is_relative_to(ROOT / "s3export") or path.parent.name == "s3export":
            names = sorted(set(starts(ast.parse(path.read_text()))))
            if names:
                found[str(path.relative_to(ROOT))] = names

    assert set(found) == set(ALLOWED)


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess",
        "import subprocess as s",
        "from subprocess import run",
        "from plumbum import local",
        "import os\nos.system('x')",
        "from os import execv",
        "import os\nos.execvp('x', [])",
        "import os\nos.posix_spawn('x', [], {})",
        "import os\nos.fork()",
        "loop.subprocess_exec(x)",
    ],
)
def test_each_way_to_start_a_process_is_found(code: str) -> None:
    """The scan of the modules overlooks none of them."""
    assert list(starts(ast.parse(code)))


@pytest.mark.parametrize(
    "start",
    [
        lambda: subprocess.run(["true"], check=True),
        lambda: subprocess.Popen(["true"]),
        lambda: os.system("true"),
        lambda: os.fork(),
        lambda: os.posix_spawn("/bin/true", ["true"], {}),
    ],
    ids=["run", "Popen", "system", "fork", "posix_spawn"],
)
def test_a_test_of_this_folder_that_starts_a_process_fails(
    start: Callable[[], object],
) -> None:
    """It says so, and where such a test lives."""
    with pytest.raises(pytest.fail.Exception, match="starts a process"):
        start()
