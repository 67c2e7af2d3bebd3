"""What a disk says of itself: it names and accuses, and excuses nothing."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from scenes import LAYOUT, ROOT, Scene, earlier, outcomes

from s3export.adapters.memory import FixedKeys, MemoryFileTree
from s3export.domain import errors
from s3export.domain.backup_layout import (
    BackupLayout,
    Source,
    Substitution,
    TreePath,
)
from s3export.domain.evidence import Checksum
from s3export.domain.export_log import LogEntry, parse_export_log, write_export_log
from s3export.domain.load_selection import SELECTION, LoadSelection
from s3export.domain.verification import LogOrigin, Outcome, SelectionOrigin, Verdict

EXPORTED = datetime(2025, 6, 1, tzinfo=UTC)
LONG_AGO = datetime(1999, 1, 1, tzinfo=UTC)
LOG = b"S3EXPORT/export-log-LOAD1"
PLACE = "EXPORT-RECOVERY/0000/0000"

Line = tuple[str, str, int, str, bytes]


def lines(*told: Line, at: datetime = EXPORTED) -> bytes:
    """Return a log of key, file, status, code and content."""
    return write_export_log(
        LogEntry(
            at=at,
            bucket="bkt",
            key=key,
            file=TreePath(file.encode()),
            status=status,
            code=code,
            md5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
        )
        for key, file, status, code, content in told
    )


class Loaded(Scene):
    """A disk with a log of its own."""

    def logged(self, *told: Line, at: datetime = EXPORTED, name: bytes = LOG) -> None:
        self.tree.replace(TreePath(name), lines(*told, at=at))

    def selected(self, *sources: Source) -> None:
        self.tree.replace(SELECTION, LoadSelection("LOAD1", sources).to_json())

    def written(self, moment: datetime) -> None:
        """Have every file been written then."""
        for path in self.tree.files:
            self.tree.changed_ns[path] = int(moment.timestamp()) * 10**9


@pytest.fixture
def scene() -> Loaded:
    return Loaded()


# --- the log is found -------------------------------------------------------------


def test_the_log_on_the_disk_says_which_object_a_recovered_file_is(
    scene: Loaded,
) -> None:
    """Nobody names it; the report says where it was found."""
    scene.both("a", b"x")
    scene.store.put("bkt", "odd//key", b"odd")
    scene.tree.replace(TreePath(PLACE.encode()), b"odd")
    scene.logged(
        ("a", "bkt/a", 200, "OK", b"x"), ("odd//key", PLACE, 200, "Recovered", b"odd")
    )

    report = scene.verify()

    assert report.verdict is Verdict.VERIFIED
    assert report.export_log == LogOrigin(f"/{LOG.decode()}", "disk")
    assert (report.sample.population, report.warnings) == (2, ())
    scene.tree.replace(TreePath(PLACE.encode()), b"ODD")
    assert outcomes(scene.verify()) == {PLACE.encode(): Outcome.MISMATCH}
    del scene.tree.files[PLACE.encode()]
    assert outcomes(scene.verify()) == {b"odd//key": Outcome.MISSING_FROM_BACKUP}


def test_a_log_that_is_given_comes_before_the_disks(scene: Loaded) -> None:
    """The disk's is not even read."""
    scene.both("a", b"x")
    scene.tree.replace(TreePath(LOG), b"nonsense")
    given = LogOrigin("log.csv", "file")
    log = parse_export_log(lines(("a", "bkt/a", 200, "OK", b"x")), "log.csv")

    report = scene.verify(log=log, log_origin=given)

    assert (report.export_log, report.warnings) == (given, ())


def test_the_log_within_a_container_is_found(scene: Loaded) -> None:
    """It lies where the data lie."""
    scene.tree.replace(TreePath(b"L.tc"), b"?")
    inside = {b"bkt/a": b"x", LOG: lines(("a", "bkt/a", 200, "OK", b"x"))}
    scene.containers.put("L.tc", "pw", MemoryFileTree(inside))
    scene.store.put("bkt", "a", b"x")
    scene.keys = FixedKeys("pw")

    report = scene.verify()

    assert report.container is not None
    assert report.export_log is not None


def test_a_load_that_has_not_ended_is_told(scene: Loaded) -> None:
    """It has a journal, and its log comes last; until then nothing is verified."""
    scene.both("a", b"x")
    scene.tree.replace(TreePath(b"S3EXPORT/journal"), b"{}\n")

    report = scene.verify()

    assert "load-device again" in report.doubts[0]
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.load_unfinished
    scene.logged(("a", "bkt/a", 200, "OK", b"x"))
    assert scene.verify().verdict is Verdict.VERIFIED


@pytest.mark.parametrize("named", [True, False])
def test_a_load_that_has_hardly_begun_is_told(scene: Loaded, named: bool) -> None:
    """Where no file is there yet, and where the disk does not say what it is of."""
    scene.store.put("bkt", "a", b"x")
    scene.tree.replace(TreePath(b"S3EXPORT/journal"), b"{}\n")

    with pytest.raises(errors.S3ExportError, match="has not ended") as told:
        scene.verify() if named else scene.verify(layout=None)

    assert "run load-device again" in told.value.next_step


def test_of_several_logs_none_is_read(scene: Loaded) -> None:
    """The warning names the option that chooses."""
    scene.both("a", b"x")
    scene.logged(("a", "bkt/a", 200, "OK", b"x"))
    scene.logged(("a", "bkt/a", 200, "OK", b"x"), name=LOG + b"2")

    report = scene.verify()

    assert report.export_log is None
    assert "2 export logs" in report.warnings[0]
    assert "--export-log" in report.warnings[0]


@pytest.mark.parametrize("damage", ["nonsense", "unreadable", "directory"])
def test_a_log_that_cannot_be_read_is_a_warning(scene: Loaded, damage: str) -> None:
    """What the files are is told all the same."""
    scene.both("a", b"x")
    scene.logged(("a", "bkt/a", 200, "OK", b"x"))
    if damage == "nonsense":
        scene.tree.replace(TreePath(LOG), b"\0\xff;;;")
    elif damage == "unreadable":
        scene.tree.damaged.add(LOG)
    else:
        del scene.tree.files[LOG]
        scene.tree.replace(TreePath(LOG + b"/x"), b"")

    report = scene.verify()

    assert report.verdict is Verdict.VERIFIED
    assert report.export_log is None
    assert "--export-log" in report.warnings[0]


def test_a_directory_of_notes_that_cannot_be_read_is_a_warning(scene: Loaded) -> None:
    """Neither a log nor a selection is taken from it."""
    scene.both("a", b"x")
    names = scene.tree.names

    def failing(directory: TreePath) -> object:
        if directory == b"S3EXPORT":
            raise errors.DeviceUnreadable("Input/output error")
        return names(directory)

    scene.tree.names = failing  # type: ignore[assignment,method-assign]

    report = scene.verify()

    assert report.verdict is Verdict.VERIFIED
    assert all("Input/output error" in warning for warning in report.warnings)
    assert len(report.warnings) == 2


# --- a log that lies ----------------------------------------------------------------


def test_a_log_of_long_ago_excuses_no_difference(scene: Loaded) -> None:
    """The files were written later than it says, so that S3's objects are older."""
    scene.both("fine", b"x")
    scene.on_disk("a", b"bad")
    scene.store.put("bkt", "a", b"new", modified_at=EXPORTED - timedelta(days=9))
    scene.store.put("bkt", "lost", b"y", modified_at=EXPORTED - timedelta(days=9))
    scene.written(EXPORTED)
    scene.logged(
        ("a", "bkt/a", 200, "OK", b"bad"), ("fine", "bkt/fine", 200, "OK", b"x"),
        at=LONG_AGO,
    )  # fmt: skip

    assert outcomes(scene.verify()) == {
        b"a": Outcome.MISMATCH,
        b"lost": Outcome.MISSING_FROM_BACKUP,
    }


def test_a_log_with_another_etag_excuses_no_difference(scene: Loaded) -> None:
    """Whoever changed a file can have changed what the log says was written."""
    scene.both("fine", b"x")
    scene.on_disk("a", b"bad")
    scene.store.put("bkt", "a", b"new", modified_at=EXPORTED - timedelta(days=9))
    scene.written(EXPORTED)
    forged = replace(
        parse_export_log(lines(("a", "bkt/a", 200, "OK", b"bad")), "").entries[0],
        etag=hashlib.md5(b"bad", usedforsecurity=False).hexdigest(),
    )
    scene.tree.replace(TreePath(LOG), write_export_log([forged]))

    assert outcomes(scene.verify()) == {b"a": Outcome.MISMATCH}
    scene.store.put("bkt", "a", b"new", modified_at=EXPORTED + timedelta(days=9))
    assert outcomes(scene.verify()) == {b"a": Outcome.CHANGED_SINCE_EXPORT}


def test_where_no_time_of_writing_is_known_the_log_gives_none(scene: Loaded) -> None:
    """It would be the only thing that excuses."""
    scene.on_disk("a", b"bad")
    scene.store.put("bkt", "a", b"new", modified_at=LONG_AGO + timedelta(days=1))
    scene.logged(("a", "bkt/a", 200, "OK", b"bad"), at=LONG_AGO)

    report = scene.verify()

    assert report.exported_at is None
    assert outcomes(report) == {b"a": Outcome.MISMATCH}


def test_a_log_can_say_that_a_file_was_written_later_than_its_inode(
    scene: Loaded,
) -> None:
    """Then the object is not newer than the export, and its difference is damage."""
    scene.both("fine", b"x")
    scene.on_disk("a", b"bad")
    scene.store.put("bkt", "a", b"new", modified_at=EXPORTED - timedelta(days=1))
    scene.written(EXPORTED - timedelta(days=2))
    assert outcomes(scene.verify()) == {b"a": Outcome.CHANGED_SINCE_EXPORT}

    scene.logged(("a", "bkt/a", 200, "OK", b"bad"))

    assert outcomes(scene.verify()) == {b"a": Outcome.MISMATCH}


def test_a_disk_that_agrees_with_its_log_is_not_proven(scene: Loaded) -> None:
    """Where S3 offers nothing to compare with, it stays unverifiable."""
    scene.both("fine", b"x")
    scene.on_disk("kms", b"forged")
    scene.store.put("bkt", "kms", b"secret", encryption="aws:kms")
    scene.written(EXPORTED)
    scene.logged(("kms", "bkt/kms", 200, "OK", b"forged"))

    report = scene.verify()

    assert outcomes(report) == {b"kms": Outcome.UNVERIFIABLE}
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "which is no proof" in report.findings[0].detail


def test_a_disk_that_contradicts_its_log_is_damaged(scene: Loaded) -> None:
    """Also where S3 offers nothing to compare with, and where the object changed."""
    scene.both("fine", b"x")
    scene.on_disk("kms", b"rotten")
    scene.store.put("bkt", "kms", b"secret", encryption="aws:kms")
    scene.on_disk("old", b"rotten")
    scene.store.put("bkt", "old", b"anew", modified_at=EXPORTED + timedelta(days=9))
    scene.written(EXPORTED)
    scene.logged(
        ("kms", "bkt/kms", 200, "OK", b"secret"), ("old", "bkt/old", 200, "OK", b"fine")
    )

    report = scene.verify()

    assert outcomes(report) == {
        b"kms": Outcome.MISMATCH,
        b"old": Outcome.MISMATCH,
    }
    assert {finding.evidence for finding in report.findings} == {"export-log"}


def test_what_s3_proves_equal_a_damaged_log_does_not_refute(scene: Loaded) -> None:
    """S3's word decides where it has one."""
    scene.both("a", b"x")
    scene.logged(("a", "bkt/a", 200, "OK", b"something else"))

    assert scene.verify().verdict is Verdict.VERIFIED


def test_agreeing_with_the_log_does_not_make_a_change_certain(scene: Loaded) -> None:
    """Files equal to newer objects refute the time, and with it the excuse."""
    for number in range(3):
        scene.both(f"same{number}", b"x")
        later = EXPORTED + timedelta(days=1)
        scene.store.put("bkt", f"same{number}", b"x", modified_at=later)
    scene.on_disk("bad", b"bad")
    scene.store.put("bkt", "bad", b"new", modified_at=later)
    scene.written(EXPORTED)
    scene.logged(("bad", "bkt/bad", 200, "OK", b"bad"))

    assert outcomes(scene.verify()) == {b"bad": Outcome.MISMATCH}


def test_a_log_does_not_lead_a_file_to_an_object_of_another_place(
    scene: Loaded,
) -> None:
    """Neither a wrong file becomes right by it, nor is a missing object found."""
    scene.both("good", b"good")
    scene.on_disk("bad", b"good")
    scene.store.put("bkt", "bad", b"evil")
    scene.store.put("bkt", "lost", b"x")
    scene.tree.replace(TreePath(b"elsewhere/x"), b"x")
    scene.tree.replace(TreePath(b"SIGNATURE"), b"x")
    scene.logged(
        ("good", "bkt/bad", 200, "OK", b"good"), ("lost", "SIGNATURE", 200, "OK", b"x"),
        ("lost", "bkt/good", 200, "OK", b"x"), ("lost", "elsewhere/x", 200, "OK", b"x"),
    )  # fmt: skip

    report = scene.verify()

    assert outcomes(report) == {
        b"bad": Outcome.MISMATCH,
        b"lost": Outcome.MISSING_FROM_BACKUP,
    }
    assert "4 lines" in report.warnings[0]
    scene.store.delete("bkt", "bad")
    found = outcomes(scene.verify(completeness=False))
    assert found == {b"bad": Outcome.MISSING_FROM_SOURCE}


@pytest.mark.parametrize("completeness", [True, False])
def test_copies_of_a_good_file_do_not_make_a_sample_better(
    scene: Loaded, completeness: bool
) -> None:
    """One object has one file of each operation, whatever the log calls it."""
    scene.both("good", b"x")
    scene.both("bad", b"x")
    copies = [f"EXPORT-RECOVERY/0000/{number:04}" for number in range(50)]
    for copy in copies:
        scene.tree.replace(TreePath(copy.encode()), b"x")
    scene.logged(
        ("good", "bkt/good", 200, "OK", b"x"),
        *(("good", copy, 200, "Recovered", b"x") for copy in copies[:30]),
        *(("else", copy, 200, "Recovered", b"x") for copy in copies[30:]),
    )

    report = scene.verify(completeness=completeness)

    assert "49 lines" in report.warnings[0]
    assert report.sample.population == 3
    assert outcomes(report) == {copies[-1].encode(): Outcome.MISSING_FROM_SOURCE}


def test_a_log_without_an_objects_line_does_not_excuse_its_absence(
    scene: Loaded,
) -> None:
    """Nor does a line with an error; nor is one file two objects."""
    scene.both("a", b"x")
    for key in ("gone", "failed", "odd//1", "odd//2"):
        scene.store.put("bkt", key, b"y")
    scene.tree.replace(TreePath(PLACE.encode()), b"y")
    scene.logged(
        ("failed", "", 404, "NoSuchKey", b""),
        ("odd//1", PLACE, 200, "Recovered", b"y"),
        ("odd//2", PLACE, 200, "Recovered", b"y"),
    )  # fmt: skip

    report = scene.verify()

    assert outcomes(report) == {
        b"failed": Outcome.MISSING_FROM_BACKUP,
        b"gone": Outcome.MISSING_FROM_BACKUP,
        b"odd//1": Outcome.MISSING_FROM_BACKUP,
    }


def test_what_the_disk_says_it_has_and_has_not_is_missing(scene: Loaded) -> None:
    """Also where S3 has deleted the object since."""
    scene.both("a", b"x")
    scene.logged(("lost", "bkt/lost", 200, "OK", b"x"))

    assert outcomes(scene.verify()) == {b"lost": Outcome.MISSING_FROM_BACKUP}


# --- substitutions ------------------------------------------------------------------

COLONS = BackupLayout(
    (Source("bkt", ROOT, substitutions=(Substitution("$COLON$", ":"),)),),
    LAYOUT.recovery_directory,
)


@pytest.mark.parametrize("completeness", [True, False])
@pytest.mark.parametrize("size", [2, None])
def test_substituted_names_are_led_back_by_the_listing(
    scene: Loaded, completeness: bool, size: int | None
) -> None:
    """Whether or not it is asked for; the path itself is not taken for the key."""
    scene.store.put("bkt", "at$COLON$noon", b"x")
    scene.store.put("bkt", "plain", b"y")
    scene.on_disk("at:noon", b"x")
    scene.on_disk("plain", b"y")

    def verify() -> dict[bytes, Outcome]:
        return outcomes(
            scene.verify(layout=COLONS, completeness=completeness, sample_size=size)
        )

    assert verify() == {}
    scene.on_disk("at:noon", b"X")
    assert verify() == {b"at:noon": Outcome.MISMATCH}
    scene.on_disk("at$COLON$noon", b"x")
    assert verify() == {
        b"at:noon": Outcome.MISMATCH,
        b"at$COLON$noon": Outcome.MISSING_FROM_SOURCE,
    }


def test_of_two_keys_with_one_name_the_log_says_which_is_where(scene: Loaded) -> None:
    """Whichever came first kept the name, and the other one was recovered."""
    scene.store.put("bkt", "a$COLON$b", b"1")
    scene.store.put("bkt", "a:b", b"2")
    scene.on_disk("a:b", b"2")
    scene.tree.replace(TreePath(PLACE.encode()), b"1")
    scene.logged(
        ("a:b", "bkt/a:b", 200, "OK", b"2"),
        ("a$COLON$b", PLACE, 200, "Recovered", b"1"),
    )

    report = scene.verify(layout=COLONS)

    assert report.verdict is Verdict.VERIFIED
    assert report.tally[Outcome.MATCH] == 2


def test_without_a_log_the_second_of_two_keys_may_be_recovered(scene: Loaded) -> None:
    """Only where the recovery directory holds anything."""
    scene.store.put("bkt", "a$COLON$b", b"1")
    scene.store.put("bkt", "a:b", b"2")
    scene.on_disk("a:b", b"1")
    assert outcomes(scene.verify(layout=COLONS)) == {
        b"a:b": Outcome.MISSING_FROM_BACKUP
    }

    scene.tree.replace(TreePath(PLACE.encode()), b"2")

    report = scene.verify(layout=COLONS)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "another object's" in report.findings[0].detail


def test_an_object_in_the_place_of_a_directory_may_be_recovered(scene: Loaded) -> None:
    """An operation before it has made the directory."""
    scene.both("a/b", b"x")
    scene.store.put("bkt", "a", b"y")
    scene.tree.replace(TreePath(PLACE.encode()), b"y")

    report = scene.verify()

    assert outcomes(report) == {b"a": Outcome.UNVERIFIABLE}
    assert "is a directory" in report.findings[0].detail


# --- what was loaded ------------------------------------------------------------------

WHOLE = Source("bkt", ROOT)
FIRST = replace(WHOLE, end_marker="m")
SECOND = replace(WHOLE, begin_marker="m")


def test_a_disk_that_says_what_was_loaded_needs_no_bucket(scene: Loaded) -> None:
    """The report says that nobody else says it."""
    scene.both("a", b"x")
    scene.selected(WHOLE)

    report = scene.verify(layout=None)

    assert report.verdict is Verdict.VERIFIED
    assert report.sources == (WHOLE,)
    assert report.selection == SelectionOrigin(
        "/S3EXPORT/selection.json", "LOAD1", named=False
    )
    assert "s3://bkt/ is the disk's own word" in report.warnings[0]
    scene.store.put("bkt", "lost", b"y")
    assert scene.verify(layout=None).verdict is Verdict.DIFFERS


def test_where_nobody_says_what_it_should_equal_there_is_nothing_to_compare(
    scene: Loaded,
) -> None:
    """Neither the operator nor the disk."""
    scene.both("a", b"x")

    with pytest.raises(errors.NothingToCompareWith):
        scene.verify(layout=None)

    assert not scene.disk.mounted


def test_nonsense_on_the_disk_is_refused_where_nothing_else_is_named(
    scene: Loaded,
) -> None:
    """Where something is named it is a warning, and the whole is looked for."""
    scene.both("a", b"x")
    scene.tree.replace(SELECTION, b'{"schema": "s3export/load/1", "sources": []}')

    with pytest.raises(errors.InputRefused, match="0 sources") as refused:
        scene.verify(layout=None)

    assert "--bucket" in refused.value.next_step
    named = scene.verify()
    assert named.verdict is Verdict.VERIFIED
    assert "0 sources" in named.warnings[0]
    scene.tree.damaged.add(SELECTION)
    with pytest.raises(errors.InputRefused, match="Input/output error"):
        scene.verify(layout=None)


def test_a_bucket_that_only_the_disk_names_must_be_there(scene: Loaded) -> None:
    """It is looked at once it is known."""
    scene.both("a", b"x")
    scene.selected(replace(WHOLE, bucket="nowhere"))

    with pytest.raises(errors.AwsError, match="nowhere"):
        scene.verify(layout=None)


def series(scene: Loaded) -> None:
    """Have a bucket that fills two disks, and the first of them."""
    for key in ("a", "m"):
        scene.both(key, b"x")
    for key in ("n", "z"):
        scene.store.put("bkt", key, b"y")
    scene.logged(("a", "bkt/a", 200, "OK", b"x"), ("m", "bkt/m", 200, "OK", b"x"))
    scene.selected(FIRST)


def test_what_belongs_to_the_next_disk_is_not_missing(scene: Loaded) -> None:
    """The report says where this disk ends; --whole looks for all."""
    series(scene)

    for layout in (LAYOUT, None):
        report = scene.verify(layout=layout)
        assert report.verdict is Verdict.VERIFIED
        assert report.sources == (FIRST,)
    part = scene.verify()
    assert part.selection and part.selection.named
    assert part.selection.part == "up to s3://bkt/m"
    assert "up to s3://bkt/m" in part.warnings[0]
    whole = scene.verify(whole=True)
    assert outcomes(whole) == dict.fromkeys((b"n", b"z"), Outcome.MISSING_FROM_BACKUP)
    assert "holds a part" in whole.warnings[0]


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize("completeness", [True, False])
def test_a_part_that_a_file_on_the_disk_contradicts_is_not_believed(
    scene: Loaded, size: int | None, completeness: bool
) -> None:
    """Disks of a series that were copied together: the last one's word is left."""
    series(scene)
    scene.on_disk("n", b"y")

    report = scene.verify(sample_size=size, completeness=completeness)

    assert report.sources == LAYOUT.sources
    assert report.selection is None
    (warning,) = (w for w in report.warnings if "a part" in w)
    assert "but S3 has the object of /bkt/n, which is not of it: all was" in warning
    missing = {b"z": Outcome.MISSING_FROM_BACKUP} if completeness else {}
    assert outcomes(report) == missing
    every = scene.verify()
    assert every.sample.population == 3
    scene.on_disk("n", b"Y")
    assert outcomes(scene.verify())[b"n"] is Outcome.MISMATCH


def test_a_run_of_a_part_that_was_not_believed_can_be_gone_on_with(
    scene: Loaded,
) -> None:
    """It was of the whole, and is again."""
    series(scene)
    scene.on_disk("n", b"y")
    first = scene.verify(sample_size=1)

    report = scene.verify(sample_size=2, earlier=earlier(first))

    assert report.sources == LAYOUT.sources
    assert report.sample.taken_over == 1
    del scene.tree.files[b"bkt/n"]  # it is a part again
    with pytest.raises(errors.InputRefused, match="what is exported"):
        scene.verify(sample_size=2, earlier=earlier(first))


def test_what_the_disk_alone_says_is_doubted_where_there_is_more(scene: Loaded) -> None:
    """Nobody has said what else should be there."""
    series(scene)
    scene.on_disk("n", b"y")

    report = scene.verify(layout=None)

    assert report.verdict is Verdict.INCONCLUSIVE
    (doubt,) = report.doubts
    assert "/bkt/n is not of what this disk says it holds" in doubt


def test_a_part_is_believed_where_what_is_beside_it_is_none_of_s3s(
    scene: Loaded,
) -> None:
    """What a desktop leaves everywhere contradicts nothing."""
    series(scene)
    scene.on_disk("n-stray", b"y")
    for layout in (LAYOUT, None):
        report = scene.verify(layout=layout)

        assert report.verdict is Verdict.VERIFIED
        assert report.sources == (FIRST,)
        assert outcomes(report) == {b"n-stray": Outcome.MISSING_FROM_SOURCE}


def test_a_part_is_contradicted_by_what_another_operation_wrote(scene: Loaded) -> None:
    """It lies in a directory that the part does not have."""
    series(scene)
    other = replace(WHOLE, prefix="z", directory=TreePath(b"zs"))
    named = replace(LAYOUT, sources=(WHOLE, other))
    assert scene.verify(layout=named).verdict is Verdict.VERIFIED
    scene.tree.replace(TreePath(b"zs/z"), b"x")

    report = scene.verify(layout=named)

    assert report.sources == named.sources
    assert outcomes(report)[b"zs/z"] is Outcome.MISMATCH


def test_a_part_is_contradicted_by_a_file_under_its_substituted_name(
    scene: Loaded,
) -> None:
    """A name does not tell its key, but the way back does."""
    series(scene)
    swaps = (Substitution("n", "q"),)
    scene.selected(replace(FIRST, substitutions=swaps))
    named = replace(LAYOUT, sources=(replace(WHOLE, substitutions=swaps),))
    assert scene.verify(layout=named).verdict is Verdict.VERIFIED
    scene.on_disk("q", b"y")

    report = scene.verify(layout=named)

    assert outcomes(report) == {b"z": Outcome.MISSING_FROM_BACKUP}


def test_what_is_missing_of_a_part_is_missing(scene: Loaded) -> None:
    """Its last object included."""
    series(scene)
    del scene.tree.files[b"bkt/m"]

    assert outcomes(scene.verify()) == {b"m": Outcome.MISSING_FROM_BACKUP}


def test_the_second_disk_is_verified_with_the_manifest_of_all(scene: Loaded) -> None:
    """It begins where the first ended."""
    for key in ("a", "m"):
        scene.store.put("bkt", key, b"x")
    scene.both("n", b"y")
    scene.selected(SECOND)

    report = scene.verify()

    assert report.verdict is Verdict.VERIFIED
    assert report.selection and report.selection.part == "after s3://bkt/m"


def test_a_part_that_the_disks_log_goes_beyond_is_not_believed(scene: Loaded) -> None:
    """The file is damaged, or was left by an earlier load: all is looked for."""
    series(scene)
    scene.logged(("z", "bkt/z", 200, "OK", b"y"))

    report = scene.verify()

    assert report.sources == LAYOUT.sources
    assert "there is more" in report.warnings[0]
    assert report.verdict is Verdict.DIFFERS


@pytest.mark.parametrize(
    "other",
    [
        replace(WHOLE, bucket="other"),
        replace(WHOLE, prefix="a"),
        replace(WHOLE, directory=TreePath(b"elsewhere")),
        replace(WHOLE, substitutions=(Substitution("a", "b"),)),
    ],
)
def test_a_selection_that_is_no_part_of_what_was_named_is_not_used(
    scene: Loaded, other: Source
) -> None:
    """What the operator names decides, and a warning says that the disk differs."""
    scene.both("a", b"x")
    scene.store.put("bkt", "lost", b"x")
    scene.selected(other)

    report = scene.verify()

    assert (report.sources, report.selection) == (LAYOUT.sources, None)
    assert "something else was loaded" in report.warnings[0]
    assert report.verdict is Verdict.DIFFERS


def test_a_disk_with_notes_in_plain_sight_is_no_container(scene: Loaded) -> None:
    """Nobody is asked for a password."""
    scene.both("a", b"x")
    scene.selected(WHOLE)
    scene.tree.replace(TreePath(b"old.tc"), b"?")

    report = scene.verify(layout=None)

    assert (report.container, scene.keys.asked) == (None, [])


def test_what_s3_tells_more_of_than_a_log_is_asked_of_s3(scene: Loaded) -> None:
    """A checksum decides before the disk's own log is looked at."""
    scene.both("fine", b"x")
    scene.on_disk("kms", b"rotten")
    digest = base64.b64encode(hashlib.sha256(b"secret").digest()).decode()
    sums: Mapping[str, object] = {
        "encryption": "aws:kms",
        "checksums": [Checksum("SHA256", digest, "FULL_OBJECT")],
    }
    scene.store.put("bkt", "kms", b"secret", **sums)  # type: ignore[arg-type]
    scene.logged(("kms", "bkt/kms", 200, "OK", b"rotten"))

    report = scene.verify()

    assert outcomes(report) == {b"kms": Outcome.MISMATCH}
    assert report.findings[0].evidence == "sha256"
