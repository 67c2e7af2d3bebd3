"""verify-backup by the kernel's dm-crypt and by our own: the same report."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fixtures.uml import CHECKOUT, UserModeLinux
from uml.inside_verify import objects

from s3export.adapters.containers.system import encrypted
from s3export.domain.secret import Secret
from s3export.entrypoints.container import application
from s3export.entrypoints.settings import Settings

pytestmark = pytest.mark.uml

INSIDE = Path(__file__).with_name("inside_verify.py")
PASSWORD = "correct horse"
DAMAGED = "d3/file 108"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ext4 disk with a container, in which one file of the bucket is damaged."""
    directory = tmp_path_factory.mktemp("disk")
    content = directory / "content"
    for key, body in objects(300).items():
        path = content / "bucket" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body[:-1] + b"!" if key == DAMAGED else body)
    plain, outer = directory / "plain.img", directory / "outer"
    make_ext4(plain, 24 << 20, content)
    outer.mkdir()
    with (outer / "53TX4.tc").open("wb") as file:
        for chunk in encrypted(plain, plain.stat().st_size, Secret(PASSWORD)):
            file.write(chunk)
    image = directory / "disk.img"
    make_ext4(image, 40 << 20, outer)
    return image


def make_ext4(image: Path, size: int, content: Path) -> None:
    """Make an image of a file system with the content of a directory."""
    with image.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", content, image], check=True)


def arguments(device: str, password: Path, *more: str) -> list[str]:
    """Return the command's."""
    return [
        "verify-backup", device, "--bucket=bucket", f"--password-file={password}",
        "--seed=s", "--sample-size=all", *more,
    ]  # fmt: skip


def comparable(report: dict[str, Any]) -> dict[str, Any]:
    """Leave out what differs by nature: times, device, means, the server of a run."""
    for name in ("started_at", "finished_at", "device", "requests", "service"):
        del report[name]
    del report["container"]["opened_with"]
    return report


def test_both_ways_of_opening_give_the_same_report(
    user_mode_linux: UserModeLinux, disk: Path
) -> None:
    """With dm-crypt in a real kernel, and in userspace; nothing is left of either."""
    password = user_mode_linux.directory / "password"
    password.write_text(PASSWORD)
    inside = user_mode_linux.run(
        INSIDE, *arguments("/dev/ubda", password), disks=[disk], timeout=200
    )
    assert inside.status == 1, inside.stdout + inside.stderr
    kernel = json.loads((user_mode_linux.directory / "report.json").read_text())
    assert kernel["container"]["opened_with"] == "cryptsetup"
    told = json.loads(inside.stderr.splitlines()[-1])
    assert told["held"] == {"mappings": [], "loops": [], "mounts": []}

    outside = subprocess.run(
        [sys.executable, INSIDE, *arguments(str(disk), password, "--no-mount")],
        cwd=password.parent,
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT}/tests"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outside.returncode == 1, outside.stdout + outside.stderr
    userspace = json.loads((password.parent / "report.json").read_text())
    assert userspace["container"]["opened_with"] == "userspace"

    assert [f["path"] for f in kernel["findings"]] == [DAMAGED]
    assert comparable(kernel) == comparable(userspace)


def test_what_the_kernel_lacks_is_said_where_it_is_insisted_on(
    disk: Path, tmp_path: Path
) -> None:
    """On a kernel without dm-crypt, and which way needs none of it."""
    lacking = application(Settings()).adapters.cryptsetup().available("tcrypt")
    if not lacking:
        pytest.skip("this kernel has dm-crypt")
    password = tmp_path / "password"
    password.write_text(PASSWORD)

    done = subprocess.run(
        [
            sys.executable, INSIDE,
            *arguments(str(disk), password, "--open-with=cryptsetup"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT}/tests"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 5
    assert lacking in done.stderr
    assert "--open-with userspace" in done.stderr
