"""The list of disks: which may be chosen, and why the others may not."""

import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dependency_injector import providers
from layouts import NAMES, machine
from samples import disk_facts

from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.commands import Commands
from s3export.adapters.memory import MemoryBlockDevices, MemoryDisk
from s3export.domain.devices import Refusal
from s3export.entrypoints.cli.device_wording import device_lines
from s3export.entrypoints.container import Application
from s3export.entrypoints.library import ListedDevice

Run = Callable[..., Any]

NOBODY = 65534


@pytest.fixture
def run_on(run: Run) -> Iterator[Run]:
    """Run the program on a machine whose disks were written down."""
    block_devices = Application.adapters.block_devices

    def run_it(name: str, *arguments: str) -> Any:
        system = machine(name)
        seen = (system.facts(disk.path) for disk in system.disks())
        disks = MemoryBlockDevices(*(MemoryDisk(facts) for facts in seen if facts))
        with block_devices.override(providers.Object(disks)):
            return run("list-devices", *arguments)

    yield run_it


def groups(out: str) -> tuple[str, str]:
    """Divide what was printed into what may be chosen, and what may not."""
    chosen, _, refused = out.partition("May not be chosen:\n")
    return chosen, refused


def test_disks_that_may_be_chosen_come_first(run_on: Run) -> None:
    """The others are told with the reasons, each below its disk."""
    ran = run_on("usb-beside-internal")

    chosen, refused = groups(ran.out)
    assert ran.code == 0
    assert chosen.splitlines() == [
        "May be chosen:",
        "  /dev/sdb  4.00 TB  My Passport 2626  WX12D30A1B2C  usb  removable  "
        "gpt/PMBR, ext4 Old Backups  usb-WD_My_Passport_2626_WX12D30A1B2C-0:0",
    ]
    assert [line.split()[0] for line in refused.splitlines()] == [
        *("/dev/sda", "the", "the"),
        *("/dev/sdc", "/dev/sdc1"),
    ]
    assert "/dev/sdc1 is mounted at /media/operator/TEMP" in refused


def test_at_most_three_reasons_are_told_of_a_disk(run_on: Run) -> None:
    """How many more there are is said; all of them are in the document."""
    lines = run_on("server-raid").out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("  /dev/ubda"))

    assert lines[start + 1].endswith("system stands on /dev/md0 (mounted at /)")
    assert lines[start + 4] == "      and 5 more reasons"
    assert lines[start + 5].startswith("  /dev/ubdb")
    (first, _) = run_on("server-raid", "--json").document()
    assert len(first["refusals"]) == 8


@pytest.mark.parametrize(
    ("more", "told"), [(0, []), (1, ["1 more reason"]), (2, ["2 more reasons"])]
)
def test_how_many_reasons_are_not_told_is_counted(more: int, told: list[str]) -> None:
    """One is no plural, and none is not mentioned."""
    refusals = tuple(Refusal(f"reason {n}") for n in range(3 + more))

    lines = list(device_lines([ListedDevice(disk_facts(), refusals)]))

    assert [line.strip() for line in lines[3:]] == [
        *("reason 0", "reason 1", "reason 2"),
        *(f"and {each}" for each in told),
    ]


def test_a_machine_without_a_disk_is_said_to_have_none(run_on: Run) -> None:
    """Nothing is announced that does not follow."""
    ran = run_on("no-disk")

    assert ran.out == "This system has no disk. Plug one in.\n"
    assert run_on("no-disk", "--json").document() == []


def test_where_no_disk_may_be_chosen_the_reasons_follow(run_on: Run) -> None:
    """The heading says that there is none."""
    ran = run_on("virtio-server")

    assert ran.out.startswith("No disk may be chosen. Plug one in, or see why not:\n")
    assert "the running system stands on /dev/vda (mounted at /)" in ran.out


def test_names_on_a_disk_do_nothing_to_the_terminal(run_on: Run) -> None:
    """Control, escape and bidirectional characters are written out, and seen."""
    ran = run_on("hostile-names")

    assert r"Nice \x1b[2J\u202eSSD\u202c\x07Disk" in ran.out
    assert r"AB\x1b[31m\u202e12\u2066" in ran.out
    assert r"ext4 \x1b[2J\u202egpj\u202c" in ran.out
    document = run_on("hostile-names", "--json")
    assert document.document()[1]["serial"] == "AB\x1b[31m\u202e12\u2066"
    for text in (ran.out, ran.err, document.out):
        found = {unicodedata.category(each) for each in text.replace("\n", "")}
        assert not found & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


@pytest.mark.parametrize("name", NAMES)
def test_the_document_says_of_each_disk_whether_and_why(run_on: Run, name: str) -> None:
    """It has the disks that the lines have, in the system's order."""
    listed = run_on(name, "--json").document()

    assert [disk["path"] for disk in listed] == [d.path for d in machine(name).disks()]
    for disk in listed:
        assert disk["may_be_chosen"] == (not disk["refusals"])
        assert all(each["reason"] and each["way_out"] for each in disk["refusals"])
    chosen, _ = groups(run_on(name).out)
    for disk in listed:
        assert (f"  {disk['path']} " in chosen) == disk["may_be_chosen"]


@pytest.mark.loop
def test_a_real_loop_device_is_in_the_list(run: Run, tmp_path: Path) -> None:
    """With its size, as virtual, and as one that may be chosen."""
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    devices = SystemBlockDevices(Commands(), run_directory=str(tmp_path / "run"))

    with devices.attach_image(str(image)) as loop:
        out = run("list-devices").out
        listed = run("list-devices", "--json").document()
        (line,) = (x for x in out.splitlines() if x.startswith(f"  {loop} "))
        (disk,) = (x for x in listed if x["path"] == loop)

    assert line.split()[1:] == [
        "67.1",
        "MB",
        *"---",
        "virtual",
        "nothing",
        "recognised",
    ]
    assert disk["may_be_chosen"]
    assert (disk["kind"], disk["size_bytes"]) == ("disk", 64 << 20)


_AS_NOBODY = f"""
import contextlib, io, os, sys
from s3export.entrypoints.cli import main
if os.geteuid() == 0:
    # What is imported later may lie where only root may read.
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        main(["list-devices"])
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
sys.exit(main(["list-devices", *sys.argv[1:]]))
"""


@pytest.mark.parametrize("option", ["", "--json"])
def test_a_user_without_privileges_sees_the_disks(option: str) -> None:
    """Less is known of them; what is mounted is refused all the same."""
    places = ("HOME", "XDG_CONFIG_HOME", "AWS_CONFIG_FILE")
    ran = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, *filter(None, [option])],
        env={
            **os.environ,
            **dict.fromkeys(places, "/nonexistent"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    if option:
        assert all(disk["path"].startswith("/dev/") for disk in json.loads(ran.stdout))
    else:
        assert ran.stdout.split(" ")[0] in ("May", "No", "This")
