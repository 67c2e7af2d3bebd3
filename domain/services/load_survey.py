"""What a load will take: objects, bytes, disks, time and money, before it is begun."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from s3export.domain.disk_filling import DiskFilling, DiskShare, TooLarge
from s3export.domain.errors import AwsError, NoSuchBucket, PermissionMissing
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
_MOST_NAMED = 10


@dataclass(frozen=True)
class LoadSurvey:
    """What a load selects.

    Attributes:
        shares: One a disk of this size, as far as reckoned, up to what is too large.
        too_large: The first object that fits on no such disk: the load ends before it.
        archived: How many objects must be restored before they can be read.
        archived_names: Some of them, as ``s3://bucket/key``.
        bytes_a_second: Measured on a few objects; ``None`` where nothing was read.
        log_refused: Why the log may not be written to its bucket; empty if it may.

    """

    objects: int
    size_bytes: int
    shares: tuple[DiskShare, ...]
    too_large: tuple[TooLarge, ...] = ()
    archived: int = 0
    archived_names: tuple[str, ...] = ()
    bytes_a_second: float | None = None
    log_refused: str = ""

    @property
    def first(self) -> DiskShare:
        """Return what goes to the first disk."""
        return self.shares[0] if self.shares else DiskShare(0, "")

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
            self._rate(probes, request.at_once),
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

    def _rate(self, probes: Iterable[Item], at_once: int) -> float | None:
        """Read some objects, or their beginnings, for a few seconds at most."""
        begun = self.clock.now()

        def read(item: Item, stop: Stop) -> int:
            if (self.clock.now() - begun).total_seconds() > _PROBE_SECONDS:
                return 0
            length = min(item.listed.size_bytes, _PROBE_BYTES)
            buffer = bytearray(1 << 18)
            got = 0
            try:
                with self.store.open(
                    item.listed.bucket, item.listed.key, start=0, length=length
                ) as body:
                    while more := body.readinto(buffer):
                        got += more
            except AwsError:
                return got  # the load itself will say what is wrong with it
            return got

        results = self.workers.map(read, islice(probes, _PROBES), at_once=at_once)
        with closing(results):
            total = sum(results)
        seconds = (self.clock.now() - begun).total_seconds()
        return total / seconds if total and seconds > 0 else None
