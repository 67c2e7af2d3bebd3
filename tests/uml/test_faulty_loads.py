"""Disks that fail while they are loaded, in user-mode Linux with a device-mapper.

One boot runs every check (inside_faulty_loads.py); each test looks at one answer.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fixtures.uml import MODULES, UserModeLinux

LONG = "TESTS_LONG" in os.environ

pytestmark = [pytest.mark.uml, pytest.mark.timeout(3600 if LONG else 300)]

INSIDE = Path(__file__).with_name("inside_faulty_loads.py")

Answers = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def answers(user_mode_linux: UserModeLinux) -> Answers:
    """Boot once; return what each check within answered."""
    ran = user_mode_linux.run(
        INSIDE,
        modules=(*MODULES, "dm-flakey", "dm-log-writes"),
        variables={"TESTS_LONG": "1"} if LONG else {},
        timeout=3600 if LONG else 280,
    )
    assert ran.status == 0, ran.stderr
    found: Answers = json.loads(ran.stdout)
    print(ran.stderr)  # noqa: T201 - how long each took
    return found


def test_a_sound_disk_is_loaded(answers: Answers) -> None:
    """The way the disks are stacked here does no harm by itself."""
    answer = answers["a sound disk"]

    assert answer.get("trace") is None, answer["trace"]
    assert answer["error"] == "" and answer["wrong"] == []
    assert answer["same"] and answer["sound"] and answer["left"] == []


@pytest.mark.parametrize(
    "name",
    [
        "eio in each write",
        "eio in each write near the end",
        "eio in a part of the disk",
        "eio for a while that another program hears of",
    ],
)
def test_a_write_that_failed_ends_the_load_and_nothing_wrong_has_a_name(
    answers: Answers, name: str
) -> None:
    """Also where it failed behind the back of the load; the same disk goes on later."""
    answer = answers[name]

    assert answer.get("trace") is None, answer["trace"]
    assert answer["called"]
    assert answer["wrong"] == []
    assert answer["error"] == "DeviceFailed", answer
    assert "/dev/loop1" in answer["message"]
    assert answer["left"] == []
    assert answer["again"]["error"] == ""
    assert answer["same"] and answer["sound"]


def test_a_disk_that_lost_power_goes_on(answers: Answers) -> None:
    """After any of its writes: what has a name is right, and the end is the same."""
    answer = answers["power cuts"]

    assert answer.get("trace") is None, answer["trace"]
    assert answer["error"] == "" and answer["writes"] > 100
    assert answer["faults"] == []
