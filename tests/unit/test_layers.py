"""The layers are real folders, linked into one importable package."""

import sys
from pathlib import Path

import pytest

import s3export

LAYERS = ("domain", "adapters", "entrypoints")
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_is_linked(layer: str) -> None:
    """Type checkers and editors find the layers through links in s3export/."""
    link = ROOT / "s3export" / layer

    assert link.is_symlink()
    assert link.resolve() == ROOT / layer


@pytest.mark.parametrize("layer", LAYERS)
def test_no_layer_is_imported_by_its_bare_name(layer: str) -> None:
    """A bare import would make a second copy of every class."""
    assert s3export.__name__ == "s3export"
    assert layer not in sys.modules
