"""The main job on a loop device: create a job, load the disk, verify the backup."""

import csv
import hashlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fixtures.listening import listening

from s3export.domain.devices.preparation import Preparation
from s3export.entrypoints.cli import main
from s3export.entrypoints.cli.terminal import standard_terminal
from s3export.entrypoints.container import application
from s3export.entrypoints.sandbox import contents
from s3export.entrypoints.sandbox.actions import Sandbox, s3_client, sandbox
from s3export.entrypoints.sandbox.story import PLANTED, tell
from s3export.entrypoints.settings import Settings

pytestmark = pytest.mark.loop


def held_by_the_system() -> tuple[str, str]:
    """Return what is attached and mounted, to compare before and after."""
    loops = subprocess.run(
        ["losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    mounts = Path("/proc/mounts").read_text()
    return loops, mounts


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Whatever the test does, nothing stays mounted or attached."""
    before = held_by_the_system()
    yield
    assert held_by_the_system() == before


@pytest.fixture
def box(nothing_left: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A running sandbox that this process's commands talk to."""
    with sandbox(application(Settings())) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


def checksum(path: str) -> str:
    """Return the SHA-256 of a whole device."""
    with Path(path).open("rb") as device:
        return hashlib.file_digest(device, "sha256").hexdigest()


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    """Run a command for its JSON document."""
    capfd.readouterr()
    code = main([*arguments, "--json"])
    out, err = capfd.readouterr()
    return code, json.loads(out) if out else err


def load(capfd: pytest.CaptureFixture[str], box: Sandbox) -> str:
    """Create a job, have its disk loaded; return the job's id."""
    code, job = run(
        capfd, "create-job", box.manifest, box.disk, "--confirm-device", box.disk
    )
    assert code == 0, job
    code, said = run(capfd, "sandbox", "deliver", box.disk)
    assert code == 0, said
    return str(job["job_id"])


def test_a_loaded_disk_verifies_and_no_byte_of_it_changes(
    capfd: pytest.CaptureFixture[str], box: Sandbox
) -> None:
    """Dry run and verification leave every byte of the device as it was."""
    empty = checksum(box.disk)
    assert run(capfd, "create-job", box.manifest, box.disk, "--dry-run")[0] == 0
    assert checksum(box.disk) == empty

    job_id = load(capfd, box)
    loaded = checksum(box.disk)
    code, report = run(
        capfd,
        "verify-backup",
        box.disk,
        "--manifest",
        box.manifest,
        "--sample-size=all",
        f"--job-id={job_id}",
    )

    assert checksum(box.disk) == loaded
    assert code == 0
    assert report["verdict"] == "verified"
    assert report["device"]["opened_read_only"] is True
    assert report["container"] == {
        "kind": "truecrypt",
        "path": f"{job_id}.tc",
        "cipher": "aes-xts",
        "opened_with": "userspace",
    }
    assert report["counts"]["match"] == len([*contents.objects()])
    assert report["findings"] == []
    assert report["exported_at"]["origin"] == "the export log"
    assert report["completeness"]["missing_from_backup"] == 0
    _, status = run(capfd, "get-status", job_id)
    assert status["location"]["code"] == "Returned"
    assert status["progress"]["code"] == "Success"


def test_the_export_log_names_every_object_and_where_it_went(
    capfd: pytest.CaptureFixture[str], box: Sandbox
) -> None:
    """Objects whose keys cannot be paths are in the recovery directory."""
    job_id = load(capfd, box)

    body = s3_client(box.server).get_object(
        Bucket=contents.LOG_BUCKET, Key=f"logs/export-log-{job_id}"
    )["Body"]
    rows = list(csv.DictReader(io.StringIO(body.read().decode(), newline="")))

    prefix = f"/{contents.BUCKET}/"
    keys = [row["Key"].removeprefix(prefix) for row in rows]
    assert keys == sorted(o.key for o in contents.objects())
    by_key = {row["Key"].removeprefix(prefix): row for row in rows}
    assert by_key["empty"]["File"] == f"/{contents.BUCKET}/empty"
    assert by_key["folder/"]["File"] == "/EXPORT-RECOVERY/0000/0000"
    assert by_key["up/../and-away"]["File"] == "/EXPORT-RECOVERY/0000/0001"
    assert {row["Status"] for row in rows} == {"200"}


def test_a_disk_without_the_jobs_signature_is_sent_back_unloaded(
    capfd: pytest.CaptureFixture[str], box: Sandbox
) -> None:
    """A disk that was formatted again ends its job with MissingSignature."""
    _, job = run(
        capfd, "create-job", box.manifest, box.disk, "--confirm-device", box.disk
    )
    app = application(Settings())
    devices = app.adapters.block_devices()
    devices.prepare(devices.inspect(box.disk), Preparation("other"))

    code, delivery = run(capfd, "sandbox", "deliver", box.disk, "--job", job["job_id"])

    assert code == 0
    assert delivery["progress"] == "MissingSignature"
    _, status = run(capfd, "get-status", job["job_id"])
    assert status["progress"]["code"] == "MissingSignature"


def test_skip_format_keeps_what_is_on_the_disk(
    capfd: pytest.CaptureFixture[str], box: Sandbox
) -> None:
    """Only SIGNATURE is written, beside the files that were there."""
    devices = application(Settings()).adapters.block_devices()
    devices.prepare(devices.inspect(box.disk), Preparation("mine"))
    with devices.open_for_writing(devices.inspect(box.disk)) as tree:
        tree.write(b"keep/me", [b"kept"])

    code, _ = run(
        capfd,
        "create-job",
        box.manifest,
        box.disk,
        "--skip-format",
        f"--confirm-device={box.disk}",
    )

    assert code == 0
    with devices.open_read_only(devices.inspect(box.disk)) as tree:
        assert tree.names(b"keep") == [b"me"]
        assert b"SIGNATURE" in tree.names(b"")


def test_the_original_programs_example_on_a_disk(
    capfd: pytest.CaptureFixture[str], box: Sandbox
) -> None:
    """Four files on a disk: 7 assertions, 5 succeed, 2 fail."""
    client = s3_client(box.server)
    client.create_bucket(Bucket="original")
    for key, body in (("foo/foo", b"1"), ("foo/bar", b"2"), ("bar/foo", b"other")):
        client.put_object(Bucket="original", Key=key, Body=body)
    devices = application(Settings()).adapters.block_devices()
    devices.prepare(devices.inspect(box.disk), Preparation("original"))
    with devices.open_for_writing(devices.inspect(box.disk)) as tree:
        for path, body in (
            (b"s3-export-bucket/foo/foo", b"1"),
            (b"s3-export-bucket/foo/bar", b"2"),
            (b"s3-export-bucket/bar/foo", b"3"),
            (b"s3-export-bucket/bar/bar", b"4"),
        ):
            tree.write(path, [body])

    capfd.readouterr()
    code = main(
        [
            "verify-backup",
            box.disk,
            "--bucket=original",
            "--target-directory=/s3-export-bucket/",
        ]
    )

    assert "Assertions run: 7, succeeded: 5, failed: 2\n" in capfd.readouterr().out
    assert code == 1


def test_the_demonstration_finds_what_it_planted_and_nothing_else(
    capfd: pytest.CaptureFixture[str], box: Sandbox
) -> None:
    """The story that ``make demo`` tells ends as it should, and leaves nothing."""
    usual = Path(Settings().backup_directory)
    before = sorted(usual.glob("*"))

    code = tell(box, standard_terminal(), application(Settings()))

    out = capfd.readouterr().out
    assert sorted(usual.glob("*")) == before
    assert [*Path(box.backup_directory).iterdir()]
    assert code == 0
    assert out.count("  found   ") == len(PLANTED)
    assert "MISSED" not in out
    assert "FALSE ALARM" not in out


def test_the_running_systems_disk_is_refused(
    capfd: pytest.CaptureFixture[str], box: Sandbox
) -> None:
    """The disk under / is named as what it is, and no job is created."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    sources = [source for source, place, *_ in mounts if place == "/"]
    source = sources[-1] if sources else "nothing that can be seen"
    if not source.startswith("/dev/"):
        pytest.skip(f"this machine's root is on {source}, which is no block device")

    code, said = run(
        capfd, "create-job", box.manifest, source, f"--confirm-device={source}"
    )

    assert code == 5
    assert "the running system stands on" in said
    assert run(capfd, "list-jobs")[1] == []


# --- interrupted ------------------------------------------------------------------


@dataclass
class SilentServer:
    """Answers for buckets and never for objects: a verification hangs in the middle."""

    endpoint_url: str


@pytest.fixture
def silent_server() -> Iterator[SilentServer]:
    """A server on the loopback address."""
    open_connections: list[socket.socket] = []

    def answer(connection: socket.socket) -> None:
        open_connections.append(connection)
        while request := connection.recv(65_536):
            method, path, *_ = request.split(b" ")
            if method == b"HEAD" and path.rstrip(b"/").count(b"/") == 1:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with listening(answer) as port:
        yield SilentServer(f"http://127.0.0.1:{port}")
    for connection in open_connections:
        connection.close()


@pytest.fixture
def loaded_image(tmp_path: Path) -> str:
    """An image of a disk with a few files of a bucket."""
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    devices = application(Settings()).adapters.block_devices()
    devices.prepare(devices.inspect(str(image)), Preparation("image"))
    with devices.open_for_writing(devices.inspect(str(image))) as tree:
        for number in range(5):
            tree.write(b"bucket/file-%d" % number, [b"content"])
    return str(image)


def start_verification(server: SilentServer, image: str) -> subprocess.Popen[str]:
    """Start a verification and return when it has mounted the image."""
    started = subprocess.Popen(
        [sys.executable, "-m", "s3export", "verify-backup", image, "--bucket=bucket"],
        env={**os.environ, "AWS_ENDPOINT_URL": server.endpoint_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while f"/run/s3export/{started.pid}-" not in Path("/proc/mounts").read_text():
        assert time.monotonic() < deadline and started.poll() is None
        time.sleep(0.05)
    return started


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_verification_leaves_nothing_behind(
    nothing_left: None,
    silent_server: SilentServer,
    loaded_image: str,
    signum: signal.Signals,
) -> None:
    """Even while S3 does not answer: exit 130 or 143, nothing mounted or attached."""
    started = start_verification(silent_server, loaded_image)

    started.send_signal(signum)
    _, err = started.communicate(timeout=30)

    assert started.returncode == 128 + signum
    assert "everything mounted or attached was released" in err
    assert "Traceback" not in err


def test_what_a_verification_that_goes_on_has_in_use_is_not_pulled_away(
    capfd: pytest.CaptureFixture[str],
    nothing_left: None,
    silent_server: SilentServer,
    loaded_image: str,
) -> None:
    """The next run names it, and advises to wait or to stop it."""
    started = start_verification(silent_server, loaded_image)
    try:
        capfd.readouterr()
        code = main(["verify-backup", loaded_image, "--bucket=b", "--non-interactive"])
        err = capfd.readouterr().err
    finally:
        started.terminate()
        started.communicate()

    assert code == 5
    assert f"that goes on: process {started.pid} (s3export verify-backup" in err
    assert "wait until it ends" in err
    assert f"kill {started.pid}" in err
    assert "umount" not in err


def test_what_a_killed_verification_leaves_is_named_and_can_be_cleaned(
    capfd: pytest.CaptureFixture[str],
    nothing_left: None,
    silent_server: SilentServer,
    loaded_image: str,
) -> None:
    """The next run names the mount and the loop device, and releases them if told."""
    started = start_verification(silent_server, loaded_image)
    started.kill()
    started.communicate()

    capfd.readouterr()
    main(["verify-backup", loaded_image, "--bucket=bucket", "--non-interactive"])
    err = capfd.readouterr().err
    devices = application(Settings()).adapters.block_devices()
    leftovers = devices.leftovers()

    assert f"umount /run/s3export/{started.pid}-" in err
    assert "losetup -d /dev/loop" in err
    assert "  next: release what the killed run left, in the order of the" in err
    assert len(leftovers) == 2
    for leftover in leftovers:
        devices.clean(leftover)
    assert devices.leftovers() == ()
    assert not [
        p for p in Path("/run/s3export").iterdir() if str(started.pid) in p.name
    ]


# --- the container -------------------------------------------------------------------


@pytest.fixture
def encrypted_disk(capfd: pytest.CaptureFixture[str], box: Sandbox) -> str:
    """A disk that came back with its container."""
    load(capfd, box)
    return box.disk


BUCKET = f"--bucket={contents.BUCKET}"


@pytest.mark.parametrize(
    "options",
    [
        ["--password-file={file}"],
        ["--password-file={file}", "--no-mount"],
        ["--password-file={file}", "--open-with=userspace", "--container=/{job}.tc"],
        [contents.PASSWORD],
    ],
)
def test_a_container_opens_with_a_password_from_wherever_it_comes(
    capfd: pytest.CaptureFixture[str],
    encrypted_disk: str,
    tmp_path: Path,
    options: list[str],
) -> None:
    """Mounted or not, the same report; the recovered are named by the disk's log."""
    secret = tmp_path / "secret"
    secret.write_text(f"{contents.PASSWORD}\nanother line\n")
    job = run(capfd, "list-jobs")[1][0]["job_id"]
    given = [option.format(file=secret, job=job) for option in options]

    code, report = run(
        capfd, "verify-backup", encrypted_disk, *given, BUCKET, "--sample-size=all"
    )

    assert code == 0
    assert report["counts"]["match"] == 69  # up/../and-away and folder/, too
    assert report["counts"]["unverifiable"] == 0
    assert report["container"]["path"] == f"{job}.tc"


def test_a_password_may_come_from_the_input_or_the_environment(
    encrypted_disk: str, box: Sandbox
) -> None:
    """And is seen in no child's arguments or environment, nor in anything printed."""
    command = [sys.executable, "-m", "s3export", "verify-backup", encrypted_disk]
    variable = {"S3EXPORT_TRUECRYPT_PASSWORD": contents.PASSWORD}
    for options, given, extra in (
        (["--password-stdin"], f"{contents.PASSWORD}\n", {}),
        ([], "", variable),
    ):
        done = subprocess.run(
            [*command, BUCKET, *options, "--verbose"],
            env={**os.environ, **extra},
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert contents.PASSWORD not in done.stdout + done.stderr
        assert "truecrypt, aes-xts, opened with userspace" in done.stdout


SHIM = """\
#!/bin/sh
{{ tr '\\0' '\\n' < /proc/$$/cmdline; tr '\\0' '\\n' < /proc/$$/environ; }} >> {record}
exec {real} "$@"
"""


def test_no_program_that_is_started_sees_the_password(
    encrypted_disk: str, tmp_path: Path
) -> None:
    """Neither in its arguments nor in its environment; nor does any report tell it."""
    record, tools = tmp_path / "record", tmp_path / "tools"
    tools.mkdir()
    for name in ("lsblk", "losetup", "wipefs", "sfdisk", "blkid", "mount", "umount"):
        real = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
        shim = tools / name
        shim.write_text(SHIM.format(record=record, real=real))
        shim.chmod(0o755)
    reports = [tmp_path / f"report.{form}" for form in ("json", "csv", "html")]
    done = subprocess.run(
        [
            sys.executable, "-m", "s3export", "verify-backup", encrypted_disk, BUCKET,
            "--verbose", "--all-findings", *(f"--report={path}" for path in reports),
        ],
        env={
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "S3EXPORT_TRUECRYPT_PASSWORD": contents.PASSWORD,
        },
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    seen = record.read_text()
    assert "losetup" in seen and "mount" in seen and "PATH=" in seen
    told = [done.stdout, done.stderr, *(path.read_text() for path in reports)]
    for text in (seen, *told):
        assert contents.PASSWORD not in text
        assert "horse" not in text


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--non-interactive"], 5, "--password-file"),
        (["wrong password"], 5, "--backup-header"),
        (["wrong password", "--open-with=cryptsetup"], 5, "--open-with userspace"),
        ([contents.PASSWORD, "--container=/none.tc"], 5, "none.tc"),
        ([contents.PASSWORD, "--container=/lost+found"], 5, "not a regular file"),
        (["--password-file=/no/such"], 4, "/no/such"),
    ],
)
def test_a_container_that_stays_closed_says_why_and_what_to_do(
    capfd: pytest.CaptureFixture[str],
    encrypted_disk: str,
    options: list[str],
    code: int,
    said: str,
) -> None:
    """Within seconds, by exit code and words; the password is not repeated."""
    began = time.monotonic()
    done, err = run(capfd, "verify-backup", encrypted_disk, *options, BUCKET)

    assert done == code
    assert said in err
    assert contents.PASSWORD not in err
    assert time.monotonic() - began < 4  # two for the password, two to start


def test_a_damaged_header_is_opened_by_its_copy(
    capfd: pytest.CaptureFixture[str], encrypted_disk: str
) -> None:
    """--backup-header, as the error for the damaged one says."""
    devices = application(Settings()).adapters.block_devices()
    with devices.open_for_writing(devices.inspect(encrypted_disk)) as tree:
        (name,) = [n for n in tree.names(b"") if n.endswith(b".tc")]
        with tree.system_path(name) as path, Path(path).open("r+b") as file:
            file.write(bytes(512))
    command = ("verify-backup", encrypted_disk, contents.PASSWORD, BUCKET)

    code, said = run(capfd, *command)
    assert (code, "--backup-header" in said) == (5, True)
    code, report = run(capfd, *command, "--backup-header")

    assert code == 0
    assert report["counts"]["match"] == 69


def test_an_image_is_read_by_anybody_who_may_read_it(
    capfd: pytest.CaptureFixture[str], encrypted_disk: str, tmp_path: Path
) -> None:
    """No privilege, no mount: partition table, ext4, container and ext4 within."""
    image = tmp_path / "disk.img"
    with Path(encrypted_disk).open("rb") as disk, image.open("wb") as copy:
        shutil.copyfileobj(disk, copy, 1 << 20)
    confined = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    program = [sys.executable, "-m", "s3export", "verify-backup", str(image)]
    done = subprocess.run(
        [
            *confined,
            *program,
            BUCKET,
            "--password-stdin",
            "--json",
            "--sample-size=all",
        ],
        input=f"{contents.PASSWORD}\n",
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["counts"]["match"] == 69
    assert report["container"]["opened_with"] == "userspace"
