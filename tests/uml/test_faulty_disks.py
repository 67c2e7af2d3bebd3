"""Disks that fail while they are prepared, in user-mode Linux with a device-mapper.

One boot runs every check (inside_faulty_disks.py); each test looks at one answer. What
is told is compared with what is on the disk below all the faults.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fixtures.uml import MODULES, UserModeLinux

from s3export.domain.devices.preparation import DiskState

pytestmark = pytest.mark.uml

INSIDE = Path(__file__).with_name("inside_faulty_disks.py")

Answers = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def answers(user_mode_linux: UserModeLinux) -> Answers:
    """Boot once; return what each check within answered."""
    ran = user_mode_linux.run(INSIDE, modules=(*MODULES, "dm-flakey"), timeout=280)
    assert ran.status == 0, ran.stderr
    found: Answers = json.loads(ran.stdout)
    return found


FAULTS = [
    ("eio in the table", {"BEING_ERASED"}),
    ("eio in the backup table", {"BEING_ERASED"}),
    ("eio in each write", {"BEING_ERASED"}),
    ("eio in the middle of mkfs", {"BEING_FORMATTED"}),
    ("eio in the middle of mkfs without a table", {"BEING_FORMATTED"}),
    ("eio in the writes of mkfs", {"BEING_FORMATTED"}),
    ("eio when mounted", {"FORMATTED", "BEING_SIGNED"}),
    ("eio when read back", {"BEING_SIGNED"}),
    ("writes lost from the table on", {"BEING_ERASED", "BEING_FORMATTED"}),
    ("writes lost from mkfs on", {"BEING_FORMATTED"}),
    ("writes lost from the signature on", {"BEING_SIGNED"}),
    ("writes lost from the signature on without a table", {"BEING_SIGNED"}),
]
"""What goes wrong, and the states that may be told then."""


def test_a_sound_disk_becomes_ready(answers: Answers) -> None:
    """The way the disks are stacked here does no harm by itself."""
    answer = answers["a sound disk"]

    assert answer.get("trace") is None
    assert answer["error"] == ""
    assert answer["ready"] and answer["signature"]


@pytest.mark.parametrize(("name", "states"), FAULTS)
def test_a_faulty_disk_is_noticed_and_told_truly(
    answers: Answers, name: str, states: set[str]
) -> None:
    """The job is named, the state is that of the disk, and the way on leads there."""
    answer = answers[name]

    assert answer.get("trace") is None, answer["trace"]
    assert answer["turned"]
    assert answer["error"] == "DiskNotReady", answer
    assert answer["job"] in answer["message"]
    assert answer["job"] in answer["next_step"]
    (told,) = answer["told"]
    assert told in states, answer["message"]
    if told == DiskState.FORMATTED.name:
        assert answer["has_file_system"] and not answer["signature"]
    assert answer["left"] == []
    assert answer["ready"] and answer["jobs"] == 1


@pytest.mark.parametrize("name", ["eio when flushed", "eio when signed"])
def test_a_fault_is_noticed_or_did_no_harm(answers: Answers, name: str) -> None:
    """When the last bytes fail, the disk is not called ready unless it is."""
    answer = answers[name]

    assert answer.get("trace") is None, answer["trace"]
    assert answer["turned"] and answer["left"] == []
    if answer["error"] == "":
        assert answer["has_file_system"] and answer["signature"]
    else:
        assert answer["error"] == "DiskNotReady"
    assert answer["ready"]


@pytest.mark.parametrize(
    "name",
    [
        "writes lost from the signature on",
        "writes lost from the signature on without a table",
    ],
)
def test_a_signature_that_the_disk_lost_is_missed(answers: Answers, name: str) -> None:
    """It is read back from the disk, and not from what the kernel remembers."""
    answer = answers[name]

    assert answer.get("trace") is None, answer["trace"]
    assert answer["signature"] == ""
    assert "SIGNATURE on /dev/loop1 cannot be read back" in answer["message"]
    assert "the disk is probably faulty" in answer["next_step"]
