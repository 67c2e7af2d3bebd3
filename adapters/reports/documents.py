"""Results as JSON documents: dictionaries of plain values, in the contract's shape."""

import base64
import hashlib
import json
import sys
from array import array
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from s3export.domain.backup_layout import Source, shown
from s3export.domain.capabilities import Diagnosis
from s3export.domain.containers import ContainerFacts
from s3export.domain.devices import DeviceFacts, Refusal
from s3export.domain.errors import Problem, Severity
from s3export.domain.history import ContentHistory
from s3export.domain.job_states import Situation
from s3export.domain.jobs import CreatedJob, JobStatus, JobSummary, ShippingLabel
from s3export.domain.manifests.rules import Rule
from s3export.domain.services.create_job import CreateJobPlan
from s3export.domain.services.follow_jobs import (
    JobDetails,
    JobWithoutStatus,
    UpdatedJob,
)
from s3export.domain.services.load_disk import LoadedDisk, LoadPlan
from s3export.domain.services.read_back import ReadBackResult
from s3export.domain.services.survey_selection import Survey
from s3export.domain.verification import Finding, Outcome, Profile, Report

REPORT_SCHEMA = "s3export/verification-report/1"

Document = Mapping[str, Any]


def report_document(report: Report) -> Document:
    """Return a verification's report."""
    device, sample = report.device, report.sample
    findings = [finding_document(finding) for finding in report.findings]
    return {
        "schema": REPORT_SCHEMA,
        "verdict": report.verdict.value,
        "cut_short": report.cut_short or None,
        "doubts": list(report.doubts),
        "device": {
            "path": device.place,
            "serial": device.serial,
            "model": device.model,
            "size_bytes": device.size_bytes,
            "opened_read_only": report.opened_read_only,
        },
        "container": container_document(report.container),
        "root": f"/{shown(report.root)}",
        "service": report.service or None,
        "sources": [source_document(source) for source in report.sources],
        "sample": {
            "seed": sample.seed,
            "requested": sample.requested,
            "drawn": sample.drawn,
            "compared": sample.compared,
            "taken_over": sample.taken_over,
            "population": sample.population,
            "population_bytes": report.population_profile.size_bytes,
        },
        "required_evidence": "strong" if report.strong else "any",
        "exported_at": report.exported_at
        and {
            "time": timestamp(report.exported_at.moment),
            "origin": report.exported_at.origin,
        },
        "export_log": report.export_log
        and {"path": report.export_log.path, "origin": report.export_log.origin},
        "selection": report.selection
        and {
            "path": report.selection.path,
            "job_id": report.selection.job_id,
            "named": report.selection.named,
            "part": report.selection.part or None,
        },
        "completeness": report.completeness
        and {
            "objects": report.completeness.objects,
            "size_bytes": report.completeness.size_bytes,
            "missing_from_backup": report.completeness.missing,
            "newer_than_export": report.completeness.newer,
            "empty_folders": report.completeness.folders,
            "missing_from_source": report.completeness.extra,
            "perhaps_recovered": report.completeness.unclear,
            "unreadable": report.completeness.unreadable,
        },
        "assertions": {
            "run": report.tally.assertions.run,
            "succeeded": report.tally.assertions.succeeded,
            "failed": report.tally.assertions.failed,
        },
        "counts": {outcome.value: report.tally[outcome] for outcome in Outcome},
        "confidence": {
            "level": report.bound.level if report.bound else None,
            "max_differing_files": report.bound.files if report.bound else None,
            "max_differing_fraction": report.bound.fraction if report.bound else None,
            "statement": report.statement,
        },
        "profile": {
            "population": profile_document(report.population_profile),
            "drawn": profile_document(report.drawn_profile),
        },
        "findings": findings,
        "findings_sha256": findings_sha256(findings),
        "verified_fingerprints": packed(report.verified),
        "requests": {"HEAD": 0, "LIST": 0, "GET": 0, **report.requests},
        "bytes_read": report.bytes_read,
        "bytes_downloaded": report.bytes_downloaded,
        "warnings": list(report.warnings),
        "started_at": timestamp(report.started_at),
        "finished_at": timestamp(report.finished_at),
        "version": report.version,
    }


def container_document(facts: ContainerFacts | None) -> Document:
    """Return what the files lay in."""
    if facts is None:
        return {"kind": "none"}
    return {
        "kind": facts.kind,
        "path": facts.path,
        "cipher": facts.cipher,
        "opened_with": facts.opened_with,
    }


def findings_sha256(findings: Sequence[Document]) -> str:
    """Return the SHA-256 of findings: of their JSON, keys sorted, without blanks."""
    text = json.dumps(findings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def packed(fingerprints: "array[int]") -> str:
    """Return fingerprints as base64 of 8 bytes each, highest byte first, sorted."""
    ordered = array("Q", sorted(fingerprints))
    if sys.byteorder == "little":
        ordered.byteswap()
    return base64.b64encode(ordered.tobytes()).decode()


def unpacked(text: str) -> frozenset[int]:
    """Read what `packed` wrote.

    Raises:
        ValueError: It is nothing of the kind.
    """
    fingerprints = array("Q", base64.b64decode(text, validate=True))
    if sys.byteorder == "little":
        fingerprints.byteswap()
    return frozenset(fingerprints)


def profile_document(profile: Profile) -> Document:
    """Return counts by size (the largest a class holds, in bytes) and by year."""
    return {
        "files_by_size_up_to": {
            str((1 << bits) - 1): count for bits, count in sorted(profile.sizes.items())
        },
        "files_by_year_modified": {
            str(year): count for year, count in sorted(profile.years.items())
        },
    }


def source_document(source: Source) -> Document:
    """Return what was compared with."""
    return {
        "bucket": source.bucket,
        "prefix": source.prefix,
        "begin_marker": source.begin_marker or None,
        "end_marker": source.end_marker or None,
        "directory": shown(source.directory),
        "substitutions": [
            {"part": each.part, "instead": each.instead}
            for each in source.substitutions
        ],
    }


def finding_document(finding: Finding) -> Document:
    r"""Return one finding; bytes of the path that are not UTF-8 as ``\xNN``."""
    place = finding.place_bytes
    return {
        "path": shown(finding.path),
        "bucket": finding.bucket,
        "key": finding.key,
        "outcome": finding.outcome.value,
        "critical": finding.critical,
        "evidence": finding.evidence,
        "expected": finding.expected,
        "actual": finding.actual,
        "size_bytes": finding.size_bytes,
        "detail": finding.detail,
        **({} if place is None else {"place_bytes": place}),
    }


def plan_document(plan: CreateJobPlan) -> Document:
    """Return what create-job would do."""
    return {
        "dry_run": True,
        "device": device_document(plan.facts),
        "erase": plan.erase,
        "steps": list(plan.steps()),
        "cautions": list(plan.cautions()),
        "job_id": plan.job.job_id if plan.job else None,
        "warning": plan.service_warning,
        "remarks": [problem_document(problem) for problem in plan.remarks],
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
        "label": facts.label,
        "transport": facts.transport,
        "removable": facts.removable,
        "by_id": facts.by_id,
        "mount_points": list(facts.mount_points),
        "parts": [device_document(part) for part in facts.parts],
    }


def listed_device_document(facts: DeviceFacts, refusals: Sequence[Refusal]) -> Document:
    """Return a disk, and why it may not be chosen."""
    return {
        **device_document(facts),
        "may_be_chosen": not refusals,
        "refusals": [
            {"reason": refusal.reason, "way_out": refusal.way_out}
            for refusal in refusals
        ],
    }


def created_document(job: CreatedJob, device: str) -> Document:
    """Return a job that was created."""
    return {
        "job_id": job.job_id,
        "device": device,
        "signature_file": job.signature_file,
        "saved": job.saved,
        "warning": job.warning,
    }


def updated_document(updated: UpdatedJob, *, dry_run: bool) -> Document:
    """Return what an update did."""
    return {
        "job_id": updated.job_id,
        "dry_run": dry_run,
        "signature_written": updated.signature_written,
        "signature_outdated": updated.signature_outdated,
        "difference": list(updated.difference),
        "warning": updated.warning,
        "remarks": [problem_document(problem) for problem in updated.remarks],
    }


def status_document(status: JobStatus, situation: Situation) -> Document:
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
        "situation": situation_document(situation),
    }


def situation_document(situation: Situation) -> Document:
    """Return how a job stands."""
    deadline = situation.deadline
    return {
        "meaning": situation.meaning,
        "turn": situation.turn.value,
        "next_step": situation.next_step,
        "deadline": timestamp(deadline) if deadline else None,
        "final": situation.is_final,
    }


def details_document(job: JobDetails | JobWithoutStatus) -> Document:
    """Return one job of a list with its status, or with why there is none."""
    summary = summary_document(job.summary)
    if isinstance(job, JobDetails):
        return {**summary, "status": status_document(job.status, job.situation)}
    error = {"message": job.error.message, "next_step": job.error.next_step}
    return {**summary, "error": error}


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


def problem_document(problem: Problem) -> Document:
    """Return one problem of a manifest."""
    return {
        "severity": problem.severity.value,
        "rule": problem.rule,
        "line": problem.line or None,
        "column": problem.column or None,
        "field": problem.field,
        "message": problem.message,
        "advice": problem.advice,
    }


def rule_document(rule: Rule) -> Document:
    """Return one rule of manifests."""
    return {
        "name": rule.name,
        "severity": rule.severity.value,
        "about": rule.about,
        "aws_error": f"{rule.code}Exception" if rule.code else None,
    }


def manifest_document(
    name: str, problems: Sequence[Problem], survey: Survey | None
) -> Document:
    """Return what is to be said about a manifest."""
    return {
        "manifest": name,
        "valid": not any(p.severity is Severity.ERROR for p in problems),
        "problems": [problem_document(problem) for problem in problems],
        "selection": survey and survey_document(survey),
    }


def survey_document(survey: Survey) -> Document:
    """Return what S3 has of what a manifest selects."""
    return {
        "region": survey.region or None,
        "operations": [
            {
                "bucket": selected.bucket,
                "prefix": selected.prefix,
                "objects": selected.objects,
                "size_bytes": selected.size_bytes,
                "listed": selected.listed,
            }
            for selected in survey.operations
        ],
        "objects": survey.objects,
        "size_bytes": survey.size_bytes,
        "disk_bytes": survey.disk_bytes,
        "too_large_for_the_disk": survey.too_large,
        "disks": [
            {
                "operation": share.operation,
                "begin_marker": share.begin_marker,
                "objects": share.objects,
                "size_bytes": share.size_bytes,
            }
            for share in survey.shares
        ],
    }


def load_plan_document(plan: LoadPlan) -> Document:
    """Return what load-device is about to do."""
    survey = plan.survey
    return {
        "device": device_document(plan.facts),
        "job_id": plan.request.job_id,
        "encryption": plan.encryption.value,
        "resumes": plan.resumes,
        "steps": list(plan.steps()),
        "cautions": list(plan.cautions()),
        "objects": survey.objects,
        "size_bytes": survey.size_bytes,
        "disks": [
            {
                "operation": share.operation,
                "begin_marker": share.begin_marker,
                "objects": share.objects,
                "size_bytes": share.size_bytes,
            }
            for share in survey.shares
        ],
        "too_large": [large.key for large in survey.too_large],
        "archived": survey.archived,
        "probed": {"objects": survey.probe.objects, "unread": survey.probe.unread},
        "bytes_a_second": survey.bytes_a_second,
        "seconds": survey.seconds,
        "usd": round(survey.usd, 2),
    }


def loaded_document(
    loaded: LoadedDisk, back: ReadBackResult | None, report: Report | None
) -> Document:
    """Return what load-device has done."""
    plan, result = loaded.plan, loaded.result
    begin = result.next_disk
    return {
        "job_id": plan.request.job_id,
        "device": plan.facts.path,
        "encryption": plan.encryption.value,
        "written": result.written,
        "size_bytes": result.size_bytes,
        "taken_over": result.taken_over,
        "nothing_left": result.nothing_left,
        "restored": result.restored,
        "lost": result.lost,
        "recovered": result.recovered,
        "evidence": dict(sorted(result.evidence.items())),
        "errors": dict(sorted(result.failed.items())),
        "troubles": [
            {
                "bucket": trouble.bucket,
                "key": trouble.key,
                "code": trouble.code,
                "detail": trouble.detail,
            }
            for trouble in result.troubles
        ],
        "next_disk": {
            "operation": begin.operation,
            "begin_marker": begin.begin_marker,
        }
        if begin
        else None,
        "log_error": result.log_error,
        "saved": loaded.saved,
        "read_back": {
            "files": back.files,
            "wrong": back.wrong,
            "absent": back.absent,
        }
        if back
        else None,
        "verification": report_document(report) if report else None,
    }


def diagnosis_document(diagnosis: Diagnosis) -> Document:
    """Return what a machine can do."""
    access, skew = diagnosis.access, diagnosis.access.skew
    return {
        "system": diagnosis.system,
        "tasks": [
            {
                "name": ability.task.name,
                "about": ability.task.about,
                "works": ability.works,
                "decides": ability.task.name in diagnosis.deciding,
                "way": ability.way.name if ability.way else None,
                "lacking": [part.name for part in ability.lacking],
                "unknown": [part.name for part in ability.unknown],
            }
            for ability in diagnosis.abilities
        ],
        "parts": [
            {
                "name": part.name,
                "kind": part.kind.value,
                "present": part.present,
                "detail": part.detail,
                "package": part.package or None,
                "advice": part.advice if part.present is False else "",
            }
            for part in diagnosis.parts
        ],
        "aws": {
            "profile": access.profile or None,
            "region": access.region or None,
            "region_from": access.region_origin or None,
            "endpoint_url": access.endpoint or None,
            "credentials_from": access.credentials or None,
            "clock_ahead_seconds": skew.total_seconds() if skew is not None else None,
        },
        "packages": list(diagnosis.packages),
        "command": diagnosis.remedy or None,
    }


def history_document(parts: Sequence[ContentHistory]) -> Document:
    """Return what has ever been verified."""
    return {
        "differs": any(part.differs for part in parts),
        "stands": any(part.stands for part in parts),
        "backups": [_content_document(part) for part in parts],
    }


def _content_document(part: ContentHistory) -> Document:
    backup, bound = part.backup, part.bound
    reasons = {run.report: reason for run, reason in part.left_out}
    return {
        "disk": backup.disk,
        "container": backup.container or None,
        "root": backup.root,
        "service": backup.service or None,
        "buckets": list(backup.buckets),
        "selections": [str(selection) for selection in backup.selections],
        "required_evidence": "strong" if backup.strong else "any",
        "files": part.content.files,
        "size_bytes": part.content.size_bytes,
        "current": part.current,
        "differs": part.differs,
        "stands": part.stands,
        "runs": [
            {
                "report": run.report,
                "started_at": timestamp(run.started_at),
                "seed": run.seed,
                "drawn": run.drawn,
                "matched": run.matched,
                "verdict": run.verdict.value,
                "differs": run.differs,
                "differences": run.differences,
                "other_findings": run.other_findings,
                "max_differing_files": run.bound.files if run.bound else None,
                "counted": run in part.counted,
                "left_out": reasons.get(run.report),
            }
            for run in part.runs
        ],
        "confidence": {
            "level": bound.level if bound else None,
            "max_differing_files": bound.files if bound else None,
            "max_differing_fraction": bound.fraction if bound else None,
            "statement": part.statement,
        },
    }
