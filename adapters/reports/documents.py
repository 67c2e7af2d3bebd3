"""Results as JSON documents: dictionaries of plain values, in the contract's shape."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from s3export.domain.backup_layout import Source, shown
from s3export.domain.devices import DeviceFacts
from s3export.domain.jobs import CreatedJob, JobStatus, JobSummary, ShippingLabel
from s3export.domain.services.create_job import CreateJobPlan
from s3export.domain.services.follow_jobs import UpdatedJob
from s3export.domain.verification import Finding, Outcome, Report

REPORT_SCHEMA = "s3export/verification-report/1"

Document = Mapping[str, Any]


def report_document(report: Report) -> Document:
    """Return a verification's report."""
    device = report.device
    return {
        "schema": REPORT_SCHEMA,
        "verdict": report.verdict.value,
        "device": {
            "path": device.path,
            "serial": device.serial,
            "model": device.model,
            "size_bytes": device.size_bytes,
            "opened_read_only": report.opened_read_only,
        },
        "container": {"kind": "none"},
        "root": f"/{shown(report.root)}",
        "sources": [source_document(source) for source in report.sources],
        "sample": {
            "seed": report.sample.seed,
            "requested": report.sample.requested,
            "drawn": report.sample.drawn,
            "population": report.sample.population,
        },
        "assertions": {
            "run": report.tally.assertions.run,
            "succeeded": report.tally.assertions.succeeded,
            "failed": report.tally.assertions.failed,
        },
        "counts": {outcome.value: report.tally[outcome] for outcome in Outcome},
        "confidence": {
            "level": report.bound.level,
            "max_differing_files": report.bound.files,
            "max_differing_fraction": report.bound.fraction,
            "statement": report.statement,
        },
        "findings": [finding_document(finding) for finding in report.findings],
        "requests": {"HEAD": 0, "LIST": 0, "GET": 0, **report.requests},
        "bytes_read": report.bytes_read,
        "bytes_downloaded": report.bytes_downloaded,
        "warnings": list(report.warnings),
        "started_at": timestamp(report.started_at),
        "finished_at": timestamp(report.finished_at),
        "version": report.version,
    }


def source_document(source: Source) -> Document:
    """Return what was compared with."""
    return {
        "bucket": source.bucket,
        "prefix": source.prefix,
        "begin_marker": source.begin_marker or None,
        "end_marker": source.end_marker or None,
    }


def finding_document(finding: Finding) -> Document:
    r"""Return one finding; bytes of the path that are not UTF-8 as ``\xNN``."""
    return {
        "path": shown(finding.path),
        "bucket": finding.bucket,
        "key": finding.key,
        "outcome": finding.outcome.value,
        "critical": finding.critical,
        "evidence": finding.evidence.value,
        "expected": finding.expected,
        "actual": finding.actual,
        "size_bytes": finding.size_bytes,
        "detail": finding.detail,
    }


def plan_document(plan: CreateJobPlan) -> Document:
    """Return what create-job would do."""
    return {
        "dry_run": True,
        "device": device_document(plan.facts),
        "erase": plan.erase,
        "steps": list(plan.steps()),
        "warning": plan.service_warning,
    }


def device_document(facts: DeviceFacts) -> Document:
    """Return what was seen of a device."""
    return {
        "path": facts.path,
        "kind": facts.kind.value,
        "serial": facts.serial,
        "model": facts.model,
        "size_bytes": facts.size_bytes,
        "signatures": list(facts.signatures),
    }


def created_document(job: CreatedJob, device: str) -> Document:
    """Return a job that was created."""
    return {
        "job_id": job.job_id,
        "device": device,
        "signature_file": job.signature_file,
        "warning": job.warning,
    }


def updated_document(updated: UpdatedJob, *, dry_run: bool) -> Document:
    """Return what an update did."""
    return {
        "job_id": updated.job_id,
        "dry_run": dry_run,
        "signature_written": updated.signature_written,
        "warning": updated.warning,
    }


def status_document(status: JobStatus) -> Document:
    """Return a job's status; the manifest, which holds a password, is left out."""
    return {
        "job_id": status.job_id,
        "job_type": status.job_type,
        "created_at": timestamp(status.created_at),
        "location": {
            "code": status.location_code,
            "message": status.location_message,
        },
        "progress": {
            "code": status.progress_code,
            "message": status.progress_message,
        },
        "carrier": status.carrier,
        "tracking_number": status.tracking_number,
        "log": {"bucket": status.log_bucket, "key": status.log_key},
        "error_count": status.error_count,
        "signature_file": status.signature_file,
    }


def summary_document(job: JobSummary) -> Document:
    """Return one job of a list."""
    return {
        "job_id": job.job_id,
        "created_at": timestamp(job.created_at),
        "job_type": job.job_type,
        "cancelled": job.cancelled,
    }


def label_document(label: ShippingLabel) -> Document:
    """Return where a label is."""
    return {"url": label.url, "warning": label.warning}


def timestamp(moment: datetime) -> str:
    """Return a time as ``2026-01-01T00:00:00Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
