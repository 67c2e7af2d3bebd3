"""What ``import s3export`` offers: its stub says it, and it is there."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import s3export

STUB = ast.parse(Path(s3export.__file__).with_suffix(".pyi").read_text())
HOMES = {
    alias.name: f"s3export.{node.module}"
    for node in STUB.body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}


def test_the_stub_exports_all_that_it_imports() -> None:
    """Its list is that of the package, sorted."""
    (listed,) = (node for node in STUB.body if isinstance(node, ast.Assign))

    names = ast.literal_eval(listed.value)

    assert names == sorted(names)
    assert set(names) == set(HOMES) == set(s3export.__all__)


@pytest.mark.parametrize("name", sorted(HOMES))
def test_each_name_is_what_its_module_has(name: str) -> None:
    """It is imported when it is asked for."""
    assert getattr(s3export, name) is getattr(import_module(HOMES[name]), name)


def test_what_is_not_there_is_an_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="nonsense"):
        _ = s3export.nonsense  # type: ignore[attr-defined]


def test_the_package_alone_imports_nothing_of_its_own() -> None:
    """Whoever uses one function pays for that one."""
    script = "import s3export, sys; print([m for m in sys.modules if 's3export.' in m])"

    ran = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )

    assert ran.stdout.strip() == "[]"
