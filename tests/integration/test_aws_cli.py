"""The real AWS CLI against the emulated export service."""

from pathlib import Path

import pytest
from fixtures.command_line import Run
from samples import MANIFEST

from s3export.entrypoints.sandbox.actions import s3_client
from s3export.entrypoints.sandbox.server import SandboxServer


@pytest.fixture(autouse=True)
def buckets(server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The buckets of the sample manifest, on the server that the CLI talks to."""
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    for bucket in ("foo-bucket", "export-log-bucket"):
        s3_client(server).create_bucket(Bucket=bucket)


def test_a_manifest_is_validated_by_its_text_and_not_by_its_path(
    aws_program: Run, tmp_path: Path
) -> None:
    """``file://`` makes the CLI send the text; a bare path is the classic mistake."""
    path = tmp_path / "manifest.yml"
    path.write_text(MANIFEST)
    call = ("create-job", "--validate-only", "--job-type", "Export", "--manifest")

    validated = aws_program(*call, f"file://{path}")
    mistaken = aws_program(*call, str(path))

    assert "JobId" not in validated.document()
    assert "MalformedManifest" in mistaken.err
    assert aws_program("list-jobs").document()["Jobs"] == []


def test_all_six_operations(aws_program: Run) -> None:
    """A job is created, listed, looked at, updated, labelled and cancelled."""
    text = ("--manifest", MANIFEST, "--no-validate-only", "--job-type", "Export")

    job_id = aws_program("create-job", *text).document()["JobId"]
    listed = aws_program("list-jobs").document()["Jobs"]
    status = aws_program("get-status", "--job-id", job_id).document()
    updated = aws_program("update-job", "--job-id", job_id, *text).document()
    label = aws_program("get-shipping-label", "--job-ids", job_id).document()
    cancelled = aws_program("cancel-job", "--job-id", job_id).document()
    unknown = aws_program("get-status", "--job-id", "ZZZZZ")

    assert [job["JobId"] for job in listed] == [job_id]
    assert status["LocationCode"] == "NotReceived"
    assert status["CurrentManifest"] == MANIFEST
    assert f"jobId:{job_id}\n" in status["SignatureFileContents"]
    assert updated["Success"] is True
    assert label["ShippingLabelURL"].endswith(f"{job_id}.pdf")
    assert cancelled["Success"] is True
    assert "InvalidJobId" in unknown.err
