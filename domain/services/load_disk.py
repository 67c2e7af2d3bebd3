"""Take a disk, and load it: what AWS's loading facility did with a parcel.

Two halves: `LoadDisk.plan` looks and asks and changes nothing; `LoadDisk.carry_out`
prepares the disk, unless it holds a part of this very load, and loads it.
"""

import enum
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from s3export.domain.backup_layout import ROOT, BackupLayout, TreePath, directory_of
from s3export.domain.containers import AS_IT_COMES, ContainerKey
from s3export.domain.devices import DeviceFacts, DeviceKind, cautions
from s3export.domain.devices.preparation import Preparation
from s3export.domain.disk_filling import SPARE_BYTES, room_for_files
from s3export.domain.errors import (
    ContainerDamaged,
    DeviceError,
    DeviceFailed,
    DeviceUnreadable,
    FileUnreadable,
    InputRefused,
    KernelLacks,
    NoFileSystem,
    PasswordRefused,
    S3ExportError,
)
from s3export.domain.jobs import JobId
from s3export.domain.load_journal import BEGIN_ANEW
from s3export.domain.load_marker import (
    DAMAGED_LOAD,
    MARKER,
    LoadMarker,
    fingerprint_of,
    read_marker,
)
from s3export.domain.manifests import Manifest
from s3export.domain.ports import (
    BlockDevices,
    Containers,
    FileTree,
    KeyRing,
    Randomness,
    WritableTree,
)
from s3export.domain.services.create_job import AS_USUAL, DiskWishes
from s3export.domain.services.load_device import (
    DEFAULT_AT_ONCE,
    FROM_THE_START,
    LoadDevice,
    LoadRequest,
    LoadResult,
    Place,
)
from s3export.domain.services.load_survey import LoadSurvey, SurveyLoad
from s3export.domain.services.ready_disk import (
    Held,
    held_on,
    refuse_unsafe,
)

_JOB_DIGITS = "123456789ABCDEFGHIJKLMNPQRSTUVWXYZ"
_JOB_LENGTH = 5
"""How AWS's ids of jobs looked in 2009: digits without 0, letters without O."""


class Encryption(enum.Enum):
    """How what is loaded is encrypted on the disk."""

    TRUECRYPT = "truecrypt"
    LUKS2 = "luks2"
    NONE = "none"


@dataclass(frozen=True)
class LoadWishes:
    """How a disk is to be taken and loaded.

    Attributes:
        encryption: ``None`` for TrueCrypt, with the manifest's password.
        job_id: Names log and container; ``None`` for the one of SIGNATURE on the disk,
            or for a new one.
        begin: Where the disk before ended.
        at_once: Objects under way at once.
        start_over: Erase the disk even where it holds a part of this very load.

    """

    disk: DiskWishes = AS_USUAL
    encryption: Encryption | None = None
    job_id: JobId | None = None
    begin: Place = FROM_THE_START
    at_once: int = DEFAULT_AT_ONCE
    start_over: bool = False


_NO_ROOM_BYTES = 1 << 20
"""What holds an image is full from here on: its last blocks may be kept for itself."""

_LONGEST_PASSWORDS = {Encryption.TRUECRYPT: 64, Encryption.LUKS2: 512}
"""Bytes: TrueCrypt's limit, and what cryptsetup reads from its standard input."""

LOADED_AS_USUAL = LoadWishes()


@dataclass(frozen=True)
class LoadPlan:
    """What is about to happen, for the operator to read and confirm.

    Attributes:
        resumes: The disk holds a part of this load; nothing on it is erased.
        key: Opens the container; ``None`` without encryption.
        other: A load, or a job, that is on the disk and would be lost; empty for none.

    """

    facts: DeviceFacts
    request: LoadRequest
    survey: LoadSurvey
    encryption: Encryption
    wishes: LoadWishes
    resumes: bool
    key: ContainerKey | None = None
    other: str = ""

    @property
    def marker(self) -> LoadMarker:
        """Return what the disk will say of itself."""
        begin = self.request.begin
        fingerprint = fingerprint_of(self.request.layout, begin.operation, begin.key)
        return LoadMarker(
            JobId(self.request.job_id), fingerprint, self.encryption.value
        )

    @property
    def container(self) -> TreePath:
        """Return the path of the TrueCrypt container."""
        return TreePath(f"{self.request.job_id}.tc".encode())

    def steps(self) -> tuple[str, ...]:
        """Return the steps in order, one line each."""
        disk, job = self.facts.path, self.request.job_id
        load = f"load {self._objects()}, as job {job}"
        log = "write the export log onto the disk"
        if self.request.log_bucket:
            log += f" and to s3://{self.request.log_bucket}/{self.request.log_key}"
        if self.resumes:
            rest = f"look for what was loaded; load what is left of {self._objects()}"
            return (f"go on with job {job} on {disk}; nothing is erased", rest, log)
        what = "the partition" if self.facts.kind is DeviceKind.PARTITION else "it"
        if self.encryption is Encryption.LUKS2:
            made = "a LUKS2 container with an ext4 file system"
        elif self.encryption is Encryption.TRUECRYPT:
            made = f"an ext4 file system, and the container {job}.tc on it"
        else:
            made = "an ext4 file system, NOT encrypted"
        return (
            f"save the partition table and the headers of {disk}",
            f"ERASE {disk}: prepare {what} with {made}",
            load,
            log,
        )

    def _objects(self) -> str:
        first, all_of_them = self.survey.first.objects, self.survey.objects
        if first == all_of_them:
            return f"{first:,} objects"
        return f"{first:,} of the {all_of_them:,} objects"

    def cautions(self) -> tuple[str, ...]:
        """Return what to consider before anything is lost."""
        if self.resumes:
            return ()
        others = (f"it holds {self.other}, which would be lost",) if self.other else ()
        return others + cautions(self.facts)


@dataclass(frozen=True)
class LoadedDisk:
    """What came of a load.

    Attributes:
        saved: Where the disk's old partition table and headers are; empty for none.

    """

    plan: LoadPlan
    result: LoadResult
    saved: str = ""


@dataclass(frozen=True)
class LoadDisk:
    """The use case; see the module."""

    devices: BlockDevices
    containers: Containers
    load: LoadDevice
    survey: SurveyLoad
    randomness: Randomness

    def plan(
        self,
        manifest: Manifest,
        device: str,
        keys: KeyRing,
        wishes: LoadWishes = LOADED_AS_USUAL,
        *,
        misspelt: str = "",
    ) -> LoadPlan:
        """Look at the device, judge it, and ask S3 what is to be loaded.

        Args:
            misspelt: The manifest's field that may be trueCryptPassword.
            keys: Asked for the container's password; twice for a new one.

        Raises:
            DeviceRefused: Writing to the device would be unsafe; every reason is named.
            InputRefused: There is no password that such a container takes, and no
                encryption was not asked for.
            KernelLacks: This system cannot make such a container.
            DeviceUnreadable: The disk may hold a load, and its marker cannot be read.
            AwsError: S3 cannot be asked, or no object that was tried can be read.

        """
        facts = self.devices.inspect(device)
        encryption = wishes.encryption or Encryption.TRUECRYPT
        self._key(facts, encryption, keys, misspelt)
        refuse_unsafe(facts)
        layout = BackupLayout(
            manifest.sources(), directory_of(manifest.recovery_directory)
        )
        fingerprint = fingerprint_of(layout, wishes.begin.operation, wishes.begin.key)
        unread = ""
        while True:
            key = self._key(facts, encryption, keys)
            try:
                found = self._marker(facts, encryption, key)
            except DeviceUnreadable as error:
                if not wishes.start_over:
                    raise
                found, unread = None, error.message
            resumes = (
                found is not None
                and not wishes.start_over
                and found.fingerprint == fingerprint
                and found.encryption == encryption.value
                and wishes.job_id in (None, found.job_id)
            )
            if resumes:
                break
            refuse_unsafe(facts, allow_fixed=wishes.disk.allow_fixed)
            self._refuse_what_lacks(encryption)
            if key is None or keys.key_for_new(_container_on(facts)) == key:
                break  # otherwise another one was typed, which may open what is there
        held = Held() if found else held_on(self.devices, facts)
        signed = held.job
        new = wishes.job_id or (JobId(signed) if signed else self._new_job())
        name = found.job_id if found and resumes else new
        request = LoadRequest(
            layout,
            name,
            wishes.begin,
            wishes.at_once,
            manifest.log_bucket,
            manifest.log_key(name) if manifest.log_bucket else "",
        )
        in_container = encryption is Encryption.TRUECRYPT
        room = room_for_files(facts.size_bytes, in_container=in_container)
        survey = self.survey(request, room)
        if not resumes:
            survey.probe.refuse_if_nothing_came()
        request = replace(
            request,
            total=survey.first.objects,
            total_bytes=survey.first.size_bytes,
        )
        other = ""
        if found and not resumes:
            other = f"a load of job {found.job_id}"
        elif unread:
            other = " and ".join(held.backups) or DAMAGED_LOAD
        elif signed and signed != name:
            other = f"SIGNATURE of job {signed}"
        elif held.backups:
            other = " and ".join(held.backups)
        elif self._stays_closed(facts, key if not found else None):
            other = "an encrypted container that this password does not open"
        return LoadPlan(facts, request, survey, encryption, wishes, resumes, key, other)

    def carry_out(self, plan: LoadPlan) -> LoadedDisk:
        """Prepare the disk, unless it is gone on with, and load it.

        Raises:
            DeviceChanged, DeviceRefused: The device is not what was judged any more.
                Nothing was written.
            S3ExportError: As for `LoadDevice`. What was loaded until then remains; the
                next step says that the same call goes on.

        """
        saved, path, again = "", plan.facts.path, _AGAIN
        if plan.wishes.start_over:
            again += ", without --start-over"
        way_on = f"{again}: it goes on after the last object that is complete"
        standing = _Standing(f"nothing on {path} was changed", _AGAIN)
        with (
            standing.told(),
            self.devices.hold(plan.facts) as facts,
            self._full_host_told(facts, again),
        ):
            disk = plan.wishes.disk
            allowed = plan.resumes or disk.allow_fixed
            refuse_unsafe(facts, allow_fixed=allowed)
            if not plan.resumes:
                saved = self.devices.back_up(facts)
                standing.is_now(
                    f"{path} is erased, or in part, and holds no load yet (its old "
                    f"partition table and headers are in {saved})",
                    f"{_AGAIN}: it begins anew",
                )
                self._prepare(plan, facts)
                standing.is_now(f"{path} is erased, and holds no object yet", way_on)
            else:
                standing.is_now(f"{path} holds what was loaded before", way_on)
            with _going_on(path, way_on), self._opened(plan, facts) as tree:
                standing.is_now(f"{path} holds a part of the load", way_on)
                result = self.load(plan.request, tree)
                standing.is_now(f"{path} is loaded", again)
        return LoadedDisk(plan, result, saved)

    # --- looking --------------------------------------------------------------------

    @staticmethod
    def _key(
        facts: DeviceFacts, encryption: Encryption, keys: KeyRing, misspelt: str = ""
    ) -> ContainerKey | None:
        if encryption is Encryption.NONE:
            return None
        key = keys.key_for(_container_on(facts))
        if key is None or not key.passphrase.reveal():
            meant = f" (is {misspelt} meant to be it?)" if misspelt else ""
            raise InputRefused(
                f"the manifest names no trueCryptPassword{meant}, and no other is "
                "given",
                next_step="give one (--password-file FILE), or say --encrypt none",
            )
        if key.keyfiles or key.pim:
            raise InputRefused(
                "new containers have a password alone: neither key files nor a PIM"
            )
        longest = _LONGEST_PASSWORDS[encryption]
        password = key.passphrase.reveal()
        if len(password.encode(errors="surrogateescape")) > longest or "\n" in password:
            raise InputRefused(
                f"a password of a {encryption.value} container is one line of at most "
                f"{longest} bytes",
                next_step="take a shorter one; nothing was changed",
            )
        return key

    def _refuse_what_lacks(self, encryption: Encryption) -> None:
        if encryption is Encryption.NONE:
            return
        lacking = self.containers.lacking(encryption.value)
        if lacking:
            raise KernelLacks(
                f"no {encryption.value} container can be made here: {lacking}",
                next_step="choose another: "
                + " or ".join(
                    f"--encrypt {other.value}"
                    for other in Encryption
                    if other is not encryption
                ),
            )

    def _marker(
        self, facts: DeviceFacts, encryption: Encryption, key: ContainerKey | None
    ) -> LoadMarker | None:
        """Return the marker of the load on a disk, if there is one.

        Raises:
            DeviceUnreadable: It is there, or may be, and cannot be read: such a disk
                must not be taken for one that holds no load.

        """
        found, lost = None, ""
        try:
            with ExitStack() as stack:
                try:
                    tree: FileTree = stack.enter_context(
                        self.devices.open_read_only(facts, mounting=False)
                    )
                except NoFileSystem:
                    if encryption is not Encryption.LUKS2 or key is None:
                        return None
                    opened = self.containers.open_device(facts, key, AS_IT_COMES)
                    tree = stack.enter_context(opened).tree
                try:
                    found = read_marker(tree)
                except FileUnreadable as error:
                    lost = error.message
        except DeviceError:
            pass  # an empty disk, another one's, or one in a form that is not read
        if lost:
            raise DeviceUnreadable(
                f"{facts.path} may hold a load: /{MARKER.decode()} on it cannot be "
                f"read: {lost}",
                next_step=BEGIN_ANEW,
            )
        return found

    def _stays_closed(self, facts: DeviceFacts, key: ContainerKey | None) -> bool:
        """Say whether a disk is a LUKS container of another password.

        It may be a load of ours, and the password mistyped: then it must not be taken
        for an empty disk.
        """
        luks = any(
            "LUKS" in name for part in (facts, *facts.parts) for name in part.signatures
        )
        if key is None or not luks:
            return False
        try:
            with self.containers.open_device(facts, key, AS_IT_COMES):
                return False
        except PasswordRefused:
            return True
        except DeviceError:
            return False  # what it lacks is told where it is needed

    def _new_job(self) -> JobId:
        number = int.from_bytes(self.randomness.seed().encode())
        digits = []
        for _ in range(_JOB_LENGTH):
            number, digit = divmod(number, len(_JOB_DIGITS))
            digits.append(_JOB_DIGITS[digit])
        return JobId("".join(digits))

    # --- writing --------------------------------------------------------------------

    @contextmanager
    def _full_host_told(self, facts: DeviceFacts, again: str) -> Iterator[None]:
        """Blame no disk for an image that what holds it leaves no room."""
        try:
            yield
        except (DeviceFailed, DeviceUnreadable) as error:
            room = self.devices.room_beside(facts)
            if room is None or room >= _NO_ROOM_BYTES:
                raise
            error.message += f"; the file system that holds {facts.path} is full"
            error.next_step = (
                f"free some room there, then {again}; if the image was damaged, the "
                "same with --start-over begins anew"
            )
            raise

    def _prepare(self, plan: LoadPlan, facts: DeviceFacts) -> None:
        wishes = plan.wishes.disk
        whole = plan.encryption is not Encryption.LUKS2
        self.devices.prepare(
            facts,
            Preparation(
                plan.request.job_id,
                whole_disk=wishes.whole_disk,
                full=wishes.full_format,
                file_system=whole,
            ),
        )
        if plan.encryption is Encryption.LUKS2 and plan.key:
            prepared = self.devices.inspect(facts.path)
            label = plan.request.job_id
            self.containers.create_device(prepared, plan.key.passphrase, label)
        with self._outer(plan, facts) as tree:
            tree.replace(MARKER, plan.marker.text().encode())
            tree.sync()

    @contextmanager
    def _outer(self, plan: LoadPlan, facts: DeviceFacts) -> Iterator[WritableTree]:
        """Open the file system that the marker is in."""
        prepared = self.devices.inspect(facts.path)
        if plan.encryption is Encryption.LUKS2 and plan.key:
            with self.containers.open_device_for_writing(prepared, plan.key) as tree:
                yield tree
        else:
            with self.devices.open_for_writing(prepared) as tree:
                yield tree

    @contextmanager
    def _opened(self, plan: LoadPlan, facts: DeviceFacts) -> Iterator[WritableTree]:
        """Open the file system that takes the files; make its container if need be."""
        with self._outer(plan, facts) as tree:
            if plan.encryption is not Encryption.TRUECRYPT or plan.key is None:
                yield tree
                return
            if plan.container not in tree.names(ROOT):
                room = self.containers.make_room(tree, plan.container)
                size = room - SPARE_BYTES
                self.containers.create(
                    tree,
                    plan.container,
                    size,
                    plan.key.passphrase,
                    plan.request.job_id,
                )
            with self.containers.open_for_writing(
                tree, plan.container, plan.key
            ) as inside:
                yield inside


def _container_on(facts: DeviceFacts) -> str:
    return f"the container on {facts.path}"


_AGAIN = "run the same command again"


@dataclass
class _Standing:
    """What is known of a disk just now, for whoever interrupts the work on it."""

    what: str
    next_step: str

    def is_now(self, what: str, next_step: str) -> None:
        self.what, self.next_step = what, next_step

    @contextmanager
    def told(self) -> Iterator[None]:
        """Say it with what is no error of ours; those say themselves what is next."""
        try:
            yield
        except S3ExportError:
            raise
        except BaseException as interruption:
            interruption.add_note(self.what)
            interruption.add_note(self.next_step)
            raise


@contextmanager
def _going_on(path: str, way_on: str) -> Iterator[None]:
    """Say with every error how to go on."""
    try:
        yield
    except (ContainerDamaged, DeviceUnreadable, FileUnreadable) as error:
        if path not in error.message:
            error.message = f"{path}: {error.message}"
        error.next_step = BEGIN_ANEW  # the same command would meet it again
        raise
    except PasswordRefused as error:
        error.next_step = f"check the password; then {way_on}"
        raise
    except S3ExportError as error:
        first = f"{error.next_step}; then " if error.next_step else ""
        error.next_step = f"{first}{way_on}"
        raise
