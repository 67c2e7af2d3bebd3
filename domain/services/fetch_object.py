"""Fetch one object to a disk, and prove its bytes while they pass.

The bytes are hashed in the pass that writes them, and compared with what S3 tells of
the object, before the file has a name. What differs is fetched again, then reported.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from s3export.domain.backup_layout import Source
from s3export.domain.digests import OnePass, Recipe
from s3export.domain.errors import (
    AwsFailed,
    BodyBroken,
    DiskFull,
    NoSuchObject,
    ObjectArchived,
    ObjectChanged,
    ObjectUnreadable,
    PermissionMissing,
)
from s3export.domain.evidence import ETAG_MD5, NONE, Evidence, ObjectFacts, ladder
from s3export.domain.export_log import WRITTEN
from s3export.domain.ports import (
    AskedAhead,
    Clock,
    HashFunctions,
    NewFile,
    ObjectBody,
    ObjectStore,
    Stop,
    Workers,
    WritableTree,
)
from s3export.domain.services.ask_s3 import AskS3, Way
from s3export.domain.services.knowledge import Knowledge

OK = "OK"
CHANGED = "Changed"
MISMATCH = "ChecksumMismatch"
INCOMPLETE = "IncompleteBody"

_MD5 = Recipe("MD5")
_MIB = 1 << 20
_BUFFER_BYTES = 1 << 18
_LARGE_BYTES = 64 * _MIB  # from here on in ranges, several at once
_RANGE_BYTES = 4 * _MIB
_RANGES_AT_ONCE = 4

_TRIES = 5  # of a body that breaks off
_PROOFS = 3  # of bytes that are not those that S3 tells of
_PAUSE_SECONDS = 0.25  # doubled with each try


@dataclass(frozen=True)
class Item:
    """An object that an operation selects, as it was listed."""

    operation: int
    source: Source
    listed: ObjectFacts


@dataclass(frozen=True)
class Fetched:
    """What came of it.

    Attributes:
        file: The bytes, complete and not contradicted by S3; without a name yet.
            ``None`` where there are none.
        status, code: As for the export log.
        facts: Of the version that was fetched; as listed where none was.
        evidence, digest: What the bytes were found equal to.
        detail: For people: what is wrong, or why there is no evidence.
        full: There was no room for it; nothing was decided.
        at: When S3 was asked for it: what is written to S3 later is another version.

    """

    item: Item
    file: NewFile | None
    status: int
    code: str
    facts: ObjectFacts
    md5: str = ""
    evidence: str = ""
    digest: str = ""
    detail: str = ""
    full: bool = False
    at: datetime | None = None


@dataclass(frozen=True)
class Ahead:
    """An object that was asked for already, and when."""

    asked: AskedAhead
    at: datetime


class NewFiles:
    """The files of one tree that have no name yet: none may be forgotten open.

    An open file keeps a disk from being unmounted, and its room from being used.
    Thread-safe.
    """

    def __init__(self, tree: WritableTree) -> None:
        self._tree = tree
        self._open: set[NewFile] = set()
        self._ended = False

    def begin(self) -> NewFile:
        """Begin a file."""
        file = self._tree.new_file()
        self._open.add(file)
        if self._ended:  # whoever began it was given up
            self.close(file)
            raise BodyBroken("the load was given up")
        return file

    def close(self, file: NewFile) -> None:
        """Let go of one; idempotent."""
        file.close()
        self._open.discard(file)

    def close_all(self) -> None:
        """Let go of all, and begin no more."""
        self._ended = True
        while self._open:
            self.close(next(iter(self._open)))


@dataclass(frozen=True)
class FetchObject:
    """Fetches objects to files of one tree. Thread-safe."""

    store: ObjectStore
    hashes: HashFunctions
    workers: Workers
    clock: Clock
    files: NewFiles

    def __call__(self, item: Item, stop: Stop, ahead: "Ahead | None" = None) -> Fetched:
        """Fetch an object.

        Args:
            ahead: The object was asked for already; used once, for the first try.

        Raises:
            AwsError: S3 cannot be asked (any more): that is no matter of this object.
            DeviceFailed: The disk gives an error.

        """
        try:
            return self._fetched(item, stop, ahead)
        except DiskFull as error:
            return _failed(item, 0, "", error.message, full=True)
        except NoSuchObject as error:
            return _failed(item, 404, "NoSuchKey", error.message)
        except ObjectArchived as error:
            way_out = f" ({error.next_step})" if error.next_step else ""
            detail = f"{error.message}{way_out}"
            return _failed(item, 403, "InvalidObjectState", detail)
        except ObjectUnreadable as error:
            return _failed(item, 400, "ObjectUnreadable", error.message)
        except PermissionMissing as error:
            return _failed(item, 403, "AccessDenied", error.message)
        except BodyBroken as error:
            return _failed(item, 500, INCOMPLETE, error.message)
        except ObjectChanged as error:
            return _failed(item, 500, "ChangesAllTheTime", error.message)
        except AwsFailed as error:
            return _failed(item, 500, "Failed", error.message)

    def _fetched(self, item: Item, stop: Stop, ahead: "Ahead | None") -> Fetched:
        broken = wrong = 0
        while True:
            file = self.files.begin()
            first, ahead = ahead, None
            try:
                found = self._once(item, file, stop, first)
            except (BodyBroken, ObjectChanged):
                self.files.close(file)
                broken += 1
                if broken == _TRIES or stop():
                    raise
                self.clock.wait(_PAUSE_SECONDS * 2**broken)
                if stop():
                    raise
                continue
            except BaseException:
                self.files.close(file)
                raise
            if found.code != MISMATCH:
                return found
            self.files.close(file)
            wrong += 1
            if wrong == _PROOFS or stop():
                return replace(found, file=None)

    def _once(
        self, item: Item, file: NewFile, stop: Stop, ahead: "Ahead | None"
    ) -> Fetched:
        listed = item.listed
        if listed.size_bytes >= _LARGE_BYTES:
            asked_at = self.clock.now()
            facts = self.store.head(listed.bucket, listed.key)
            if facts is None:
                raise NoSuchObject(
                    f"s3://{listed.bucket}/{listed.key}: there is no such object"
                )
            way = self._way(facts)
            hashing = self._hashing(way)
            self._in_ranges(facts, file, hashing, stop)
        else:
            with self._opened(listed, ahead) as (body, asked_at):
                facts = body.facts
                way = self._way(facts)
                hashing = self._hashing(way)
                buffer = memoryview(bytearray(min(_BUFFER_BYTES, facts.size_bytes + 1)))
                while got := body.readinto(buffer):
                    hashing.update(buffer[:got])
                    file.write(buffer[:got])
        return self._judged(item, facts, file, way, hashing.digests(), asked_at)

    @contextmanager
    def _opened(
        self, listed: ObjectFacts, ahead: "Ahead | None"
    ) -> Iterator[tuple[ObjectBody, datetime]]:
        """Give an object's bytes, and say when they were asked for."""
        if ahead:
            with ahead.asked.open() as body:
                if body is not None:
                    yield body, ahead.at
                    return
        asked_at = self.clock.now()
        with self.store.open(listed.bucket, listed.key) as body:
            yield body, asked_at

    def _in_ranges(
        self, facts: ObjectFacts, file: NewFile, hashing: OnePass, stop: Stop
    ) -> None:
        """Fetch ranges side by side, and take their bytes in order."""
        starts = range(0, facts.size_bytes, _RANGE_BYTES)

        def fetch(start: int, range_stop: Stop) -> bytearray:
            return self._range(facts, start, range_stop)

        ranges = self.workers.map(fetch, starts, at_once=_RANGES_AT_ONCE)
        with closing(ranges):
            for content in ranges:
                if stop():
                    raise BodyBroken("the load was given up")
                view = memoryview(content)
                hashing.update(view)
                file.write(view)

    def _range(self, facts: ObjectFacts, start: int, stop: Stop) -> bytearray:
        length = min(_RANGE_BYTES, facts.size_bytes - start)
        content = bytearray(length)
        for tried in range(1, _TRIES + 1):
            try:
                with self.store.open(
                    facts.bucket,
                    facts.key,
                    version_id=facts.version_id,
                    if_match=facts.etag,
                    start=start,
                    length=length,
                ) as body:
                    _fill(body, memoryview(content))
                    return content
            except BodyBroken:
                if tried == _TRIES or stop():
                    raise
                self.clock.wait(_PAUSE_SECONDS * 2**tried)
        raise AssertionError  # the last try returned or raised

    # --- the proof ------------------------------------------------------------------

    @property
    def _asking(self) -> AskS3:
        return AskS3(self.store, self.hashes, Knowledge())

    def _way(self, facts: ObjectFacts) -> Way:
        """Choose the evidence: the MD5 of the whole first, which the log needs anyway.

        Where the ETag is none, what `ladder` has as the strongest.
        """
        found = ladder(facts, self.hashes.algorithms())
        rungs = sorted(found.rungs, key=lambda rung: rung.kind != ETAG_MD5)
        return self._asking.planned(facts, rungs, found.reasons)

    def _hashing(self, way: Way) -> OnePass:
        recipes = [_MD5, *(evidence.recipe for evidence in way.ready)]
        return OnePass(recipes, self.hashes.new)

    def _judged(
        self,
        item: Item,
        facts: ObjectFacts,
        file: NewFile,
        way: Way,
        digests: Mapping[Recipe, bytes],
        asked_at: datetime,
    ) -> Fetched:
        if file.size_bytes != facts.size_bytes:
            raise BodyBroken(
                f"s3://{facts.bucket}/{facts.key}: {file.size_bytes:,} bytes came, of "
                f"{facts.size_bytes:,}"
            )
        changed = facts.etag != item.listed.etag
        found = Fetched(
            item,
            file,
            WRITTEN,
            CHANGED if changed else OK,
            facts,
            md5=digests[_MD5].hex(),
            at=asked_at,
        )
        for evidence in way.ready:
            actual = evidence.text(digests[evidence.recipe])
            if actual == evidence.expected:
                return replace(found, evidence=evidence.kind, digest=actual)
            if evidence.decisive:
                return _mismatch(found, evidence, actual)
        if way.guessed:
            actual = way.guessed.text(digests[way.guessed.recipe])
            return self._by_uneven_parts(found, file, way, way.guessed, actual)
        detail = "; ".join(way.reasons) or "S3 offers nothing to compare with"
        return replace(found, evidence=NONE, detail=detail)

    def _by_uneven_parts(
        self, found: Fetched, file: NewFile, way: Way, guessed: Evidence, actual: str
    ) -> Fetched:
        """Hash once more, in the sizes of all parts: they may not be even."""
        exact = self._asking.part_sizes(way.facts, guessed.parts)
        if exact == guessed.part_sizes and way.rest[0].decisive:
            return _mismatch(found, guessed, actual)
        again = self._asking.planned(way.facts, way.rest, way.reasons, exact)
        hashing = self._hashing(again)
        for chunk in file.chunks():
            hashing.update(chunk)
        assert found.at is not None
        return self._judged(
            found.item, way.facts, file, again, hashing.digests(), found.at
        )


def _fill(body: ObjectBody, room: memoryview) -> None:
    filled = 0
    while filled < len(room):
        got = body.readinto(room[filled:])
        if not got:
            raise BodyBroken(f"a range ended after {filled:,} of {len(room):,} bytes")
        filled += got
    if body.readinto(memoryview(bytearray(1))):
        raise BodyBroken(f"a range is longer than {len(room):,} bytes")


def _mismatch(found: Fetched, evidence: Evidence, actual: str) -> Fetched:
    facts = found.facts
    return replace(
        found,
        status=500,
        code=MISMATCH,
        detail=(
            f"s3://{facts.bucket}/{facts.key}: what came has the {evidence.kind} "
            f"{actual}, and S3 tells {evidence.expected}"
        ),
    )


def _failed(
    item: Item, status: int, code: str, detail: str, *, full: bool = False
) -> Fetched:
    return Fetched(item, None, status, code, item.listed, detail=detail, full=full)


def items_from(
    store: ObjectStore, sources: tuple[Source, ...], operation: int, after: str
) -> Iterator[Item]:
    """Yield what the operations select, from a place on, in the order of loading.

    Args:
        operation: The operation to begin in.
        after: Its last key that is done; empty to begin with its first one.

    """
    for number, source in enumerate(sources):
        if number < operation:
            continue
        begin = max(source.begin_marker, after if number == operation else "")
        begun = replace(source, begin_marker=begin)
        for facts in selected(store, begun):
            yield Item(number, source, facts)


def selected(store: ObjectStore, source: Source) -> Iterator[ObjectFacts]:
    """Yield the objects that an operation exports, in key order."""
    listing = store.list_objects(
        source.bucket, prefix=source.prefix, after=source.begin_marker
    )
    for found in listing:
        if source.is_past(found.key):
            return
        if source.selects(found.key):
            yield found


def selected_in_no_order(
    store: ObjectStore, source: Source, *, at_once: int
) -> Generator[ObjectFacts, None, None]:
    """Yield the objects that an operation exports, by so many requests at once."""
    listing = store.list_unordered(
        source.bucket,
        prefix=source.prefix,
        after=source.begin_marker,
        up_to=source.end_marker,
        at_once=at_once,
    )
    with closing(listing):
        yield from (found for found in listing if source.selects(found.key))
