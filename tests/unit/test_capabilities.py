"""What a machine can do follows from its parts."""

import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from contracts.machine_contract import AwsAccessContract, MachineContract

from s3export.adapters.installation import adding, called, called_by_root
from s3export.adapters.machine import requirement_parts
from s3export.adapters.memory import MemoryAwsAccess, MemoryMachine
from s3export.domain.capabilities import (
    MOST_SKEW,
    TASKS,
    Access,
    Diagnosis,
    Part,
    PartKind,
    diagnose,
    skew_in_words,
)
from s3export.domain.ports import AwsAccess, Machine
from s3export.entrypoints.cli.doctor_wording import diagnosis_lines
from s3export.entrypoints.cli.exit_codes import ExitCode, of_diagnosis

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = Access(
    region="eu-west-1",
    region_origin="the profile",
    endpoint="https://s3.example.com",
    credentials="the environment",
    access_key_id="MPLE",
    asked=True,
    server_time=NOW,
    local_time=NOW,
)


class TestMemoryMachine(MachineContract, AwsAccessContract):
    @pytest.fixture
    def machine(self) -> Machine:
        return MemoryMachine()

    @pytest.fixture
    def access(self) -> AwsAccess:
        return MemoryAwsAccess()


def lacking(
    *names: str, access: Access = GOOD, tasks: tuple[str, ...] = ()
) -> Diagnosis:
    """Judge a machine that has everything but these."""
    absent = {
        name: Part(name, PartKind.TOOL, False, "not installed", f"lib-{name}")
        for name in names
    }
    return diagnose("Testix", MemoryMachine(absent).parts(), access, tasks)


def with_parts(*parts: Part, tasks: tuple[str, ...] = ()) -> Diagnosis:
    """Judge a machine that has everything but what these say."""
    by_name = {part.name: part for part in parts}
    return diagnose("Testix", MemoryMachine(by_name).parts(), GOOD, tasks)


def works(diagnosis: Diagnosis) -> dict[str, bool | None]:
    """Return how each task stands."""
    return {ability.task.name: ability.works for ability in diagnosis.abilities}


def test_a_machine_that_has_everything_can_do_everything() -> None:
    """Then nothing is to be installed, and the exit code is 0."""
    diagnosis = lacking()

    assert set(works(diagnosis).values()) == {True}
    assert diagnosis.remedy == ""
    assert of_diagnosis(diagnosis) is ExitCode.DONE
    assert list(diagnosis_lines(diagnosis))[-1] == "Nothing is to be installed."


@pytest.mark.parametrize(
    ("names", "broken"),
    [
        (["root"], {"open-luks", "create-job", "load-device"}),
        (["dm_crypt"], {"open-luks"}),
        (["fuse"], set()),
        (["dm_crypt", "fuse"], {"open-luks", "load-device"}),
        (["mkfs.ext4"], {"create-job", "load-device"}),
        (["pytsk3"], set()),
        (["root", "pytsk3"], {"verify-disk", "open-luks", "create-job", "load-device"}),
        (["moto"], {"sandbox"}),
        (["rich"], {"verify-directory"}),
        (
            ["wipefs"],
            {"verify-disk", "open-luks", "create-job", "load-device"},
        ),
    ],
)
def test_a_task_is_broken_if_every_way_lacks_something(
    names: list[str], broken: set[str]
) -> None:
    """One way that lacks nothing is enough."""
    found = works(lacking(*names))

    assert {name for name, working in found.items() if working is False} == broken


def test_the_way_that_lacks_least_is_the_one_that_is_told() -> None:
    """It is the shortest one to something that works."""
    diagnosis = lacking("dm_mod", "dm_crypt", "cryptsetup", "libfuse3")

    (load,) = [a for a in diagnosis.abilities if a.task.name == "load-device"]
    assert [part.name for part in load.lacking] == ["libfuse3"]


def test_one_command_installs_all_that_packages_can_bring() -> None:
    """Each package once, and what pip brings in the same line."""
    old = Part("rich", PartKind.PYTHON, False, "1 is older", requirement="rich>=13.9")
    parts = {
        "sfdisk": Part("sfdisk", PartKind.TOOL, False, "no", "fdisk"),
        "mount": Part("mount", PartKind.TOOL, False, "no", "mount"),
        "losetup": Part("losetup", PartKind.TOOL, False, "no", "mount"),
        "rich": old,
    }

    made = diagnose("Testix", MemoryMachine(parts).parts(), GOOD)

    command = "apt-get install fdisk mount && python3 -m pip install 'rich>=13.9'"
    assert made.remedy == command
    assert list(diagnosis_lines(made))[-1].endswith(command)


@pytest.mark.parametrize(
    ("access", "names", "code"),
    [
        (GOOD, [], ExitCode.DONE),
        (Access(asked=True, problem="S3: no route"), [], ExitCode.AWS),
        (Access(), [], ExitCode.AWS),
        (GOOD, ["rich"], ExitCode.DEVICE),
        (Access(), ["rich"], ExitCode.DEVICE),
        (GOOD, ["root", "mkfs.ext4", "moto"], ExitCode.DONE),
    ],
)
def test_the_exit_code_says_what_kind_of_thing_is_missing(
    access: Access, names: list[str], code: ExitCode
) -> None:
    """What is missing here goes before what AWS lacks; other tasks do not count."""
    assert of_diagnosis(lacking(*names, access=access)) is code


def test_the_machine_is_judged_by_the_tasks_that_are_named() -> None:
    """Whoever loads disks hears of what loading lacks, and of nothing else."""
    assert of_diagnosis(lacking("mkfs.ext4", tasks=("load-device",))) is ExitCode.DEVICE
    assert (
        of_diagnosis(lacking(access=Access(), tasks=("create-job",))) is ExitCode.DONE
    )
    with pytest.raises(ValueError, match="no such task: fly"):
        lacking(tasks=("fly",))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_clock_that_s3_would_refuse_is_a_finding(sign: int) -> None:
    """Fifteen minutes are the limit, in both directions."""
    for skew, there in ((MOST_SKEW, True), (MOST_SKEW + timedelta(seconds=1), False)):
        access = Access(server_time=NOW, local_time=NOW + sign * skew)

        (clock,) = [part for part in access.parts() if part.name == "clock"]
        assert clock.present is there


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.9, "as S3's"),
        (-1, "as S3's"),
        (60, "60 seconds ahead of S3"),
        (-4000, "4,000 seconds behind S3"),
    ],
)
def test_a_skew_is_told_with_its_direction(seconds: float, said: str) -> None:
    """A second is the resolution of what S3 says."""
    assert skew_in_words(timedelta(seconds=seconds)) == said


def test_what_was_not_looked_at_is_neither_there_nor_missing() -> None:
    """Without a request nobody knows whether S3 answers."""
    diagnosis = lacking(access=Access(credentials="the environment"))

    assert works(diagnosis)["ask-s3"] is None
    assert of_diagnosis(diagnosis) is ExitCode.DONE


def test_the_tasks_need_the_dependencies_that_the_package_has() -> None:
    """None is forgotten, and none is looked for that is not one."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"]
    wanted += project["project"]["optional-dependencies"]["sandbox"]

    declared = {part.name for part in requirement_parts(wanted)}

    needed = {name for task in TASKS for way in task.ways for name in way.needs}
    assert declared <= needed


@pytest.mark.parametrize(
    ("requirement", "present", "detail"),
    [
        ("rich>=13.9", True, ""),
        ("rich>=9999", False, "is older than 9999"),
        ("nothing-of-this-name>=1", False, "not installed"),
    ],
)
def test_a_requirement_is_compared_with_what_is_installed(
    requirement: str, present: bool, detail: str
) -> None:
    """An old version is as good as none, and told apart from it."""
    (part,) = requirement_parts([requirement])

    assert part.present is present
    assert detail in part.detail
    assert part.requirement == requirement


def test_what_an_extra_brings_is_not_part_of_the_one_command() -> None:
    """Nobody has to install the sandbox; how is said all the same."""
    (part,) = requirement_parts(['nope[x]>=1; extra == "sandbox"'])

    assert part.requirement == ""
    assert part.advice.endswith(" -m pip install 'nope[x]>=1'")


@pytest.mark.parametrize(
    ("made_by", "command"),
    [
        ("venv", f"{sys.executable} -m pip install 'moto[server]>=5'"),
        ("pipx", "pipx inject {name} 'moto[server]>=5'"),
        ("the system", "in the clone of s3export: pipx install --force '.[sandbox]'"),
    ],
)
def test_what_is_missing_is_added_where_the_program_is_installed(
    made_by: str, command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No index has s3export itself, and the system's Python takes nothing."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    if made_by == "pipx":
        (tmp_path / "pipx_metadata.json").write_text("{}")
    if made_by == "the system":
        monkeypatch.setattr(sys, "base_prefix", str(tmp_path))

    assert adding("moto[server]>=5") == command.format(name=tmp_path.name)


def test_the_program_is_named_so_that_a_shell_finds_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By its name where PATH has it, otherwise by its path; for sudo by its path."""
    program = tmp_path / "s3export"
    program.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])

    monkeypatch.setenv("PATH", str(tmp_path))
    assert (called(), called_by_root()) == ("s3export", str(program))
    monkeypatch.setenv("PATH", "/nowhere")
    assert called() == str(program)
    monkeypatch.setattr(sys, "argv", ["-m"])
    assert called() == f"{sys.executable} -m s3export"


def test_advice_that_installs_is_not_followed_by_nothing_to_install() -> None:
    """The last line counts what the lines before it say."""
    moto = Part("moto", PartKind.PYTHON, False, "not installed", advice="pip it")

    lines = list(diagnosis_lines(with_parts(moto)))

    assert lines[-2:] == ["  next: moto: pip it", "Nothing else is to be installed."]


def test_only_what_the_task_asked_for_lacks_is_advised() -> None:
    """Neither root nor the sandbox is any matter of a directory."""
    absent = (
        Part("moto", PartKind.PYTHON, False, "not installed", advice="pip it"),
        Part("root", PartKind.PRIVILEGE, False, "not root", advice="sudo it"),
        Part("cryptsetup", PartKind.TOOL, False, "not installed", "cryptsetup-bin"),
    )

    asked = list(diagnosis_lines(with_parts(*absent, tasks=("verify-directory",))))
    all_of_it = list(diagnosis_lines(with_parts(*absent)))

    assert asked[-1] == "Nothing is to be installed."
    assert not [line for line in asked if "next:" in line]
    assert [line for line in all_of_it if "next: root: sudo it" in line]
    assert all_of_it[-1].endswith("apt-get install cryptsetup-bin")
