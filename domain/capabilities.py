"""What a machine can do, and what it lacks for the rest: parts in, a diagnosis out.

A task can be done in several ways, and each way needs parts: a privilege, a feature of
the kernel, a system tool, a library, an answer of S3. What is decided here is decided
from parts that an adapter has looked at, so that every machine can be a row in a test.
"""

import enum
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from s3export.domain.counting import counted

MOST_SKEW = timedelta(minutes=15)
"""S3 refuses requests whose time is further from its own (RequestTimeTooSkewed)."""


class PartKind(enum.StrEnum):
    """What sort of thing a part is; the values are those of the JSON document."""

    PRIVILEGE = "privilege"
    KERNEL = "kernel"
    TOOL = "tool"
    LIBRARY = "library"
    PYTHON = "python"
    AWS = "aws"


@dataclass(frozen=True)
class Part:
    """Something that was looked for.

    Attributes:
        name: By which tasks ask for it.
        present: ``None`` if that was not looked at.
        detail: Its version, or what is wrong with it; may be empty.
        package: The Debian package that brings it; empty for none.
        requirement: What pip is told to bring it; empty for nothing.
        advice: What to do where no package helps; may be empty.
    """

    name: str
    kind: PartKind
    present: bool | None
    detail: str = ""
    package: str = ""
    requirement: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Way:
    """One way to carry a task out, and what it needs."""

    name: str
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """Something that people want to do.

    Attributes:
        name: By which it can be asked for.
        about: The same in words.
        ways: The better one first.
        main: Whether a machine on which it cannot be done is not in order.
    """

    name: str
    about: str
    ways: tuple[Way, ...]
    main: bool = False


ROOT = "root"
CREDENTIALS, S3, CLOCK = "credentials", "s3", "clock"

_PACKAGES = ("awscrt", "boto3", "dependency-injector", "plumbum", "pydantic")
_ALWAYS = ("python", *_PACKAGES, "lazy_loader", "PyYAML", "rich")
_LOOKING = ("lsblk", "losetup", "wipefs")  # at what a disk or an image is, by anybody
_MOUNTING = (*_LOOKING, ROOT, "loop", "blkid", "sfdisk", "mount", "umount", "blockdev")
_PREPARING = (*_MOUNTING, "mkfs.ext4")
_DM_CRYPT = ("dm_mod", "dm_crypt", "cryptsetup")
_BY_KERNEL = (*_DM_CRYPT, "algif_skcipher")
_BY_FUSE = ("fuse", "libfuse3", "mfusepy")

TASKS = (
    Task("ask-s3", "ask S3", (Way("", (CREDENTIALS, S3, CLOCK)),), main=True),
    Task(
        "verify-directory", "verify a mounted directory", (Way("", _ALWAYS),), main=True
    ),
    Task(
        "verify-disk",
        "verify a disk or an image",
        (
            Way("mounted read-only", _MOUNTING),
            Way("read in userspace", (*_LOOKING, "pytsk3")),
        ),
        main=True,
    ),
    Task(
        "open-truecrypt",
        "open a TrueCrypt or VeraCrypt container",
        (
            Way("by the kernel", (*_MOUNTING, *_BY_KERNEL)),
            Way("decrypted in userspace", ("libgcrypt",)),
        ),
        main=True,
    ),
    Task("open-luks", "open LUKS", (Way("by the kernel", (*_MOUNTING, *_DM_CRYPT)),)),
    Task("create-job", "erase and prepare a disk", (Way("", _PREPARING),)),
    Task(
        "load-device",
        "load an encrypted disk",
        (
            Way("by the kernel", (*_PREPARING, "libgcrypt", *_BY_KERNEL)),
            Way("through FUSE", (*_PREPARING, "libgcrypt", *_BY_FUSE)),
        ),
    ),
    Task("sandbox", "try it in the sandbox", (Way("", ("moto",)),)),
)
"""In the order of what people do."""


@dataclass(frozen=True)
class Ability:
    """How a task stands on a machine.

    Attributes:
        way: That it can be done in; ``None`` if in none for sure.
        lacking: Of the way that lacks least: what is not there; empty if nothing is.
        unknown: Of the same way: what was not looked at.
    """

    task: Task
    way: Way | None
    lacking: tuple[Part, ...] = ()
    unknown: tuple[Part, ...] = ()

    @property
    def works(self) -> bool | None:
        """Whether it can be done; ``None`` if that was not looked at."""
        if self.lacking:
            return False
        return None if self.unknown else True


@dataclass(frozen=True)
class Access:
    """What was seen of the way to S3.

    Attributes:
        profile: Of AWS's configuration; empty for none.
        region, region_origin: Where requests go, and what says so.
        endpoint: The address; empty if it could not be told.
        credentials: Where they were found; empty for nowhere.
        access_key_id: The end of it alone; the secret is in none of this.
        credentials_problem: Why there are none; what S3 says of them.
        asked: Whether S3 was asked.
        problem: Why no answer came; empty if one did.
        server_time: What S3 says the time is; ``None`` if it does not say.
        local_time: This machine's, in the same moment.
    """

    profile: str = ""
    region: str = ""
    region_origin: str = ""
    endpoint: str = ""
    credentials: str = ""
    access_key_id: str = ""
    credentials_problem: str = ""
    asked: bool = False
    problem: str = ""
    server_time: datetime | None = None
    local_time: datetime | None = None

    @property
    def skew(self) -> timedelta | None:
        """How far this machine's clock is ahead of S3's; ``None`` if not known."""
        if self.server_time is None or self.local_time is None:
            return None
        return self.local_time - self.server_time

    def parts(self) -> Iterator[Part]:
        """Yield what asking S3 needs."""
        found = bool(self.credentials) and not self.credentials_problem
        yield Part(
            CREDENTIALS,
            PartKind.AWS,
            found,
            self._told() if found else self.credentials_problem or "none were found",
            advice="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile "
            "with --profile, or run: aws configure",
        )
        yield Part(
            S3,
            PartKind.AWS,
            not self.problem if self.asked else None,
            self.problem or self.endpoint,
            advice="check the network, the proxy (HTTPS_PROXY), --region and "
            "--endpoint-url",
        )
        skew = self.skew
        yield Part(
            CLOCK,
            PartKind.AWS,
            None if skew is None else abs(skew) <= MOST_SKEW,
            "" if skew is None else skew_in_words(skew),
            advice="set it: timedatectl set-ntp true (S3 refuses requests that are "
            "more than 15 minutes off)",
        )

    def _told(self) -> str:
        key = f", key …{self.access_key_id}" if self.access_key_id else ""
        return f"{self.credentials}{key}"


def skew_in_words(skew: timedelta) -> str:
    """Say how far a clock is off.

    >>> skew_in_words(timedelta(seconds=-90))
    '90 seconds behind S3'
    """
    seconds = round(abs(skew).total_seconds())
    if seconds <= 1:  # the Date header has whole seconds
        return "as S3's"
    direction = "ahead of" if skew > timedelta(0) else "behind"
    return f"{counted(seconds, 'second')} {direction} S3"


@dataclass(frozen=True)
class Diagnosis:
    """All that is to be said about a machine.

    Attributes:
        system: The system and its kernel in words.
        parts: Everything that was looked for.
        abilities: One for every task, in the order of `TASKS`.
        deciding: The tasks by which the machine is judged.
        asked: The tasks that were asked for; empty if no task was.
    """

    system: str
    access: Access
    parts: tuple[Part, ...]
    abilities: tuple[Ability, ...]
    deciding: frozenset[str]
    asked: frozenset[str] = frozenset()

    @property
    def concerned(self) -> tuple[Ability, ...]:
        """The tasks that advice is given on: those asked for, otherwise all."""
        if not self.asked:
            return self.abilities
        return tuple(a for a in self.abilities if a.task.name in self.asked)

    @property
    def missing(self) -> tuple[Part, ...]:
        """What is not there: for the tasks asked for, otherwise at all."""
        if not self.asked:
            return tuple(part for part in self.parts if part.present is False)
        return tuple(part for ability in self.concerned for part in ability.lacking)

    @property
    def failing(self) -> tuple[Ability, ...]:
        """The tasks that should work and do not."""
        return tuple(
            ability
            for ability in self.abilities
            if ability.task.name in self.deciding and ability.works is False
        )

    @property
    def packages(self) -> tuple[str, ...]:
        """The Debian packages that bring what is missing, sorted."""
        return _sorted(part.package for part in self.missing)

    @property
    def requirements(self) -> tuple[str, ...]:
        """What pip brings of what is missing, sorted."""
        return _sorted(part.requirement for part in self.missing)

    @property
    def remedy(self) -> str:
        """The one command that adds what is missing; empty if none can."""
        commands = []
        if self.packages:
            commands.append(f"apt-get install {' '.join(self.packages)}")
        if self.requirements:
            quoted = " ".join(f"'{wanted}'" for wanted in self.requirements)
            commands.append(f"python3 -m pip install {quoted}")
        return " && ".join(commands)


def _sorted(names: Iterator[str]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name}))


def diagnose(
    system: str,
    parts: Sequence[Part],
    access: Access,
    deciding: Collection[str] = (),
) -> Diagnosis:
    """Say which tasks can be done with the parts that are there.

    Args:
        parts: Of the machine; one for every name that a task needs.
        deciding: Names of the tasks by which it is judged; the main ones by default.

    Raises:
        ValueError: There is no task of a name.
    """
    names = {task.name for task in TASKS}
    if unknown := set(deciding) - names:
        raise ValueError(f"no such task: {', '.join(sorted(unknown))}")
    everything = (*parts, *access.parts())
    by_name = {part.name: part for part in everything}
    return Diagnosis(
        system,
        access,
        everything,
        tuple(_ability(task, by_name) for task in TASKS),
        frozenset(deciding or (task.name for task in TASKS if task.main)),
        frozenset(deciding),
    )


def _ability(task: Task, parts: Mapping[str, Part]) -> Ability:
    """Choose the first way that works, or else the one that lacks least."""
    ways = [_tried(task, way, parts) for way in task.ways]
    return min(ways, key=lambda tried: (len(tried.lacking), len(tried.unknown)))


def _tried(task: Task, way: Way, parts: Mapping[str, Part]) -> Ability:
    needed = [parts[name] for name in way.needs]
    lacking = tuple(part for part in needed if part.present is False)
    unknown = tuple(part for part in needed if part.present is None)
    return Ability(task, None if lacking or unknown else way, lacking, unknown)
