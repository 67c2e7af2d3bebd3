"""What the documentation shows of commands and of the library happens so."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from fixtures.command_line import Run
from markdown import PAGES, ROOT, Block, blocks

CONSOLES = [b for page in PAGES for b in blocks(page) if b.language == "console"]
CODE = [page for page in PAGES if any(b.language == "python" for b in blocks(page))]
FILES = {"a.txt": b"first", "b/c.txt": b"second", "b/d.txt": b"third"}


@pytest.fixture
def archive(s3: Any, tmp_path: Path) -> Path:
    """What the pages take for granted: a mounted archive of ``my-bucket``."""
    s3.create_bucket(Bucket="my-bucket")
    for key, body in FILES.items():
        s3.put_object(Bucket="my-bucket", Key=key, Body=body)
        path = tmp_path / "archive" / "my-bucket" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return tmp_path / "archive"


@pytest.mark.parametrize("block", CONSOLES, ids=str)
def test_a_console_shows_what_the_program_says(
    block: Block, run: Run, archive: Path
) -> None:
    """Letter by letter, command by command."""
    shown = block.text.replace("/mnt/archive", str(archive)).split("$ ")

    assert shown[0] == ""
    for call in shown[1:]:
        line, _, output = call.partition("\n")
        program, *arguments = shlex.split(line)
        assert program == "s3export"
        assert run(*arguments).out == output


@pytest.mark.parametrize("page", CODE, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page: Path, archive: Path) -> None:
    """Its blocks one after the other, as a reader would in a notebook."""
    names: dict[str, Any] = {"__name__": "__main__"}

    for block in blocks(page):
        if block.language == "python":
            code = block.text.replace("/mnt/archive", str(archive))
            exec(compile(code, page.name, "exec"), names)

    assert names["report"].verdict.value == "verified"


def test_there_is_something_to_run() -> None:
    """Otherwise the tests above look at nothing."""
    assert len(CONSOLES) >= 2
    assert {page.name for page in CODE} == {"README.md", "cookbook.md"}
    assert ROOT / "README.md" in PAGES
