"""A moto server with the emulated export service, over real HTTP."""

from collections.abc import Iterator

import pytest

from s3export.entrypoints.sandbox.server import SandboxServer, running


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    """A fresh server for each test."""
    with running() as started:
        yield started
