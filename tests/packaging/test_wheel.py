"""What users install: the wheel, with the source tree out of reach."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.packaging


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source tree as it is."""
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
        text=True,
    )
    (out / "said").write_text(done.stdout + done.stderr)
    (built,) = out.glob("*.whl")
    return built


def test_the_build_warns_of_nothing(wheel: Path) -> None:
    """Folders of data are not taken for packages that somebody forgot."""
    said = wheel.with_name("said").read_text()

    assert "Warning" not in said
    assert "is absent from" not in said


def test_the_wheel_holds_every_module_once(wheel: Path) -> None:
    """Each module of the layers is in the wheel, below s3export/ and nowhere else."""
    expected = {
        f"s3export/{path.relative_to(ROOT)}"
        for layer in ("domain", "adapters", "entrypoints")
        for path in (ROOT / layer).rglob("*.py")
    } | {f"s3export/{path.name}" for path in (ROOT / "s3export").glob("*.py")}
    shipped = {
        f"s3export/{path.relative_to(ROOT)}"
        for path in (ROOT / "entrypoints/cli/shipped-files").rglob("*")
        if path.is_file()
    }

    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if ".dist-info/" not in n]

    assert {name for name in names if name.endswith(".py")} == expected
    assert "s3export/py.typed" in names
    assert len(shipped) == 4
    assert shipped <= set(names)
    assert len(names) == len(set(names))


def test_the_wheel_brings_the_man_page_and_the_completions(wheel: Path) -> None:
    """Where ``man`` and the shells look, below the environment's prefix."""
    with zipfile.ZipFile(wheel) as archive:
        shared = {n.partition("/data/")[2] for n in archive.namelist() if "/data/" in n}

    assert shared == {
        "share/man/man1/s3export.1",
        "share/bash-completion/completions/s3export",
        "share/zsh/site-functions/_s3export",
        "share/fish/vendor_completions.d/s3export.fish",
    }


def test_the_installed_wheel_runs_without_the_source_tree(
    wheel: Path, tmp_path: Path
) -> None:
    """In an environment of its own the program starts and the package imports."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", str(wheel)],
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )

    ran = subprocess.run(
        [tmp_path / "env" / "bin" / "s3export", "--version"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    imported = subprocess.run(
        [
            python,
            "-I",
            "-W",
            "error",
            "-c",
            "import s3export, s3export.adapters.memory, s3export.entrypoints.container;"
            "print(s3export.__file__)",
        ],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    completion = subprocess.run(
        [tmp_path / "env" / "bin" / "s3export", "completion", "bash"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    assert ran.stdout.startswith("s3export ")
    assert "verify-backup" in completion.stdout
    assert str(tmp_path) in imported.stdout
