"""What a run that goes on has in use is told apart from what a killed one left."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from samples import disk_facts

from s3export.adapters import live_runs, sessions
from s3export.adapters.device_facts import LoopDevice
from s3export.adapters.live_runs import (
    command_of,
    run_that_has_open,
    run_with_loop,
    with_runs,
)
from s3export.adapters.sessions import Session
from s3export.domain.devices import (
    DeviceFacts,
    DeviceKind,
    Run,
    refusals_to_read,
    refusals_to_write,
)

PID = 4711
STARTED = "17"
LOOP = LoopDevice("/dev/loop7", "/images/disk.img", 0, 0, read_only=True)


@pytest.fixture
def run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a run that goes on has noted a loop device and a mount."""
    process = tmp_path / "proc" / str(PID)
    (process / "fd").mkdir(parents=True)
    (process / "cmdline").write_bytes(
        b"/usr/bin/python3\0/opt/bin/s3export\0verify-backup\0/\0hunter2\0"
    )
    monkeypatch.setattr(live_runs, "_PROCESSES", tmp_path / "proc")
    monkeypatch.setattr(
        sessions, "_start_time", lambda pid: STARTED if pid == PID else ""
    )
    session = Session(tmp_path / "run" / f"{PID}-{STARTED}")
    session.mount_point()
    session.note_attaching(LOOP.backing_file, LOOP.offset)
    session.note_attached(LOOP.path)
    return str(tmp_path / "run")


def image(run_directory: str) -> DeviceFacts:
    """Return an image with that loop device on it, mounted where that run mounts."""
    place = f"{run_directory}/{PID}-{STARTED}/mount-0"
    loop = replace(
        disk_facts(), path=LOOP.path, kind=DeviceKind.OTHER, mount_points=(place,)
    )
    return replace(disk_facts(), path=LOOP.backing_file, parts=(loop,))


def test_what_a_run_that_goes_on_has_mounted_is_not_to_be_unmounted(
    run_directory: str,
) -> None:
    """It is named once, with its number and what it does; nothing else is advised."""
    facts = with_runs(image(run_directory), [LOOP], run_directory)

    for refusals in (refusals_to_read(facts), refusals_to_write(facts)):
        (refusal,) = refusals
        assert refusal.reason == (
            "/images/disk.img is in use by a run of s3export that goes on: process "
            "4711 (s3export verify-backup / …)"
        )
        assert "wait until it ends, or stop it with: kill 4711" in refusal.way_out
        assert "umount" not in refusal.way_out


def test_a_loop_device_that_a_run_attached_may_be_used_by_others(
    run_directory: str,
) -> None:
    """The sandbox attaches one for them; what is mounted is in use."""
    loop = image(run_directory).parts[0]
    free = replace(loop, kind=DeviceKind.DISK, mount_points=())

    assert refusals_to_write(with_runs(free, [LOOP], run_directory)) == ()
    assert with_runs(loop, [LOOP], run_directory).run is not None


def test_a_loop_device_beside_one_that_a_run_has_attached_is_in_use(
    run_directory: str,
) -> None:
    """They are over the same file."""
    beside = image(run_directory).parts[0]
    facts = replace(disk_facts(), path="/dev/loop8", twins=(beside,))

    (refusal,) = refusals_to_write(with_runs(facts, [LOOP], run_directory))

    assert refusal.reason == (
        "/dev/loop8 has bytes in common with /dev/loop7: /dev/loop7 is in use by a run "
        "of s3export that goes on: process 4711 (s3export verify-backup / …)"
    )
    assert "wait until it ends" in refusal.way_out


def test_what_a_killed_run_left_can_be_unmounted(
    run_directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its notes are those of a process that is no more."""
    monkeypatch.setattr(sessions, "_start_time", lambda _: "")

    facts = with_runs(image(run_directory), [LOOP], run_directory)

    assert facts.parts[0].run is None
    assert "umount" in refusals_to_read(facts)[0].way_out
    assert run_with_loop(LOOP.path, [LOOP], run_directory) is None


def test_this_run_is_none_of_the_others(
    run_directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has itself in use it need not wait for."""
    monkeypatch.setattr(os, "getpid", lambda: PID)

    assert with_runs(image(run_directory), [LOOP], run_directory).parts[0].run is None


def test_who_attached_a_loop_device_is_named(run_directory: str) -> None:
    """By its process, and what that was told to do."""
    run = run_with_loop(LOOP.path, [LOOP], run_directory)

    assert run == Run(PID, "s3export verify-backup / …")
    assert run_with_loop("/dev/loop8", [LOOP], run_directory) is None


def test_who_has_a_file_open_is_named(run_directory: str, tmp_path: Path) -> None:
    """Also where nothing is attached or mounted, as of a container that is written."""
    file = tmp_path / "container"
    file.touch()
    (tmp_path / "proc" / str(PID) / "fd" / "3").symlink_to(file)

    run = run_that_has_open(str(file), run_directory)

    assert run is not None
    assert run.pid == PID
    assert run_that_has_open(str(tmp_path / "proc"), run_directory) is None
    assert run_that_has_open(str(tmp_path / "absent"), run_directory) is None


def test_a_device_that_is_held_is_held_by_the_run_that_has_it_open(
    run_directory: str, tmp_path: Path
) -> None:
    """As a disk is that another run erases."""
    disk = tmp_path / "disk"
    disk.touch()
    (tmp_path / "proc" / str(PID) / "fd" / "3").symlink_to(disk)
    facts = replace(disk_facts(), path=str(disk), held=True)

    (refusal,) = refusals_to_write(with_runs(facts, [], run_directory))

    assert "process 4711" in refusal.reason


def test_the_running_system_stays_refused_for_what_it_is() -> None:
    """A run that reads there is no reason to choose that disk later."""
    facts = replace(disk_facts(), mount_points=("/",), run=Run(PID, "s3export"))

    reasons = [refusal.reason for refusal in refusals_to_write(facts)]

    assert any("the running system stands on" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (
            ("python3", "/opt/bin/s3export", "--json", "verify-backup", "/", "secret"),
            "s3export --json verify-backup / …",
        ),
        (("s3export", "verify-backup", "/", "/no-such-path"), None),
        (("s3export", "--profile=prod", "list-devices"), "s3export --profile=… list-"),
        (("python3", "-m", "s3export", "history"), "s3export history"),
        (("python3", "embedding.py", "secret"), "python3"),
        ((), ""),
    ],
)
def test_no_password_is_repeated(words: tuple[str, ...], shown: str | None) -> None:
    """One may stand wherever a word may: what is not known to be none is left out."""
    told = command_of(words)

    assert told.startswith("s3export verify-backup / …" if shown is None else shown)
    assert "secret" not in told
    assert "no-such-path" not in told
