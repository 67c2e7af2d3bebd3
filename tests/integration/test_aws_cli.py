"""The real AWS CLI against the emulated export service."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from samples import MANIFEST

from s3export.entrypoints.sandbox.actions import s3_client
from s3export.entrypoints.sandbox.server import SandboxServer


def aws(server: SandboxServer, *arguments: str) -> Any:
    """Run ``aws importexport`` for its JSON, or for its error."""
    beside = Path(sys.executable).with_name("aws")
    program = str(beside) if beside.exists() else shutil.which("aws")
    if not program:
        missing = "the AWS CLI, one of the test dependencies, is not installed"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    ran = subprocess.run(
        [program, "importexport", *arguments],
        env={**os.environ, **server.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(ran.stdout) if ran.returncode == 0 else ran.stderr


@pytest.fixture
def server(server: SandboxServer) -> SandboxServer:
    """The server with the buckets of the sample manifest."""
    for bucket in ("foo-bucket", "export-log-bucket"):
        s3_client(server).create_bucket(Bucket=bucket)
    return server


def test_a_manifest_is_validated_by_its_text_and_not_by_its_path(
    server: SandboxServer, tmp_path: Path
) -> None:
    """``file://`` makes the CLI send the text; a bare path is the classic mistake."""
    path = tmp_path / "manifest.yml"
    path.write_text(MANIFEST)
    call = ("create-job", "--validate-only", "--job-type", "Export", "--manifest")

    validated = aws(server, *call, f"file://{path}")
    mistaken = aws(server, *call, str(path))

    assert "JobId" not in validated
    assert "MalformedManifest" in mistaken
    assert aws(server, "list-jobs")["Jobs"] == []


def test_all_six_operations(server: SandboxServer) -> None:
    """A job is created, listed, looked at, updated, labelled and cancelled."""
    text = ("--manifest", MANIFEST, "--no-validate-only", "--job-type", "Export")

    job_id = aws(server, "create-job", *text)["JobId"]
    listed = aws(server, "list-jobs")["Jobs"]
    status = aws(server, "get-status", "--job-id", job_id)
    updated = aws(server, "update-job", "--job-id", job_id, *text)
    label = aws(server, "get-shipping-label", "--job-ids", job_id)
    cancelled = aws(server, "cancel-job", "--job-id", job_id)
    unknown = aws(server, "get-status", "--job-id", "ZZZZZ")

    assert [job["JobId"] for job in listed] == [job_id]
    assert status["LocationCode"] == "NotReceived"
    assert status["CurrentManifest"] == MANIFEST
    assert f"jobId:{job_id}\n" in status["SignatureFileContents"]
    assert updated["Success"] is True
    assert label["ShippingLabelURL"].endswith(f"{job_id}.pdf")
    assert cancelled["Success"] is True
    assert "InvalidJobId" in unknown
