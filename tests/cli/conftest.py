"""The command line run in this process, over a moto server or ports in memory."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from s3export.entrypoints.cli import main
from s3export.entrypoints.sandbox.actions import s3_client
from s3export.entrypoints.sandbox.server import SandboxServer, running


@dataclass(frozen=True)
class Ran:
    """What one run of the program left."""

    code: int
    out: str
    err: str

    def document(self) -> Any:
        """The JSON document on standard output."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the program in this process."""

    def run_it(*arguments: str) -> Ran:
        capfd.readouterr()
        code = main(arguments)
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Ran(code, out, err)

    return run_it


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    """S3 and the export service, over real HTTP."""
    with running() as started:
        yield started


@pytest.fixture
def s3(server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client for the server's S3, which the program uses, too."""
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return s3_client(server)


@pytest.fixture
def backup(s3: Any, tmp_path: Path) -> Path:
    """The original program's example: a mounted disk and its bucket."""
    s3.create_bucket(Bucket="my-bucket")
    contents = {"foo/foo": b"one", "foo/bar": b"two", "bar/foo": b"three"}
    for key, body in contents.items():
        in_s3 = body if key != "bar/foo" else b"THREE"
        s3.put_object(Bucket="my-bucket", Key=key, Body=in_s3)
    for key, body in {**contents, "bar/bar": b"four"}.items():
        path = tmp_path / "disk" / "my-bucket" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return tmp_path / "disk"
