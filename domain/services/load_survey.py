"""What a load will take: objects, bytes, disks, time and money, before it is begun."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from s3export.domain.counting import counted
from s3export.domain.disk_filling import DiskFilling, DiskShare, TooLarge
from s3export.domain.errors import AwsError, BodyBroken, NoSuchBucket, PermissionMissing
from s3export.domain.ports import Clock, ObjectStore, Progress, Stop, Workers
from s3export.domain.services.fetch_object import Item, items_from
from s3export.domain.services.load_device import LoadRequest

ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")
"""Storage classes that must be restored before reading (S3 User Guide)."""

_GET_USD = 0.0004 / 1000
_LIST_USD = 0.005 / 1000
_GB_OUT_USD = 0.09
"""List prices of us-east-1: requests, and transfer to the internet up to 10 TB a month
(aws.amazon.com/s3/pricing; they change, and other regions differ)."""

_KEYS_A_PAGE = 1000
_RANGE_BYTES = 4 << 20
_PROBES = 24  # objects that are read to measure
_PROBE_BYTES = 4 << 20  # of each
_PROBE_SECONDS = 3.0
_PROBE_TRIES = 3  # of a body that breaks off
_MOST_NAMED = 10


@dataclass(frozen=True)
class Probe:
    """What came of reading a few objects, to measure the way to S3.

    Attributes:
        objects: How many were tried.
        unread: How many of them could not be read.
        trouble: Why the first of these could not; ``None`` if all could.
        bytes_a_second: ``None`` where nothing was read.

    """

    objects: int = 0
    unread: int = 0
    trouble: AwsError | None = None
    bytes_a_second: float | None = None

    def refuse_if_nothing_came(self) -> None:
        """Raise what was wrong with the first object, if none could be read."""
        if self.trouble is None or self.unread < self.objects:
            return
        error = self.trouble
        tried = counted(self.objects, "object")
        first = f"{error.next_step}; " if error.next_step else ""
        raise type(error)(
            f"none of the {tried} tried could be read: {error.message}",
            next_step=f"{first}nothing was changed",
        ) from error


@dataclass(frozen=True)
class LoadSurvey:
    """What a load selects.

    Attributes:
        shares: One a disk of this size, as far as reckoned, up to what is too large.
        too_large: The first object that fits on no such disk: the load ends before it.
        archived: How many objects must be restored before they can be read.
        archived_names: Some of them, as ``s3://bucket/key``.
        probe: What reading a few objects came to.
        log_refused: Why the log may not be written to its bucket; empty if it may.

    """

    objects: int
    size_bytes: int
    shares: tuple[DiskShare, ...]
    too_large: tuple[TooLarge, ...] = ()
    archived: int = 0
    archived_names: tuple[str, ...] = ()
    probe: Probe = Probe()
    log_refused: str = ""

    @property
    def bytes_a_second(self) -> float | None:
        """Return the measured rate; ``None`` where nothing was read."""
        return self.probe.bytes_a_second

    @property
    def first(self) -> DiskShare:
        """Return what goes to the first disk."""
        return self.shares[0] if self.shares else DiskShare(0, "")

    @property
    def fitting(self) -> int:
        """Return how many objects disks of this size take, before what is too large."""
        return sum(share.objects for share in self.shares)

    @property
    def seconds(self) -> float | None:
        """Return how long the first disk takes at the measured rate."""
        if not self.bytes_a_second:
            return None
        return self.first.size_bytes / self.bytes_a_second

    @property
    def usd(self) -> float:
        """Return what AWS charges for the first disk at list prices, roughly."""
        first = self.first
        gets = first.objects + first.size_bytes // _RANGE_BYTES
        pages = -(-self.objects // _KEYS_A_PAGE)
        transfer = first.size_bytes / 1e9 * _GB_OUT_USD
        return gets * _GET_USD + pages * _LIST_USD + transfer


@dataclass(frozen=True)
class SurveyLoad:
    """Lists what a load selects, and reads a few objects to measure the way to S3."""

    store: ObjectStore
    workers: Workers
    clock: Clock
    progress: Progress

    def __call__(self, request: LoadRequest, disk_bytes: int) -> LoadSurvey:
        """Survey a load.

        Args:
            disk_bytes: The size of the file system that takes the files.

        Raises:
            AwsError: S3 cannot be asked.

        """
        for bucket in dict.fromkeys(s.bucket for s in request.layout.sources):
            self.store.check_bucket(bucket)
        log_refused = self._log_refused(request.log_bucket, request.log_key)
        filling = DiskFilling(disk_bytes)
        probes: list[Item] = []
        archived: list[str] = []
        objects = size = cold = 0
        with self.progress.stage("listing S3", unit="objects") as stage:
            for item in self._items(request):
                listed = item.listed
                objects += 1
                size += listed.size_bytes
                if not filling.too_large:  # the load ends before the first of them
                    filling.add(item.operation, listed.key, listed.size_bytes)
                if listed.storage_class in ARCHIVES:
                    cold += 1
                    if len(archived) < _MOST_NAMED:
                        archived.append(f"s3://{listed.bucket}/{listed.key}")
                elif len(probes) < _PROBES and listed.size_bytes:
                    probes.append(item)
                stage.advance()
        return LoadSurvey(
            objects,
            size,
            tuple(share for share in filling.shares if share.objects),
            tuple(filling.too_large[:_MOST_NAMED]),
            cold,
            tuple(archived),
            self._probed(probes, request.at_once),
            log_refused,
        )

    def _log_refused(self, bucket: str, key: str) -> str:
        """Say why the log may not be written to its bucket; one must be there."""
        if not bucket:
            return ""
        try:
            self.store.check_writable(bucket, key)
        except NoSuchBucket as error:
            raise NoSuchBucket(
                f"there is no bucket {bucket} for the log (logBucket)",
                next_step="make it, or name another in the manifest",
            ) from error
        except PermissionMissing as error:
            return error.message
        except AwsError:
            pass  # a server that cannot be asked this may take the log all the same
        return ""

    def _items(self, request: LoadRequest) -> Iterator[Item]:
        begin = request.begin
        return items_from(
            self.store, request.layout.sources, begin.operation, begin.key
        )

    def _probed(self, probes: Iterable[Item], at_once: int) -> Probe:
        """Read some objects, or their beginnings, for a few seconds at most."""
        begun = self.clock.now()

        def read(item: Item, stop: Stop) -> _Read:
            if (self.clock.now() - begun).total_seconds() > _PROBE_SECONDS:
                return _Read(0, tried=False)
            got = 0
            try:
                for tried in range(1, _PROBE_TRIES + 1):
                    try:
                        for more in self._beginning(item):
                            got += more
                        break
                    except BodyBroken:
                        if tried == _PROBE_TRIES or stop():
                            raise
            except AwsError as error:
                return _Read(got, trouble=error)
            return _Read(got)

        results = self.workers.map(read, islice(probes, _PROBES), at_once=at_once)
        with closing(results):
            found = [each for each in results if each.tried]
        seconds = (self.clock.now() - begun).total_seconds()
        total = sum(each.size_bytes for each in found)
        troubles = [each.trouble for each in found if each.trouble]
        return Probe(
            len(found),
            len(troubles),
            troubles[0] if troubles else None,
            total / seconds if total and seconds > 0 else None,
        )

    def _beginning(self, item: Item) -> Iterator[int]:
        """Read an object's first bytes; yield how many came at a time."""
        listed = item.listed
        length = min(listed.size_bytes, _PROBE_BYTES)
        buffer = bytearray(1 << 18)
        opened = self.store.open(listed.bucket, listed.key, start=0, length=length)
        with opened as body:
            while more := body.readinto(buffer):
                yield more


@dataclass(frozen=True)
class _Read:
    """What came of one object that was tried, or not even that."""

    size_bytes: int
    tried: bool = True
    trouble: AwsError | None = None
