"""The machine itself, and AWS's chain on it, looked at for real."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from contracts.machine_contract import AwsAccessContract, MachineContract

from s3export.adapters.clock import SystemClock
from s3export.adapters.commands import Commands
from s3export.adapters.machine import SystemMachine
from s3export.domain.capabilities import Access
from s3export.domain.errors import S3ExportError
from s3export.domain.ports import AwsAccess, Machine
from s3export.entrypoints.container import application
from s3export.entrypoints.sandbox.server import SandboxServer, running
from s3export.entrypoints.settings import Settings


class TestSystemMachine(MachineContract, AwsAccessContract):
    @pytest.fixture
    def machine(self) -> Machine:
        return SystemMachine(Commands())

    @pytest.fixture
    def access(self) -> AwsAccess:
        found: AwsAccess = application(Settings()).adapters.aws_access()
        return found


@pytest.fixture
def without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the environment."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


def at(server: SandboxServer) -> Settings:
    """Return the settings for a server in AWS's place."""
    return Settings(endpoint_url=server.endpoint_url)


def looked(settings: Settings, *, ask: bool = True) -> Access:
    """Look at the way to S3 with these settings."""
    access: AwsAccess = application(settings).adapters.aws_access()
    return access.look(ask=ask)


def test_a_tool_that_cannot_be_run_is_missing(tmp_path: Path) -> None:
    """With what it said, and the package that brings it."""
    script = (
        "from s3export.adapters.commands import Commands\n"
        "from s3export.adapters.machine import SystemMachine\n"
        "for part in SystemMachine(Commands()).parts():\n"
        "    print(part.name, part.present, part.detail, part.package, sep='|')\n"
    )
    for tool, does in {
        "lsblk": "echo broken >&2; exit 9",
        "wipefs": "echo wipefs from util-linux 9.1.2",
        "blkid": "echo nothing that looks like a version",
    }.items():
        (tmp_path / tool).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / tool).chmod(0o755)

    told = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        check=True,
        text=True,
    ).stdout.splitlines()

    assert "wipefs|True|9.1.2|util-linux" in told
    assert "blkid|True||util-linux" in told
    assert "lsblk|False|lsblk failed (status 9): broken|util-linux" in told


def test_credentials_are_told_by_where_they_come_from(tmp_path: Path) -> None:
    """The secret is in no part of what is told."""
    with running() as server:
        access = application(
            Settings(endpoint_url=server.endpoint_url)
        ).adapters.aws_access()
        found = access.look(ask=True)

    assert found.credentials == "the environment (AWS_ACCESS_KEY_ID)"
    assert found.access_key_id == "MPLE"
    assert "AKIAIOSFODNN7EXAMPLE" not in repr(found)
    assert "nothing" not in repr(found).replace("nothing says it", "")
    assert found.endpoint == server.endpoint_url
    assert found.problem == ""
    assert found.skew is not None
    assert abs(found.skew) < timedelta(seconds=30)


@pytest.mark.usefixtures("without_credentials")
def test_the_clock_is_compared_without_credentials_too() -> None:
    """A request that is not signed is answered with a time, whatever else it gets."""
    with running() as server:
        found = application(
            Settings(endpoint_url=server.endpoint_url)
        ).adapters.aws_access()
        seen = found.look(ask=True)

    assert seen.credentials == ""
    assert seen.problem == ""
    assert seen.skew is not None


def test_a_clock_that_is_wrong_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the time that the answer says, and not by trusting our own."""
    ahead = datetime.now(UTC) + timedelta(hours=2)
    monkeypatch.setattr(SystemClock, "now", lambda self: ahead)

    with running() as server:
        access = application(
            Settings(endpoint_url=server.endpoint_url)
        ).adapters.aws_access()
        found = access.look(ask=True)

    assert found.skew is not None
    assert timedelta(minutes=119) < found.skew < timedelta(minutes=121)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(profile="nobody"), "nobody"),
        (Settings(endpoint_url="http://127.0.0.1:1"), "Could not connect"),
        (Settings(endpoint_url="http://"), "Invalid endpoint"),
    ],
)
def test_trouble_is_a_finding_and_no_error(settings: Settings, said: str) -> None:
    """Whatever is wrong with the way to S3, the rest is still told."""
    try:
        found = looked(settings)
    except S3ExportError as error:  # pragma: no cover - that is what must not be
        pytest.fail(f"raised {error!r}")

    assert said in repr(found)


def test_nothing_is_asked_where_that_is_not_wanted() -> None:
    """An address where nobody answers is no trouble then."""
    seen = looked(Settings(endpoint_url="http://127.0.0.1:1"), ask=False)

    assert not seen.asked
    assert seen.problem == ""
