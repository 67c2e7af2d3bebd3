"""What ``sandbox`` tells a user who is not root."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from fixtures.command_line import Run

from s3export.entrypoints.sandbox import contents
from s3export.entrypoints.sandbox.actions import Sandbox, copied, serving_lines
from s3export.entrypoints.sandbox.server import SandboxServer


def test_a_copy_is_verified_without_root_by_the_command_that_is_printed(
    run: Run, s3: Any, cli_server: SandboxServer, tmp_path: Path
) -> None:
    """The one object that no copy can hold is the one that is missing."""
    count = contents.fill(s3)
    copy = copied(s3, tmp_path)
    box = Sandbox(cli_server, "/dev/loopX", "/m.yml", count, "/saved")

    lines = list(serving_lines(box, copy))
    (line,) = [line for line in lines if f"verify-backup {copy}" in line]
    call, _, remark = line.partition("  #")
    arguments = shlex.split(call)
    ran = run(*arguments[arguments.index("verify-backup") :], "--sample-size", "all")

    assert ran.code == 1
    assert [text for text in ran.out.splitlines() if "MISSING" in text] == [
        text for text in ran.out.splitlines() if contents.NO_PATH in text
    ]
    assert "DIFFERS" in remark
    assert any(contents.NO_PATH in line for line in lines)


def test_commands_are_printed_as_they_can_be_called(
    cli_server: SandboxServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the path of the program where PATH does not have it."""
    program = tmp_path / "s3export"
    program.touch(0o755)
    monkeypatch.setattr("sys.argv", [str(program)])
    monkeypatch.setenv("PATH", "/nowhere")
    box = Sandbox(cli_server, "/dev/loopX", "/m.yml", 3, "/saved")

    lines = list(serving_lines(box, "/copy"))

    commands = ("create-job", "sandbox deliver", "verify-backup /")
    for command in commands:
        assert any(f"  {program} {command}" in line for line in lines)
