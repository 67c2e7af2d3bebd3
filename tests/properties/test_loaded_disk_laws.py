"""Laws of disks that were loaded by placing: what is where is found, and nothing else.

The first object that comes to a path keeps it; the others, and those whose keys cannot
be paths, are recovered. The log on the disk says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scenes import Scene, outcomes
from strategies import SETTINGS, keys

from s3export.adapters.memory import MemoryObjectStore
from s3export.domain.backup_layout import (
    BackupLayout,
    NotAPath,
    Source,
    Substitution,
    TreePath,
    join,
    recovery_paths,
    substituted,
)
from s3export.domain.errors import PathUnusable
from s3export.domain.export_log import LogEntry, write_export_log
from s3export.domain.load_selection import SELECTION, LoadSelection
from s3export.domain.verification import Finding, Outcome, Verdict

FEW = settings(SETTINGS, max_examples=50)
"""Each example verifies a disk or two."""

RECOVERY = TreePath(b"EXPORT-RECOVERY")
LOG = TreePath(b"S3EXPORT/export-log-LOAD1")

few_keys = st.text(st.sampled_from("ab:/."), min_size=1, max_size=4)
"""So few that they meet: also keys that can be no paths."""

own_places = st.sampled_from(["S3EXPORT/x", "SIGNATURE", "x.tc", "EXPORT-RECOVERY/y"])

all_keys = st.one_of(few_keys, few_keys, own_places, keys.filter(bool))

substitutions = st.lists(
    st.builds(
        Substitution,
        part=st.sampled_from(["a", "b", ":", "/", "ab", "."]),
        instead=st.sampled_from(["", "a", "b", "/", ":", "..", "aa"]),
    ),
    max_size=3,
    unique_by=lambda one: one.part,
).map(tuple)


def _target(source: Source) -> tuple[str, bytes]:
    """Return what no two operations share: then every object is written for each."""
    return source.bucket, source.directory


@st.composite
def layouts(draw: st.DrawFn) -> BackupLayout:
    """One to three operations on two buckets, one set of substitutions."""
    chosen = draw(substitutions)
    operations = st.builds(
        Source,
        bucket=st.sampled_from(["bkt", "two"]),
        directory=st.sampled_from([b"", b"dir", b"a"]).map(TreePath),
        prefix=st.sampled_from(["", "", "a"]),
        begin_marker=st.sampled_from(["", "", "a"]),
        substitutions=st.just(chosen),
    )
    return BackupLayout(
        tuple(draw(st.lists(operations, min_size=1, max_size=3, unique_by=_target))),
        RECOVERY,
    )


@dataclass
class Disk(Scene):
    """A disk as `load-device` leaves it.

    Attributes:
        entries: What it wrote, one for each object of each operation.
    """

    layout: BackupLayout
    buckets: dict[str, list[str]]
    entries: list[LogEntry] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.store = MemoryObjectStore("bkt", "two")
        for bucket, names in self.buckets.items():
            for key in names:
                self.store.put(bucket, key, content(bucket, key))
        recovery = recovery_paths(RECOVERY)
        for source in self.layout.sources:
            for key in sorted(self.buckets[source.bucket], key=str.encode):
                if source.selects(key):
                    self.entries.append(self._load(source, key, recovery))
        self.tree.replace(LOG, write_export_log(self.entries))
        selection = LoadSelection("LOAD1", self.layout.sources)
        self.tree.replace(SELECTION, selection.to_json())

    def _load(self, source: Source, key: str, recovery: Iterator[TreePath]) -> LogEntry:
        body, code = content(source.bucket, key), "OK"
        try:
            path = self.layout.place(source, key)
            self.tree.write(path, [body])
        except (NotAPath, PathUnusable):
            path, code = next(recovery), "Recovered"
            self.tree.write(path, [body])
        return LogEntry(None, source.bucket, key, path, 200, code, "")

    def found(self, **wishes: object) -> list[Finding]:
        """Verify every file; return what was found."""
        wished = {"layout": self.layout, "sample_size": None, **wishes}
        return list(self.verify(**wished).findings)


def content(bucket: str, key: str) -> bytes:
    """Return what no other object holds."""
    return f"{bucket}/{key}".encode()


@st.composite
def disks(draw: st.DrawFn) -> Disk:
    """A loaded disk with at least one file."""
    names = st.lists(all_keys, unique=True, max_size=8)
    disk = Disk(draw(layouts()), {"bkt": draw(names), "two": draw(names)})
    assume(disk.entries)
    return disk


@given(disks(), st.booleans())
@FEW
def test_what_was_loaded_verifies_clean(disk: Disk, named: bool) -> None:
    """By the manifest's selection or by the disk's own; every object is a match."""
    report = disk.verify(layout=disk.layout if named else None, sample_size=None)

    assert (report.verdict, report.findings) == (Verdict.VERIFIED, ())
    assert report.tally[Outcome.MATCH] == report.sample.population == len(disk.entries)
    assert report.completeness is not None
    assert report.completeness.objects == len(disk.entries)


@given(disks(), st.data())
@FEW
def test_one_changed_file_is_found(disk: Disk, data: st.DataObject) -> None:
    """Wherever it lies, under the name of its object."""
    entry = data.draw(st.sampled_from(disk.entries))
    disk.tree.files[entry.file] += b"?"

    (found,) = disk.found()

    assert found.outcome is Outcome.MISMATCH
    assert (found.bucket, found.key) == (entry.bucket, entry.key)


@given(disks(), st.data())
@FEW
def test_one_missing_file_is_found(disk: Disk, data: st.DataObject) -> None:
    """Under the name of its object, whether or not files are drawn."""
    entry = data.draw(st.sampled_from(disk.entries))
    assume(len(disk.entries) > 1)
    del disk.tree.files[entry.file]

    (found,) = disk.found(sample_size=data.draw(st.sampled_from([None, 1])))

    assert found.outcome is Outcome.MISSING_FROM_BACKUP
    assert (found.bucket, found.key) == (entry.bucket, entry.key)


def test_a_disk_that_says_that_it_holds_the_end_of_a_source_is_verified() -> None:
    """Nothing is left of that source: its last key is on the disk before."""
    ends = Source("bkt", TreePath(b"dir"), end_marker="k")
    rest = Source("two", TreePath(b"a"))
    part = BackupLayout((replace(ends, begin_marker="k"), rest), RECOVERY)
    disk = Disk(part, {"bkt": ["j", "k"], "two": ["x", "y"]})

    report = disk.verify(layout=BackupLayout((ends, rest), RECOVERY), sample_size=None)

    assert (report.verdict, report.findings) == (Verdict.VERIFIED, ())
    assert report.completeness is not None
    assert report.completeness.objects == 2


@pytest.mark.parametrize("sample_size", [None, 1])
@pytest.mark.parametrize("key", ["x//y", "f/"])
def test_of_an_object_that_was_recovered_twice_each_file_is_missed(
    key: str, sample_size: int | None
) -> None:
    """The other file, drawn or not, does not stand for both."""
    sources = (Source("bkt", TreePath(b"")), Source("bkt", TreePath(b"dir")))
    disk = Disk(BackupLayout(sources, RECOVERY), {"bkt": [key], "two": []})
    del disk.tree.files[disk.entries[1].file]

    (found,) = disk.found(sample_size=sample_size)

    assert found.outcome is Outcome.MISSING_FROM_BACKUP
    assert found.detail.endswith("written to /EXPORT-RECOVERY/0000/0001")


@given(disks(), st.data())
@FEW
def test_one_file_too_many_is_found(disk: Disk, data: st.DataObject) -> None:
    """It is nobody's, also where its name is some key."""
    directory = data.draw(st.sampled_from(disk.layout.sources)).directory
    extra = join(directory, b"extra-file")
    assume(extra not in disk.tree.files)
    try:
        disk.tree.write(extra, [b"?"])
    except PathUnusable:
        assume(False)

    report = disk.verify(layout=disk.layout, sample_size=None)

    assert set(outcomes(report).values()) == {Outcome.MISSING_FROM_SOURCE}
    assert report.tally[Outcome.MISSING_FROM_SOURCE] == 1


@given(layouts(), st.binary(min_size=1, max_size=6), few_keys)
@SETTINGS
def test_a_path_is_the_key_only_where_the_key_is_put_there(
    layout: BackupLayout, name: bytes, key: str
) -> None:
    """What substitutions change is claimed by no path of its own name."""
    for path in (TreePath(name), TreePath(b"dir/" + key.encode())):
        try:
            claimed = layout.objects(path)
        except NotAPath:
            continue
        for one in claimed:
            assert any(
                source.bucket == one.bucket and source.place(one.key) == path
                for source in layout.sources
            )
            changed = substituted(one.key, layout.sources[0].substitutions)
            assert changed == one.key
