"""What the documentation points to is there."""

from pathlib import Path

import pytest
from markdown import PAGES, ROOT, anchors, command_lines, links, name_of, prose

from s3export.domain.capabilities import TASKS, Task
from s3export.entrypoints.cli.arguments import build_parser

LINKS = [
    pytest.param(page, link, id=f"{name_of(page)}->{link}")
    for page in PAGES
    for link in links(page)
    if "://" not in link and not link.startswith("mailto:")
]


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_a_link_leads_to_a_file_and_to_a_heading_in_it(page: Path, link: str) -> None:
    """Within the repository: what is outside is not asked."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page

    assert target.exists()
    assert target.is_relative_to(ROOT)
    if anchor:
        assert anchor in anchors(target)


def test_there_are_links() -> None:
    """Otherwise the test above looks at nothing."""
    assert len(LINKS) > 25
    assert any("#" in str(param.values[1]) for param in LINKS)


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name
)
def test_every_guide_is_reached_from_the_readme(page: Path) -> None:
    """Directly: nobody has to know that it exists."""
    assert f"docs/{page.name}" in set(links(ROOT / "README.md"))


COMMANDS = sorted(
    {(line, name_of(page)) for page in PAGES for line in command_lines(page)}
)


@pytest.mark.parametrize(("line", "page"), COMMANDS)
def test_a_command_that_is_shown_is_one_that_the_program_takes(
    line: str, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its name, its options and how many arguments; what is optional is given."""
    words = shown_words(line)
    if len(words) == 1:  # the bare name of a command
        words.append("--help")
    try:
        build_parser().parse_args(words)
    except SystemExit as ended:
        assert ended.code == 0, capsys.readouterr().err


def shown_words(line: str) -> list[str]:
    """Return the arguments of a line as it is shown: brackets, dots and comments."""
    line = line.partition("   # ")[0].partition("    #")[0]
    line = line.partition(" | ")[0]  # what another program makes of it
    line = line.partition(",")[0].replace("[", "").replace("]", "")
    words = line.replace("...", "").replace("…", "").split()[1:]
    return [word.partition("|")[0] for word in words]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_tasks_of_doctor_are_documented(task: Task) -> None:
    """With each way that they can be done in."""
    page = (ROOT / "docs" / "doctor.md").read_text()

    assert f"| `{task.name}` |" in page
    for way in task.ways:
        assert f"| {way.name} |" in page or not way.name


SYMPTOMS = [
    line.removeprefix("### ")
    for line in prose(ROOT / "docs" / "troubleshooting.md").splitlines()
    if line.startswith("### ")
]


@pytest.mark.parametrize("symptom", SYMPTOMS)
def test_a_symptom_is_written_as_the_program_says_it(symptom: str) -> None:
    """So that whoever searches for what was on the screen finds it."""
    import botocore.exceptions

    sources = [
        path.read_text()
        for layer in ("domain", "adapters", "entrypoints")
        for path in (ROOT / layer).rglob("*.py")
    ]
    sources.append(Path(botocore.exceptions.__file__).read_text())
    said = "".join("".join(source.split()) for source in sources)
    said = said.replace('"f"', "").replace('""', "")  # texts over several lines

    assert "".join(symptom.split()) in said
