"""One verification while it is under way: list, walk, draw, ask, read, compare."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import NamedTuple

from s3export.domain.backup_layout import (
    NO_OBJECT,
    BackupLayout,
    NotAPath,
    ObjectName,
    TreePath,
    below,
    shown,
)
from s3export.domain.completeness import Inventory, Listed
from s3export.domain.confidence import Bound, percent, sample_size, upper_bound
from s3export.domain.containers import ContainerFacts
from s3export.domain.counting import counted
from s3export.domain.errors import PermissionMissing, RootAbsent
from s3export.domain.export_log import LogEntry
from s3export.domain.grouping import grouped
from s3export.domain.ports import (
    Clock,
    FileTree,
    HashFunctions,
    ObjectStore,
    Progress,
    Scratch,
    ScratchFile,
    Stop,
    TreeFile,
    Workers,
)
from s3export.domain.sampling import Draw
from s3export.domain.services.absences import Absences
from s3export.domain.services.ask_s3 import AskS3, Case
from s3export.domain.services.backup_files import BackupFiles
from s3export.domain.services.claimed_part import ClaimedPart, PartRefuted
from s3export.domain.services.compare_file import (
    Compared,
    CompareFile,
    bears_its_time,
)
from s3export.domain.services.disk_notes import GO_ON_LOADING, UNFINISHED, Basis
from s3export.domain.services.fetch_object import selected_in_no_order
from s3export.domain.services.file_digests import ReadDigests
from s3export.domain.services.file_spool import FileSpool
from s3export.domain.services.knowledge import Knowledge
from s3export.domain.services.verify_request import VerifyRequest
from s3export.domain.verification import (
    SAYS_DISK,
    SAYS_LOG,
    SAYS_OPERATOR,
    Completeness,
    EarlierRun,
    ExportTime,
    Finding,
    Outcome,
    Profile,
    Tally,
)

_LISTERS = 16  # pages of keys at once: more than one thread takes down
_READERS = 2  # of a disk that nobody knows
_SMALL_BYTES = 1 << 17  # files of up to this size are compared in groups
_SMALL_FILES = 32  # of a group, at most
_WINDOW_FILES = 4096  # so many are put into reading order together


@dataclass(frozen=True)
class Parts:
    """The ports that a run needs."""

    store: ObjectStore
    hashes: HashFunctions
    scratch: Scratch
    workers: Workers
    clock: Clock
    progress: Progress


class _Drawn(NamedTuple):
    """A drawn file, and the objects that it can be."""

    file: TreeFile
    names: tuple[ObjectName, ...]
    listed: Listed | None
    reason: str
    rivals: tuple[ObjectName, ...] = ()


@dataclass(frozen=True)
class _Broken:
    """What ends the run, behind the results that came before it."""

    error: BaseException


_Asking = Case | Compared | _Drawn
"""What is compared with what, as far as it is known without a request."""


class Run:
    """One verification while it is under way."""

    def __init__(
        self,
        parts: Parts,
        request: VerifyRequest,
        basis: Basis,
        tree: FileTree,
        stack: ExitStack,
        found: Callable[[Finding], None],
        *,
        noticed: Callable[[str], None],
        settled: Callable[[BackupLayout], None],
        where_to_look: str,
    ) -> None:
        self._parts = parts
        self.request = request
        self.basis = basis
        self._layout = basis.layout
        self._root = basis.layout.root
        self._tree = tree
        self._stack = stack
        self._found = found
        self._noticed = noticed
        self._settled = settled
        self._where_to_look = where_to_look
        self._draw: Draw[TreeFile] = Draw(request.seed, request.most_drawn)
        self._by_path, disbelieved = basis.by_path()
        self.files = BackupFiles(basis.layout, tree, self._by_path)
        self.knowledge = Knowledge(
            exported_at=_told(request),
            log={ObjectName(one.bucket, one.key): one for one in basis.entries},
            log_at=self._by_path,
            own_log=basis.own_log,
            computed=request.computed,
            strong=request.strong,
        )
        self._readers = request.readers or tree.reads_at_once or _READERS
        self.container: ContainerFacts | None = None
        self._inventory: Inventory | None = None
        self._by_name: dict[TreePath, Listed | None] = {}
        self._extra: list[_Drawn] = []
        self._drawn_paths: set[TreePath] = set()
        self._part = ClaimedPart(basis.layout, basis.whole) if basis.whole else None
        self._undecided: list[Compared] = []
        self._presumed: list[Compared] = []
        self._settled_paths: set[TreePath] = set()  # of objects newer than the export
        self._newer_and_equal = 0
        self._copied_later = 0
        self._excused = 0
        self._drawn_extra = 0
        self._damage_told = 0
        self.began = False
        self.walked = False
        self.requested = request.sample_size
        self.drawn = 0
        self.compared = 0
        self.taken_over = 0
        self.bytes_read = 0
        self.drawn_profile = Profile()
        self.verified = array("Q")
        self.tally = Tally()
        self.outcomes: Counter[Outcome] = Counter()
        self.findings: list[Finding] = []
        self.completeness: Completeness | None = None
        self.cut_short = ""
        self.doubts: list[str] = []
        if basis.unfinished:
            self.doubts.append(f"{UNFINISHED}: {GO_ON_LOADING}")
        self.warnings: list[str] = disbelieved

    def verify(self) -> None:
        """Run to the end; what is found is kept, however it ends.

        Raises:
            PartRefuted: Before anything is compared: this is more than the part that
                the disk says it is, and the whole that was named is to be looked at.

        """
        if not self._part:
            self._settled(self._layout)
        logged = (entry.file for entry in self.basis.entries if entry.written)
        try:
            directories, absent = self.files.directories(logged)
        except RootAbsent as error:
            if not self.basis.unfinished:
                raise
            message = f"{error.message}; {UNFINISHED}"
            raise RootAbsent(message, next_step=GO_ON_LOADING) from None
        self.began = True
        if (
            self.request.completeness
            or self.request.takes_all
            or self._layout.substitutes  # no path tells its key
        ):
            self._inventory = self._listing()
        # Closed at once when something fails: an open directory keeps a disk busy.
        is_object = self._inventory.has_of_size if self._inventory else None
        with closing(self.files.walk(directories, is_object)) as walked:
            files = self._part.seen(walked) if self._part else walked
            drawn = (
                self._spooled(files) if self.request.takes_all else self._chosen(files)
            )
        self.walked = True
        if self._part:
            self._doubt_the_part(self._part)
            self._settled(self._layout)
        self._notice_that_nothing_is_there()
        self._note_damage()
        self._note_what_was_not_looked_at(absent)
        self._date_the_export()
        self._compare(drawn)
        self._judge_the_presumed()
        if self.request.earlier and not self.taken_over:
            listed = self._inventory is not None
            why = _why_nothing_was_taken_over(self.request.earlier, listed)
            self.warnings.append(why)
        if self._inventory and self.request.completeness:
            self._look_for_the_missing(self._inventory)
        self._doubt_the_time()
        self._say_what_was_not_reached()

    def nobody_listens(self) -> None:
        """Tell no more findings: whoever was told them has gone."""
        self._found = lambda _: None

    def conclude_what_is_left(self) -> None:
        """Take what was found and waits for more, when there will be no more."""
        self._note_damage()
        for result in self._undecided:
            self._conclude(result)
        self._judge_the_presumed()
        self._doubt_the_time()

    def bound(self) -> Bound:
        """Return what the sample proves, of the files that S3 may list.

        Files that are known not to be in S3, drawn or not, are no matter of chance.
        """
        drawn = self.drawn - self._drawn_extra
        wrong = drawn - self.tally[Outcome.MATCH]
        files = self.files.count - self.known_extra
        return upper_bound(files, drawn, wrong, self.request.level)

    @property
    def known_extra(self) -> int:
        """How many files of a sample's population S3 is known not to list."""
        return len(self._extra)

    # --- what S3 lists ------------------------------------------------------------

    def _listing(self) -> Inventory:
        """Take down what S3 lists of the selection."""

        def new_file() -> ScratchFile:
            return self._stack.enter_context(self._parts.scratch.file())

        inventory = Inventory(self._layout.sources, new_file)
        with self._parts.progress.stage("listing S3", unit="objects") as stage:
            for number, source in enumerate(self._layout.sources):
                at_once = min(self.request.askers, _LISTERS)
                listing = selected_in_no_order(
                    self._parts.store, source, at_once=at_once
                )
                with closing(listing):
                    for facts in listing:
                        inventory.add(number, facts)
                        stage.advance()
        inventory.seal()
        return inventory

    # --- what is on the disk ---------------------------------------------------------

    def _chosen(self, files: Iterable[TreeFile]) -> Iterator[TreeFile]:
        """Draw, and see on the way which files S3 does not list."""
        with self._parts.progress.stage("listing the disk") as stage:
            for file in files:
                self._draw.offer(file.path, file)
                stage.advance()
                if self._inventory:
                    looked_up = self._looked_up(file)
                    if not looked_up.listed:
                        self._extra.append(looked_up)
        drawn = self._draw.drawn()
        if self.request.max_differing is not None:
            share, level = self.request.max_differing, self.request.level
            self.requested = sample_size(self.files.count, share, level)
            if self.request.earlier:  # what it found wrong must be among them
                self.requested = max(
                    self.requested, self.request.earlier.requested or 0
                )
            drawn = drawn[: self.requested]
        for file in drawn:
            self._count_drawn(file)
        self._drawn_paths = {file.path for file in drawn}
        self._drawn_extra = sum(e.file.path in self._drawn_paths for e in self._extra)
        return iter(drawn)

    def _spooled(self, files: Iterable[TreeFile]) -> Iterator[TreeFile]:
        """Take all files down, so that their number and bytes are known beforehand."""
        spool = FileSpool(self._stack.enter_context(self._parts.scratch.file()))
        with self._parts.progress.stage("listing the disk") as stage:
            for file in files:
                spool.add(file)
                self._count_drawn(file)
                stage.advance()
        return spool.files()

    def _count_drawn(self, file: TreeFile) -> None:
        self.drawn += 1
        self.drawn_profile.add(file.path, file.size_bytes, file.modified_ns)

    def _doubt_the_part(self, part: ClaimedPart) -> None:
        """Ask S3 about what lies outside of the part that the disk says it holds.

        Raises:
            PartRefuted: There is such an object, and the operator named the whole.

        """
        part.look_elsewhere(self._tree)
        store, workers = self._parts.store, self._parts.workers
        path = part.refuted_by(store, workers, self.request.askers)
        if path is not None and self.request.layout:
            raise PartRefuted(path)
        where = self.basis.selection.path if self.basis.selection else ""
        if path is not None:
            self.doubts.append(
                f"/{shown(path)} is not of what this disk says it holds ({where}), and "
                "S3 has its object: what else should be here only --bucket or "
                "--manifest says"
            )
        elif part.unasked:
            self.doubts.append(
                f"so many files are not of the part that this disk says it holds "
                f"({where}) that S3 was not asked about {part.unasked:,} of them: "
                "--whole looks for all"
            )

    def _date_the_export(self) -> None:
        """Where nobody says when the export was, it was when the disk was written."""
        written = self.files.newest_write(self._parts.clock.now())
        if written and not self.knowledge.exported_at:
            told = ExportTime(written, SAYS_DISK)
            self.knowledge = replace(self.knowledge, exported_at=told)

    def _note_damage(self) -> None:
        """Report what the walk could not look at."""
        for damaged in self.files.damaged[self._damage_told :]:
            unseen = TreeFile(damaged.path, size_bytes=0, modified_ns=0)
            unreadable = Outcome.UNREADABLE
            self._note(Compared(unreadable, unseen, NO_OBJECT, detail=damaged.reason))
        self._damage_told = len(self.files.damaged)

    def _notice_that_nothing_is_there(self) -> None:
        """Ask whether this is the disk at all, before all is called missing."""
        objects = self._inventory.count if self._inventory else 0
        if objects and not self.files.count and not self.files.damaged:
            notice = (
                f"there is no file at all below /{shown(self._layout.root)}, and S3 "
                f"has {counted(objects, 'object')}: {self._where_to_look}"
            )
            self.warnings.append(notice)
            self._noticed(notice)

    def _note_what_was_not_looked_at(self, absent: list[str]) -> None:
        odd = self.files.not_looked_at()
        # Without a listing nobody would miss what should be there in their place.
        told = self.warnings if self.request.completeness else self.doubts
        told += [*absent, *([odd] if odd else []), *self.files.warnings()]
        if self.basis.log and self.basis.log.unread:
            self.warnings.append(
                f"{self.basis.log.unread:,} lines of the export log are none that is "
                "understood"
            )

    # --- comparing ----------------------------------------------------------------

    def _compare(self, files: Iterator[TreeFile]) -> None:
        service, request = self._parts, self.request
        asking = AskS3(service.store, service.hashes, self.knowledge)
        reading = ReadDigests(
            self._tree, service.hashes, service.workers, self._readers
        )
        comparer = CompareFile(asking, reading)

        def ask(group: Sequence[_Asking], stop: Stop) -> list[Case | Compared]:
            return [
                self._asked(comparer, one) if isinstance(one, _Drawn) else one
                for one in group
            ]

        def examine(
            group: Sequence[Case | Compared], stop: Stop
        ) -> list[Compared | _Broken]:
            found: list[Compared | _Broken] = []
            for one in group:
                if stop():
                    break
                try:
                    found.append(
                        comparer.judge(one, stop) if isinstance(one, Case) else one
                    )
                except BaseException as error:  # what was compared before it counts
                    return [*found, _Broken(error)]
            return found

        looked_up = map(self._looked_up, self._to_compare(self._ordered(files)))
        known = (self._as_listed(asking, drawn) for drawn in looked_up)
        asked = service.workers.map(
            ask, grouped(known, _is_small, _SMALL_FILES), at_once=request.askers
        )
        compared = service.workers.map(examine, asked, at_once=self._readers)
        stages = service.progress.stage(
            "comparing", total=self.drawn, total_bytes=self.drawn_profile.size_bytes
        )
        with stages as stage, closing(asked), closing(compared):
            for result in chain.from_iterable(compared):
                if isinstance(result, _Broken):
                    raise result.error
                stage.advance(size_bytes=result.file.size_bytes)
                if request.download and result.outcome is Outcome.UNVERIFIABLE:
                    self._undecided.append(result)
                else:
                    self._conclude(result)
        self._download(comparer)
        for extra in self._extra:
            if extra.file.path not in self._drawn_paths:
                self._note(_not_in_s3(extra))

    def _ordered(self, files: Iterator[TreeFile]) -> Iterator[TreeFile]:
        while window := list(islice(files, _WINDOW_FILES)):
            yield from self._tree.reading_order(window)

    def _to_compare(self, files: Iterable[TreeFile]) -> Iterator[TreeFile]:
        """Leave out what an earlier run verified, if nothing has changed since."""
        for file in files:
            verified = self._verified_before(file) if self.request.earlier else None
            if verified:
                self.taken_over += 1
                self._conclude(verified)
            else:
                yield file

    def _verified_before(self, file: TreeFile) -> Compared | None:
        """Return a match that an earlier run found, and that is one still.

        File and object are as they were then; without a listing nothing says so.
        """
        earlier = self.request.earlier
        listed = self._looked_up(file).listed if self._inventory else None
        if not (earlier and listed):
            return None
        facts = listed.facts
        match = Compared(
            Outcome.MATCH,
            file,
            ObjectName(facts.bucket, facts.key),
            detail="verified by an earlier run",
            newer=self.knowledge.is_newer(facts, file),
            etag=facts.etag,
        )
        as_it_was = (
            facts.size_bytes == file.size_bytes
            and facts.modified_at < earlier.started_at
            and self._fingerprint(match) in earlier.verified
        )
        if not as_it_was:
            return None
        return match._replace(copied=match.newer and bears_its_time(file, facts))

    def _looked_up(self, file: TreeFile) -> _Drawn:
        """Find which objects a file can be; in the caller's thread."""
        reason = ""
        names: tuple[ObjectName, ...] = ()
        listed = None
        try:
            names = self._layout.objects(file.path)
        except NotAPath as error:
            reason = str(error)
        entry = self._by_path.get(file.path)
        if entry:
            name = ObjectName(entry.bucket, entry.key)
            if self._inventory:
                listed = self._inventory.find(file.path, name)
                listed = listed or self._found_by_name(self._inventory, file, name)
            names = tuple(dict.fromkeys((name, *names)))
        if self._inventory and not listed:
            listed = self._inventory.find(file.path)
        if self._layout.substitutes:
            reason = reason or ("" if listed else "no object is written to this path")
        elif not names:
            reason = reason or "no operation selects it"
        return _Drawn(file, names, listed, reason)

    def _found_by_name(
        self, inventory: Inventory, file: TreeFile, name: ObjectName
    ) -> Listed | None:
        """Find what a file elsewhere is: one object, however often it is asked for."""
        if file.path not in self._by_name:
            self._by_name[file.path] = inventory.find_key(*self._elsewhere(name))
        return self._by_name[file.path]

    def _elsewhere(self, name: ObjectName) -> tuple[str, str, set[bytes]]:
        """Return a name, and where the log says that the object lies as it should."""
        places = set()
        for source in self._layout.sources:
            if source.bucket == name.bucket and source.selects(name.key):
                with suppress(NotAPath):
                    path = source.place(name.key)
                    entry = self._by_path.get(path)
                    if entry and (entry.bucket, entry.key) == (name.bucket, name.key):
                        places.add(bytes(path))
        return name.bucket, name.key, places

    def _as_listed(self, asking: AskS3, drawn: _Drawn) -> "_Asking":
        """Settle by the listing what needs no request."""
        if not self._inventory:
            return drawn
        if not drawn.listed:
            return _not_in_s3(drawn)
        facts = drawn.listed.facts
        if self.knowledge.is_newer(facts, drawn.file):
            rivals = self._inventory.rivals(
                drawn.file.path, ObjectName(facts.bucket, facts.key)
            )
            if rivals:
                others = (ObjectName(r.facts.bucket, r.facts.key) for r in rivals)
                return drawn._replace(rivals=tuple(others))
        return asking.ask_listed(drawn.file, facts) or drawn

    def _asked(self, comparer: CompareFile, drawn: _Drawn) -> Case | Compared:
        """Find what S3 holds of the object that a file should be equal to."""
        if not drawn.listed:
            return self._first_found(comparer.asking, drawn, drawn.names)
        facts = drawn.listed.facts
        name = ObjectName(facts.bucket, facts.key)
        try:
            head = self._parts.store.head(*name)
            if head is None:
                return comparer.no_more(drawn.file, facts)
            case = comparer.asking.ask(drawn.file, head)
            return self._with_rivals(comparer.asking, case, drawn.rivals)
        except PermissionMissing as error:  # S3 listed it: it is there
            return Compared(
                Outcome.UNVERIFIABLE,
                drawn.file,
                name,
                detail=f"S3 refuses to tell its metadata: {error.message}",
            )

    def _first_found(
        self, asking: AskS3, drawn: _Drawn, names: Iterable[ObjectName]
    ) -> Case | Compared:
        """Ask for the first object that there is; if it is newer, for its rivals, too.

        Only what was there when the export was made can have been written.
        """
        left = iter(names)
        for name in left:
            facts = self._parts.store.head(*name)
            if facts is not None:
                case = asking.ask(drawn.file, facts)
                return self._with_rivals(asking, case, left)
        return _not_in_s3(drawn)

    def _with_rivals(
        self, asking: AskS3, case: Case, names: Iterable[ObjectName]
    ) -> Case:
        """Ask for the others that a file can be, if the first is newer.

        Where an older version of the first was current, the file is that, or damaged.
        """
        if not case.newer or case.then:
            return case
        rivals, refused = [], False
        for name in names:
            try:
                facts = self._parts.store.head(*name)
            except PermissionMissing:  # so S3 also answers for what is not there
                refused = True
                continue
            if facts is not None:
                rivals.append(asking.ask(case.file, facts))
        older = tuple(one for one in rivals if not one.newer)
        return case._replace(rivals=older, has_rivals=bool(older) or refused)

    def _download(self, comparer: CompareFile) -> None:
        """Settle by content what metadata could not, as far as the budget goes."""
        left = self.request.download_budget
        wanted = []
        for result in self._undecided:
            size = result.file.size_bytes
            if left is None or size <= left:
                wanted.append(result)
                left = None if left is None else left - size
            else:
                more = "not downloaded: more than is left of the budget"
                self._conclude(result._replace(detail=f"{result.detail}; {more}"))
        self._undecided = wanted
        settled = self._parts.workers.map(
            comparer.download, wanted, at_once=self._readers
        )
        total = sum(result.file.size_bytes for result in wanted)
        stages = (
            self._parts.progress.stage(
                "downloading", total=len(wanted), total_bytes=total
            )
            if wanted
            else nullcontext()
        )
        with stages as stage, closing(settled):
            for result in settled:
                self._undecided = self._undecided[1:]
                if stage:
                    stage.advance(size_bytes=result.file.size_bytes)
                self._conclude(result)

    def _judge_the_presumed(self) -> None:
        """Believe that what differs has changed, unless the presumption is refuted.

        Files that are equal to objects newer than the export say that the time of the
        export is wrong, or that objects were written anew as they were: then being
        newer excuses nothing, unless the operator answers for the time.
        """
        presumed, self._presumed = self._presumed, []
        for result in presumed:
            if self._newer_is_no_excuse:
                detail = (
                    f"{result.detail}, but so are {self._newer_and_equal:,} whose "
                    "files are equal: say when it was with --exported-at"
                )
                wrong = result._replace(outcome=Outcome.MISMATCH, detail=detail)
                self._conclude(wrong._replace(presumed=False))
            else:
                self._excused += 1
                self._conclude(result._replace(presumed=False))

    def _say_what_was_not_reached(self) -> None:
        """Say that less is proven than was asked for; the exit code does not."""
        share, bound = self.request.max_differing, self.bound()
        if share is not None and bound.fraction > share:
            self.warnings.append(
                f"the sample was to prove that at most {percent(share)}% differ, and "
                f"proves {bound.fraction:.2%}: of the files that were drawn "
                f"{self.tally[Outcome.MATCH]:,} equal S3 (--sample-size draws more)"
            )

    def _doubt_the_time(self) -> None:
        """Doubt the operator's time where files contradict it that excuses others.

        One object written anew as it was is no wonder. As many as the time excuses
        are, what is missing included (a sample stands for all files), and so are most
        of the files that are equal. A file that bears the very time of its object was
        copied after it, which alone contradicts.
        """
        told, against = self.knowledge.exported_at, self._newer_and_equal
        missing = self.completeness.newer if self.completeness else 0
        if not (told and told.is_certain and against and self._excused + missing):
            return
        each = self.files.count / self.compared
        many = each * against >= each * self._excused + missing
        most = against > 1 and 2 * against >= self.tally[Outcome.MATCH]
        if not (self._copied_later or many or most):
            return
        excuses = []
        if self._excused:
            excuses.append(counted(self._excused, "that differs", "that differ"))
        if missing:
            excuses.append(counted(missing, "that is missing", "that are missing"))
        copied = ""
        if self._copied_later:
            bear = "bears" if self._copied_later == 1 else "bear"
            copied = f", and {self._copied_later:,} {bear} its very time"
        self.doubts.append(
            f"{counted(against, 'file equals', 'files equal')} an object of the same "
            f"name that is newer than the export is said to be "
            f"({told.moment:%Y-%m-%d %H:%M:%S} UTC){copied}; that time excuses "
            f"{' and '.join(excuses)}: is it right?"
        )

    @property
    def _newer_is_no_excuse(self) -> bool:
        told = self.knowledge.exported_at
        return self._newer_and_equal > 0 and not (told and told.is_certain)

    # --- what is missing ----------------------------------------------------------

    def _look_for_the_missing(self, inventory: Inventory) -> None:
        """Name every object of the listing that no file was found for."""
        missing = newer = folders = unclear = unreadable = 0
        absences = Absences(self._layout, inventory, self.files)
        lost: dict[ObjectName, list[LogEntry]] = {}
        for one in self.files.unwalked.values():
            lost.setdefault(ObjectName(one.bucket, one.key), []).append(one)
        for listed in inventory.unseen():
            facts = listed.facts
            name = ObjectName(facts.bucket, facts.key)
            entry = self._entry_of_absent(lost.get(name, []), listed.path)
            entry = entry or self.knowledge.log.get(name)
            if (
                not entry
                and self.knowledge.is_newer(facts)
                and not self._newer_is_no_excuse
            ):
                newer += 1
            elif facts.key.endswith("/") and not facts.size_bytes:
                folders += 1
            else:
                outcome, detail = absences.judged(listed, entry)
                if outcome is Outcome.MISSING_FROM_BACKUP and not entry:
                    doubt = self._whose_is_it(inventory, listed)
                    outcome = Outcome.UNVERIFIABLE if doubt else outcome
                    detail = doubt or detail
                missing += outcome is Outcome.MISSING_FROM_BACKUP
                unclear += outcome is Outcome.UNVERIFIABLE
                unreadable += outcome is Outcome.UNREADABLE
                path = listed.path or TreePath(facts.key.encode())
                self._note_absent(outcome, path, name, facts.size_bytes, detail)
        missing += self._miss_what_the_log_has()
        self.completeness = Completeness(
            objects=inventory.count,
            size_bytes=inventory.size_bytes,
            missing=missing,
            newer=newer,
            folders=folders,
            unclear=unclear,
            unreadable=unreadable,
            extra=(
                self.tally[Outcome.MISSING_FROM_SOURCE]
                if self.request.takes_all
                else len(self._extra)
            ),
        )

    def _whose_is_it(self, inventory: Inventory, listed: Listed) -> str:
        """Say that the file at an object's path may be it; empty for no.

        It was taken for the first that is written there, which is newer than the
        export: perhaps it was not there then. What was drawn is settled, or said to be
        equal to neither.
        """
        if listed.path is None or listed.path in self._settled_paths:
            return ""
        name = ObjectName(listed.facts.bucket, listed.facts.key)
        for rival in inventory.rivals(listed.path, name, seen=True):
            other = rival.facts
            if self.knowledge.is_newer(other):
                return (
                    f"the file at its path may be it, or an older one of "
                    f"s3://{other.bucket}/{other.key}, which is newer than the export; "
                    "files that are drawn (--sample-size all) are compared with both"
                )
        return ""

    def _entry_of_absent(
        self, lost: list[LogEntry], path: TreePath | None
    ) -> LogEntry | None:
        """Return what the log says was written of an object, and is not there.

        An object that was exported twice was written twice; each is missed once.
        """
        if not lost:
            return None
        entry = next((one for one in lost if one.file == path), lost[0])
        lost.remove(entry)
        self.files.unwalked.pop(entry.file)
        return entry

    def _miss_what_the_log_has(self) -> int:
        """Name what was written to the disk and is not there, whatever S3 has now."""
        missing = 0
        for path, entry in self.files.unwalked.items():
            if entry.key.endswith("/") or not any(
                source.bucket == entry.bucket and source.selects(entry.key)
                for source in self._layout.sources
            ):
                continue
            missing += 1
            self._note_absent(
                Outcome.MISSING_FROM_BACKUP,
                path,
                ObjectName(entry.bucket, entry.key),
                0,
                "the export log says that it was written; S3 has deleted it since",
            )
        return missing

    def _note_absent(
        self,
        outcome: Outcome,
        path: TreePath,
        name: ObjectName,
        size_bytes: int,
        detail: str,
    ) -> None:
        absent = TreeFile(path, size_bytes, modified_ns=0)
        self._note(Compared(outcome, absent, name, detail=detail))

    # --- findings -----------------------------------------------------------------

    def _conclude(self, compared: Compared) -> None:
        """Take the result of a drawn file."""
        if compared.presumed:
            self._presumed.append(compared)
            return
        self.compared += 1
        self.outcomes[compared.outcome] += 1
        settled = compared.newer and not compared.has_rivals
        if settled and self._inventory:
            path = compared.file.path
            if self._inventory.has_another(path, compared.object):
                self._settled_paths.add(path)
        if compared.outcome is Outcome.MATCH:
            if self._inventory and compared.rival:
                self._inventory.find(compared.file.path, compared.object)
            self.verified.append(self._fingerprint(compared))
            self._newer_and_equal += compared.newer
            self._copied_later += compared.copied
        self._note(compared)

    def _note(self, compared: Compared) -> None:
        path = below(compared.file.path, self._root)
        finding = Finding(
            path=compared.file.path if path is None else path,
            outcome=compared.outcome,
            bucket=compared.object.bucket,
            key=compared.object.key,
            evidence=compared.evidence,
            expected=compared.expected,
            actual=compared.actual,
            size_bytes=compared.file.size_bytes,
            detail=compared.detail,
            place_bytes=self._place_of_damage(compared),
        )
        self.bytes_read += compared.bytes_read
        self.tally.add(finding)
        if self.request.all_findings or finding.outcome is not Outcome.MATCH:
            self.findings.append(finding)
            self._found(finding)

    def _place_of_damage(self, compared: Compared) -> int | None:
        """Say where an unreadable file lies; nothing of what was not even seen."""
        seen = compared.file.inode or compared.file.modified_ns
        if compared.outcome is not Outcome.UNREADABLE or not seen:
            return None
        return self._tree.place_of(compared.file.path)

    def _fingerprint(self, match: Compared) -> int:
        """Return what names a file and its object, as both are now."""
        file, name = match.file, match.object
        return self._draw.fingerprint(
            b"\0".join([file.path, *(_bytes(t) for t in (*name, match.etag))]),
            file.size_bytes,
            file.modified_ns,
            file.changed_ns,
            file.inode,
        )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _is_small(one: _Asking) -> bool:
    """Say whether it needs no request, and little reading."""
    return not isinstance(one, _Drawn) and one.file.size_bytes <= _SMALL_BYTES


def _not_in_s3(drawn: _Drawn) -> Compared:
    name = drawn.names[0] if drawn.names else NO_OBJECT
    return Compared(
        Outcome.MISSING_FROM_SOURCE,
        drawn.file,
        name,
        detail=drawn.reason or "S3 has no such object",
    )


def _why_nothing_was_taken_over(earlier: EarlierRun, listed: bool) -> str:
    if not listed:
        return (
            "nothing of the earlier run was taken over: without a listing "
            "(--no-completeness) nothing says that S3 is as it was"
        )
    if earlier.verified:
        return (
            "nothing of the earlier run was taken over: the disk, or S3, has changed "
            "since"
        )
    return (
        "the earlier run left nothing to go on with (it looked at every file, or none "
        "was equal): everything is looked at again"
    )


def _told(request: VerifyRequest) -> ExportTime | None:
    """Return when the export was, as far as somebody says it."""
    if request.exported_at:
        return ExportTime(request.exported_at, SAYS_OPERATOR)
    newest = request.log.newest if request.log else None
    return ExportTime(newest, SAYS_LOG) if newest else None
