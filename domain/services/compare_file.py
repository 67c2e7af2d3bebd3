"""Compare one file with one object: one pass over the file.

`AskS3` has found out what the file can be compared by. As a rule the file is read once,
whatever must be computed; only parts of uneven sizes can need a second pass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from s3export.domain.backup_layout import ObjectName
from s3export.domain.errors import (
    FileUnreadable,
    NoSuchObject,
    ObjectChanged,
    ObjectUnreadable,
    PermissionMissing,
)
from s3export.domain.evidence import (
    DIRECTORY_BUCKET,
    DOWNLOAD,
    METADATA_MD5,
    NONE,
    SIZE,
    Evidence,
    EvidenceKind,
    ObjectFacts,
)
from s3export.domain.ports import ObjectBody, Readable, Stop, TreeFile
from s3export.domain.services.ask_s3 import AskS3, Case, Way
from s3export.domain.services.file_digests import FileDigests, ReadDigests
from s3export.domain.verification import Outcome


class Compared(NamedTuple):
    """What a comparison found; the first fields are those of a `Finding`.

    Attributes:
        newer: The object is newer than the export, as far as that is known.
        copied: It is newer than the export, and the file bears its very time, as those
            set it who copy an object (``aws s3 sync``, rclone).
        etag: Of the object as it is now.
        presumed: That it is newer is all that speaks for a change since the export.
        version_id: The version that was current when exported, if there is a later one.
        rival: It is not the first object that is written to its path.
        has_rivals: It can be another object than this one, which is newer.

    """

    outcome: Outcome
    file: TreeFile
    object: ObjectName
    evidence: EvidenceKind = NONE
    expected: str = ""
    actual: str = ""
    detail: str = ""
    bytes_read: int = 0
    newer: bool = False
    copied: bool = False
    presumed: bool = False
    etag: str = ""
    version_id: str = ""
    rival: bool = False
    has_rivals: bool = False


@dataclass(frozen=True)
class CompareFile:
    """Compares files of one tree with objects of one store."""

    asking: AskS3
    reading: ReadDigests

    # --- judging ------------------------------------------------------------------

    def judge(self, case: Case, stop: Stop) -> Compared:
        """Read a file, and say whether it is equal to its object.

        Returns:
            Match, mismatch, changed since the export, unverifiable, unreadable; or
            missing from the source, if the object has gone since it was listed.

        Raises:
            AwsError: S3 cannot be asked for what turns out to be needed.

        """
        digests = FileDigests(self.reading, case.file, stop)
        try:
            result = self._judged(case, digests)
            unproven = result.presumed or result.outcome is Outcome.UNVERIFIABLE
            if case.has_rivals and unproven:
                result = self._settled_with_rivals(case, result, digests)
        except FileUnreadable as error:
            result = self._result(case, Outcome.UNREADABLE, detail=error.message)
        except PermissionMissing as error:
            detail = f"S3 refuses to tell its metadata: {error.message}"
            result = self._result(case, Outcome.UNVERIFIABLE, detail=detail)
        return result._replace(bytes_read=digests.bytes_read)

    def _settled_with_rivals(
        self, case: Case, first: Compared, digests: FileDigests
    ) -> Compared:
        """Ask which of several objects a file is: none is presumed to be it.

        The first may have been written anew since the export, or for the first time:
        then the file is another's.
        """
        for rival in case.rivals:
            found = self._judged(rival, digests)
            if found.outcome is Outcome.MATCH:
                return found._replace(rival=True)
        others = ", ".join(f"s3://{r.facts.bucket}/{r.facts.key}" for r in case.rivals)
        others = others or "another object that S3 says nothing about"
        detail = (
            f"{first.detail}; the file can also be {others}, of the same path, and was "
            "found equal to neither"
        )
        unknown = first._replace(outcome=Outcome.UNVERIFIABLE, presumed=False)
        unknown = unknown._replace(evidence=NONE, expected="", actual="")
        return unknown._replace(detail=detail, has_rivals=True)

    def _judged(self, case: Case, digests: FileDigests) -> Compared:
        ways = [way for way in (case.way, case.then_way) if way]
        own_log = self.asking.knowledge.own_log
        logged = None
        if case.newer or own_log:
            logged = self.asking.knowledge.logged(case.facts, case.file)
        planned = [one for way in ways for one in way.ready]
        if logged and (case.newer or (case.way and not case.way.decides)):
            planned.append(logged)
        digests.need(*planned)
        now = self._settled(case, case.facts, case.way, digests)
        if case.listed and now.outcome is not Outcome.MATCH:
            # A listing proves equality at most: what differs is asked about.
            facts = self.asking.store.head(case.facts.bucket, case.facts.key)
            if facts is None:
                return self.no_more(case.file, case.facts)
            return self._judged(self.asking.ask(case.file, facts), digests)
        if logged and own_log and now.outcome is Outcome.UNVERIFIABLE:
            now = self._accused(case, now, logged, digests)
        if now.outcome is Outcome.MATCH or not case.newer:
            return now
        if case.then:
            return self._as_it_was(case, case.then, digests)
        if logged:
            then = self._as_logged(case, logged, digests)
            equal = then.outcome is Outcome.CHANGED_SINCE_EXPORT
            if not own_log or not equal:
                return then
        if now.outcome is not Outcome.MISMATCH:
            return now
        detail = f"the object is newer than the export ({_day(case.facts)})"
        changed = now._replace(outcome=Outcome.CHANGED_SINCE_EXPORT, detail=detail)
        return changed._replace(presumed=True)

    def _as_it_was(
        self, case: Case, then: ObjectFacts, digests: FileDigests
    ) -> Compared:
        """Compare with the version that was current when the object was exported."""
        found = self._settled(case, then, case.then_way, digests)
        version = f"version {then.version_id} of {_day(then)}, current when exported"
        if found.outcome is Outcome.MATCH:
            detail = f"changed since; the file is equal to {version}"
            return found._replace(outcome=Outcome.CHANGED_SINCE_EXPORT, detail=detail)
        return found._replace(detail=f"{found.detail}; compared with {version}")

    def _as_logged(
        self, case: Case, logged: Evidence, digests: FileDigests
    ) -> Compared:
        """Compare with what the loader says that it wrote."""
        actual = logged.text(digests.of(logged))
        if actual == logged.expected:
            outcome = Outcome.CHANGED_SINCE_EXPORT
            detail = "changed since; the file is what the export log says was written"
        else:
            outcome = Outcome.MISMATCH
            detail = "changed since, and the file is not what the export log says"
        return self._result(case, outcome, logged.kind, logged.expected, actual, detail)

    def _accused(
        self, case: Case, now: Compared, logged: Evidence, digests: FileDigests
    ) -> Compared:
        """Ask the disk's own log where S3 says nothing: it proves damage at most."""
        actual = logged.text(digests.of(logged))
        if actual == logged.expected:
            agrees = f"the file is what {logged.whose} says, which is no proof"
            return now._replace(detail=f"{now.detail}; {agrees}")
        detail = f"the file is not what {logged.whose} says was written"
        wrong = Outcome.MISMATCH
        return self._result(case, wrong, logged.kind, logged.expected, actual, detail)

    def _settled(
        self,
        case: Case,
        facts: ObjectFacts,
        way: Way | None,
        digests: FileDigests,
    ) -> Compared:
        """Compare with one version of an object."""
        if way is None:
            expected, actual = str(facts.size_bytes), str(case.file.size_bytes)
            detail = "the sizes differ"
            return self._result(case, Outcome.MISMATCH, SIZE, expected, actual, detail)
        digests.need(*way.ready)
        for evidence in way.ready:
            actual = evidence.text(digests.of(evidence))
            if actual == evidence.expected:
                return self._result(
                    case,
                    Outcome.MATCH,
                    evidence.kind,
                    evidence.expected,
                    actual,
                    f"by {evidence.whose}" if evidence.whose else "",
                )
            if evidence.decisive:
                return self._differs(case, evidence, actual)
        if way.guessed:
            return self._beyond_the_guess(case, way, way.guessed, digests)
        if not facts.size_bytes:
            empty = "both are empty"
            return self._result(case, Outcome.MATCH, SIZE, "0", "0", empty)
        reasons = (*way.reasons, *_of_unknown_extent(way.ready)) or _NO_REASON
        return self._result(case, Outcome.UNVERIFIABLE, detail="; ".join(reasons))

    def _beyond_the_guess(
        self, case: Case, way: Way, guessed: Evidence, digests: FileDigests
    ) -> Compared:
        """Go on where even parts do not explain the digest: they may be uneven.

        So every part's size is asked for before a file is called different.
        """
        exact = self.asking.part_sizes(way.facts, guessed.parts)
        if exact == guessed.part_sizes and way.rest[0].decisive:
            return self._differs(case, guessed, guessed.text(digests.of(guessed)))
        planned = self.asking.planned(way.facts, way.rest, way.reasons, exact)
        return self._settled(case, way.facts, planned, digests)

    def _differs(self, case: Case, evidence: Evidence, actual: str) -> Compared:
        detail = "same size, other content"
        if evidence.whose:
            detail += f", by {evidence.whose}"
        return self._result(
            case,
            Outcome.MISMATCH,
            evidence.kind,
            evidence.expected,
            actual,
            detail,
        )

    def no_more(self, file: TreeFile, listed: ObjectFacts) -> Compared:
        """Say what it means that S3 has no object that it had listed.

        It is asked again for a listing: servers and what stands between can be wrong.
        """
        name = ObjectName(listed.bucket, listed.key)
        again: Iterator[ObjectFacts] = iter(())
        if not name.bucket.endswith(DIRECTORY_BUCKET):  # list no prefix within a name
            again = self.asking.store.list_objects(name.bucket, prefix=name.key)
        if any(facts.key == name.key for facts in islice(again, 1)):
            detail = "S3 lists the object, and says that it is not there"
            return Compared(Outcome.UNVERIFIABLE, file, name, detail=detail)
        detail = "S3 had the object when it was listed, and has it no more"
        return Compared(Outcome.MISSING_FROM_SOURCE, file, name, detail=detail)

    @staticmethod
    def _result(
        case: Case,
        outcome: Outcome,
        evidence: EvidenceKind = NONE,
        expected: str = "",
        actual: str = "",
        detail: str = "",
    ) -> Compared:
        return Compared(
            outcome,
            case.file,
            ObjectName(case.facts.bucket, case.facts.key),
            evidence,
            expected,
            actual,
            detail,
            newer=case.newer,
            copied=case.newer and bears_its_time(case.file, case.facts),
            etag=case.facts.etag,
            version_id=case.then.version_id if case.then else "",
        )

    # --- downloading --------------------------------------------------------------

    def download(self, undecided: Compared, stop: Stop) -> Compared:
        """Compare a file with its object byte by byte: the object is downloaded.

        The version that was current when exported, where there is a later one.

        Raises:
            AwsError: S3 cannot be asked.

        """
        file, name = undecided.file, undecided.object
        try:
            read, differs = self._differs_from(undecided, stop)
        except FileUnreadable as error:
            return undecided._replace(outcome=Outcome.UNREADABLE, detail=error.message)
        except ObjectChanged:
            why = "the object was changed while it waited to be downloaded"
            return undecided._replace(detail=f"{undecided.detail}; {why}")
        except (ObjectUnreadable, PermissionMissing, NoSuchObject) as error:
            detail = f"{undecided.detail}; it cannot be downloaded: {error.message}"
            return undecided._replace(detail=detail)
        told = Compared(Outcome.MATCH, file, name, DOWNLOAD, bytes_read=read)
        version = undecided.version_id
        since = f"changed since; version {version} was current when exported"
        if differs is None and version:
            return told._replace(outcome=Outcome.CHANGED_SINCE_EXPORT, detail=since)
        if differs is None:
            return told._replace(
                newer=undecided.newer, copied=undecided.copied, etag=undecided.etag
            )
        detail = f"the content differs from byte {differs:,} on"
        if undecided.has_rivals:
            detail = f"{undecided.detail}; {detail}"
            return undecided._replace(detail=detail, bytes_read=read)
        if undecided.newer and not version:
            detail += "; the object is newer than the export"
            changed = told._replace(outcome=Outcome.CHANGED_SINCE_EXPORT)
            return changed._replace(detail=detail, newer=True, presumed=True)
        return told._replace(outcome=Outcome.MISMATCH, detail=detail)

    def _differs_from(self, undecided: Compared, stop: Stop) -> tuple[int, int | None]:
        """Return how much was read, and the first byte that differs, if any."""
        name, read = undecided.object, 0
        version, etag = undecided.version_id, undecided.etag
        # A weak ETag matches nothing (RFC 9110, If-Match).
        comparable = not version and not etag.startswith("W/")
        asked = self.asking.store.open(
            name.bucket,
            name.key,
            version_id=version,
            if_match=etag if comparable else "",
        )
        with asked as body, self.reading.tree.open(undecided.file.path) as source:
            while chunk := _exactly(body, _CHUNK_BYTES):
                own = _exactly(source, len(chunk))
                if own != chunk:
                    return read + len(own), read + _first_difference(own, chunk)
                read += len(chunk)
                if stop():
                    raise FileUnreadable("not read to its end: interrupted")
            return read, read if _exactly(source, 1) else None


_CHUNK_BYTES = 1 << 20
_NO_REASON = ("nothing that S3 tells proves anything",)


def _of_unknown_extent(differs: Sequence[Evidence]) -> Iterator[str]:
    """Say which checksums are not the file's, and may be of something else instead."""
    for one in differs:
        if one.kind == METADATA_MD5 and not one.decisive:
            yield (
                f"the file's MD5 is not {one.whose}, which may be of the content "
                "before it was compressed"
            )
        elif not (one.decisive or one.parts or one.whose):
            yield (
                f"the file's {one.algorithm} is another than S3's, which says not "
                "whether it is of the whole"
            )


def _exactly(source: Readable | ObjectBody, length: int) -> bytes:
    """Read so many bytes, or all that are left."""
    found = bytearray()
    buffer = bytearray(length)
    while len(found) < length:
        got = source.readinto(memoryview(buffer)[: length - len(found)])
        if not got:
            break
        found += buffer[:got]
    return bytes(found)


def _first_difference(one: bytes, other: bytes) -> int:
    pairs = zip(one, other, strict=False)
    shorter = min(len(one), len(other))
    return next((n for n, (a, b) in enumerate(pairs) if a != b), shorter)


def _day(facts: ObjectFacts) -> str:
    return facts.modified_at.strftime("%Y-%m-%d %H:%M:%S UTC")


def bears_its_time(file: TreeFile, facts: ObjectFacts) -> bool:
    """Say whether a file was last changed in the second in which its object was."""
    return file.modified_ns // 10**9 == int(facts.modified_at.timestamp())
