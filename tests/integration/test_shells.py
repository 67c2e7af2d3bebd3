"""The shells take their completions, man takes its page, and help starts quickly."""

import ast
import os
import shutil
import subprocess
import sys

import pytest

from s3export.entrypoints.cli.completion import FILES, MAN_PAGE, SHIPPED

HEAVY = (
    *("awscrt", "boto3", "botocore", "dependency_injector", "mfusepy", "plumbum"),
    *("pydantic", "pytsk3", "rich", "yaml", "tomllib", "shtab", "argparse_manpage"),
)


def installed(tool: str) -> str:
    """Return a tool's path; skip, or fail where that is forbidden, without it."""
    found = shutil.which(tool)
    if found is None:
        if os.environ.get("TESTS_MUST_NOT_SKIP"):
            pytest.fail(f"{tool} is not installed")
        pytest.skip(f"{tool} is not installed")
    return found


@pytest.mark.parametrize("shell", FILES)
def test_a_shell_takes_its_completions(shell: str) -> None:
    """It reads them without a complaint."""
    ran = subprocess.run(
        [installed(shell), "-n", str(SHIPPED / FILES[shell])],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["s3export", "ver"], ["verify-backup"]),
        (["s3export", "doctor", "--off"], ["--offline"]),
        (["s3export", "completion", ""], ["bash", "fish", "zsh"]),
        (["s3export", "config", "e"], ["edit"]),
    ],
)
def test_bash_completes(words: list[str], expected: list[str]) -> None:
    """Commands, options and choices, as a TAB would."""
    script = (
        f'source "{SHIPPED / FILES["bash"]}"\n'
        f"COMP_WORDS=({' '.join(map(repr, words))})\nCOMP_CWORD={len(words) - 1}\n"
        "f=$(complete -p s3export | sed 's/.*-F \\([^ ]*\\).*/\\1/'); $f s3export "
        f"{words[-1]!r} {words[-2]!r}\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )

    ran = subprocess.run(
        [installed("bash"), "-c", script], capture_output=True, text=True, check=True
    )

    assert set(ran.stdout.split()) >= set(expected), ran.stderr
    if len(expected) == 1:
        assert ran.stdout.split() == expected


def test_fish_completes_commands() -> None:
    """By their beginnings, with what they do."""
    script = f"source {SHIPPED / FILES['fish']}; complete -C 's3export ver'"

    ran = subprocess.run(
        [installed("fish"), "-c", script], capture_output=True, text=True, check=True
    )

    assert ran.stdout.startswith("verify-backup\tCompare a disk with what S3 holds")


def test_man_shows_the_page_without_warnings() -> None:
    """The name, the commands and the exit codes are there."""
    ran = subprocess.run(
        [installed("man"), "--warnings", "-l", str(SHIPPED / "man" / "s3export.1")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "200", "MANPAGER": "cat"},
    )

    assert "s3export - Take S3 buckets" in ran.stdout
    assert "EXIT STATUS" in ran.stdout
    assert ran.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--help"], ["--version"], ["verify-backup", "--help"], ["no-such-command"]),
        *(["completion", shell] for shell in FILES),
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported_to_be_helped(arguments: list[str]) -> None:
    """So that help, and what shells wait for, start in a moment."""
    script = (
        "import sys; from s3export.entrypoints.cli import main; main(sys.argv[1:]);"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )

    ran = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_needs_the_grammar_alone(option: str) -> None:
    """Neither the services nor the ports that they stand on."""
    script = (
        "import sys; from s3export.entrypoints.cli import main; main(sys.argv[1:]);"
        "print([m for m in sys.modules if m.startswith('s3export.domain.')])"
    )

    ran = subprocess.run(
        [sys.executable, "-c", script, option],
        capture_output=True,
        text=True,
        check=True,
    )

    assert not {
        "s3export.domain.ports",
        "s3export.domain.services",
        "s3export.domain.manifests",
        "s3export.domain.verification",
    } & set(ast.literal_eval(ran.stdout.splitlines()[-1]))


def test_the_man_page_is_read_from_the_program_itself() -> None:
    """Where it is installed in a way that leaves none to ``man``."""
    printed = subprocess.run(
        [sys.executable, "-m", "s3export", "man-page"], check=True, capture_output=True
    ).stdout
    shown = subprocess.run(
        [installed("man"), "-l", "-"],
        input=printed,
        check=True,
        capture_output=True,
        env={**os.environ, "MANWIDTH": "100", "PAGER": "cat"},
    )

    assert printed == (SHIPPED / MAN_PAGE).read_bytes()
    assert b"verify-backup" in shown.stdout
    assert shown.stderr == b""


@pytest.mark.parametrize("shell", FILES)
def test_the_program_prints_what_is_shipped(shell: str) -> None:
    """Letter by letter."""
    ran = subprocess.run(
        [sys.executable, "-m", "s3export", "completion", shell],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout == (SHIPPED / FILES[shell]).read_text()
