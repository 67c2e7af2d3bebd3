"""Wrong usage is told in two lines, with what was perhaps meant."""

import pytest
from fixtures.command_line import Run


@pytest.mark.parametrize(
    ("line", "said", "usage"),
    [
        (
            "verify-backup --buckte b",
            "no such option: --buckte; did you mean --bucket?",
            "s3export verify-backup [options] <device-path> [<truecrypt-password>]",
        ),
        (
            "verify-backup /x -bucket=secret",
            "no such option: -bucket; did you mean --bucket?",
            "s3export verify-backup",
        ),
        (
            "verify /dev/sdb",
            "no such command: 'verify'; did you mean verify-backup?",
            "s3export [options] <command> ...",
        ),
        ("load", "no such command: 'load'; did you mean load-device?", "s3export"),
        ("--jsno list-jobs", "no such option: --jsno; did you mean --json?", "s3e"),
        ("list-jobs x", "one argument too many: 'x'", "s3export list-jobs [options]"),
        (
            "plan-sample --files 3",
            "missing: --max-differing",
            "s3export plan-sample --files N --max-differing SHARE [options]",
        ),
        ("config sho", "did you mean show?", "config [options] {show,path,edit}"),
        ("doctor --for sandbx", "did you mean sandbox?", "s3export doctor [options]"),
        ("history", "missing: <report.json>", "<report.json> [<report.json> ...]"),
    ],
)
def test_wrong_usage_is_told_in_two_lines(
    run: Run, line: str, said: str, usage: str
) -> None:
    """What is wrong, and the usage of the command that was meant; exit 2."""
    ran = run(*line.split())

    assert ran.code == 2
    assert ran.out == ""
    first, second = ran.err.splitlines()
    assert first.startswith("s3export: ")
    assert said in first
    assert "secret" not in ran.err
    assert second.startswith("  next: s3export ")
    assert usage in second


@pytest.mark.parametrize(
    "line",
    [
        "plan-sample --files=5 --max-differing 1%",
        "--json plan-sample --max-differing=50% --files 5",
    ],
)
def test_right_usage_is_not_in_the_way_of_it(run: Run, line: str) -> None:
    """Options before and after the command, with and without an equals sign."""
    assert run(*line.split()).code == 0
