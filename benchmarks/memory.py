"""What a verification takes in memory, by how many files and objects there are."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.loading import with_section

COUNTS = (500_000, 1_000_000, 2_000_000)
_PROJECT = Path(__file__).parents[1]

ABOUT = """\
A sample of 100 is verified, and every object is looked for on the disk and every file
in S3's listing. Disk and bucket are made up as they are asked for, in different orders;
all else is real, each run a process of its own. What is kept of names beside a bounded
share lies in files in `$TMPDIR`.
"""


def main(*, quick: bool = False, page: Path | None = None) -> list[str]:
    """Run the case; print the table, write it to a page, and return its lines."""
    lines = [
        "| files and objects | peak MB | CPU, s | CPU, µs for both |",
        "|--:|--:|--:|--:|",
    ]
    for count in (20_000,) if quick else COUNTS:
        with tempfile.TemporaryDirectory(prefix="s3export-bench-") as where:
            took = _run(count, where)
        lines.append(
            f"| {count:,} | {took['peak_kib'] * 1024 / 1e6:,.0f} | {took['cpu']:,.0f} "
            f"| {took['cpu'] / count * 1e6:,.0f} |"
        )
    print("\n".join(lines))
    if page:
        text = page.read_text() if page.exists() else ""
        page.write_text(with_section(text, "\n".join(lines), "## Memory", ABOUT))
    return lines


def _run(count: int, where: str) -> dict[str, float]:
    errors = Path(where, "errors")
    errors.touch()
    line = [sys.executable, "-m", "benchmarks.remembering", str(count)]
    done = subprocess.run(
        [sys.executable, "-I", "-S", _PROJECT / "benchmarks" / "measured.py", where,
         errors, *line],
        cwd=_PROJECT, stdout=subprocess.PIPE, check=True, text=True,
        env=os.environ | {"TMPDIR": where},
    )  # fmt: skip
    took: dict[str, float] = json.loads(done.stdout)
    if took["code"]:
        raise RuntimeError(errors.read_text(errors="replace").strip()[-500:])
    return took
