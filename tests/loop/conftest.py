"""Tests on real disks need root and loop devices; CI forbids skipping them."""

import os
from pathlib import Path

import pytest


def what_is_missing() -> str:
    """Say why disks cannot be tested here; empty where they can."""
    if os.geteuid() != 0:
        return "not root"
    if not Path("/dev/loop-control").exists():
        return "no loop devices"
    return ""


@pytest.fixture(autouse=True)
def disks_can_be_tested() -> None:
    missing = what_is_missing()
    if missing and ("CI" in os.environ or "S3EXPORT_MUST_NOT_SKIP" in os.environ):
        pytest.fail(f"the disk tests must not be skipped here: {missing}")
    if missing:
        pytest.skip(missing)
