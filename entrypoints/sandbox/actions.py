"""What ``s3export sandbox`` can do: serve, deliver, demo."""

import os
import shlex
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from s3export.adapters.installation import called, called_by_root
from s3export.domain.errors import InputRefused, PrivilegeMissing
from s3export.domain.services.load_device import LoadResult
from s3export.entrypoints.cli.terminal import Terminal
from s3export.entrypoints.container import Application
from s3export.entrypoints.sandbox import contents
from s3export.entrypoints.sandbox.facility import Delivery, LoadingFacility
from s3export.entrypoints.sandbox.importexport.dock import LoadingDock
from s3export.entrypoints.sandbox.server import (
    ACCESS_KEY,
    REGION,
    SECRET_KEY,
    SandboxServer,
    running,
)


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox.

    Attributes:
        disk: A loop device, or the image file itself where loop devices need a
            privilege that is missing.
        backup_directory: Where its commands save partition tables; gone with it.
    """

    server: SandboxServer
    disk: str
    manifest: str
    objects: int
    backup_directory: str

    def environment(self) -> Mapping[str, str]:
        """Return what makes commands work here, and leave nothing elsewhere."""
        return {
            **self.server.environment(),
            "S3EXPORT_BACKUP_DIRECTORY": self.backup_directory,
        }


def run(
    action: str,
    *,
    application: Application,
    terminal: Terminal,
    device: str | None,
    job_id: str | None,
    port: int,
) -> int:
    """Run one action; return the exit code."""
    if action == "deliver":
        return _deliver(application, terminal, device, job_id)
    if action == "demo":
        from s3export.entrypoints.sandbox.story import tell

        with sandbox(application, port) as box:
            return tell(box, terminal, application)
    return _serve(application, terminal, port)


@contextmanager
def sandbox(application: Application, port: int = 0) -> Iterator[Sandbox]:
    """Start the servers, fill the bucket, make the disk; remove it all at the end."""
    with ExitStack() as stack:
        server = stack.enter_context(running(port))
        count = contents.fill(s3_client(server))
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="s3export-sandbox-")
        )
        manifest = Path(directory, "manifest.yml")
        manifest.write_text(contents.MANIFEST)
        image = Path(directory, "disk.img")
        with image.open("wb") as file:
            file.truncate(contents.DISK_BYTES)
        devices = application.adapters.block_devices()
        try:
            disk = stack.enter_context(devices.attach_image(str(image)))
        except PrivilegeMissing:
            disk = str(image)
        saved = str(Path(directory, "erased-disks"))
        yield Sandbox(server, disk, str(manifest), count, saved)


def s3_client(server: SandboxServer) -> Any:
    """Return a boto3 client for the sandbox's S3."""
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint_url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
    )


def _serve(application: Application, terminal: Terminal, port: int) -> int:
    with sandbox(application, port) as box:
        variables = box.environment()
        copy = copied(s3_client(box.server), Path(box.manifest).parent)
        terminal.result(
            serving_lines(box, copy),
            {
                "endpoint_url": box.server.endpoint_url,
                "environment": dict(variables),
                "bucket": contents.BUCKET,
                "log_bucket": contents.LOG_BUCKET,
                "disk": box.disk,
                "manifest": box.manifest,
                "copy": copy,
            },
        )
        try:
            while True:
                signal.pause()  # until INT or TERM
        except BaseException as ended:
            ended.add_note("the sandbox is gone; s3export sandbox makes a new one")
            raise


def copied(client: Any, place: Path) -> str:
    """Copy the bucket into a directory, as any tool does; return which."""
    copy = place / "copy"
    contents.copy(client, copy / contents.BUCKET)
    return str(copy)


def serving_lines(box: Sandbox, copy: str) -> Iterator[str]:
    """Say what there is, and what to do with it: without root, and as root."""
    variables = box.environment()
    assignments = " ".join(f"{k}={shlex.quote(v)}" for k, v in variables.items())
    yield (
        f"S3 and the export service answer at {box.server.endpoint_url}; bucket "
        f"{contents.BUCKET} holds {box.objects} objects."
    )
    yield "In another terminal:"
    yield f"  export {assignments}"
    yield f"Without root, a plain copy of the bucket in {copy}:"
    yield (
        f"  {called()} verify-backup {copy} --bucket {contents.BUCKET}"
        "  # it DIFFERS: see below"
    )
    yield (
        f"  aws s3 sync s3://{contents.BUCKET} FOLDER/{contents.BUCKET}"
        "  # a copy of your own, if you have the AWS CLI"
    )
    yield (
        f"The key {contents.NO_PATH} cannot be a path: every plain copy lacks it, and "
        "is said to differ."
    )
    root = called() if os.geteuid() == 0 else called_by_root()
    yield "As root, the whole story:"
    yield f"  {root} create-job {box.manifest} {box.disk}"
    yield "  aws importexport list-jobs        # if you have the AWS CLI"
    yield f"  {root} sandbox deliver {box.disk}"
    yield f"  {root} verify-backup {box.disk} --manifest {box.manifest} --job-id JOB"
    yield "Ctrl-C ends the sandbox and removes all of it."


def _deliver(
    application: Application,
    terminal: Terminal,
    device: str | None,
    job_id: str | None,
) -> int:
    if device is None:
        raise InputRefused(
            "deliver which device?", next_step="s3export sandbox deliver <device-path>"
        )
    endpoint = application.settings().endpoint_url or os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        raise InputRefused(
            "no endpoint is named",
            next_step="set AWS_ENDPOINT_URL as s3export sandbox prints it",
        )
    adapters = application.adapters
    facility = LoadingFacility(
        devices=adapters.block_devices(),
        load=application.use_cases.load_disk(),
        dock=LoadingDock(endpoint),
    )
    delivery = facility.receive(device, job_id)
    terminal.result(delivery_lines(delivery), delivery_document(delivery))
    return 0


def delivery_lines(delivery: Delivery) -> Iterator[str]:
    """Say what became of a device."""
    yield f"Job {delivery.job_id}: {delivery.progress_code}"
    if delivery.result is None:
        yield "  the device was sent back unloaded"
        return
    result: LoadResult = delivery.result
    yield f"  {result.written:,} objects written, {result.errors:,} errors"
    if result.recovered:
        many = f"{result.recovered:,} of them"
        yield f"  {many} in the recovery directory: see the export log"
    if result.next_disk:
        yield (
            f"  the disk is full; the next one begins with operation "
            f"{result.next_disk.operation + 1}, "
            f"beginMarker {result.next_disk.begin_marker!r}"
        )


def delivery_document(delivery: Delivery) -> dict[str, object]:
    """Return what became of a device, for scripts."""
    result = delivery.result
    next_disk = result.next_disk if result else None
    return {
        "job_id": delivery.job_id,
        "progress": delivery.progress_code,
        "written": result.written if result else 0,
        "errors": result.errors if result else 0,
        "next_disk": {
            "operation": next_disk.operation,
            "begin_marker": next_disk.begin_marker,
        }
        if next_disk
        else None,
    }
