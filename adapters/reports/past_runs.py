"""Reports read back for their place in a backup's history."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from s3export.adapters.reports.documents import findings_sha256
from s3export.adapters.reports.reading import damaged, read_report, selections_of
from s3export.domain.confidence import Bound
from s3export.domain.errors import FileRefused, InputRefused, NoReport
from s3export.domain.history import Backup, Content, PastRun
from s3export.domain.verification import Outcome, Verdict

_NUMBERS = range(1 << 63)  # of files or bytes: file systems have no larger ones


def past_runs(
    paths: Sequence[str], passed_over: Callable[[str], object]
) -> Iterator[PastRun]:
    """Read reports; of a directory all files in it that end in ``.json``.

    Args:
        passed_over: Told, of the files of directories, which are other documents, or
            damaged, or cannot be read; and why.

    Raises:
        FileRefused, InputRefused: One that is named is no report, or a damaged one; or
            there is none.
    """
    for path in paths:
        named = not Path(path).is_dir()
        found = 0
        for file in _files(path):
            try:
                yield past_run(file)
            except NoReport:
                if named:
                    raise
                passed_over(f"{file} is no report")
            except (FileRefused, InputRefused) as error:
                if named:
                    raise
                passed_over(error.message)
            else:
                found += 1
        if not found:
            raise _none_in(path)


def past_run(path: str) -> PastRun:
    """Read one report.

    Raises:
        FileRefused, InputRefused: It is none, or a damaged one.
    """
    report = read_report(path)
    try:
        run = _run(path, report)
        if report["findings_sha256"] != findings_sha256(report["findings"]):
            raise ValueError("its findings are not those that it was written with")
        found = Counter(finding["outcome"] for finding in report["findings"])
        for outcome in Outcome:
            told = report["counts"][outcome.value]
            if outcome is not Outcome.MATCH and found[outcome.value] != told:
                raise ValueError(f"it counts {told} {outcome.value}, and names others")
        run.draw  # noqa: B018 - its numbers fit together
        return run
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise damaged(path, error) from error


def _files(path: str) -> Sequence[str]:
    if not Path(path).is_dir():
        return [path]
    try:
        found = sorted(str(file) for file in Path(path).glob("*.json"))
    except OSError as error:
        raise FileRefused(f"{path}: {error.strerror}") from error
    if not found:
        raise _none_in(path)
    return found


def _none_in(path: str) -> InputRefused:
    return InputRefused(
        f"{path}: there is no report in it",
        next_step="keep reports there with: verify-backup --report FILE.json",
    )


def _run(path: str, report: Any) -> PastRun:
    sample, counts, bound = report["sample"], report["counts"], report["confidence"]
    number = {outcome: _count(counts[outcome.value]) for outcome in Outcome}
    started_at = datetime.fromisoformat(report["started_at"])
    if started_at.tzinfo is None:
        raise ValueError("started_at has no time zone")
    completeness, files = report["completeness"], bound["max_differing_files"]
    drawn, compared = _count(sample["drawn"]), _count(sample["compared"])
    if not number[Outcome.MATCH] <= compared <= drawn <= _count(sample["population"]):
        raise ValueError("more files were found right than looked at, or drawn")
    taken_over = _count(sample["taken_over"])
    if taken_over > number[Outcome.MATCH]:
        raise ValueError("more files were taken over than found right")
    return PastRun(
        report=path,
        backup=_backup(report),
        content=Content(
            _count(sample["population"]),
            _count(sample["population_bytes"]),
            _classes(report["profile"]["population"]["files_by_size_up_to"]),
            _classes(report["profile"]["population"]["files_by_year_modified"]),
        ),
        started_at=started_at.astimezone(UTC),
        seed=str(sample["seed"]),
        drawn=drawn,
        compared=compared,
        matched=number[Outcome.MATCH],
        verdict=Verdict(report["verdict"]),
        extra=completeness and _count(completeness["missing_from_source"]),
        not_in_s3=number[Outcome.MISSING_FROM_SOURCE],
        differences=sum(n for outcome, n in number.items() if outcome.critical),
        others=number[Outcome.CHANGED_SINCE_EXPORT] + number[Outcome.UNVERIFIABLE],
        cut_short=str(report["cut_short"] or ""),
        taken_over=taken_over,
        bound=None
        if files is None
        else Bound(
            _level(bound["level"]),
            _count(files),
            _share(bound["max_differing_fraction"]),
        ),
    )


def _backup(report: Any) -> Backup:
    device, container = report["device"], report["container"]
    kind, where = str(container["kind"]), str(container.get("path", ""))
    return Backup(
        disk=str(device["serial"] or device["path"]),
        size_bytes=_count(device["size_bytes"]),
        container="" if kind == "none" else f"{kind} {where}".strip(),
        root=str(report["root"]),
        selections=selections_of(report),
        service=str(report.get("service") or ""),
        strong=report["required_evidence"] == "strong",
    )


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in _NUMBERS:
        raise ValueError(f"{value!r} is not a number of files or bytes")
    return value


def _level(value: object) -> float:
    if not isinstance(value, float) or not 0 < value < 1:
        raise ValueError(f"{value!r} is no confidence")
    return value


def _share(value: object) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{value!r} is no share")
    return float(value)


def _classes(counts: Any) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((str(name), _count(n)) for name, n in counts.items()))
