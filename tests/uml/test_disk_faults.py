"""Disks that fail while they are prepared, on a kernel with device-mapper."""

import json
from pathlib import Path
from typing import Any

import pytest
from fixtures.uml import UserModeLinux

from s3export.domain.devices.preparation import DiskState

pytestmark = pytest.mark.uml

INSIDE = Path(__file__).with_name("inside_disk_faults.py")
STATES = {
    "no write succeeds": DiskState.BEING_ERASED,
    "the middle is broken": DiskState.PARTITIONED,
    "writing fails once it is formatted": DiskState.BEING_SIGNED,
    "writes are forgotten once it is formatted": DiskState.BEING_SIGNED,
}
OTHERS = ("sound", "all writes are forgotten", "the start cannot be read")


@pytest.fixture(scope="module")
def told(user_mode_linux: UserModeLinux) -> dict[str, Any]:
    """What came of each disk, all in one boot."""
    modules = ("loop", "dm-mod", "dm-flakey")
    ran = user_mode_linux.run(INSIDE, *STATES, *OTHERS, modules=modules, timeout=250)
    assert ran.status == 0, ran.stdout + ran.stderr
    answers: dict[str, Any] = json.loads(ran.stdout)
    return answers


def test_a_sound_disk_is_ready(told: dict[str, Any]) -> None:
    """So that the others fail for their faults alone."""
    assert told["sound"]["message"] == ""
    assert told["sound"]["jobs"] == ["J0001"]
    assert told["sound"]["table"] is True


@pytest.mark.parametrize(("case", "state"), STATES.items(), ids=str)
def test_a_fault_is_told_with_what_is_on_the_disk(
    told: dict[str, Any], case: str, state: DiskState
) -> None:
    """The job, the state, what was saved, and the command that goes on."""
    answer = told[case]

    assert "job J0001 exists at AWS" in answer["message"]
    assert state.value in answer["message"]
    assert "/run/erased/" in answer["message"]
    assert "--resume J0001" in answer["next_step"]
    assert answer["jobs"] == ["J0001"]
    assert answer["table"] is (state is not DiskState.BEING_ERASED)


def test_a_disk_that_forgets_everything_is_never_called_ready(
    told: dict[str, Any],
) -> None:
    """Whichever step notices it first."""
    answer = told["all writes are forgotten"]

    assert "job J0001 exists at AWS" in answer["message"]
    assert answer["table"] is False


def test_a_disk_that_cannot_be_read_costs_no_job(told: dict[str, Any]) -> None:
    """What is on it cannot be saved, so nothing is begun."""
    answer = told["the start cannot be read"]

    assert answer["message"]
    assert answer["jobs"] == []


@pytest.mark.parametrize("case", [*STATES, *OTHERS])
def test_nothing_stays_mounted_or_attached(told: dict[str, Any], case: str) -> None:
    """Whatever fails."""
    assert told[case]["mounted"] is False
    assert told[case]["loops"] == ""
