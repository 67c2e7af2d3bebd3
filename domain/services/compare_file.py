"""Compare one file with one object: evidence from S3, one pass over the file."""

from dataclasses import dataclass, replace

from s3export.domain.backup_layout import ObjectName
from s3export.domain.errors import FileUnreadable
from s3export.domain.evidence import (
    Evidence,
    EvidenceKind,
    NoEvidence,
    ObjectFacts,
    PartsNeeded,
    evidence_of,
    multipart_evidence,
    trusted_part,
    uniform_parts,
)
from s3export.domain.ports import FileTree, ObjectStore, Stop, TreeFile
from s3export.domain.verification import Outcome

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Compared:
    """What a comparison found; the fields are those of a `Finding`."""

    outcome: Outcome
    file: TreeFile
    object: ObjectName
    evidence: EvidenceKind = EvidenceKind.NONE
    expected: str = ""
    actual: str = ""
    detail: str = ""
    bytes_read: int = 0


@dataclass(frozen=True)
class CompareFile:
    """Compares files of one tree with objects of one store."""

    store: ObjectStore
    tree: FileTree

    def compare(self, file: TreeFile, facts: ObjectFacts, stop: Stop) -> Compared:
        """Compare a file with the object that it should be equal to.

        Returns:
            Match, mismatch, unverifiable or unreadable.

        Raises:
            AwsError: S3 cannot be asked for the sizes of the parts.
        """
        name = ObjectName(facts.bucket, facts.key)
        if file.size_bytes != facts.size_bytes:
            return Compared(
                Outcome.MISMATCH,
                file,
                name,
                EvidenceKind.SIZE,
                expected=str(facts.size_bytes),
                actual=str(file.size_bytes),
                detail="the sizes differ",
            )
        evidence = evidence_of(facts)
        try:
            match evidence:
                case Evidence():
                    return self._by_digest(file, name, evidence, stop)
                case PartsNeeded(parts):
                    return self._by_parts(file, facts, parts, stop)
                case NoEvidence(reason):
                    return Compared(Outcome.UNVERIFIABLE, file, name, detail=reason)
        except FileUnreadable as error:
            return Compared(Outcome.UNREADABLE, file, name, detail=error.message)

    def _by_parts(
        self, file: TreeFile, facts: ObjectFacts, parts: int, stop: Stop
    ) -> Compared:
        """Compare with a multipart ETag.

        One request tells the first part's size, and as a rule all others are equal to
        it: an ETag that fits is proof. One that does not may only mean that the parts
        are uneven, so every size is asked for before a file is called different.
        """
        name = ObjectName(facts.bucket, facts.key)
        first = self._part_size(facts, parts, 1)
        if isinstance(first, NoEvidence):
            return Compared(Outcome.UNVERIFIABLE, file, name, detail=first.reason)
        guess = uniform_parts(facts.size_bytes, parts, first)
        guessed = None
        if guess is not None:
            guessed = self._by_part_sizes(file, facts, guess, stop)
            if guessed.outcome is Outcome.MATCH:
                return guessed
        sizes = [first]
        for number in range(2, parts + 1):
            size = self._part_size(facts, parts, number)
            if isinstance(size, NoEvidence):
                return Compared(Outcome.UNVERIFIABLE, file, name, detail=size.reason)
            sizes.append(size)
        if guessed is None:
            return self._by_part_sizes(file, facts, tuple(sizes), stop)
        if guess == tuple(sizes):
            return guessed
        again = self._by_part_sizes(file, facts, tuple(sizes), stop)
        return replace(again, bytes_read=guessed.bytes_read + again.bytes_read)

    def _by_part_sizes(
        self, file: TreeFile, facts: ObjectFacts, sizes: tuple[int, ...], stop: Stop
    ) -> Compared:
        name = ObjectName(facts.bucket, facts.key)
        evidence = multipart_evidence(facts, sizes)
        if isinstance(evidence, NoEvidence):
            return Compared(Outcome.UNVERIFIABLE, file, name, detail=evidence.reason)
        return self._by_digest(file, name, evidence, stop)

    def _part_size(
        self, facts: ObjectFacts, parts: int, number: int
    ) -> int | NoEvidence:
        part = self.store.part(
            facts.bucket, facts.key, number, version_id=facts.version_id
        )
        return trusted_part(part, parts)

    def _by_digest(
        self, file: TreeFile, name: ObjectName, evidence: Evidence, stop: Stop
    ) -> Compared:
        digest = evidence.digest()
        buffer = memoryview(bytearray(min(_CHUNK_BYTES, max(1, file.size_bytes))))
        read = 0
        with self.tree.open(file.path) as source:
            while got := source.readinto(buffer):
                digest.update(buffer[:got])
                read += got
                if stop():
                    raise FileUnreadable("not read to its end: interrupted")
        actual = digest.result()
        equal = actual == evidence.expected
        return Compared(
            Outcome.MATCH if equal else Outcome.MISMATCH,
            file,
            name,
            evidence.kind,
            expected=evidence.expected,
            actual=actual,
            detail="" if equal else "same size, other content",
            bytes_read=read,
        )
