"""The one place that runs programs, on real ones."""

import io
import logging
import os
import subprocess
import sys

import pytest

from s3export.adapters.command_lines import CommandLine
from s3export.adapters.commands import Commands


def test_a_secret_reaches_a_program_through_a_pipe(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is whole, and neither logged nor in a file nor in the environment."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("tempfile.TemporaryFile", io.BytesIO)
    script = "cat; readlink /proc/$$/fd/0; tr '\\0' '\\n' < /proc/$$/environ"
    line = CommandLine(("sh", "-c", script))

    printed = Commands().run(line, secret=b"Tr0ub4dor\n").stdout

    secret, source, *environment = printed.splitlines()
    assert secret == "Tr0ub4dor"
    assert source.startswith("pipe:")
    assert not [text for text in environment if "Tr0ub4dor" in text]
    assert "Tr0ub4dor" not in caplog.text


def test_no_program_sees_our_settings() -> None:
    """One of them may be a password."""
    code = (
        "from s3export.adapters.commands import Commands\n"
        "from s3export.adapters.command_lines import CommandLine\n"
        "print(Commands().run(CommandLine(('env',))).stdout)"
    )
    ran = subprocess.run(
        (sys.executable, "-c", code),
        env={**os.environ, "S3EXPORT_TRUECRYPT_PASSWORD": "Tr0ub4dor"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "LC_ALL=C" in ran.stdout
    assert "Tr0ub4dor" not in ran.stdout
