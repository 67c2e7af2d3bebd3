"""Ask S3 what a manifest selects, before a disk is sent for it.

Nothing is downloaded and nothing written: buckets are looked at, their keys listed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from s3export.domain.counting import counted
from s3export.domain.disk_filling import DiskFilling, DiskShare, room_for_files
from s3export.domain.errors import NoSuchBucket, PermissionMissing, Problem
from s3export.domain.manifests import CheckedManifest, Manifest, rules
from s3export.domain.ports import ExportService, ObjectStore, Progress, Stage

_ADVANCE = 1000  # objects between two steps of the progress shown
_MOST_NAMED = 10  # objects that are too large


@dataclass(frozen=True)
class Selected:
    """What one operation selects now.

    Attributes:
        listed: Whether S3 could be asked; else there is a problem that says why not.

    """

    bucket: str
    prefix: str
    objects: int = 0
    size_bytes: int = 0
    listed: bool = True


@dataclass(frozen=True)
class Survey:
    """What S3 says of a manifest.

    Attributes:
        region: Of all buckets; empty if it is not told, or not one.
        operations: In the manifest's order.
        disk_bytes: The size of the disks; ``None`` if it was not said.
        shares: One for each disk that is needed; empty without their size.
        too_large: How many objects fit on no disk of the size; on none of the shares.

    """

    region: str
    operations: tuple[Selected, ...]
    disk_bytes: int | None = None
    shares: tuple[DiskShare, ...] = ()
    too_large: int = 0

    @property
    def objects(self) -> int:
        """How many objects all operations select."""
        return sum(selected.objects for selected in self.operations)

    @property
    def size_bytes(self) -> int:
        """How many bytes all operations select."""
        return sum(selected.size_bytes for selected in self.operations)


@dataclass(frozen=True)
class SurveySelection:
    """The use case; see the module."""

    store: ObjectStore
    export: ExportService
    progress: Progress

    def __call__(
        self, checked: CheckedManifest, disk_bytes: int | None = None
    ) -> tuple[CheckedManifest, Survey | None]:
        """Look at every bucket, and list what is selected.

        Args:
            checked: A manifest; what it says is asked about, errors notwithstanding.
            disk_bytes: The size of the disk that it is to fit on.

        Returns:
            The manifest with what S3 makes of it, and the numbers; ``None`` for them
            if the manifest selects nothing that can be asked about.

        Raises:
            AwsError: S3 cannot be asked.

        """
        manifest = checked.manifest
        if manifest is None:
            return checked, None
        found = [*self._key(checked, manifest)]
        regions: dict[str, str] = {}
        for field, bucket in _buckets(manifest):
            problem = self._look_at(checked, field, bucket, regions)
            found += [problem] if problem else []
        found += _several(checked, manifest, regions)
        found += self._log(checked, manifest, regions)
        filling = None
        if disk_bytes is not None:
            filling = DiskFilling(room_for_files(disk_bytes))
        selected = []
        with self.progress.stage("listing S3", unit="objects") as stage:
            for number in range(len(manifest.operations)):
                one, problems = self._list(checked, number, regions, filling, stage)
                selected.append(one)
                found += problems
        told = {region for region in regions.values() if region}
        survey = Survey(
            region=told.pop() if len(told) == 1 else "",
            operations=tuple(selected),
            disk_bytes=disk_bytes,
            shares=tuple(s for s in filling.shares if s.objects) if filling else (),
            too_large=len(filling.too_large) if filling else 0,
        )
        found += _fitting(checked, survey, filling)
        idle = all(problem.rule == rules.NO_OBJECTS_HERE.name for problem in found)
        if idle and not survey.objects:
            message = "no object at all is selected"
            found = [checked.problem(rules.NO_OBJECTS, "operations", message)]
        return checked.with_problems(found), survey

    def _key(self, checked: CheckedManifest, manifest: Manifest) -> Iterator[Problem]:
        wanted, key = manifest.access_key_id, self.export.access_key_id()
        if wanted and key and wanted != key:
            message = f"requests are signed with {key}"
            advice = "remove the field, or choose the profile that the key belongs to"
            yield checked.problem(rules.ACCESS_KEY, "accessKeyId", message, advice)

    def _look_at(
        self,
        checked: CheckedManifest,
        field: str,
        bucket: str,
        regions: dict[str, str],
    ) -> Problem | None:
        if bucket in regions:
            return None
        try:
            regions[bucket] = self.store.region(bucket)
        except NoSuchBucket:
            message = f"there is no bucket {bucket!r}"
            return checked.problem(rules.NO_SUCH_BUCKET, field, message)
        except PermissionMissing:
            regions[bucket] = ""  # what is needed of it is tried all the same
        return None

    def _log(
        self, checked: CheckedManifest, manifest: Manifest, regions: dict[str, str]
    ) -> Iterator[Problem]:
        if manifest.log_bucket not in regions:
            return
        try:
            self.store.check_writable(manifest.log_bucket, manifest.log_key("JOBID"))
        except PermissionMissing:
            message = f"the bucket {manifest.log_bucket!r} may not be written to"
            advice = "allow s3:PutObject on it"
            yield checked.problem(rules.PERMISSION, "logBucket", message, advice)

    def _list(
        self,
        checked: CheckedManifest,
        number: int,
        regions: dict[str, str],
        filling: DiskFilling | None,
        stage: Stage,
    ) -> tuple[Selected, list[Problem]]:
        assert checked.manifest is not None  # or nothing would be listed
        operation = checked.manifest.operations[number]
        source, path = operation.source(), f"operations[{number}]"
        objects = size_bytes = 0
        first = ""
        if operation.bucket in regions:
            try:
                for facts in self.store.list_objects(
                    operation.bucket, prefix=source.prefix, after=source.begin_marker
                ):
                    if source.is_past(facts.key):
                        break
                    if not source.selects(facts.key):
                        continue
                    first = first or facts.key
                    objects += 1
                    size_bytes += facts.size_bytes
                    if filling:
                        filling.add(number, facts.key, facts.size_bytes)
                    if objects % _ADVANCE == 0:
                        stage.advance(_ADVANCE)
                stage.advance(objects % _ADVANCE)
                if first:
                    self.store.head(operation.bucket, first)
            except PermissionMissing:
                what = "read" if first else "listed"
                message = f"the objects of {operation.bucket!r} may not be {what}"
                advice = "allow s3:ListBucket and s3:GetObject"
                at = f"{path}.exportBucket"
                denied = checked.problem(rules.PERMISSION, at, message, advice)
                nothing = Selected(operation.bucket, operation.prefix, listed=False)
                return nothing, [denied]
        there = operation.bucket in regions
        selected = Selected(
            operation.bucket, operation.prefix, objects, size_bytes, listed=there
        )
        if objects or not there:
            return selected, []
        message = f"{operation.bucket!r} has no object that it selects"
        return selected, [checked.problem(rules.NO_OBJECTS_HERE, path, message)]


def _buckets(manifest: Manifest) -> Iterator[tuple[str, str]]:
    for number, operation in enumerate(manifest.operations):
        yield f"operations[{number}].exportBucket", operation.bucket
    if manifest.log_bucket:
        yield "logBucket", manifest.log_bucket


def _several(
    checked: CheckedManifest, manifest: Manifest, regions: dict[str, str]
) -> Iterator[Problem]:
    told = {bucket: region for bucket, region in regions.items() if region}
    home = next(iter(told.values()), "")
    for field, bucket in _buckets(manifest):
        region = told.pop(bucket, home)
        if region != home:
            message = f"{bucket!r} lies in {region}, the first bucket in {home}"
            advice = "one job has buckets of one region, the log's included"
            yield checked.problem(rules.REGIONS, field, message, advice)


def _fitting(
    checked: CheckedManifest, survey: Survey, filling: DiskFilling | None
) -> Iterator[Problem]:
    if filling is None:
        return
    why = (
        f" of {survey.disk_bytes:,} bytes: file system and container leave "
        f"{filling.capacity.size_bytes:,} bytes, directories included"
    )
    for large in filling.too_large[:_MOST_NAMED]:
        message = (
            f"the object {large.key!r} of {large.size_bytes:,} bytes fits on no disk"
            f"{why}"
        )
        why = " of that size"  # the reckoning is told once
        path = f"operations[{large.operation}]"
        yield checked.problem(rules.TOO_LARGE, path, message, "take larger disks")
    more = len(filling.too_large) - _MOST_NAMED
    if more > 0:
        path = f"operations[{filling.too_large[_MOST_NAMED].operation}]"
        message = counted(more, "more object fits", "more objects fit")
        message += " on no disk of that size"
        yield checked.problem(rules.TOO_LARGE, path, message, "take larger disks")
    disks = len(survey.shares)
    if disks > 1:
        next_disk = survey.shares[1]
        path = f"operations[{next_disk.operation}]"
        begin = "at its beginning"
        if next_disk.begin_marker:
            begin = f"with beginMarker {next_disk.begin_marker!r}"
        message = f"the disk is full here: {disks} disks are needed"
        advice = f"the second begins in {path} {begin}"
        yield checked.problem(rules.SPACE, path, message, advice)
