"""What the use cases need from outside.

Each port says units, order, what "absent" looks like, which errors come when, and
what is left behind after a failure. Adapters name the port as their base class. Every
port has an adapter in ``s3export.adapters.memory`` that passes the same contract suite
as the real ones.
"""

from abc import abstractmethod
from collections.abc import (
    Callable,
    Collection,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

from s3export.domain.backup_layout import TreePath
from s3export.domain.capabilities import Access, Part
from s3export.domain.containers import (
    AS_IT_COMES,
    ContainerFacts,
    ContainerKey,
    Opening,
)
from s3export.domain.devices import DeviceFacts
from s3export.domain.devices.preparation import Preparation, Reached
from s3export.domain.digests import Hash
from s3export.domain.evidence import ObjectFacts, PartFacts
from s3export.domain.jobs import CreatedJob, JobId, JobStatus, JobSummary, ShippingLabel
from s3export.domain.manifests import Address, CheckedManifest
from s3export.domain.secret import Secret
from s3export.domain.verification import Report

A = TypeVar("A")
B = TypeVar("B")


class ExportService(Protocol):
    """AWS Import/Export: jobs that copy buckets to a device sent by post.

    Every method may raise `errors.AwsError`; the subclasses of `errors.JobRefused` say
    what the service refused. Except where stated, a failed call changed nothing.
    """

    @abstractmethod
    def access_key_id(self) -> str:
        """Return the id of the key that requests are signed with; empty for none."""

    @abstractmethod
    def validate(self, manifest: str) -> str:
        """Ask whether a job could be created from a manifest; creates nothing.

        Returns:
            What the service finds odd but accepts; empty for nothing.

        """

    @abstractmethod
    def create(self, manifest: str) -> CreatedJob:
        """Create a job. Not idempotent: two calls create two jobs.

        Raises:
            errors.ReplyLost: The request may have arrived. A job exists or does not:
                the caller cannot know, and must look in `jobs` before trying again.

        """

    @abstractmethod
    def update(
        self, job_id: JobId, manifest: str, *, validate_only: bool = False
    ) -> str:
        """Replace a job's manifest as a whole; idempotent.

        Returns:
            What the service finds odd but accepts; empty for nothing.

        Raises:
            errors.UnknownJob, errors.JobNotUpdatable, errors.JobCancelled,
            errors.JobExpired: The job cannot be updated (any more).

        """

    @abstractmethod
    def cancel(self, job_id: JobId) -> None:
        """Cancel a job.

        Raises:
            errors.UnknownJob, errors.JobNotCancellable, errors.JobCancelled,
            errors.JobExpired: The job cannot be cancelled (any more).

        """

    @abstractmethod
    def status(self, job_id: JobId) -> JobStatus:
        """Return all that the service tells of a job, cancelled ones included.

        May be called from several threads at once.

        Raises:
            errors.UnknownJob: There is none, or another account's.

        """

    @abstractmethod
    def jobs(self) -> Iterator[JobSummary]:
        """Yield all jobs of the account, newest first, asking page after page."""

    @abstractmethod
    def shipping_label(
        self, job_ids: Sequence[JobId], address: Address | None = None
    ) -> ShippingLabel:
        """Return where the label of one parcel can be printed from.

        Args:
            job_ids: At least one; their devices travel together.
            address: Where the parcel comes from; ``None`` leaves it to the service.

        Raises:
            errors.UnknownJob, errors.InvalidAddress: As named.

        """


class ObjectBody(Protocol):
    """An object's bytes, or a range of them, on their way.

    Attributes:
        facts: What the answer tells of the whole object; checksums are told with the
            whole only, not with a range.

    """

    facts: ObjectFacts

    @abstractmethod
    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        """Fill the buffer as far as bytes have come; return how many, 0 at the end.

        Raises:
            errors.BodyBroken: The connection broke, or fewer or more bytes came than
                the answer announced.

        """


class AskedAhead(Protocol):
    """A request that was sent, whose answer is not looked at yet.

    For one thread at a time.
    """

    @abstractmethod
    def open(self) -> AbstractContextManager[ObjectBody | None]:
        """Wait for the answer and give its body; once.

        ``None`` where it is no plain one, whatever the reason: whoever asks again, by
        `ObjectStore.open`, is told it.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of an answer that nobody wants any more. Idempotent."""


class ObjectStore(Protocol):
    """S3, or a server that speaks its protocol. Thread-safe.

    Every method may raise `errors.AwsError`: `errors.NoSuchBucket`,
    `errors.CredentialsMissing`, `errors.PermissionMissing`, `errors.Unreachable`,
    `errors.Throttled` among them. Transient failures have been retried before.
    """

    @abstractmethod
    def check_bucket(self, bucket: str) -> None:
        """Return if the bucket exists and may be asked about its objects.

        Raises:
            errors.NoSuchBucket: There is none of this name.

        """

    def service(self) -> str:
        """Return whose buckets they are, without asking.

        ``aws``, ``aws-cn``, ``aws-us-gov`` and such for a partition of AWS, in which a
        bucket's name is given once (Amazon S3 User Guide, "Buckets overview"), from
        whatever region it is asked; else the server's address. Empty where nobody
        knows.
        """
        return ""

    @abstractmethod
    def region(self, bucket: str) -> str:
        """Return the region that a bucket lies in; empty where the server tells none.

        Raises:
            errors.NoSuchBucket: There is none of this name.

        """

    @abstractmethod
    def check_writable(self, bucket: str, key: str) -> None:
        """Return if an object could be written under a key; none is.

        Raises:
            errors.PermissionMissing, errors.NoSuchBucket: It could not.

        """

    @abstractmethod
    def head(
        self, bucket: str, key: str, *, version_id: str = ""
    ) -> ObjectFacts | None:
        """Return an object's metadata, or ``None`` where there is no such object.

        A missing bucket is `errors.NoSuchBucket`, never ``None``, as far as the server
        lets the two be told apart; call `check_bucket` first.

        Args:
            version_id: Of the latest version where empty.

        """

    @abstractmethod
    def part(
        self, bucket: str, key: str, number: int, *, version_id: str = ""
    ) -> PartFacts | None:
        """Return what is told of one part (counted from 1), or ``None`` for nothing.

        The answer is passed on as it came; `evidence.trusted_part` judges it.
        """

    @abstractmethod
    def part_sizes(
        self, bucket: str, key: str, *, version_id: str = ""
    ) -> tuple[int, ...] | None:
        """Return the sizes of all parts, if the server has a list of them.

        ``None`` where it has none, or does not show it: S3 keeps the list only of
        objects whose checksum is composite.
        """

    @abstractmethod
    def versions(self, bucket: str, key: str) -> Sequence["ObjectVersion"]:
        """Return the versions of one object, newest first.

        Empty where the object never existed, and where the versions may not be asked
        for. A bucket that keeps none has the object as its only version, ``null``.
        """

    @abstractmethod
    def list_objects(
        self, bucket: str, *, prefix: str = "", after: str = ""
    ) -> Iterator[ObjectFacts]:
        """Yield the latest versions of objects in the order of their keys' bytes.

        Args:
            prefix: Only keys that start with it.
            after: Only keys after it, exclusive.

        Yields:
            Key, size, ETag and time; the other fields are empty.

        """

    def list_unordered(
        self,
        bucket: str,
        *,
        prefix: str = "",
        after: str = "",
        up_to: str = "",
        at_once: int = 1,
    ) -> Generator[ObjectFacts, None, None]:
        """Yield the same as `list_objects`, each object once, in no promised order.

        An adapter may ask for several pages at once: an object that is there all the
        time is listed exactly once nevertheless. Closed early, the generator leaves
        nothing running that would hold anybody up.

        Args:
            prefix: Only keys that start with it.
            after: Only keys after it, exclusive.
            up_to: Only keys up to it, inclusive; empty for no bound.
            at_once: So many requests at once, at most.

        Raises:
            errors.AwsFailed: As for `list_objects`; or the server's answers do not go
                together, so that something might have been left out.

        """
        for facts in self.list_objects(bucket, prefix=prefix, after=after):
            if up_to and facts.key > up_to:
                return
            yield facts

    @abstractmethod
    def open(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str = "",
        if_match: str = "",
        start: int = 0,
        length: int | None = None,
    ) -> AbstractContextManager[ObjectBody]:
        """Ask for an object's bytes as they are stored; for a range of them if said.

        Args:
            version_id: Of the latest version where empty.
            if_match: Only if this is its ETag; without quotes.
            start: The first byte's place; with 0 and no ``length`` the whole is asked.
            length: How many bytes; at least 1, within the object.

        Raises:
            errors.NoSuchObject: There is none.
            errors.ObjectChanged: Its ETag is another one.
            errors.ObjectArchived: It must be restored first; the next step says how.
            errors.ObjectUnreadable: It is encrypted with a key that is not ours.
            errors.BodyBroken: The answer is not the range that was asked for.

        """

    def ask_ahead(self, bucket: str, key: str) -> AskedAhead | None:
        """Ask for a small object's bytes, without waiting for them.

        So a single thread has many requests under way; the system's buffers hold what
        comes meanwhile, as far as there is room. ``None`` where that cannot be done.
        """
        return None

    @abstractmethod
    def read(self, bucket: str, key: str, *, version_id: str = "") -> Iterator[bytes]:
        """Yield an object's bytes in order, in chunks that fit in memory.

        Raises:
            errors.NoSuchObject: There is none, raised at the first chunk.
            errors.ObjectUnreadable: It is archived, or encrypted with a key that is
                not ours; raised at the first chunk.

        """

    @abstractmethod
    def write(self, bucket: str, key: str, body: bytes) -> None:
        """Store a small object, replacing one of the same key."""

    @abstractmethod
    def requests(self) -> Mapping[str, int]:
        """Return how many requests were sent so far, by kind, retries included."""

    @abstractmethod
    def bytes_downloaded(self) -> int:
        """Return how many bytes of objects `read` has yielded so far."""


@dataclass(frozen=True)
class ObjectVersion:
    """A version of an object, or the mark that it was deleted.

    Attributes:
        version_id: ``null`` for what was written while the bucket kept no versions.

    """

    version_id: str
    modified_at: datetime
    deleted: bool = False


class ManifestReader(Protocol):
    """Where manifests come from."""

    @abstractmethod
    def read(self, path: str) -> CheckedManifest:
        """Read and check a manifest, whatever is wrong with its content.

        Raises:
            errors.FileRefused: The file cannot be read, or is too large to be one.

        """

    @abstractmethod
    def parse(self, text: str, name: str) -> CheckedManifest:
        """Check a manifest given as text; ``name`` is what the operator calls it."""


class TreeFile(NamedTuple):
    """A regular file of a tree.

    Attributes:
        path: Relative to the tree's root.
        modified_ns: Of the content, since the epoch; copying tools set it at will.
        inode: Its number; a hint for `FileTree.reading_order`.
        changed_ns: Of the inode (ctime), since the epoch: when the file was written to
            this disk, at the earliest. 0 where it is not known.

    """

    path: TreePath
    size_bytes: int
    modified_ns: int
    inode: int = 0
    changed_ns: int = 0


@dataclass(frozen=True)
class NotAFile:
    """An entry that is neither a regular file nor a directory: a link, a device, ..."""

    path: TreePath
    kind: str


@dataclass(frozen=True)
class Damaged:
    """An entry, or a directory with all that it may hold, that cannot be looked at."""

    path: TreePath
    reason: str


TreeEntry = TreeFile | NotAFile | Damaged


CHUNK_BYTES = 1 << 20
"""So much of a file is read in one piece."""


class Readable(Protocol):
    """A file opened for reading from where it was opened to its end."""

    @abstractmethod
    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        """Fill the buffer with the next bytes; return how many, 0 at the end.

        Raises:
            errors.FileUnreadable: The disk gives an error there.

        """

    def chunks(self) -> Generator[memoryview, None, None]:
        """Yield the next bytes in pieces, to the end; a piece is good until the next.

        An adapter may read ahead of who takes them: the generator is closed before the
        file is let go, and nothing else reads from the file meanwhile.

        Raises:
            errors.FileUnreadable: The disk gives an error there.

        """
        buffer = memoryview(bytearray(CHUNK_BYTES))
        while got := self.readinto(buffer):
            yield buffer[:got]


class FileTree(Protocol):
    """The files of one root. Thread-safe. Follows no link, never leaves the root.

    Attributes:
        warnings: What may make its content differ from what was written to it.
        reads_at_once: How many files its disk reads at once without losing time: 1
            where an arm would move to and fro; ``None`` where nobody knows.

    """

    warnings: Sequence[str] = ()
    reads_at_once: int | None = None

    @abstractmethod
    def has_directory(self, path: TreePath) -> bool:
        """Say whether a directory is there; the root always is."""

    @abstractmethod
    def names(self, directory: TreePath) -> Sequence[bytes]:
        """Return the names in one directory, sorted; none where it is not there."""

    @abstractmethod
    def entries(self, below: TreePath) -> Iterator[TreeEntry]:
        """Yield what lies below a directory, however deep, each entry exactly once.

        Paths are relative to the tree's root, whatever ``below`` is. In no promised
        order. Directories are walked, not yielded; one that cannot be read is yielded
        as `Damaged`, and the walk goes on.

        Raises:
            errors.ScratchFull: What waits to be walked has no room in temporary files.

        """

    @abstractmethod
    def open(
        self, path: TreePath, *, start: int = 0
    ) -> AbstractContextManager[Readable]:
        """Open a regular file.

        Args:
            start: Where reading begins, in bytes; at the end or beyond it there are
                none.

        Raises:
            errors.FileAbsent: It is not there, or not a regular file.
            errors.FileUnreadable: The disk gives an error.

        """

    @abstractmethod
    def reading_order(self, files: Sequence[TreeFile]) -> Sequence[TreeFile]:
        """Return the same files in the order in which the disk reads them fastest.

        It may cost a look at each of them; some thousand at a time are a good measure.
        No error is raised for a file that cannot be looked at: whoever opens it gets
        it.
        """

    @abstractmethod
    def place_of(self, path: TreePath) -> int | None:
        """Return the byte of its file system's device at which a file begins.

        ``None`` where that is not told, or the file cannot be looked at; no error.
        """


class NewFile(Protocol):
    """A file without a name, written from its start. Gone when it gets none."""

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """Return how much was written."""

    @abstractmethod
    def write(self, data: bytes | memoryview, /) -> None:
        """Write all of it at the end.

        Raises:
            errors.DiskFull: There is no room for it; a part of it may be written.

        """

    @abstractmethod
    def chunks(self) -> Iterator[memoryview]:
        """Yield what was written, from the start; a chunk is good until the next."""

    @abstractmethod
    def close(self) -> None:
        """Let it go: it remains if it has got a name. Idempotent."""


class WritableTree(FileTree, Protocol):
    """A file system mounted for writing. Thread-safe.

    Every method may raise `errors.DeviceFailed`: the disk gives an error; and
    `errors.DeviceUnreadable`: its file system is damaged.
    """

    @abstractmethod
    def new_file(self) -> NewFile:
        """Begin a file without a name; no directory shows it.

        Raises:
            errors.DiskFull: There is no room for one more.

        """

    @abstractmethod
    def make_room_for(self, path: TreePath) -> None:
        """Make the directories that a new file needs, and see that its name is free.

        Directories that were made remain, whatever happens.

        Raises:
            errors.DiskFull: There is no room for a directory.
            errors.PathUnusable: As for `write`.

        """

    @abstractmethod
    def give_name(self, file: NewFile, path: TreePath) -> None:
        """Give a file of this tree its name, in a directory that is there.

        Raises:
            errors.DiskFull: There is no room for the name.
            errors.PathUnusable: Something else has it.

        """

    @abstractmethod
    def append(self, path: TreePath, data: bytes) -> None:
        """Write at the end of a file; it and its directories are made if absent."""

    @abstractmethod
    def truncate(self, path: TreePath, size_bytes: int) -> None:
        """Cut a file to its first bytes."""

    @abstractmethod
    def size_of(self, path: TreePath) -> int | None:
        """Return a regular file's length in bytes; ``None`` where there is none."""

    @abstractmethod
    def remove(self, path: TreePath) -> None:
        """Remove a file; nothing happens where there is none."""

    @abstractmethod
    def write(self, path: TreePath, chunks: Iterable[bytes]) -> int:
        """Write a new file, its directories included, and return its length in bytes.

        The file gets its name when it is complete: after any error, those raised by
        ``chunks`` included, nothing stands at ``path``.

        Raises:
            errors.DiskFull: There is no room for it.
            errors.PathUnusable: Something else is there (a file where a directory is
                needed, or the other way round), or the name is none here.

        """

    @abstractmethod
    def replace(self, path: TreePath, content: bytes) -> None:
        """Write a small file in one step, replacing one of the same name.

        After a failure the old file or the new one is there, whole.
        """

    @abstractmethod
    def free_bytes(self) -> int:
        """Return how much content there is room for, about."""

    @abstractmethod
    def sync(self) -> None:
        """Return when everything written has reached the disk.

        Raises:
            errors.DeviceFailed: Something that was written since the last call did not.

        """


class ScratchFile(Protocol):
    """Temporary storage: written at the end, read anywhere. Not thread-safe."""

    @abstractmethod
    def append(self, data: bytes) -> int:
        """Write at the end; return where it begins, in bytes from the start.

        Raises:
            errors.ScratchFull: There is no room for it.

        """

    @abstractmethod
    def read(self, start: int, length: int) -> bytes:
        """Return bytes that were written; fewer where the end comes first."""


class Scratch(Protocol):
    """Where temporary files come from."""

    @abstractmethod
    def file(self) -> AbstractContextManager[ScratchFile]:
        """Open an empty file: in memory while it is small, then on a disk.

        It is gone when it is left, and when the process ends, however it ends.
        """


class HashFunctions(Protocol):
    """The digests that can be computed here. Thread-safe."""

    @abstractmethod
    def algorithms(self) -> Collection[str]:
        """Return their names, as S3 spells them: ``SHA256``, ``CRC64NVME``."""

    @abstractmethod
    def new(self, algorithm: str) -> Hash:
        """Begin a digest by one of them. A CRC's digest is its bytes, highest first.

        Raises:
            ValueError: It is none of them.

        """


class ReportWriter(Protocol):
    """Where reports of verifications go."""

    @abstractmethod
    def check(self, path: str) -> None:
        """Return if a report can be written there, in a form that is known.

        Raises:
            errors.FileRefused: The ending is of no known form, or nothing can be
                written there.

        """

    @abstractmethod
    def write(self, report: Report, path: str) -> str | None:
        """Write a report, in the form that the path's ending names.

        A file that is there keeps its content under a new name beside it. After a
        failure it still has its own name, too.

        Returns:
            The path at which the older file is kept; ``None`` where none was, or an
            empty one.

        Raises:
            errors.FileRefused: As for `check`, or the disk is full.

        """


class BlockDevices(Protocol):
    """Disks, partitions, images of disks, and directories in their place.

    Every method may raise `errors.DeviceAbsent`, `errors.ToolMissing`,
    `errors.PrivilegeMissing` and `errors.DeviceFailed`.
    """

    @abstractmethod
    def inspect(self, path: str) -> DeviceFacts:
        """Return what is to be seen of a device; changes nothing."""

    @abstractmethod
    def disks(self) -> Sequence[DeviceFacts]:
        """Return every disk of this system that has a medium; changes nothing."""

    @abstractmethod
    def hold(self, facts: DeviceFacts) -> AbstractContextManager[DeviceFacts]:
        """Keep a device from becoming another one under the same name.

        It is looked at anew, by the name that does not change if it has one; what is
        seen now is given. While it is held, the kernel gives its name to no other
        disk, and tools that demand a device for themselves can use it.

        Raises:
            errors.DeviceChanged: It is not the device that the facts are of.

        """

    @abstractmethod
    def back_up(self, facts: DeviceFacts) -> str:
        """Save what `prepare` destroys first: partition table, headers, signatures.

        Returns:
            The path of the file, which says how to put it back. Data is not saved.

        Raises:
            errors.FileRefused: It cannot be written; nothing is left of it.

        """

    @abstractmethod
    def prepare(
        self,
        facts: DeviceFacts,
        preparation: Preparation,
        reached: Reached = lambda state: None,
    ) -> None:
        """Erase a device and, as a rule, make an ext4 file system on it.

        A disk or an image gets a partition table (GPT) with one partition first, if
        it is not to be one file system as a whole. Without a file system the partition,
        or the device, shows nothing that is recognised afterwards. The caller has
        judged the facts and asked for confirmation.

        Args:
            reached: Told of each state of the disk in turn, from ``BEING_ERASED``,
                before the first byte is written, to ``FORMATTED``; without a file
                system to ``PARTITIONED``, if it gets a table.

        Raises:
            errors.DeviceFailed: Naming the step. The disk is in the state that was
                told last, or on the way to the next one.

        """

    @abstractmethod
    def open_read_only(
        self, facts: DeviceFacts, *, mounting: bool = True
    ) -> AbstractContextManager[FileTree]:
        """Make the file system of a device readable, without one byte written to it.

        A disk must hold one file system that can be read: its own, or that of one of
        its partitions. Released on leaving, whatever happened.

        Args:
            mounting: Whether the kernel may mount it. Otherwise, and where this user
                may not mount, it is read in userspace.

        Raises:
            errors.NoFileSystem: Nothing is recognised.
            errors.DeviceUnreadable: There is none that can be read, or more than one.

        """

    @abstractmethod
    def room_beside(self, facts: DeviceFacts) -> int | None:
        """Return how many bytes an image can still grow by on what holds it.

        ``None`` for disks, which grow by nothing, and where that is not told.
        """

    @abstractmethod
    def check_writable(self, facts: DeviceFacts) -> None:
        """Return if a device holds the one file system that can be written to.

        Changes nothing; whether it can be mounted is seen when that is tried.

        Raises:
            errors.NoFileSystem: Nothing is recognised.
            errors.DeviceUnreadable: There is none of its kind, or more than one.

        """

    @abstractmethod
    def open_for_writing(
        self, facts: DeviceFacts
    ) -> AbstractContextManager[WritableTree]:
        """Mount the file system of a device read-write.

        On leaving it is synced, unmounted, flushed to the medium and released.

        Raises:
            errors.DeviceUnreadable: There is none, or more than one.

        """

    @abstractmethod
    def leftovers(self) -> Sequence["Leftover"]:
        """Return what runs that were killed left mounted or attached, inside first."""

    @abstractmethod
    def clean(self, leftover: "Leftover") -> None:
        """Release one left-over; idempotent."""


@dataclass(frozen=True)
class OpenedContainer:
    """A container that is open: the files in it, and what it turned out to be."""

    tree: FileTree
    facts: ContainerFacts


class Containers(Protocol):
    """Encrypted containers: files on a disk, or whole disks and partitions.

    What opening needs of the system is released on leaving, whatever happened; what a
    killed run leaves, `BlockDevices.leftovers` tells and `BlockDevices.clean` releases.
    Every method but `lacking` may raise `errors.PasswordRefused`, `errors.KernelLacks`,
    `errors.ContainerUnsupported`, `errors.ToolMissing`, `errors.PrivilegeMissing` and
    `errors.DeviceUnreadable` (the container opens, and holds no file system that can be
    read).
    """

    @abstractmethod
    def open_file(
        self, tree: FileTree, path: TreePath, key: ContainerKey, opening: Opening
    ) -> AbstractContextManager[OpenedContainer]:
        """Open a container that is a file of a tree; not one byte of it is changed.

        Raises:
            errors.FileUnreadable: There is no such file.

        """

    @abstractmethod
    def open_device(
        self, facts: DeviceFacts, key: ContainerKey, opening: Opening
    ) -> AbstractContextManager[OpenedContainer]:
        """Open a device or an image that is a container, or whose one partition is.

        Not one byte of it is changed.
        """

    @abstractmethod
    def lacking(self, kind: str) -> str:
        """Say what this system or this user lacks to make containers and write to them.

        Changes nothing. Not lacking is no promise: the disk may be full.

        Args:
            kind: ``truecrypt``, for `create`; ``luks2``, for `create_device`.

        Returns:
            In words; empty where nothing is lacking.

        Raises:
            ValueError: It is no kind that is made.

        """

    @abstractmethod
    def make_room(self, tree: WritableTree, path: TreePath) -> int:
        """Return how many bytes a new container can have at most.

        What a kill left of one for the same path is removed, so that its room counts.

        Raises:
            errors.DeviceFailed: It cannot be removed.

        """

    @abstractmethod
    def create(
        self,
        tree: WritableTree,
        path: TreePath,
        size_bytes: int,
        password: Secret,
        label: str,
    ) -> None:
        """Make a TrueCrypt container with an empty ext4 file system.

        It takes all of its room at once: writing to it never finds the disk full below.
        It is on the disk, and stands at ``path``, when it is whole; after a failure or
        a kill nothing stands there. What a kill left under another name beside it is
        removed by the next call for the same path, or by `make_room`.

        Sectors that were never written hold what the disk gives for them, as after
        TrueCrypt's quick format: how much is used can be seen without the password.

        Args:
            size_bytes: Of the container, the headers included; rounded down to whole
                MiB. The file system holds some less.
            label: Of the file system; at most 16 bytes are kept (ext4's limit).

        Raises:
            errors.DiskFull: There is no room for it, or it is too small for a file
                system.
            errors.PathUnusable: Something else is there.
            errors.InputRefused: The password is none that TrueCrypt takes (1 to 64
                bytes).
            errors.DeviceFailed: The disk gives an error.

        """

    @abstractmethod
    def open_for_writing(
        self,
        tree: WritableTree,
        path: TreePath,
        key: ContainerKey,
        opening: Opening = AS_IT_COMES,
    ) -> AbstractContextManager[WritableTree]:
        """Mount the file system of a container that is a file, for writing.

        What a run that was killed had written and synced is there: the journal is
        replayed. On leaving all is synced, of the container's file, too, and released.

        Raises:
            errors.FileUnreadable: There is no such file.
            errors.DeviceRefused: It is being written to already, by a run that goes on
                or was killed and not cleaned up after; nothing was changed.
            errors.InputRefused: ``opening`` forbids to mount.
            errors.DeviceFailed: On leaving: something that was written did not reach
                the disk. All is released, or the message says what is not.

        """

    @abstractmethod
    def create_device(self, facts: DeviceFacts, password: Secret, label: str) -> None:
        """Make a LUKS2 container with an empty ext4 file system, synced.

        It fills the device's one partition, or the device where it has no partition
        table. What was there is lost. The caller has judged the facts and asked for
        confirmation.

        Args:
            label: Of the file system; at most 16 bytes are kept (ext4's limit).

        Raises:
            errors.KernelLacks, errors.PrivilegeMissing, errors.InputRefused: Before
                anything is erased. The last: the password is empty, holds a line break,
                or has more than 512 bytes.
            errors.DeviceUnreadable: It has several partitions; nothing was changed.
            errors.DeviceFailed: It may hold anything: what was there, a container
                without a file system, or nothing that can be opened.

        """

    @abstractmethod
    def open_device_for_writing(
        self, facts: DeviceFacts, key: ContainerKey, opening: Opening = AS_IT_COMES
    ) -> AbstractContextManager[WritableTree]:
        """Mount the file system of a container that is a device, or its one partition.

        All else is as for `open_for_writing`.
        """


class KeyRing(Protocol):
    """Where passwords come from."""

    @abstractmethod
    def key_for(self, what: str) -> ContainerKey | None:
        """Return what opens a container, asking for it if somebody can be asked.

        Args:
            what: The container, for the question.

        Returns:
            ``None`` where nothing was given and nobody can be asked.

        """

    @abstractmethod
    def key_for_new(self, what: str) -> ContainerKey | None:
        """Return what a container shall be made with: as `key_for`, if it was given.

        What somebody typed is asked for again, until it was typed the same twice; once
        it was, it is asked for no more. So it may be another one than before.
        """


@dataclass(frozen=True)
class Leftover:
    """Something that a run left behind because it was killed.

    Attributes:
        what: For people: "/run/… mounted from /dev/loop3".
        command: What cleans it by hand.

    """

    what: str
    command: str


Stop = Callable[[], bool]
"""Says whether the caller has lost interest: long work asks it now and then."""


class Workers(Protocol):
    """Runs a function over many items at once."""

    @abstractmethod
    def map(
        self, function: Callable[[A, Stop], B], items: Iterable[A], *, at_once: int
    ) -> Generator[B, None, None]:
        """Yield ``function(item, stop)`` in the order of the items.

        Items are taken as needed, at most a few times ``at_once`` ahead, always in the
        caller's thread. The first exception is raised in its place. On leaving early,
        ``stop`` says so; calls that heed it have ended when the generator is closed,
        and calls that do not end within seconds are abandoned.
        """

    @abstractmethod
    def turns(self) -> AbstractContextManager[object]:
        """Return something that only one call is inside of at any time.

        To be entered again and again, by calls of `map`. What needs the processor for
        small steps alone is faster one after the other than side by side.
        """


class Randomness(Protocol):
    """The one source of chance."""

    @abstractmethod
    def seed(self) -> str:
        """Return a new seed of at least 64 bits: letters and digits."""

    @abstractmethod
    def password(self) -> str:
        """Return a new password of at least 128 bits, in ASCII, at most 64 of it.

        Fit to be read to somebody and typed: no letter looks like another one.
        """


class Clock(Protocol):
    """The time."""

    @abstractmethod
    def now(self) -> datetime:
        """Return the time now, in UTC, aware."""

    @abstractmethod
    def wait(self, seconds: float) -> None:
        """Return when so many seconds have passed; at once for 0 or less.

        A signal that ends the program ends the waiting.
        """


class Machine(Protocol):
    """The machine that the program runs on, as far as its tasks depend on it.

    Looking changes nothing. What cannot be looked at is absent or unknown, and no
    error.
    """

    @abstractmethod
    def name(self) -> str:
        """Return system and kernel in words, such as ``Debian 12, Linux 6.1``."""

    @abstractmethod
    def parts(self) -> Sequence[Part]:
        """Look for every part that `capabilities.TASKS` name, but those of AWS.

        Each name comes once. What is absent says how it can be had, or what is wrong.
        """


class AwsAccess(Protocol):
    """The way to S3: settings, credentials, the network, the clocks."""

    @abstractmethod
    def look(self, *, ask: bool) -> Access:
        """Tell what is found; trouble of any kind is told in it, and no error.

        Args:
            ask: Send S3 one request that changes nothing; without it none is sent to
                S3, though credentials may be fetched from where AWS's chain has them.
        """


class Stage(Protocol):
    """One piece of long work that is under way."""

    @abstractmethod
    def advance(self, amount: int = 1, size_bytes: int = 0) -> None:
        """Note that so much more is done, and of how many bytes; from any thread."""


@runtime_checkable
class Progress(Protocol):
    """Shows how far long work is. Shows nothing where nobody watches."""

    @abstractmethod
    def stage(
        self,
        name: str,
        *,
        total: int | None = None,
        unit: str = "files",
        total_bytes: int | None = None,
    ) -> AbstractContextManager[Stage]:
        """Begin a piece of work.

        Args:
            total: In ``unit``; ``None`` where it is not known.
            unit: ``files`` or ``objects``.
            total_bytes: Where the time left hangs on bytes; ``None`` elsewhere.

        """
