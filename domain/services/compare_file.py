"""Compare one file with one object: evidence from S3, one pass over the file.

`CompareFile.ask` finds out what the file can be compared by (the network);
`CompareFile.judge` reads it and says what it is (the disk). As a rule the file is read
once, whatever must be computed; only parts of uneven sizes can need a second pass.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from s3export.domain.backup_layout import ObjectName
from s3export.domain.checksum_report import Computed
from s3export.domain.digests import OnePass, Recipe
from s3export.domain.errors import (
    FileUnreadable,
    NoSuchObject,
    ObjectUnreadable,
    PermissionMissing,
)
from s3export.domain.evidence import (
    DOWNLOAD,
    NONE,
    SIZE,
    Evidence,
    EvidenceKind,
    NoEvidence,
    ObjectFacts,
    common_parts,
    ladder,
    listed_evidence,
    logged_md5,
    trusted_part,
    trusted_sizes,
    uniform_parts,
    whole_checksum,
)
from s3export.domain.export_log import LogEntry
from s3export.domain.ports import (
    FileTree,
    HashFunctions,
    ObjectStore,
    Readable,
    Stop,
    TreeFile,
)
from s3export.domain.verification import SAYS_DISK, ExportTime, Outcome

_CHUNK_BYTES = 1 << 20

_Sizes = tuple[int, ...] | NoEvidence


@dataclass(frozen=True)
class Compared:
    """What a comparison found; the first fields are those of a `Finding`.

    Attributes:
        newer: The object is newer than the export, as far as that is known.
        presumed: That it is newer is all that speaks for a change since the export.
        version_id: The version that was current when exported, if there is a later one.

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
    presumed: bool = False
    version_id: str = ""


@dataclass(frozen=True)
class Knowledge:
    """What is known besides S3.

    Attributes:
        exported_at: Objects newer than that may differ.
        log: What the export log says of each object.
        computed: What a checksum report says of each object.
        strong: Refuse 32-bit checksums and uploaders' claims as proof.

    """

    exported_at: ExportTime | None = None
    log: Mapping[ObjectName, LogEntry] = field(default_factory=dict)
    computed: Mapping[ObjectName, Computed] = field(default_factory=dict)
    strong: bool = False

    def when(self, name: ObjectName, file: TreeFile | None = None) -> datetime | None:
        """Return when an object was exported, if anything says it.

        What the operator says comes first, then the log's word on this very object.
        A disk says it of each file: its inode cannot be older than what was written.
        """
        told = self.exported_at
        if told and told.is_certain:
            return told.moment
        entry = self.log.get(name)
        if entry and entry.at:
            return entry.at
        if told and told.origin == SAYS_DISK and file:
            return min(told.moment, from_ns(file.changed_ns) or told.moment)
        return told.moment if told else None

    def is_newer(self, facts: ObjectFacts, file: TreeFile | None = None) -> bool:
        """Say whether an object was written after it was exported."""
        moment = self.when(ObjectName(facts.bucket, facts.key), file)
        return moment is not None and facts.modified_at > moment


def from_ns(since_epoch: int) -> datetime | None:
    """Return a time of a file system, or ``None`` where it is none of this age."""
    try:
        return (
            datetime.fromtimestamp(since_epoch // 10**9, UTC) if since_epoch else None
        )
    except (ValueError, OverflowError, OSError):
        return None


@dataclass(frozen=True)
class _Way:
    """What one version of an object is compared by, and what is left to try.

    Attributes:
        ready: Computed in the first pass; the first that fits proves the file right.
        guessed: The one of them that rests on a guess at even parts, if any.
        rest: Tried with the sizes of all parts, if the guess does not fit.

    """

    facts: ObjectFacts
    ready: tuple[Evidence, ...]
    guessed: Evidence | None
    rest: tuple[Evidence, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """A file, and what it is to be compared with.

    Attributes:
        way: ``None`` where the sizes differ.
        listed: The facts come from a listing, which proves equality at most.
        then: The version that was current when exported, where there is a later one.
        newer: The object is newer than the export.

    """

    file: TreeFile
    facts: ObjectFacts
    way: _Way | None
    listed: bool = False
    newer: bool = False
    then: ObjectFacts | None = None
    then_way: _Way | None = None


@dataclass(frozen=True)
class CompareFile:
    """Compares files of one tree with objects of one store."""

    store: ObjectStore
    tree: FileTree
    hashes: HashFunctions
    knowledge: Knowledge

    # --- asking -------------------------------------------------------------------

    def ask_listed(self, file: TreeFile, facts: ObjectFacts) -> Case | None:
        """Compare by what a listing tells, if that can be enough: no request."""
        evidence = listed_evidence(facts)
        if evidence is None or file.size_bytes != facts.size_bytes:
            return None
        way = _Way(facts, (evidence,), None, (), ())
        newer = self.knowledge.is_newer(facts, file)
        return Case(file, facts, way, listed=True, newer=newer)

    def ask(self, file: TreeFile, facts: ObjectFacts) -> Case:
        """Find out what a file can be compared by: part sizes, older versions.

        Raises:
            AwsError: S3 cannot be asked.

        """
        newer = self.knowledge.is_newer(facts, file)
        then = self._version_then(file, facts) if newer else None
        return Case(
            file,
            facts,
            self._way(file, facts, current=not newer),
            newer=newer,
            then=then,
            then_way=self._way(file, then, current=True) if then else None,
        )

    def _way(self, file: TreeFile, facts: ObjectFacts, *, current: bool) -> _Way | None:
        if file.size_bytes != facts.size_bytes:
            return None
        found = ladder(
            facts,
            self.hashes.algorithms(),
            strong=self.knowledge.strong,
            witnesses=self._witnesses(facts, logged=current),
        )
        return self._planned(facts, found.rungs, found.reasons)

    def _planned(
        self,
        facts: ObjectFacts,
        rungs: Sequence[Evidence],
        reasons: tuple[str, ...],
        exact: _Sizes | None = None,
    ) -> _Way:
        """Take rungs until one decides; what needs part sizes gets them here.

        Args:
            exact: What is known of the parts already; otherwise the first part's size
                will do for a guess.

        """
        ready: list[Evidence] = []
        for number, rung in enumerate(rungs):
            if not rung.ready:
                guess = None if exact else self._first_guess(facts, rung.parts)
                if guess:
                    guessed = rung.of_parts(guess, decisive=False)
                    left = tuple(rungs[number:])
                    return _Way(facts, (*ready, guessed), guessed, left, reasons)
                exact = exact or self._part_sizes(facts, rung.parts)
                if isinstance(exact, NoEvidence):
                    reasons = (*reasons, exact.reason)
                    ready += [
                        rung.of_parts(way, decisive=False)
                        for way in common_parts(facts.size_bytes, rung.parts)
                    ]
                    continue
                rung = rung.of_parts(exact, decisive=rung.decisive)
            ready.append(rung)
            if rung.decisive:
                break
        return _Way(facts, tuple(ready), None, (), tuple(dict.fromkeys(reasons)))

    def _first_guess(self, facts: ObjectFacts, parts: int) -> tuple[int, ...] | None:
        """Guess from the first part's size: as a rule all others are equal to it."""
        first = self._part_size(facts, parts, 1)
        if isinstance(first, NoEvidence):
            return None
        return uniform_parts(facts.size_bytes, parts, first)

    def _part_sizes(self, facts: ObjectFacts, parts: int) -> _Sizes:
        """Return every part's size, from one list or asked for one by one."""
        told = self.store.part_sizes(
            facts.bucket, facts.key, version_id=facts.version_id
        )
        if told:
            return trusted_sizes(told, facts.size_bytes, parts)
        sizes = []
        for number in range(1, parts + 1):
            size = self._part_size(facts, parts, number)
            if isinstance(size, NoEvidence):
                return size
            sizes.append(size)
        return trusted_sizes(sizes, facts.size_bytes, parts)

    def _part_size(
        self, facts: ObjectFacts, parts: int, number: int
    ) -> int | NoEvidence:
        part = self.store.part(
            facts.bucket, facts.key, number, version_id=facts.version_id
        )
        return trusted_part(part, parts)

    def _witnesses(self, facts: ObjectFacts, *, logged: bool) -> list[Evidence]:
        """Return what others than S3's metadata say of this very content."""
        name = ObjectName(facts.bucket, facts.key)
        found = []
        computed = self.knowledge.computed.get(name)
        if (
            computed
            and computed.etag == facts.etag  # S3 read this very content
            and computed.algorithm in self.hashes.algorithms()
        ):
            one = whole_checksum(
                computed.algorithm, computed.value, "the checksum report"
            )
            if isinstance(one, Evidence):
                found.append(one)
        if logged and self.knowledge.when(name):
            evidence = self._logged(facts)
            if evidence:
                found.append(evidence)
        return found

    def _logged(self, facts: ObjectFacts) -> Evidence | None:
        entry = self.knowledge.log.get(ObjectName(facts.bucket, facts.key))
        return logged_md5(entry.md5) if entry and entry.written else None

    def _version_then(self, file: TreeFile, facts: ObjectFacts) -> ObjectFacts | None:
        """Return the version that was current when the object was exported."""
        moment = self.knowledge.when(ObjectName(facts.bucket, facts.key), file)
        _latest, *older = self.store.versions(facts.bucket, facts.key) or (None,)
        for version in older:
            if moment and version.modified_at <= moment:
                if version.deleted:
                    return None
                return self.store.head(
                    facts.bucket, facts.key, version_id=version.version_id
                )
        return None

    # --- judging ------------------------------------------------------------------

    def judge(self, case: Case, stop: Stop) -> Compared:
        """Read a file, and say whether it is equal to its object.

        Returns:
            Match, mismatch, changed since the export, unverifiable, unreadable; or
            missing from the source, if the object has gone since it was listed.

        Raises:
            AwsError: S3 cannot be asked for what turns out to be needed.

        """
        digests = _Digests(self.tree, case.file, self.hashes, stop)
        try:
            result = self._judged(case, digests)
        except FileUnreadable as error:
            result = self._result(case, Outcome.UNREADABLE, detail=error.message)
        except PermissionMissing as error:
            detail = f"S3 refuses to tell its metadata: {error.message}"
            result = self._result(case, Outcome.UNVERIFIABLE, detail=detail)
        return replace(result, bytes_read=digests.bytes_read)

    def _judged(self, case: Case, digests: "_Digests") -> Compared:
        ways = [way for way in (case.way, case.then_way) if way]
        digests.need(
            *(one for way in ways for one in way.ready),
            *([logged] if case.newer and (logged := self._logged(case.facts)) else []),
        )
        now = self._settled(case, case.facts, case.way, digests)
        if case.listed and now.outcome is not Outcome.MATCH:
            # A listing proves equality at most: what differs is asked about.
            facts = self.store.head(case.facts.bucket, case.facts.key)
            if facts is None:
                return self._result(
                    case,
                    Outcome.MISSING_FROM_SOURCE,
                    detail="S3 had the object when it was listed, and has it no more",
                )
            return self._judged(self.ask(case.file, facts), digests)
        if now.outcome is Outcome.MATCH or not case.newer:
            return now
        if case.then:
            return self._as_it_was(case, case.then, digests)
        logged = self._logged(case.facts)
        if logged:
            return self._as_logged(case, logged, digests)
        if now.outcome is not Outcome.MISMATCH:
            return now
        detail = f"the object is newer than the export ({_day(case.facts)})"
        changed = replace(now, outcome=Outcome.CHANGED_SINCE_EXPORT, detail=detail)
        return replace(changed, presumed=True)

    def _as_it_was(
        self, case: Case, then: ObjectFacts, digests: "_Digests"
    ) -> Compared:
        """Compare with the version that was current when the object was exported."""
        found = self._settled(case, then, case.then_way, digests)
        version = f"version {then.version_id} of {_day(then)}, current when exported"
        if found.outcome is Outcome.MATCH:
            detail = f"changed since; the file is equal to {version}"
            return replace(found, outcome=Outcome.CHANGED_SINCE_EXPORT, detail=detail)
        return replace(found, detail=f"{found.detail}; compared with {version}")

    def _as_logged(self, case: Case, logged: Evidence, digests: "_Digests") -> Compared:
        """Compare with what the loader says that it wrote."""
        actual = logged.text(digests.of(logged))
        if actual == logged.expected:
            outcome = Outcome.CHANGED_SINCE_EXPORT
            detail = "changed since; the file is what the export log says was written"
        else:
            outcome = Outcome.MISMATCH
            detail = "changed since, and the file is not what the export log says"
        return self._result(case, outcome, logged.kind, logged.expected, actual, detail)

    def _settled(
        self,
        case: Case,
        facts: ObjectFacts,
        way: _Way | None,
        digests: "_Digests",
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
        reasons = way.reasons or ("nothing that S3 tells proves anything",)
        return self._result(case, Outcome.UNVERIFIABLE, detail="; ".join(reasons))

    def _beyond_the_guess(
        self, case: Case, way: _Way, guessed: Evidence, digests: "_Digests"
    ) -> Compared:
        """Go on where even parts do not explain the digest: they may be uneven.

        So every part's size is asked for before a file is called different.
        """
        exact = self._part_sizes(way.facts, guessed.parts)
        if exact == guessed.part_sizes and way.rest[0].decisive:
            return self._differs(case, guessed, guessed.text(digests.of(guessed)))
        planned = self._planned(way.facts, way.rest, way.reasons, exact)
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
            return replace(undecided, outcome=Outcome.UNREADABLE, detail=error.message)
        except (ObjectUnreadable, PermissionMissing, NoSuchObject) as error:
            detail = f"{undecided.detail}; it cannot be downloaded: {error.message}"
            return replace(undecided, detail=detail)
        told = Compared(Outcome.MATCH, file, name, DOWNLOAD, bytes_read=read)
        version = undecided.version_id
        since = f"changed since; version {version} was current when exported"
        if differs is None and version:
            return replace(told, outcome=Outcome.CHANGED_SINCE_EXPORT, detail=since)
        if differs is None:
            return replace(told, newer=undecided.newer)
        detail = f"the content differs from byte {differs:,} on"
        if undecided.newer and not version:
            detail += "; the object is newer than the export"
            changed = replace(told, outcome=Outcome.CHANGED_SINCE_EXPORT)
            return replace(changed, detail=detail, newer=True, presumed=True)
        return replace(told, outcome=Outcome.MISMATCH, detail=detail)

    def _differs_from(self, undecided: Compared, stop: Stop) -> tuple[int, int | None]:
        """Return how much was read, and the first byte that differs, if any."""
        name, read = undecided.object, 0
        chunks = self.store.read(name.bucket, name.key, version_id=undecided.version_id)
        with self.tree.open(undecided.file.path) as source:
            for chunk in chunks:
                own = _exactly(source, len(chunk))
                if own != chunk:
                    return read + len(own), read + _first_difference(own, chunk)
                read += len(chunk)
                if stop():
                    raise FileUnreadable("not read to its end: interrupted")
            return read, read if _exactly(source, 1) else None


class _Digests:
    """The digests of one file, computed when they are needed, many in one pass."""

    def __init__(
        self, tree: FileTree, file: TreeFile, hashes: HashFunctions, stop: Stop
    ) -> None:
        self._tree = tree
        self._file = file
        self._hashes = hashes
        self._stop = stop
        self._known: dict[Recipe, bytes] = {}
        self.bytes_read = 0

    def of(self, evidence: Evidence) -> bytes:
        self.need(evidence)
        return self._known[evidence.recipe]

    def need(self, *evidence: Evidence) -> None:
        recipes = {one.recipe for one in evidence} - self._known.keys()
        if recipes:
            self._known |= self._read(recipes)

    def _read(self, recipes: Iterable[Recipe]) -> Mapping[Recipe, bytes]:
        running = OnePass(recipes, self._hashes.new)
        size = min(_CHUNK_BYTES, max(1, self._file.size_bytes))
        buffer = memoryview(bytearray(size))
        with self._tree.open(self._file.path) as source:
            while got := source.readinto(buffer):
                running.update(buffer[:got])
                self.bytes_read += got
                if self._stop():
                    raise FileUnreadable("not read to its end: interrupted")
        return running.digests()


def _exactly(source: Readable, length: int) -> bytes:
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
