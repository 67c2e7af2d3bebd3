"""A report as one HTML file: nothing in it is fetched, and it can be printed.

Numbers are told as text; the plots (SVG, drawn here) repeat them for the eye, each with
its numbers in a table for those who read or hear instead.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

from s3export.adapters.reports.documents import (
    finding_document,
    findings_sha256,
    timestamp,
)
from s3export.domain.backup_layout import TreePath, shown
from s3export.domain.counting import counted
from s3export.domain.sizes import size
from s3export.domain.verification import (
    ON_DISK,
    Finding,
    Outcome,
    Report,
    Tally,
    Verdict,
    selections,
)

Class = tuple[int, str]
"""What a plot has a row for: its place among the rows, and its label (HTML)."""

_VERDICTS = {
    Verdict.VERIFIED: "No file that was looked at differs from S3.",
    Verdict.DIFFERS: "The backup is not what S3 holds.",
    Verdict.INCONCLUSIVE: (
        "Nothing was found to differ, but not all that was looked at could be verified."
    ),
}

_MEANINGS = {
    Outcome.MATCH: "the file gives the evidence that S3 holds",
    Outcome.MISMATCH: "size or digest differ, and the object has not changed since",
    Outcome.CHANGED_SINCE_EXPORT: "differs, but the object is newer than the export",
    Outcome.MISSING_FROM_SOURCE: "on the disk, not in S3",
    Outcome.MISSING_FROM_BACKUP: "in S3 when exported, not on the disk",
    Outcome.UNVERIFIABLE: "S3 offers nothing to compare with",
    Outcome.UNREADABLE: "the disk or its file system is damaged there",
}

_MOST_FOLDERS = 12  # in a plot
_YEARS = 10
_BITS_A_CLASS = 4
_SECTIONS = 16  # of a disk, in the plot of its damage
_LONGEST_LABEL = 28
_FINDINGS_A_TABLE = 500
_MOST_PRINTED = 30  # findings on paper

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --all: #7a8699; --own: #1f6feb;
  --bad: #b3261e; --good: #1a7f37; --open: #8a6100; }
@media (prefers-color-scheme: dark) { :root { --all: #98a2b3; --own: #6ea8fe;
  --bad: #ff8a80; --good: #6fdd8b; --open: #e3b341; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
.verdict { border-left: .5rem solid; padding: .5rem 1rem; }
.verified { border-color: var(--good); } .differs { border-color: var(--bad); }
.inconclusive { border-color: var(--open); }
table { border-collapse: collapse; width: 100%; font-size: .9em; }
th, td { text-align: left; vertical-align: top; padding: .25rem .5rem;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
svg { width: 100%; height: auto; } svg text { fill: currentColor; font-size: 11px; }
.all { fill: var(--all); } .own { fill: var(--own); } .critical { fill: var(--bad); }
code { font-size: .85em; overflow-wrap: anywhere; }
.key span { display: inline-block; width: .8em; height: .8em; margin-right: .3em;
  print-color-adjust: exact; }
.lazy { content-visibility: auto; contain-intrinsic-size: auto 30000px; }
.findings table { table-layout: fixed; } .findings .wide { width: 30%; }
.printed { display: none; }
@media screen and (max-width: 40rem) { svg text { font-size: 18px; }
  .findings thead { display: none; } .findings tr { display: block;
  border-bottom: 1px solid var(--line); padding: .5rem 0; }
  .findings td { display: inline-block; border: 0; padding: 0 .5rem 0 0; } }
@media print { body { margin: 0; max-width: none; font-size: 8pt; line-height: 1.3; }
  h1 { font-size: 14pt; margin: 0; } h2 { font-size: 11pt; margin: .8rem 0 .2rem; }
  h2, h3 { break-after: avoid; } tr { break-inside: avoid; }
  svg { width: 49%; } svg text { font-size: 16px; }
  .printed { display: block; } details { display: none; }
  .findings ~ .findings, .findings tbody tr:nth-child(n+NEXT) { display: none; } }
@page { size: A4; margin: 12mm; }
"""


def report_html(report: Report) -> str:
    """Return a report as HTML."""
    style = _STYLE.replace("NEXT", str(_MOST_PRINTED + 1))
    title = f"{report.verdict.value.capitalize()}: {report.device.path}"
    body = "\n".join(
        part
        for section in (
            _head(report),
            _proof(report),
            _outcomes(report),
            _drawn(report),
            _findings(report.findings),
            _run(report),
        )
        for part in section
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _head(report: Report) -> Iterator[str]:
    verdict = report.verdict
    yield "<h1>Does this disk hold what S3 holds?</h1>"
    yield f'<div class="verdict {verdict.value}">'
    said = _VERDICTS[verdict]
    if verdict is Verdict.INCONCLUSIVE and report.doubts:
        said = "Nothing was found to differ; what is in doubt is noted below."
    if verdict is Verdict.VERIFIED and report.tally[Outcome.CHANGED_SINCE_EXPORT]:
        said = "Whatever differs from S3 has changed there since the export."
    yield f"<p><strong>{verdict.value.upper()}.</strong> {said}</p>"
    yield f"<p>{_text(report.statement)}</p>"
    if report.cut_short:
        yield f"<p>The run was cut short: {_text(report.cut_short)}</p>"
    yield "</div>"
    for warning in (*report.doubts, *report.warnings):
        yield f"<p><strong>Note:</strong> {_text(warning)}</p>"


def _proof(report: Report) -> Iterator[str]:
    sample, found = report.sample, report.completeness
    yield "<h2>What was proven, and what was not</h2>\n<ul>"
    matched = report.tally[Outcome.MATCH]
    yield f"<li>{matched:,} files are equal to their objects by content.</li>"
    if sample.compared < sample.population:
        left = sample.population - sample.compared
        yield f"<li>{left:,} files were not read: the statement above is all that is "
        yield "known of their content.</li>"
    if sample.unlisted:
        places = counted(sample.unlisted, "place")
        yield f"<li>{places} on the disk could not be read: nothing is known of files "
        yield "there.</li>"
    if found:
        yield f"<li>Every one of {found.objects:,} objects ({size(found.size_bytes)}) "
        yield "was looked for on the disk by its name.</li>"
        if found.folders:
            yield f"<li>{found.folders:,} empty objects named like folders have no "
            yield "content, and no file.</li>"
        if found.unreadable:
            unreadable = counted(found.unreadable, "object lies", "objects lie")
            yield f"<li>{unreadable} where the disk cannot be read.</li>"
        if found.newer:
            yield f"<li>{found.newer:,} objects are newer than the export; whether "
            yield "older versions of them should be there was not asked.</li>"
    else:
        yield "<li>Whether objects are missing on the disk was not looked at.</li>"
    unproven = report.tally[Outcome.UNVERIFIABLE]
    if unproven:
        yield f"<li>{unproven:,} files or objects could not be verified.</li>"
    if report.strong:
        yield "<li>32-bit checksums and uploaders' claims were not taken as proof.</li>"
    yield "</ul>"


def _outcomes(report: Report) -> Iterator[str]:
    yield "<h2>Outcomes</h2>"
    told = [outcome for outcome in Outcome if report.tally[outcome]]
    bars = [
        (
            o.value.replace("_", " "),
            report.tally[o],
            "critical" if o.critical else "own",
        )
        for o in told
    ]
    yield from _bars("Files by outcome", bars)
    yield "<table><thead><tr><th scope=col>outcome</th><th scope=col class=n>files</th>"
    yield "<th scope=col>means</th></tr></thead><tbody>"
    for outcome in told:
        critical = " (critical)" if outcome.critical else ""
        yield f"<tr><td>{_words(outcome)}{critical}</td>"
        yield f"<td class=n>{report.tally[outcome]:,}</td>"
        yield f"<td>{_MEANINGS[outcome]}</td></tr>"
    yield "</tbody></table>"
    yield from _by_evidence(report.tally)


def _by_evidence(tally: Tally) -> Iterator[str]:
    """Tell what decided: a digest of the whole content says more than a size."""
    kinds = sorted({kind for kind, _ in tally.evidence if kind})
    if not kinds:
        return
    yield "<h3>By evidence</h3>\n<table><thead><tr><th scope=col>evidence</th>"
    yield "<th scope=col>outcome</th><th scope=col class=n>files</th></tr></thead>"
    yield "<tbody>"
    for kind in (*kinds, ""):
        for outcome in Outcome:
            if count := tally.evidence[kind, outcome]:
                yield f"<tr><td>{_text(kind) or 'none'}</td><td>{_words(outcome)}</td>"
                yield f"<td class=n>{count:,}</td></tr>"
    yield "</tbody></table>"


def _drawn(report: Report) -> Iterator[str]:
    yield "<h2>What was drawn, against all files</h2>"
    yield '<p class=key><span style="background:var(--own)"></span>share of the drawn '
    yield '&ensp;<span style="background:var(--all)"></span>share of all files</p>'
    every, own = report.population_profile, report.drawn_profile
    yield from _shares("by size", _sizes(every.sizes), _sizes(own.sizes))
    first = max(every.years, default=0) - _YEARS + 1
    yield from _shares(
        "by year of modification", _years(every.years, first), _years(own.years, first)
    )
    places = _places(every.folders)
    yield from _shares(
        "by folder", _folders(every.folders, places), _folders(own.folders, places)
    )


def _sizes(sizes: Counter[int]) -> Counter[Class]:
    """Count in classes that reach sixteen times as far as the one before."""
    counts: Counter[Class] = Counter()
    for bits, count in sizes.items():
        below = -(-bits // _BITS_A_CLASS) * _BITS_A_CLASS
        label = f"below {size(1 << below)}" if bits else "empty"
        counts[below, label] += count
    return counts


def _years(years: Counter[int], first: int) -> Counter[Class]:
    """Count what is older than the first year with it."""
    counts: Counter[Class] = Counter()
    for year, count in years.items():
        label = str(year) if year > first else f"{first} and before"
        counts[max(year, first), label] += count
    return counts


def _places(folders: Counter[TreePath | None]) -> Mapping[TreePath, int]:
    """Return the folders with the most files, and their places in a plot."""
    known = [(folder, count) for folder, count in folders.items() if folder is not None]
    known.sort(key=lambda each: (-each[1], each[0]))
    largest = sorted(folder for folder, _ in known[:_MOST_FOLDERS])
    return {folder: place for place, folder in enumerate(largest)}


def _folders(
    folders: Counter[TreePath | None], places: Mapping[TreePath, int]
) -> Counter[Class]:
    """Count what lies in others together."""
    counts: Counter[Class] = Counter()
    for folder, count in folders.items():
        if folder is not None and folder in places:
            counts[places[folder], _folder(folder)] += count
        else:
            counts[len(places), "all other folders"] += count
    return counts


def _folder(path: TreePath) -> str:
    text = f"/{shown(path)}"
    cut = text if len(text) <= _LONGEST_LABEL else f"…{text[1 - _LONGEST_LABEL :]}"
    return _text(cut)


def _shares(
    name: str, everything: Counter[Class], own: Counter[Class]
) -> Iterator[str]:
    """Plot two profiles side by side, in per cent of each."""
    classes = sorted({*everything, *own})
    if not classes:
        yield f"<p>There are no files to show {name}.</p>"
        return
    rows = [(c[1], _share(own, c), _share(everything, c)) for c in classes]
    yield from _pairs(f"Files {name}", rows)
    yield f"<details><summary>Numbers {name}</summary><table><thead><tr>"
    yield "<th scope=col>class</th><th scope=col class=n>drawn</th>"
    yield "<th scope=col class=n>all</th></tr></thead><tbody>"
    for each in classes:
        yield f"<tr><td>{each[1]}</td><td class=n>{own[each]:,}</td>"
        yield f"<td class=n>{everything[each]:,}</td></tr>"
    yield "</tbody></table></details>"


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    yield "<h2>Findings</h2>"
    if not findings:
        yield "<p>None.</p>"
        return
    yield from _unreadable(findings)
    if len(findings) > _MOST_PRINTED:
        yield f"<p class=printed>The first {_MOST_PRINTED} of {len(findings):,} are "
        yield "printed; the file holds all.</p>"
    for start in range(0, len(findings), _FINDINGS_A_TABLE):
        some = findings[start : start + _FINDINGS_A_TABLE]
        lazy = " lazy" if len(some) == _FINDINGS_A_TABLE else ""
        yield f'<div class="findings{lazy}">'
        yield from _table(some)
        yield "</div>"


def _table(findings: Sequence[Finding]) -> Iterator[str]:
    """Tell some: a browser lays out the tables that are looked at, and no others."""
    yield "<table><thead><tr><th scope=col>outcome</th>"
    yield "<th scope=col class=wide>path</th><th scope=col>evidence</th>"
    yield "<th scope=col class=n>bytes</th><th scope=col class=wide>detail</th>"
    yield "</tr></thead><tbody>"
    for finding in findings:
        outcome = _words(finding.outcome)
        detail = [_text(finding.detail)]
        if finding.expected:
            detail.append(f"S3: <code>{_text(finding.expected)}</code>")
        if finding.actual:
            detail.append(f"disk: <code>{_text(finding.actual)}</code>")
        path, key = shown(finding.path), finding.key
        named = f"<br>s3://{_text(finding.bucket)}/{_text(key)}" if key else ""
        strong = f"<strong>{outcome}</strong>" if finding.critical else outcome
        yield f"<tr><td>{strong}</td><td>{_text(path)}{named}</td>"
        yield f"<td>{_text(finding.evidence)}</td>"
        yield f"<td class=n>{finding.size_bytes:,}</td>"
        yield f"<td>{'; '.join(filter(None, detail))}</td></tr>"
    yield "</tbody></table>"


def _unreadable(findings: Sequence[Finding]) -> Iterator[str]:
    """Plot where files cannot be read: damage is mostly in one place."""
    folders = Counter(
        TreePath(finding.path.rpartition(b"/")[0])
        for finding in findings
        if finding.outcome is Outcome.UNREADABLE
    )
    if not folders:
        return
    most = folders.most_common(_MOST_FOLDERS)
    bars = [(_folder(folder), count, "critical") for folder, count in most]
    rest = folders.total() - sum(count for _, count in most)
    if rest:
        bars.append(("all other folders", rest, "critical"))
    yield "<h3>Where files cannot be read</h3>"
    yield from _bars("Unreadable files by folder", bars)
    yield from _by_place(findings, folders.total())


def _by_place(findings: Sequence[Finding], unreadable: int) -> Iterator[str]:
    """Plot where on the disk unreadable files begin, as far as it is known."""
    places = [f.place_bytes for f in findings if f.place_bytes is not None]
    if not places:
        return
    width = -(-(max(places) + 1) // _SECTIONS)
    sections = Counter(place // width for place in places)
    yield f"<p>Where they begin on the disk is known of {len(places):,} of "
    yield f"{unreadable:,}; counted from the start of their file system.</p>"
    rows = [
        (f"{size(n * width)} to {size((n + 1) * width)}", sections[n], "critical")
        for n in range(_SECTIONS)
    ]
    yield from _bars("Unreadable files by place on the disk", rows)


def _run(report: Report) -> Iterator[str]:
    device, sample = report.device, report.sample
    rows: Mapping[str, str] = {
        "Device": " ".join(filter(None, (device.place, device.model, device.serial))),
        "Container": _container(report),
        "Directory": f"/{shown(report.root)}",
        "Compared with": "; ".join(map(str, selections(report.sources))),
        "S3 service": report.service or "not known",
        "Seed": sample.seed,
        "Drawn": f"{sample.drawn:,} of {sample.population:,} files",
        "Exported": (
            f"{timestamp(report.exported_at.moment)}, says {report.exported_at.origin}"
            if report.exported_at
            else "not known"
        ),
        "Export log": _export_log(report),
        "Selection": _selection(report),
        "Requests": ", ".join(f"{n:,} {k}" for k, n in sorted(report.requests.items())),
        "Read from the disk": size(report.bytes_read),
        "Downloaded": size(report.bytes_downloaded),
        "Opened read-only": "yes" if report.opened_read_only else "as it was mounted",
        "Started": timestamp(report.started_at),
        "Finished": timestamp(report.finished_at),
        "s3export": report.version,
        "SHA-256 of the findings": findings_sha256(
            [finding_document(finding) for finding in report.findings]
        ),
    }
    yield "<h2>The run</h2>\n<dl>"
    for name, value in rows.items():
        yield f"<dt>{name}</dt><dd>{_text(value)}</dd>"
    yield "</dl>"


def _export_log(report: Report) -> str:
    found = report.export_log
    if found is None:
        return "none"
    own = " on the disk, which is its own word" if found.origin == ON_DISK else ""
    return f"{found.path}{own}"


def _selection(report: Report) -> str:
    found = report.selection
    if found is None:
        return "as it was named"
    if found.named:
        return f"a part of what was named, {found.part}, says {found.path} on the disk"
    return f"nobody but the disk says it: {found.path}"


def _container(report: Report) -> str:
    found = report.container
    if found is None:
        return "none: plain files"
    return f"{found.path}: {found.kind}, {found.cipher}, by {found.opened_with}"


# --- plots -----------------------------------------------------------------------

_WIDTH, _LABEL, _NUMBERS, _ROW = 800, 210, 150, 22


def _bars(title: str, rows: Sequence[tuple[str, int, str]]) -> Iterator[str]:
    """Plot counts; lengths follow the square root, so that single files are seen."""
    most = max((count for _, count, _ in rows), default=0) or 1
    room = _WIDTH - _LABEL - _NUMBERS
    yield from _svg(
        f"{title}; lengths follow the square root of the counts",
        len(rows) * _ROW,
        (
            f"{_label(n, label)}"
            f'<rect class="{kind}" x="{_LABEL}" y="{n * _ROW + 4}" height="14" '
            f'width="{max(2.0, room * (count / most) ** 0.5):.1f}"/>'
            f'<text x="{_LABEL + room * (count / most) ** 0.5 + 8:.1f}" '
            f'y="{n * _ROW + 15}">{count:,}</text>'
            for n, (label, count, kind) in enumerate(rows)
        ),
    )


def _pairs(title: str, rows: Sequence[tuple[str, float, float]]) -> Iterator[str]:
    """Plot two shares a row."""
    most = max(max(one, other) for _, one, other in rows) or 1
    room = _WIDTH - _LABEL - _NUMBERS
    yield from _svg(
        f"{title}: the drawn above, all below, in per cent",
        len(rows) * _ROW,
        (
            f"{_label(n, label)}"
            f'<rect class="own" x="{_LABEL}" y="{n * _ROW + 3}" height="7" '
            f'width="{room * one / most:.1f}"/>'
            f'<rect class="all" x="{_LABEL}" y="{n * _ROW + 11}" height="7" '
            f'width="{room * other / most:.1f}"/>'
            f'<text x="{_LABEL + room * max(one, other) / most + 8:.1f}" '
            f'y="{n * _ROW + 15}">{one:.1%} / {other:.1%}</text>'
            for n, (label, one, other) in enumerate(rows)
        ),
    )


def _svg(title: str, height: int, parts: Iterable[str]) -> Iterator[str]:
    view = f'viewBox="0 0 {_WIDTH} {height}"'
    yield f'<svg {view} role="img" aria-label="{_text(title)}">'
    yield from parts
    yield "</svg>"


def _label(row: int, label: str) -> str:
    end = 'text-anchor="end"'
    return f'<text x="{_LABEL - 8}" y="{row * _ROW + 15}" {end}>{label}</text>'


# --- words -----------------------------------------------------------------------


def _share(counts: Counter[Class], name: Class) -> float:
    return counts[name] / (counts.total() or 1)


def _words(outcome: Outcome) -> str:
    return outcome.value.replace("_", " ")


def _text(text: str) -> str:
    """Return text for HTML; what cannot be seen or turns the line round is spelled."""
    visible = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
    return escape(visible)
