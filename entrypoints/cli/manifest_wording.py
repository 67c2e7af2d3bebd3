"""Manifests in words, for people."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from s3export.domain.counting import counted
from s3export.domain.errors import Problem, Severity
from s3export.domain.manifests import CheckedManifest, for_load
from s3export.domain.manifests.fields import Field, Kind
from s3export.domain.services.survey_selection import Survey
from s3export.domain.sizes import size
from s3export.entrypoints.cli.terminal import columns, harmless
from s3export.entrypoints.library import ManifestCheck


def check_lines(
    check: ManifestCheck, *, quiet_warnings: bool, loading: bool
) -> Iterator[str]:
    """Say what is wrong with a manifest, and what it selects."""
    shown = [
        problem
        for problem in check.problems
        if problem.severity is Severity.ERROR or not quiet_warnings
    ]
    yield f"{harmless(check.name)}: {_count(shown)}"
    yield from (harmless(line) for line in columns([_row(p) for p in shown]))
    if check.survey is not None:
        yield from survey_lines(check.survey)
    if not check.valid:
        if loading:
            yield "Not valid: load-device cannot load a disk with it."
            return
        yield "Not valid: a job cannot be created from it."
        if _loads(check):
            yield (
                "For load-device it is enough: what is missing is for AWS's jobs alone "
                "(--for load-device)."
            )
    elif any(p.severity is Severity.WARNING for p in shown):
        yield "Valid. What is meant can be silenced: --ignore RULE."
    else:
        yield "Valid."


def _loads(check: ManifestCheck) -> bool:
    """Say whether all that is wrong is of no matter to a load."""
    checked = CheckedManifest(check.name, None, check.manifest, check.problems)
    return check.manifest is not None and for_load(checked).valid


def written_lines(
    path: str, check: ManifestCheck, *, loading: bool = False
) -> Iterator[str]:
    """Say what new-manifest has written, and what is left to do."""
    yield f"Wrote {harmless(path)}; only you can read it."
    left = [p for p in check.problems if p.rule == "placeholder"]
    others = [p for p in check.problems if p not in left]
    if left:
        yield "Left to be filled in:"
        rows = [("", f"line {p.line}", p.field, p.advice) for p in left]
        yield from (harmless(line) for line in columns(rows))
    yield from (harmless(line) for line in columns([_row(p) for p in others]))
    purpose = " --for load-device" if loading else ""
    yield f"Then: s3export check-manifest {harmless(path)}{purpose}"
    if left and not loading and _loads(check):
        yield "For load-device nothing is left: that is for AWS's jobs alone."


def survey_lines(survey: Survey) -> Iterator[str]:
    """Say what S3 has of what is selected."""
    rows = [
        (
            f"  operations[{number}]",
            selected.bucket,
            f"prefix {selected.prefix}" if selected.prefix else "",
            counted(selected.objects, "object") if selected.listed else "not listed",
            size(selected.size_bytes) if selected.listed else "",
        )
        for number, selected in enumerate(survey.operations)
    ]
    yield "Selected now" + (f", in {survey.region}:" if survey.region else ":")
    yield from (harmless(line) for line in columns(rows))
    total = f"In all {counted(survey.objects, 'object')}, {size(survey.size_bytes)}"
    if survey.disk_bytes is None:
        yield f"{total}."
        return
    disk = f"disks of {size(survey.disk_bytes)}"
    if survey.too_large:
        those = counted(survey.too_large, "of them is", "of them are")
        yield f"{total}: {those} too large for {disk}."
        return
    if len(survey.shares) <= 1:
        yield f"{total}: they fit on one of the {disk}, as far as reckoned."
        return
    yield f"{total}: about {len(survey.shares)} {disk}."
    for number, share in enumerate(survey.shares, 1):
        begin = "its beginning"
        if share.begin_marker:
            begin = f'beginMarker: "{share.begin_marker}"'
        yield harmless(
            f"  disk {number}: from operations[{share.operation}], {begin}; "
            f"{counted(share.objects, 'object')}, {size(share.size_bytes)}"
        )


def question(row: Field) -> str:
    """Return the question for a field."""
    about = row.about.rstrip(".")
    if row.values:
        about = f"{about}: {' or '.join(row.values)}" if about else ""
    elif row.kind is Kind.YES_NO:
        about = f"{about}: yes or no"
    elif row.example:
        about = f"{about}; such as {row.example}" if about else f"such as {row.example}"
    return f"{row.name} ({about}): "


def without_place(problem: Problem) -> str:
    """Say what is wrong with an answer, which stands in no line."""
    return str(replace(problem, line=0))


def _count(problems: list[Problem]) -> str:
    count = Counter(problem.severity for problem in problems)
    told = [
        f"{count[severity]} {severity}{'s' if count[severity] > 1 else ''}"
        for severity in Severity
        if count[severity]
    ]
    return ", ".join(told) or "no problem found"


def _row(problem: Problem) -> tuple[str, str, str]:
    return ("", problem.severity, f"{problem} [{problem.rule}]")
