"""A program that loads a disk with the real parts, to be killed at any moment.

Its argument is JSON: `Wishes`. What it says is one JSON document a line: when the disk
is open, and at the end the result, or the error.
"""

import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass, replace

import boto3
from botocore.config import Config

from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.clock import SystemClock
from s3export.adapters.commands import Commands
from s3export.adapters.hash_functions import InstalledHashes
from s3export.adapters.memory import SilentProgress
from s3export.adapters.s3_store import S3Store
from s3export.adapters.workers import ThreadWorkers
from s3export.adapters.yaml_manifests import YamlManifests
from s3export.domain.backup_layout import BackupLayout, directory_of
from s3export.domain.errors import S3ExportError
from s3export.domain.services.load_device import LoadDevice, LoadRequest, Place

JOB = "JOB1"


@dataclass(frozen=True)
class Wishes:
    """What to load, and where.

    Attributes:
        begin: Operation and key, where an earlier disk ended.
        patience: Seconds until a server that says nothing is given up.
    """

    manifest: str
    device: str
    run_directory: str
    endpoint_url: str
    begin: tuple[int, str] = (0, "")
    at_once: int = 8
    patience: float = 60


def load(wishes: Wishes) -> None:
    """Load the disk."""
    client = boto3.client(
        "s3",
        endpoint_url=wishes.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="nothing",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            read_timeout=wishes.patience,
            max_pool_connections=64,
            s3={"addressing_style": "path"},
        ),
    )
    devices = SystemBlockDevices(Commands(), run_directory=wishes.run_directory)
    service = LoadDevice(
        S3Store(client),
        InstalledHashes(),
        ThreadWorkers(),
        SystemClock(),
        SilentProgress(),
    )
    manifest = YamlManifests().parse(wishes.manifest, "manifest").selection()
    recovery = directory_of(manifest.recovery_directory)
    request = LoadRequest(
        BackupLayout(manifest.sources(), recovery),
        JOB,
        begin=Place(*wishes.begin),
        at_once=wishes.at_once,
    )
    with devices.open_for_writing(devices.inspect(wishes.device)) as tree:
        say({"open": True})
        result = service(request, tree)
    said = asdict(replace(result, evidence=Counter(), failed=Counter()))
    said |= {"evidence": dict(result.evidence), "failed": dict(result.failed)}
    say({"result": said})


def say(document: object) -> None:
    """Print it at once."""
    print(json.dumps(document), flush=True)  # noqa: T201


if __name__ == "__main__":
    try:
        load(Wishes(**json.loads(sys.argv[1])))
    except S3ExportError as error:
        say({"error": type(error).__name__, "message": error.message})
        sys.exit(1)
