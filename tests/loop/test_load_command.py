"""load-device on image files: load, be killed, go on, read back, verify."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.loop

Run = Callable[..., Any]

MANIFEST = """\
manifestVersion: 2.0
logBucket: logs
trueCryptPassword: unlikely pony
operations:
  - exportBucket: archive
"""

OBJECTS = 600
PARTS = 5 << 20


@pytest.fixture
def archive(s3: Any) -> str:
    """A bucket of its own for each test."""
    name = f"archive-{secrets.token_hex(4)}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def manifest(s3: Any, archive: str, tmp_path: Path) -> str:
    """A manifest, and what it selects: small objects, odd keys, one in parts."""
    s3.create_bucket(Bucket="logs")
    for number in range(OBJECTS):
        body = f"{number} ".encode() * (number % 50)
        s3.put_object(Bucket=archive, Key=f"a/{number % 7}/{number}", Body=body)
    for key in ("b", "b/c", "b/C", "d//e", "../f", "g/", "h" * 300, "Größe €"):
        s3.put_object(Bucket=archive, Key=key, Body=key.encode())
    upload = s3.create_multipart_upload(Bucket=archive, Key="parts")["UploadId"]
    parts = []
    for number, size in enumerate((PARTS, PARTS + 17, 99), 1):
        told = s3.upload_part(
            Bucket=archive,
            Key="parts",
            UploadId=upload,
            PartNumber=number,
            Body=bytes([number]) * size,
        )
        parts.append({"PartNumber": number, "ETag": told["ETag"]})
    s3.complete_multipart_upload(
        Bucket=archive,
        Key="parts",
        UploadId=upload,
        MultipartUpload={"Parts": parts},
    )
    path = tmp_path / "manifest.yml"
    path.write_text(MANIFEST.replace("archive", archive))
    return str(path)


@pytest.fixture
def image(tmp_path: Path) -> str:
    """An image file of an empty disk, 128 MiB."""
    return new_image(tmp_path / "disk.img", 128)


def new_image(path: Path, mebibytes: int) -> str:
    """Make an image file of zeros."""
    with path.open("wb") as file:
        file.truncate(mebibytes << 20)
    return str(path)


def arguments(manifest: str, image: str, saved: Path, *more: str) -> list[str]:
    """Return the command that loads an image."""
    confirm = ["--confirm-device", image, "--backup-directory", str(saved)]
    return ["load-device", manifest, image, *confirm, "--json", *more]


def log_of(s3: Any, job: str) -> list[str]:
    """Return the lines of a job's log without their times."""
    body = s3.get_object(Bucket="logs", Key=f"export-log-{job}")["Body"].read()
    return sorted(line.partition(",")[2] for line in body.decode().split("\r\n"))


@pytest.mark.parametrize("encrypt", ["none", "truecrypt"])
def test_a_loaded_disk_is_what_s3_holds(
    run: Run, s3: Any, manifest: str, image: str, tmp_path: Path, encrypt: str
) -> None:
    """Read back, and verified with completeness; again it is left as it is."""
    line = arguments(manifest, image, tmp_path, "--encrypt", encrypt)

    ran = run(*line, "--read-back", "--job-id", "AAAAA")

    told = ran.document()
    assert (ran.code, told["written"], told["errors"]) == (0, OBJECTS + 9, {})
    assert told["evidence"] == {"etag-md5": OBJECTS + 8, "etag-multipart": 1}
    assert told["recovered"] == 6
    assert told["read_back"] == {"files": OBJECTS + 9, "wrong": 0, "absent": 0}
    verified = run(
        *("verify-backup", image, "--manifest", manifest, "--sample-size", "all"),
        "--json",
    )
    assert (verified.code, verified.document()["verdict"]) == (0, "verified")
    assert verified.document()["counts"]["match"] == OBJECTS + 9
    kind = "truecrypt" if encrypt == "truecrypt" else "none"
    assert verified.document()["container"]["kind"] == kind
    again = run(*line).document()
    assert (again["taken_over"], again["job_id"]) == (OBJECTS + 9, "AAAAA")


@pytest.mark.parametrize("encrypt", ["none", "truecrypt"])
def test_a_load_that_is_killed_goes_on_with_the_same_command(
    run: Run, s3: Any, manifest: str, image: str, tmp_path: Path, encrypt: str
) -> None:
    """At any time; nothing stays mounted, and disk and log are as without a kill."""
    line = arguments(manifest, image, tmp_path, "--encrypt", encrypt)
    command = [sys.executable, "-m", "s3export", "--non-interactive", *line]
    environment = {**os.environ, "AWS_ENDPOINT_URL": s3.meta.endpoint_url}
    for seconds in (1.5, 2.2, 2.9, 3.6):
        running = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        time.sleep(seconds)
        running.send_signal(signal.SIGKILL)
        running.wait()

    ran = run(*line, "--read-back")

    told = ran.document()
    assert (ran.code, told["written"], told["errors"]) == (0, OBJECTS + 9, {})
    assert told["read_back"]["wrong"] == 0
    other = new_image(tmp_path / "calm.img", 128)
    calm = run(*arguments(manifest, other, tmp_path, "--encrypt", "none")).document()
    assert log_of(s3, told["job_id"]) == log_of(s3, calm["job_id"])
    assert image not in Path("/proc/mounts").read_text()
    attached = subprocess.run(
        ["losetup", "-a"], check=True, capture_output=True, text=True
    ).stdout
    assert image not in attached


def test_several_disks_hold_everything_together(
    run: Run, s3: Any, archive: str, manifest: str, tmp_path: Path
) -> None:
    """Each goes on by the log of the one before, and says how the next one does."""
    images = [new_image(tmp_path / f"disk{n}.img", 24) for n in range(6)]
    for number in range(8):
        key, body = f"c/{number}", bytes([number]) * (4 << 20)
        s3.put_object(Bucket=archive, Key=key, Body=body)
    written = 0
    more: list[str] = []
    for image in images:
        ran = run(*arguments(manifest, image, tmp_path, "--encrypt", "none", *more))
        told = ran.document()
        written += told["written"]
        if told["next_disk"] is None:
            assert ran.code == 0
            break
        assert ran.code == 3
        log = s3.get_object(Bucket="logs", Key=f"export-log-{told['job_id']}")["Body"]
        path = tmp_path / "log"
        path.write_bytes(log.read())
        ways = [image, f"s3://logs/export-log-{told['job_id']}", str(path)]
        more = ["--continue-from", ways[images.index(image) % 3]]

    assert written == OBJECTS + 17
    assert images.index(image) >= 2
    done = run(
        *arguments(manifest, images[0], tmp_path, "--encrypt", "none"),
        "--continue-from",
        image,
    )
    assert done.code == 4
    assert "no further disk is needed" in done.err
    itself = run(
        *arguments(manifest, image, tmp_path, "--encrypt", "none"),
        "--continue-from",
        image,
    )
    assert (itself.code, "which would be erased" in itself.err) == (4, True)


def test_the_log_within_a_container_says_where_the_next_disk_begins(
    run: Run, manifest: str, image: str, s3: Any, archive: str, tmp_path: Path
) -> None:
    """The disk itself is named, and opened with the manifest's password."""
    ran = run(*arguments(manifest, image, tmp_path))
    assert ran.code == 0, ran.err
    s3.put_object(Bucket=archive, Key="zz/later", Body=b"later")
    other = new_image(tmp_path / "other.img", 60)

    second = run(*arguments(manifest, other, tmp_path), "--continue-from", image)

    assert second.code == 0, second.err
    assert second.document()["written"] == 1


def test_a_disk_is_verified_when_it_is_loaded(
    run: Run, manifest: str, image: str, tmp_path: Path
) -> None:
    """The summary has the verdict, and no longer the command that asks for it."""
    line = [word for word in arguments(manifest, image, tmp_path) if word != "--json"]

    ran = run(*line, "--encrypt", "none", "--then-verify")

    assert ran.code == 0, ran.err
    assert f"Loaded {OBJECTS + 9} objects" in ran.out
    assert "VERIFIED" in ran.out
    assert "Verify it:" not in ran.out


def test_the_command_that_verifies_asks_s3_in_the_same_way(
    run: Run, s3: Any, archive: str, tmp_path: Path
) -> None:
    """With the options that were given; what the environment says is not repeated."""
    s3.put_object(Bucket=archive, Key="k", Body=b"k")
    path = tmp_path / "manifest.yml"
    operations = f"operations:\n  - exportBucket: {archive}\n"
    path.write_text(f"manifestVersion: 2.0\n{operations}")
    image = new_image(tmp_path / "small.img", 24)
    confirmed = ("--confirm-device", image, "--backup-directory", str(tmp_path))
    asked = ("--region", "us-east-1", "--request-payer")

    ran = run("load-device", str(path), image, "--encrypt=none", *confirmed, *asked)

    assert ran.code == 0, ran.err
    (told,) = (line for line in ran.out.splitlines() if line.startswith("Verify it: "))
    command = f"s3export verify-backup {image} --manifest {path} {' '.join(asked)} "
    assert told.removeprefix("Verify it: ") == f"{command}--sample-size all"


def test_where_what_holds_an_image_is_full_the_disk_is_not_blamed(
    run: Run, manifest: str, tmp_path: Path
) -> None:
    """The image has room, and gets no more of it."""
    place = tmp_path / "small"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", "size=12m", "small", str(place)]
    subprocess.run(["mount", *options], check=True)
    try:
        image = new_image(place / "disk.img", 128)

        ran = run(*arguments(manifest, image, tmp_path, "--encrypt", "none"))

        assert ran.code == 5
        assert f"the file system that holds {image} is full" in ran.err
        assert "free some room there" in ran.err
        assert "faulty" not in ran.err
    finally:
        subprocess.run(["umount", str(place)], check=True)


def debugfs(image: str, *words: str) -> str:
    """Ask for, or change, the file system in the image's partition."""
    return subprocess.run(
        ["debugfs", "-w", "-R", " ".join(words), f"{image}?offset={1 << 20}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.parametrize("damage", ["block", "inode"])
def test_a_load_with_a_damaged_marker_is_not_erased_by_the_same_command(
    run: Run, manifest: str, image: str, tmp_path: Path, damage: str
) -> None:
    """Its directory cannot be read; the files can. That is said, and what to do."""
    line = arguments(manifest, image, tmp_path, "--encrypt", "none")
    assert run(*line).code == 0
    if damage == "inode":
        debugfs(image, "clri", "/S3EXPORT")
    else:
        (block,) = debugfs(image, "blocks", "/S3EXPORT").split()
        size = int(debugfs(image, "stats").partition("Block size:")[2].split()[0])
        with Path(image).open("r+b") as file:
            file.seek((1 << 20) + int(block) * size)
            file.write(b"\xa5" * size)
    before = Path(image).read_bytes()

    again = run(*line)
    unchanged = Path(image).read_bytes() == before
    anew = run(*line, "--start-over")

    assert (again.code, unchanged) == (5, True)
    assert "/S3EXPORT/load.json on it cannot be read" in again.err
    assert "--start-over erases the disk and loads it anew" in again.err
    assert (anew.code, anew.document()["written"]) == (0, OBJECTS + 9)


def test_a_load_on_a_damaged_file_system_is_begun_anew(
    run: Run, archive: str, manifest: str, image: str, tmp_path: Path
) -> None:
    """The same command would meet the damage for ever."""
    line = arguments(manifest, image, tmp_path, "--encrypt", "none")
    assert run(*line).code == 0
    debugfs(image, "clri", f"/{archive}/a")

    again = run(*line)

    assert again.code == 5
    assert f"{image}: looking at a file on the disk failed: Structure" in again.err
    assert "--start-over erases the disk and loads it anew" in again.err
    assert "run the same command again" not in again.err


def test_what_cannot_be_done_is_refused_and_the_disk_is_untouched(
    run: Run, manifest: str, image: str, tmp_path: Path
) -> None:
    """Another disk's name, no password, a container that this kernel cannot make."""
    bare = tmp_path / "bare.yml"
    bare.write_text("manifestVersion: 2.0\noperations:\n  - exportBucket: archive\n")
    before = Path(image).read_bytes()

    wrong = run("load-device", manifest, image, "--confirm-device", "another")
    unasked = run("load-device", manifest, image, "--non-interactive")
    clear = run("load-device", str(bare), image, "--confirm-device", image)
    dry = run("load-device", manifest, image, "--dry-run", "--json")

    assert (wrong.code, unasked.code, clear.code, dry.code) == (4, 4, 4, 0)
    assert "--confirm-device" in unasked.err
    assert "--encrypt none" in clear.err
    assert dry.document()["objects"] == OBJECTS + 9
    assert json.dumps(dry.document()).count("unlikely pony") == 0
    assert Path(image).read_bytes() == before
    if not Path("/sys/module/dm_crypt").exists():
        lacking = run(
            *("load-device", manifest, image, "--encrypt", "luks2"),
            *("--confirm-device", image),
        )
        assert lacking.code == 5
        assert "luks2" in lacking.err
        assert Path(image).read_bytes() == before
