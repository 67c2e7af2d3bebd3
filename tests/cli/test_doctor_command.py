"""``doctor``: what this machine can do."""

from typing import Any

import pytest
from fixtures.command_line import Run
from fixtures.raw_server import RawServer, answer

from s3export.domain.capabilities import TASKS


def test_the_tasks_are_told_and_the_command_comes_last(run: Run, s3: Any) -> None:
    """With S3 there, a machine that runs the tests can verify."""
    ran = run("doctor")

    assert ran.code == 0, ran.out
    for task in TASKS:
        assert task.name in ran.out
    last = ran.out.splitlines()[-1]
    assert last.startswith(("Nothing is to be installed", "Add what is missing"))
    assert "MPLE" in ran.out
    assert "AKIAIOSFODNN7EXAMPLE" not in ran.out


def test_the_document_has_the_same(run: Run, s3: Any) -> None:
    """Scripts get every part and every task."""
    document = run("doctor", "--json").document()

    assert [task["name"] for task in document["tasks"]] == [t.name for t in TASKS]
    assert {"root", "cryptsetup", "libgcrypt", "boto3", "clock"} <= {
        part["name"] for part in document["parts"]
    }
    assert abs(document["aws"]["clock_ahead_seconds"]) < 60


def test_s3_that_cannot_be_reached_is_a_finding(run: Run) -> None:
    """The rest is told all the same, and the exit code is that of AWS."""
    ran = run("doctor", "--endpoint-url", "http://127.0.0.1:1")

    assert ran.code == 6
    assert "Could not connect" in ran.out
    assert "mkfs.ext4" in ran.out


def test_without_a_request_the_clock_is_unknown(run: Run) -> None:
    """Which is no failure: it was not wanted."""
    ran = run("doctor", "--offline", "--endpoint-url", "http://127.0.0.1:1")

    assert ran.code == 0
    assert "not looked at: s3, clock" in ran.out


@pytest.mark.parametrize("arguments", [["--for", "fly"], ["--for"]])
def test_an_unknown_task_is_wrong_usage(run: Run, arguments: list[str]) -> None:
    """The tasks are listed."""
    ran = run("doctor", *arguments)

    assert ran.code == 2


@pytest.mark.parametrize("page", [b"<!doctype html><p>Log in", b"<html/>", b""])
def test_another_server_is_not_taken_for_s3(run: Run, page: bytes) -> None:
    """A console, or the page of a network that wants a login first."""
    with RawServer(plain=answer(page), listing=answer(page)) as server:
        ran = run("doctor", "--endpoint-url", f"http://127.0.0.1:{server.port}")

    assert ran.code == 6
    assert "the answer is not one of AWS" in ran.out
