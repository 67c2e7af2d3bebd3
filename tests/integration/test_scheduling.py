"""The example units are units, and what they run verifies and keeps reports."""

import configparser
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fixtures.command_line import Run

UNITS = Path(__file__).parents[2] / "docs" / "examples" / "systemd"
ARCHIVE = "mnt-archive"


@pytest.mark.parametrize("kind", ["service", "timer"])
def test_systemd_takes_the_units(tmp_path: Path, kind: str) -> None:
    """``systemd-analyze verify`` finds nothing to say of an instance."""
    for path in UNITS.iterdir():
        shutil.copy(path, tmp_path / path.name.replace("@.", f"@{ARCHIVE}."))
    tool = shutil.which("systemd-analyze")
    if tool is None:
        if os.environ.get("TESTS_MUST_NOT_SKIP"):
            pytest.fail("systemd-analyze is not installed")
        pytest.skip("systemd-analyze is not installed")

    ran = subprocess.run(
        [
            tool,
            "verify",
            "--man=no",
            str(tmp_path / f"s3export-verify@{ARCHIVE}.{kind}"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def command(name: str, archive: Path) -> list[str]:
    """Return what systemd would run: its own signs replaced."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNITS / "s3export-verify@.service")
    line = parser["Service"][name].replace("%%", "\0").replace("%f", str(archive))
    return shlex.split(line.replace("$$", "$").replace("\0", "%"))


def run_unit(archive: Path, state: Path) -> "subprocess.CompletedProcess[str]":
    """Run the service's commands as systemd does: the second if the first succeeds."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "BUCKET": "my-bucket",
        "FILES": "2",
        "STATE_DIRECTORY": str(state),
    }
    ran = None
    for name in ("ExecStart", "ExecStartPost"):
        ran = subprocess.run(
            command(name, archive),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            break
    assert ran is not None
    return ran


@pytest.fixture
def archive(s3: Any, tmp_path: Path) -> Path:
    """A mounted copy of three objects."""
    s3.create_bucket(Bucket="my-bucket")
    folder = tmp_path / "archive" / "my-bucket"
    folder.mkdir(parents=True)
    for name in ("a", "b", "c"):
        s3.put_object(Bucket="my-bucket", Key=name, Body=name.encode())
        (folder / name).write_text(name)
    return tmp_path / "archive"


def test_each_run_keeps_a_report_with_a_seed_of_its_own(
    archive: Path, tmp_path: Path, run: Run
) -> None:
    """And ends with the history of all of them; a difference makes the unit fail."""
    state = tmp_path / "state"
    state.mkdir()

    first = run_unit(archive, state)

    assert first.returncode == 0, first.stderr
    assert "One run, 2 files drawn" in first.stdout
    (kept,) = state.iterdir()
    kept.rename(state / "earlier.json")
    second = run_unit(archive, state)
    assert "2 runs, 4 files drawn" in second.stdout
    assert len(list(state.iterdir())) == 2

    for path in (archive / "my-bucket").iterdir():
        path.write_text("x")
    assert run_unit(archive, state).returncode == 1
