"""What has ever been verified of a backup, and what all of that proves together.

Runs are kept apart by backup (the disk, the directory, what it was compared with) and
by content (how many files, of which sizes and years). A difference that any of them
found is never outweighed by others that did not draw the file: then there is no bound.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from s3export.domain.combined_confidence import MOST_FAILED_ALONE, Draw, combined_bound
from s3export.domain.confidence import Bound, percent, upper_bound
from s3export.domain.counting import counted
from s3export.domain.verification import Selections, Verdict


@dataclass(frozen=True, order=True)
class Backup:
    """What tells one backup from another.

    Attributes:
        disk: Its serial number, or its path where it has none.
        container: What encrypted container on it; empty for plain files.
        root: The directory on it.
        selections: What it was compared with, and where on the disk it was looked for.
        strong: Whether weak evidence was refused.
        service: Whose buckets they are.
    """

    disk: str
    size_bytes: int
    container: str
    root: str
    selections: Selections
    strong: bool
    service: str = ""

    @property
    def buckets(self) -> tuple[str, ...]:
        """The buckets, each once."""
        return tuple(dict.fromkeys(each.bucket for each in self.selections))


@dataclass(frozen=True, order=True)
class Content:
    """What tells the files of a backup from those that it held at another time.

    Attributes:
        sizes, years: How many files there are of each class (`verification.Profile`).
    """

    files: int
    size_bytes: int
    sizes: tuple[tuple[str, int], ...] = ()
    years: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class PastRun:
    """What a report says of its run.

    Attributes:
        report: The report's path.
        drawn, compared, matched: How many files were drawn, looked at, and found right.
        extra: Files that S3 does not list, drawn or not; ``None`` if it was not asked.
        not_in_s3: How many findings say that S3 has no such object.
        differences: Critical findings, missing objects included.
        others: Files that were neither right nor different nor absent from S3.
        cut_short: Why it ended early; empty if it did not.
        bound: What it proves alone; ``None`` for nothing.
        taken_over: Of those found right: by the run that it goes on from, whose time
            nobody tells.
    """

    report: str
    backup: Backup
    content: Content
    started_at: datetime
    seed: str
    drawn: int
    compared: int
    matched: int
    verdict: Verdict
    extra: int | None = None
    not_in_s3: int = 0
    differences: int = 0
    others: int = 0
    cut_short: str = ""
    bound: Bound | None = None
    taken_over: int = 0

    @property
    def differs(self) -> bool:
        """Whether something is different, or the report's verdict says so."""
        return bool(self.differences) or self.verdict is Verdict.DIFFERS

    @property
    def other_findings(self) -> int:
        """How many findings are no differences, since they are not critical."""
        return self.others + self.not_in_s3

    @property
    def left_out(self) -> str:
        """Say why it cannot be counted; empty if it can."""
        if self.cut_short or self.compared < self.drawn:
            return "it was cut short"
        if self.bound is None:
            return "the disk was not listed to its end"
        if not self.drawn:
            return "it drew no file"
        return ""

    @property
    def draw(self) -> Draw:
        """The sample, so that it proves no more than the report says it does.

        Files that S3 does not list are set apart where all of them are known: the run
        did so, too, and its own bound tells whether that was understood.
        """
        whole = Draw(self.content.files, self.drawn, self.drawn - self.matched)
        if not self.extra or self.extra != self.not_in_s3:
            return whole
        population = self.content.files - self.extra
        drawn = self.matched + self.others
        if self.bound is None or drawn > min(self.drawn, population):
            return whole
        if self.others > MOST_FAILED_ALONE:
            return whole
        alone = upper_bound(population, drawn, self.others, self.bound.level)
        if alone.files < self.bound.files:
            return whole
        return Draw(population, drawn, self.others)

    @property
    def bound_of_its_time(self) -> Bound | None:
        """What it proves of its own time: by what it looked at itself."""
        if not self.bound or not self.taken_over:
            return self.bound
        draw = self.draw
        anew = draw.drawn - self.taken_over
        return upper_bound(draw.population, anew, draw.failed, self.bound.level)


@dataclass(frozen=True)
class ContentHistory:
    """All runs over one content of a backup.

    Attributes:
        runs: Those with differences first, then by time.
        counted: Those that the bound stands on, by time.
        left_out: The others, each with the reason.
        bound: How many files can have been wrong in all of the counted runs; ``None``
            if none can be given.
        no_bound: Why not; empty if there is one.
        put_right: Runs with differences that are older than what is counted.
        current: Whether no later run of the backup saw other content.
    """

    backup: Backup
    content: Content
    runs: tuple[PastRun, ...]
    counted: tuple[PastRun, ...]
    left_out: tuple[tuple[PastRun, str], ...]
    bound: Bound | None
    no_bound: str = ""
    put_right: int = 0
    current: bool = True

    @property
    def differs(self) -> bool:
        """Whether a run found a difference."""
        return any(run.differs for run in self.runs)

    @property
    def stands(self) -> bool:
        """Whether a difference was found that was not put right since."""
        return sum(run.differs for run in self.runs) > self.put_right

    @property
    def latest(self) -> datetime:
        """When the last run began."""
        return max(run.started_at for run in self.runs)

    @property
    def statement(self) -> str:
        """Say in words what is proven, and of what time."""
        if self.bound is None:
            return f"No bound: {self.no_bound}."
        bound, files = self.bound, counted(self.bound.files, "file")
        first, last = self.counted[0], self.counted[-1]
        looked = counted(sum(run.draw.drawn for run in self.counted), "file")
        level = f"{percent(bound.level)}% confidence"
        own = last.bound_of_its_time
        if len(self.counted) == 1 and first.taken_over and own:
            return (
                f"One run, {looked} drawn, {first.taken_over:,} of them verified by "
                f"the run that it goes on from: with {level} at most {files} "
                f"({bound.fraction:.2%}) differed both then and on "
                f"{first.started_at:%Y-%m-%d}. Of damage that came in between only "
                f"what was looked at anew speaks: at most {counted(own.files, 'file')} "
                f"({own.fraction:.2%})."
            )
        if len(self.counted) == 1:
            return (
                f"One run, {looked} drawn: with {level} at most {files} "
                f"({bound.fraction:.2%}) differed on {first.started_at:%Y-%m-%d}."
            )
        said = (
            f"{len(self.counted)} runs, {looked} drawn: with {level} at most {files} "
            f"({bound.fraction:.2%}) differed in all of them, from "
            f"{first.started_at:%Y-%m-%d} to {last.started_at:%Y-%m-%d}."
        )
        if own is None:
            return said
        return (
            f"{said} Of damage that came later only the last run speaks: at most "
            f"{counted(own.files, 'file')} ({own.fraction:.2%})."
        )


def history(
    runs: Iterable[PastRun], level: float, since: datetime | None = None
) -> tuple[ContentHistory, ...]:
    """Put runs in order, and say what those of each backup and content prove.

    Args:
        level: The confidence, strictly between 0 and 1.
        since: Runs before are shown and not counted: what they found was put right.

    Returns:
        Those with differences first, then by their latest run, the newest first.
    """
    found = [
        _of_content(list(same), level, since)
        for _, same in _grouped(runs, lambda run: (run.backup, run.content))
    ]
    found.sort(key=lambda part: part.latest, reverse=True)
    latest = {part.backup: part.latest for part in reversed(found)}
    marked = [
        replace(part, current=part.latest == latest[part.backup]) for part in found
    ]
    return tuple(sorted(marked, key=lambda part: not part.differs))


def _of_content(
    runs: Sequence[PastRun], level: float, since: datetime | None
) -> ContentHistory:
    by_time = sorted(runs, key=lambda run: (run.started_at, run.report))
    reasons = {id(run): run.left_out for run in by_time}
    for run in by_time:
        if since is not None and run.started_at < since:
            reasons[id(run)] = f"it is older than {since:%Y-%m-%d}"
    able = [run for run in by_time if not reasons[id(run)]]
    for _, same in _grouped(able, lambda run: run.seed):
        # A draw with the same seed is the same draw, or a part of the larger one.
        first, *others = sorted(same, key=lambda run: (-run.drawn, run.started_at))
        for run in others:
            reasons[id(run)] = f"it has the seed of {first.report}, and drew no more"
    counting = tuple(run for run in by_time if not reasons[id(run)])
    bound, why = _bound(by_time, counting, level, since)
    return ContentHistory(
        by_time[0].backup,
        by_time[0].content,
        tuple(sorted(by_time, key=lambda run: not run.differs)),
        counting,
        tuple((run, reasons[id(run)]) for run in by_time if reasons[id(run)]),
        bound,
        why,
        sum(run.differs for run in by_time if since and run.started_at < since),
    )


def _bound(
    runs: Sequence[PastRun],
    counting: Sequence[PastRun],
    level: float,
    since: datetime | None,
) -> tuple[Bound | None, str]:
    """Return the bound, or why there is none."""
    differing = [
        run
        for run in runs
        if run.differs and (since is None or run.started_at >= since)
    ]
    if differing:
        many = counted(len(differing), "run")
        return None, f"{many} found differences, which no other run takes back"
    if not counting and since and not all(run.left_out for run in runs):
        return None, f"every run that came to its end is older than {since:%Y-%m-%d}"
    if not counting:
        return None, "no run came to its end"
    bound = combined_bound([run.draw for run in counting], level)
    if bound is None:
        return None, "too many files were not shown to be right"
    return bound, ""


def _grouped(
    runs: Iterable[PastRun], key: Callable[[PastRun], object]
) -> Iterable[tuple[object, Iterable[PastRun]]]:
    return groupby(sorted(runs, key=key), key)  # type: ignore[arg-type]
