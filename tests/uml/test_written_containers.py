"""Containers written to by a kernel with dm-crypt hold to the contract of their port.

Three boots run the contract suites, and what goes beyond them (inside_containers.py);
each of their tests is one here.
"""

import json
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from contracts.containers_contract import KEY, PASSWORD, PATH, SIZE, fill
from fixtures.uml import MODULES, UserModeLinux
from uml import inside_containers as inside

from s3export.domain.containers import Opening, OpenWith
from s3export.domain.devices.preparation import Preparation
from s3export.entrypoints.container import application
from s3export.entrypoints.settings import Settings

pytestmark = pytest.mark.uml

Answers = Mapping[str, Sequence[str]]


def names(part: str) -> list[str]:
    """Return the tests of a part: those of a class, or the functions of the module."""
    where = getattr(inside, part) if part != "functions" else inside
    return [f"{part} {name}" for name in dir(where) if name.startswith("test_")]


def written_outside(directory: Path) -> Path:
    """Make a container through FUSE, and take it from its disk."""
    adapters = application(Settings()).adapters
    adapters.run_directory.override(str(directory / "run"))
    devices, containers = adapters.block_devices(), adapters.disk_containers()
    image = directory / "disk.img"
    with image.open("wb") as file:
        file.truncate(48 << 20)
    devices.prepare(devices.inspect(str(image)), Preparation("x", whole_disk=True))
    userspace = Opening(open_with=OpenWith.USERSPACE)
    container = directory / "53TX4.tc"
    with devices.open_for_writing(devices.inspect(str(image))) as tree:
        containers.create(tree, PATH, SIZE, PASSWORD, "x")
        with containers.open_for_writing(tree, PATH, KEY, userspace) as opened:
            fill(opened)
        with tree.system_path(PATH) as path:
            container.write_bytes(Path(path).read_bytes())
    image.unlink()
    return container


def ran(kernel: UserModeLinux, only: str) -> Answers:
    """Boot; return what each test within ended with, empty for well."""
    results = kernel.directory / "results.xml"
    done = kernel.run(
        Path(inside.__file__),
        str(results),
        only,
        modules=(*MODULES, "fuse"),
        variables={"WRITTEN_OUTSIDE": str(written_outside(kernel.directory))},
        timeout=290,
    )
    assert done.status == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["left"] == ""
    found = defaultdict(list)
    for case in ET.parse(results).iter("testcase"):
        part = case.get("classname", "").rpartition(".")[2]
        part = part if part.startswith("Test") else "functions"
        name = case.get("name", "").partition("[")[0]
        found[f"{part} {name}"].append("\n".join(bad.text or "?" for bad in case))
    return found


@pytest.fixture(scope="module")
def of_truecrypt(user_mode_linux: UserModeLinux) -> Answers:
    """What the contract's tests ended with."""
    return ran(user_mode_linux, "TestByTheKernel")


@pytest.fixture(scope="module")
def of_luks(user_mode_linux: UserModeLinux) -> Answers:
    """What those of containers that fill a device ended with."""
    return ran(user_mode_linux, "TestLuks")


@pytest.fixture(scope="module")
def of_the_rest(user_mode_linux: UserModeLinux) -> Answers:
    """What all other tests ended with."""
    return ran(user_mode_linux, "not TestByTheKernel and not TestLuks")


def judge(answers: Sequence[str]) -> None:
    """Fail with what failed within."""
    assert answers
    assert [answer for answer in answers if answer] == []


@pytest.mark.timeout(330)
@pytest.mark.parametrize("name", names("TestByTheKernel"))
def test_truecrypt_containers_are_written_through_dm_crypt(
    of_truecrypt: Answers, name: str
) -> None:
    """Each test of the contract, and that FUSE writes the same volumes."""
    judge(of_truecrypt[name])


@pytest.mark.timeout(330)
@pytest.mark.parametrize(
    "name", [*names("TestLuksPartition"), *names("TestLuksDevice")]
)
def test_luks_containers_are_written(of_luks: Answers, name: str) -> None:
    """LUKS2, in a partition of an image and on a whole device."""
    judge(of_luks[name])


@pytest.mark.timeout(330)
@pytest.mark.parametrize("name", names("functions"))
def test_what_goes_beyond_the_contract(of_the_rest: Answers, name: str) -> None:
    """Runs that are killed, disks that fail, and what tools of others say."""
    judge(of_the_rest[name])
