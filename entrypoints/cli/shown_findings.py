"""What a verification finds, printed while it goes on."""

from dataclasses import dataclass, field

from s3export.adapters.reports import documents
from s3export.domain.counting import counted
from s3export.domain.services.verify_request import Watch
from s3export.domain.verification import Finding, Outcome, Report
from s3export.entrypoints.cli import wording
from s3export.entrypoints.cli.terminal import Terminal, harmless

_MISSING_SHOWN = 10  # of a disk on which nothing is at all


@dataclass
class ShownFindings(Watch):
    """Prints findings as they come; a run that is cut short, what it came to.

    Attributes:
        all_findings: Print each, also where not one file is there.
        own_seed: Tell the seed where it drew something: nobody has said it.
    """

    terminal: Terminal
    all_findings: bool = False
    own_seed: bool = False
    notices: list[str] = field(default_factory=list)
    missing: int = 0

    def found(self, finding: Finding) -> None:
        """Print it, unless it is one more of all that there is."""
        if self.notices and finding.outcome is Outcome.MISSING_FROM_BACKUP:
            self.missing += 1
            if self.missing > _MISSING_SHOWN and not self.all_findings:
                return
        if not self.terminal.as_json:
            self.terminal.result([wording.finding_line(finding)], None)

    def noticed(self, notice: str) -> None:
        """Warn at once."""
        self.notices.append(notice)
        self.terminal.warn(notice)

    def kept(self, path: str, older: str) -> None:
        """Say where it is."""
        self.terminal.advise(f"{path} was there: it is kept as {older}")

    def unfinished(self, report: Report) -> None:
        """Say what it came to."""
        self.ended(report)
        document = documents.report_document(report)
        self.terminal.result(wording.summary_lines(report), document)

    def ended(self, report: Report) -> None:
        """Say what was not printed, and the warnings that were not told yet."""
        left = self.missing - _MISSING_SHOWN
        if left > 0 and not self.all_findings and not self.terminal.as_json:
            more = counted(left, "more object is", "more objects are")
            line = f"... {more} missing from the backup (--all-findings prints them)"
            self.terminal.result([line], None)
        for warning in report.warnings:
            if warning not in self.notices:
                self.terminal.warn(warning)
        sample = report.sample
        if self.own_seed and sample.drawn < sample.population:
            seed = harmless(sample.seed)
            self.terminal.tell(f"Seed: {seed} (--seed repeats the draw)")
