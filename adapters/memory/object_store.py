"""An object store in memory, with S3's ETags."""

import hashlib
import io
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from s3export.domain.errors import (
    AwsError,
    NoSuchBucket,
    NoSuchObject,
    ObjectArchived,
    ObjectChanged,
    PermissionMissing,
    S3ExportError,
)
from s3export.domain.evidence import Checksum, ObjectFacts, PartFacts
from s3export.domain.ports import AskedAhead, ObjectBody, ObjectStore, ObjectVersion

_ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")


@dataclass(frozen=True)
class _Stored:
    facts: ObjectFacts
    body: bytes
    part_sizes: tuple[int, ...]
    deleted: bool = False


class MemoryObjectStore(ObjectStore):
    """Holds buckets of objects.

    Attributes:
        versioned: Keep what is overwritten or deleted, from now on.
        ignores_part_number: Answer part requests for the whole object, as some
            servers do.
        fail_with: Raised by every request while it is set.
        regions: Where buckets lie that do not lie in us-east-1.
        read_only: Buckets that nobody may write to.
    """

    def __init__(self, *buckets: str) -> None:
        self._buckets: dict[str, dict[str, list[_Stored]]] = {
            name: {} for name in buckets
        }
        self._requests: Counter[str] = Counter()
        self._downloaded = 0
        self.versioned = False
        self.ignores_part_number = False
        self.fail_with: AwsError | None = None
        self.regions: dict[str, str] = {}
        self.read_only: set[str] = set()

    def put(
        self,
        bucket: str,
        key: str,
        body: bytes,
        *,
        part_sizes: Sequence[int] = (),
        encryption: str = "",
        storage_class: str = "",
        modified_at: datetime = datetime(2025, 1, 1, tzinfo=UTC),
        checksums: Sequence[Checksum] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectFacts:
        """Store an object, in parts where their sizes are given.

        Encrypted with a KMS key, its ETag is no digest of the content.
        """
        kept = self._buckets.setdefault(bucket, {}).setdefault(key, [])
        hidden = encryption.startswith("aws:kms")
        facts = ObjectFacts(
            bucket=bucket,
            key=key,
            size_bytes=len(body),
            etag=_etag(b"hidden" + body) if hidden else _etag(body, part_sizes),
            modified_at=modified_at,
            version_id=f"v{len(kept) + 1}" if self.versioned else "",
            encryption=encryption,
            storage_class=storage_class,
            checksums=tuple(checksums),
            metadata=metadata or {},
        )
        self._keep(kept, _Stored(facts, body, tuple(part_sizes)))
        return facts

    def delete(
        self,
        bucket: str,
        key: str,
        at: datetime = datetime(2025, 1, 1, tzinfo=UTC),
    ) -> None:
        """Forget an object, or mark it as deleted where versions are kept."""
        kept = self._buckets[bucket][key]
        version = f"v{len(kept) + 1}" if self.versioned else ""
        mark = ObjectFacts(bucket, key, 0, "", at, version)
        self._keep(kept, _Stored(mark, b"", (), deleted=True))

    def check_bucket(self, bucket: str) -> None:
        """Raise `NoSuchBucket` for a bucket that was never made."""
        self._count("HEAD")
        self._bucket(bucket)

    def region(self, bucket: str) -> str:
        """Return what was arranged."""
        self.check_bucket(bucket)
        return self.regions.get(bucket, "us-east-1")

    def check_writable(self, bucket: str, key: str) -> None:
        """Refuse what was arranged to be read-only."""
        self._count("POST")
        self._bucket(bucket)
        if bucket in self.read_only:
            raise PermissionMissing(f"s3://{bucket}/{key}: Access Denied")

    def head(
        self, bucket: str, key: str, *, version_id: str = ""
    ) -> ObjectFacts | None:
        """Return an object's metadata."""
        self._count("HEAD")
        stored = self._stored(bucket, key, version_id)
        if stored is None:
            return None
        return stored.facts._replace(version_id=version_id or stored.facts.version_id)

    def part(
        self, bucket: str, key: str, number: int, *, version_id: str = ""
    ) -> PartFacts | None:
        """Return a part's size and the number of parts."""
        self._count("HEAD")
        stored = self._stored(bucket, key, version_id)
        if stored is None:
            return None
        if self.ignores_part_number or not stored.part_sizes:
            return PartFacts(len(stored.body), None)
        if number > len(stored.part_sizes):
            return None
        return PartFacts(stored.part_sizes[number - 1], len(stored.part_sizes))

    def part_sizes(
        self, bucket: str, key: str, *, version_id: str = ""
    ) -> tuple[int, ...] | None:
        """Return the sizes of the parts of objects with a composite checksum."""
        self._count("HEAD")
        stored = self._stored(bucket, key, version_id)
        if stored is None or self.ignores_part_number:
            return None
        kinds = [checksum.type for checksum in stored.facts.checksums]
        return stored.part_sizes if "COMPOSITE" in kinds else None

    def versions(self, bucket: str, key: str) -> Sequence[ObjectVersion]:
        """Return the versions that were kept."""
        self._count("LIST")
        kept = self._bucket(bucket).get(key, [])
        return tuple(
            ObjectVersion(
                one.facts.version_id or "null", one.facts.modified_at, one.deleted
            )
            for one in reversed(kept)
            if one.facts.version_id or not one.deleted
        )

    def list_objects(
        self, bucket: str, *, prefix: str = "", after: str = ""
    ) -> Iterator[ObjectFacts]:
        """Yield the objects in key order."""
        self._count("LIST")
        for key in sorted(self._bucket(bucket)):
            stored = self._stored(bucket, key)
            if stored and key.startswith(prefix) and key > after:
                facts = stored.facts
                yield ObjectFacts(
                    bucket,
                    key,
                    facts.size_bytes,
                    facts.etag,
                    facts.modified_at,
                    storage_class=facts.storage_class,
                )

    def list_unordered(
        self,
        bucket: str,
        *,
        prefix: str = "",
        after: str = "",
        up_to: str = "",
        at_once: int = 1,
    ) -> Generator[ObjectFacts, None, None]:
        """Yield the last first: nobody must rest on an order that is not promised."""
        found = super().list_unordered(bucket, prefix=prefix, after=after, up_to=up_to)
        yield from reversed(list(found))

    @contextmanager
    def open(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str = "",
        if_match: str = "",
        start: int = 0,
        length: int | None = None,
    ) -> Iterator[ObjectBody]:
        """Give an object's bytes."""
        self._count("GET")
        stored = self._stored(bucket, key, version_id)
        if stored is None:
            raise NoSuchObject(f"s3://{bucket}/{key}: there is no such object")
        facts = stored.facts
        if if_match and if_match != facts.etag:
            raise ObjectChanged(f"s3://{bucket}/{key} was written anew")
        if facts.storage_class in _ARCHIVES:
            raise ObjectArchived(f"s3://{bucket}/{key} is in {facts.storage_class}")
        whole = not start and length is None
        end = len(stored.body) if length is None else start + length
        told = facts if whole else facts._replace(checksums=())
        yield _Body(self, told, stored.body[start:end])

    def ask_ahead(self, bucket: str, key: str) -> AskedAhead | None:
        """Take the answer now, for later."""
        return _Asked(self.open(bucket, key))

    def read(self, bucket: str, key: str, *, version_id: str = "") -> Iterator[bytes]:
        """Yield an object's bytes in chunks of 64 KiB."""
        self._count("GET")
        stored = self._stored(bucket, key, version_id)
        if stored is None:
            raise NoSuchObject(f"s3://{bucket}/{key}: there is no such object")
        for start in range(0, len(stored.body), 65_536):
            chunk = stored.body[start : start + 65_536]
            self._downloaded += len(chunk)
            yield chunk

    def write(self, bucket: str, key: str, body: bytes) -> None:
        """Store a small object."""
        self._count("PUT")
        self._bucket(bucket)
        self.put(bucket, key, body)

    def requests(self) -> Mapping[str, int]:
        """Return how many requests were made, by kind."""
        return dict(self._requests)

    def bytes_downloaded(self) -> int:
        """Return how many bytes `read` has yielded."""
        return self._downloaded

    def note_downloaded(self, size_bytes: int) -> None:
        """Count bytes that a body has handed out."""
        self._downloaded += size_bytes

    def _count(self, kind: str) -> None:
        self._requests[kind] += 1
        if self.fail_with:
            raise self.fail_with

    def _keep(self, kept: list[_Stored], stored: _Stored) -> None:
        if not self.versioned:
            kept.clear()
        kept.append(stored)

    def _stored(self, bucket: str, key: str, version_id: str = "") -> _Stored | None:
        kept = self._bucket(bucket).get(key, [])
        if version_id:
            wanted = "" if version_id == "null" else version_id
            kept = [one for one in kept if one.facts.version_id == wanted]
        return kept[-1] if kept and not kept[-1].deleted else None

    def _bucket(self, bucket: str) -> dict[str, list[_Stored]]:
        if bucket not in self._buckets:
            raise NoSuchBucket(f"s3://{bucket}: there is no such bucket")
        return self._buckets[bucket]


class _Body(ObjectBody):
    def __init__(
        self, store: MemoryObjectStore, facts: ObjectFacts, body: bytes
    ) -> None:
        self._store = store
        self.facts = facts
        self._stream = io.BytesIO(body)

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        got = self._stream.readinto(buffer)
        self._store.note_downloaded(got)
        return got


class _Asked(AskedAhead):
    def __init__(self, opened: AbstractContextManager[ObjectBody]) -> None:
        self._stack = ExitStack()
        self._body: ObjectBody | None = None
        with suppress(S3ExportError):
            self._body = self._stack.enter_context(opened)

    @contextmanager
    def open(self) -> Iterator[ObjectBody | None]:
        with self._stack:
            yield self._body

    def close(self) -> None:
        self._stack.close()


def _etag(body: bytes, part_sizes: Sequence[int] = ()) -> str:
    if not part_sizes:
        return hashlib.md5(body, usedforsecurity=False).hexdigest()
    if sum(part_sizes) != len(body):
        raise ValueError("the parts do not add up to the body")
    digests, start = [], 0
    for size in part_sizes:
        part = body[start : start + size]
        digests.append(hashlib.md5(part, usedforsecurity=False).digest())
        start += size
    whole = hashlib.md5(b"".join(digests), usedforsecurity=False).hexdigest()
    return f"{whole}-{len(part_sizes)}"
