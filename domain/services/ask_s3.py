"""Find out what a file can be compared by: metadata, part sizes, older versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from s3export.domain.backup_layout import ObjectName
from s3export.domain.errors import PermissionMissing
from s3export.domain.evidence import (
    Evidence,
    NoEvidence,
    ObjectFacts,
    common_parts,
    ladder,
    listed_evidence,
    trusted_part,
    trusted_sizes,
    uniform_parts,
)
from s3export.domain.ports import HashFunctions, ObjectStore, TreeFile
from s3export.domain.services.knowledge import Knowledge

Sizes = tuple[int, ...] | NoEvidence


class Way(NamedTuple):
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

    @property
    def decides(self) -> bool:
        """Whether the first pass can tell equal from different."""
        return bool(self.guessed) or any(one.decisive for one in self.ready)


class Case(NamedTuple):
    """A file, and what it is to be compared with.

    Attributes:
        way: ``None`` where the sizes differ.
        listed: The facts come from a listing, which proves equality at most.
        then: The version that was current when exported, where there is a later one.
        newer: The object is newer than the export.
        rivals: Objects that are written to the same path, and are not newer.
        has_rivals: There are some, or S3 does not tell.

    """

    file: TreeFile
    facts: ObjectFacts
    way: Way | None
    listed: bool = False
    newer: bool = False
    then: ObjectFacts | None = None
    then_way: Way | None = None
    rivals: tuple["Case", ...] = ()
    has_rivals: bool = False


@dataclass(frozen=True)
class AskS3:
    """Plans comparisons with the objects of one store."""

    store: ObjectStore
    hashes: HashFunctions
    knowledge: Knowledge

    def ask_listed(self, file: TreeFile, facts: ObjectFacts) -> Case | None:
        """Compare by what a listing tells, if that can be enough: no request."""
        evidence = listed_evidence(facts)
        if evidence is None or file.size_bytes != facts.size_bytes:
            return None
        way = Way(facts, (evidence,), None, (), ())
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

    def _way(self, file: TreeFile, facts: ObjectFacts, *, current: bool) -> Way | None:
        if file.size_bytes != facts.size_bytes:
            return None
        found = ladder(
            facts,
            self.hashes.algorithms(),
            strong=self.knowledge.strong,
            witnesses=self._witnesses(facts, file if current else None),
        )
        return self.planned(facts, found.rungs, found.reasons)

    def planned(
        self,
        facts: ObjectFacts,
        rungs: Sequence[Evidence],
        reasons: tuple[str, ...],
        exact: Sizes | None = None,
    ) -> Way:
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
                    return Way(facts, (*ready, guessed), guessed, left, reasons)
                exact = exact or self.part_sizes(facts, rung.parts)
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
        return Way(facts, tuple(ready), None, (), tuple(dict.fromkeys(reasons)))

    def _first_guess(self, facts: ObjectFacts, parts: int) -> tuple[int, ...] | None:
        """Guess from the first part's size: as a rule all others are equal to it."""
        first = self._part_size(facts, parts, 1)
        if isinstance(first, NoEvidence):
            return None
        return uniform_parts(facts.size_bytes, parts, first)

    def part_sizes(self, facts: ObjectFacts, parts: int) -> Sizes:
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

    def _witnesses(self, facts: ObjectFacts, file: TreeFile | None) -> list[Evidence]:
        """Return what others than S3's metadata say of this very content.

        Args:
            file: Whose line of the export log counts; ``None`` for no line.

        """
        reported = self.knowledge.reported(facts)
        found = [reported] if reported else []
        found = [one for one in found if one.algorithm in self.hashes.algorithms()]
        # That a disk agrees with itself proves nothing.
        if self.knowledge.own_log or not file:
            return found
        evidence = self.knowledge.logged(facts, file)
        if evidence and self.knowledge.log_speaks_of(facts, file):
            found.append(evidence)
        return found

    def _version_then(self, file: TreeFile, facts: ObjectFacts) -> ObjectFacts | None:
        """Return the version that was exported, or else was current then.

        A log that names the version, or its ETag, knows better than any clock.
        """
        name = ObjectName(facts.bucket, facts.key)
        written = self.knowledge.written(name, file)
        if written and written.version_id:
            try:
                return self.store.head(*name, version_id=written.version_id)
            except PermissionMissing:
                return None  # the log's own digest is left
        then = self._version_at(self.knowledge.when(name, file), facts)
        if then and written and written.etag != then.etag:
            return None
        return then

    def _version_at(
        self, moment: datetime | None, facts: ObjectFacts
    ) -> ObjectFacts | None:
        _latest, *older = self.store.versions(facts.bucket, facts.key) or (None,)
        for version in older:
            if moment and version.modified_at <= moment:
                if version.deleted:
                    return None
                return self.store.head(
                    facts.bucket, facts.key, version_id=version.version_id
                )
        return None
