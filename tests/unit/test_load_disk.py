"""Taking a disk and loading it: look, ask, and only then change anything."""

from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import pytest
from load_scene import PASSWORD, SIZE, Scene
from samples import DISK

from s3export.adapters.hash_functions import InstalledHashes
from s3export.adapters.keys import GivenKeys
from s3export.adapters.memory import (
    InlineWorkers,
    MemoryWritableTree,
    SilentProgress,
)
from s3export.domain.backup_layout import LOAD_DIRECTORY, TreePath
from s3export.domain.devices import DeviceFacts
from s3export.domain.errors import (
    BodyBroken,
    ContainerDamaged,
    DeviceChanged,
    DeviceFailed,
    DeviceRefused,
    DeviceUnreadable,
    FileUnreadable,
    InputRefused,
    KernelLacks,
    NoSuchBucket,
    PasswordRefused,
    PermissionMissing,
    S3ExportError,
    Unreachable,
)
from s3export.domain.export_log import parse_export_log
from s3export.domain.jobs import JobId
from s3export.domain.load_marker import MARKER
from s3export.domain.manifests import Operation
from s3export.domain.secret import Secret
from s3export.domain.services.create_job import DiskWishes
from s3export.domain.services.load_device import Place, place_after
from s3export.domain.services.load_disk import (
    Encryption,
    LoadPlan,
    LoadWishes,
)
from s3export.domain.services.read_back import ReadBack


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_plan_changes_nothing_and_says_what_will_happen(scene: Scene) -> None:
    """Objects, bytes, the disk, that it is erased, and with what it is encrypted."""
    plan = scene.plan(Encryption.TRUECRYPT)

    assert scene.untouched()
    assert (plan.survey.objects, plan.survey.size_bytes) == (300, 299 * 150)
    assert len(plan.survey.shares) == 1
    assert plan.survey.bytes_a_second
    text = " ".join(plan.steps())
    assert f"ERASE {DISK}" in text
    assert f"{plan.request.job_id}.tc" in text
    assert "s3://logs/export-log-" in text
    assert "NOT encrypted" in " ".join(scene.plan().steps())


@pytest.mark.parametrize("encryption", list(Encryption))
def test_a_disk_is_loaded_and_says_of_which_job_it_is(
    scene: Scene, encryption: Encryption
) -> None:
    """In a container or without one; the password is on it nowhere."""
    plan = scene.plan(encryption)
    loaded = scene.load.carry_out(plan)

    assert (loaded.result.written, loaded.result.errors) == (300, 0)
    assert loaded.saved
    job = plan.request.job_id
    if encryption is Encryption.LUKS2:
        assert scene.disk.tree is None
    else:
        assert (f"{job}.tc".encode() in scene.tree.files) is (
            encryption is Encryption.TRUECRYPT
        )
        assert job.encode() in scene.tree.files[MARKER]
    assert scene.plan(encryption).resumes
    log = b"".join(scene.store.read("logs", f"export-log-{job}"))
    assert log.count(b"etag-md5") == 300


@pytest.mark.parametrize("encryption", list(Encryption))
def test_the_same_command_goes_on_and_erases_nothing(
    scene: Scene, encryption: Encryption
) -> None:
    """After an error that says so; with the job's own id."""
    scene.store.faults = {"200": [Unreachable("no network", next_step="wait")]}
    first = scene.plan(encryption)
    with pytest.raises(Unreachable) as caught:
        scene.load.carry_out(first)
    steps = list(scene.disk.history)

    second = scene.plan(encryption)
    loaded = scene.load.carry_out(second)

    assert "wait; then run the same command again" in caught.value.next_step
    assert second.resumes and "nothing is erased" in second.steps()[0]
    assert second.cautions() == ()
    assert second.request.job_id == first.request.job_id
    assert "partition" not in scene.disk.history[len(steps) :]
    assert loaded.saved == ""
    assert loaded.result.written == 300
    assert 0 < loaded.result.taken_over < 300


@pytest.mark.parametrize(
    "change", ["bucket", "prefix", "recovery", "begin", "encryption", "job"]
)
def test_another_command_does_not_go_on(scene: Scene, change: str) -> None:
    """It erases, and its plan says what would be lost."""
    scene.load.carry_out(scene.plan(wishes=LoadWishes(job_id=JobId("AAAAA"))))
    wishes = LoadWishes()
    encryption = Encryption.NONE
    if change == "bucket":
        scene.manifest = replace(scene.manifest, operations=(Operation("logs"),))
    elif change == "prefix":
        scene.manifest = replace(scene.manifest, operations=(Operation("b", "1"),))
    elif change == "recovery":
        scene.manifest = replace(scene.manifest, recovery_directory="LOST")
    elif change == "begin":
        wishes = LoadWishes(begin=Place(0, "100"))
    elif change == "encryption":
        encryption = Encryption.TRUECRYPT
    else:
        wishes = LoadWishes(job_id=JobId("BBBBB"))

    plan = scene.plan(encryption, wishes=wishes)

    assert not plan.resumes
    assert "a load of job AAAAA, which would be lost" in " ".join(plan.cautions())


def test_the_job_of_the_signature_names_the_load(scene: Scene) -> None:
    """A disk that create-job prepared keeps its job's id; another id is a caution."""
    tree = MemoryWritableTree()
    tree.replace(TreePath(b"SIGNATURE"), b"version:2.0\njobId:53TX4\n")
    scene.disk.tree = tree
    scene.disk.facts = replace(scene.disk.facts, signatures=("ext4",))

    assert scene.plan().request.job_id == "53TX4"
    assert not any("53TX4" in caution for caution in scene.plan().cautions())
    other = scene.plan(wishes=LoadWishes(job_id=JobId("H4FDE")))
    assert other.request.job_id == "H4FDE"
    assert "SIGNATURE of job 53TX4" in " ".join(other.cautions())


def test_what_is_no_jobs_id_does_not_name_the_load(scene: Scene) -> None:
    """The id stands in names of files; a container is named before it is lost."""
    tree = MemoryWritableTree()
    tree.replace(TreePath(b"SIGNATURE"), b"jobId:../../outside\n")
    tree.replace(TreePath(b"4RA2X.tc"), b"?")
    scene.disk.tree = tree
    scene.disk.facts = replace(scene.disk.facts, signatures=("ext4",))

    plan = scene.plan()

    assert plan.request.job_id.isalnum()
    assert "it holds the container 4RA2X.tc, which would be lost" in plan.cautions()


def test_without_a_password_nothing_is_loaded_in_the_clear(scene: Scene) -> None:
    """That must be said."""
    for password in (None, Secret("")):
        with pytest.raises(InputRefused, match="trueCryptPassword") as caught:
            scene.plan(Encryption.TRUECRYPT, password)
        assert "--encrypt none" in caught.value.next_step
    for kind, longest in ((Encryption.TRUECRYPT, 64), (Encryption.LUKS2, 512)):
        assert scene.plan(kind, Secret("ü" * (longest // 2))).key is not None
        for password in (Secret("x" * (longest + 1)), Secret("two\nlines")):
            with pytest.raises(InputRefused, match=f"at most {longest} bytes"):
                scene.plan(kind, password)
    with pytest.raises(InputRefused, match="password alone"):
        scene.load.plan(
            scene.manifest, DISK, GivenKeys(PASSWORD, keyfiles=("k",)), LoadWishes()
        )
    assert scene.untouched()


def test_a_field_that_may_be_the_password_is_named(scene: Scene) -> None:
    """Where there is no password."""
    with pytest.raises(InputRefused) as told:
        scene.load.plan(
            scene.manifest, DISK, GivenKeys(), LoadWishes(), misspelt="trueCryptPasword"
        )
    assert "is trueCryptPasword meant to be it?" in told.value.message


class Typist:
    """Answers what is asked for, in order."""

    def __init__(self, *passwords: str) -> None:
        self.passwords = list(passwords)
        self.asked: list[str] = []
        self.told: list[str] = []
        self.keys = GivenKeys(ask=self.ask, tell=self.told.append)

    def ask(self, what: str) -> Secret:
        """Type the next one."""
        self.asked.append(what)
        return Secret(self.passwords.pop(0))


def typed(scene: Scene, typist: Typist, encryption: Encryption) -> LoadPlan:
    """Plan with a password that is typed."""
    wishes = LoadWishes(encryption=encryption)
    return scene.load.plan(scene.manifest, DISK, typist.keys, wishes)


def test_the_password_of_a_new_container_is_typed_twice(scene: Scene) -> None:
    """Until it is the same twice; of a load that goes on once."""
    typist = Typist("one", "other", "two", "two")

    plan = typed(scene, typist, Encryption.TRUECRYPT)

    assert plan.key is not None and plan.key.passphrase == Secret("two")
    what = f"the container on {DISK}"
    assert typist.asked == [what, f"{what}, again"] * 2
    assert typist.told == ["the two are not the same"]
    scene.load.carry_out(plan)
    once = Typist("two")
    assert typed(scene, once, Encryption.TRUECRYPT).resumes
    assert once.asked == [what]


def test_a_load_is_found_with_the_password_that_was_typed_last(scene: Scene) -> None:
    """A mistyped one opens no LUKS disk; the right one must not erase it."""
    scene.load.carry_out(scene.plan(Encryption.LUKS2))
    right = PASSWORD.reveal()

    typist = Typist("mistyped", right, right, right)

    assert typed(scene, typist, Encryption.LUKS2).resumes
    assert len(typist.asked) == 4


def test_what_this_system_cannot_make_is_refused_before_anything_is_erased(
    scene: Scene,
) -> None:
    """The kind of container is named."""
    scene.containers.lacks = {"luks2": "the kernel has no dm-crypt"}

    with pytest.raises(KernelLacks, match="no luks2 container"):
        scene.plan(Encryption.LUKS2)
    assert scene.untouched()


def test_an_unsafe_disk_is_refused(scene: Scene) -> None:
    """In the plan, and again before anything is written."""
    plan = scene.plan()
    scene.disk.facts = replace(scene.disk.facts, mount_points=("/home",))
    with pytest.raises(DeviceRefused):
        scene.plan()
    with pytest.raises((DeviceRefused, DeviceChanged)):
        scene.load.carry_out(plan)
    assert scene.untouched()


def test_a_fixed_disk_is_taken_only_where_that_is_said(scene: Scene) -> None:
    """As by create-job."""
    scene.disk.facts = replace(scene.disk.facts, removable=False)

    with pytest.raises(DeviceRefused):
        scene.plan(wishes=LoadWishes(DiskWishes(allow_fixed=False)))


def test_a_disk_that_was_swapped_is_not_erased(scene: Scene) -> None:
    """It has another serial than the one that was confirmed."""
    plan = scene.plan()
    scene.disk.facts = replace(scene.disk.facts, serial="0THER")

    with pytest.raises(DeviceChanged):
        scene.load.carry_out(plan)
    assert scene.untouched()


def test_a_bucket_that_is_not_there_is_told_before_anything_is_erased(
    scene: Scene,
) -> None:
    """S3 is asked first."""
    scene.manifest = replace(scene.manifest, operations=(Operation("none"),))

    with pytest.raises(NoSuchBucket):
        scene.plan()
    assert scene.untouched()


def test_a_bucket_for_the_log_that_is_not_there_is_told_too(scene: Scene) -> None:
    """Hours of loading later would be too late."""
    scene.manifest = replace(scene.manifest, log_bucket="none")
    with pytest.raises(NoSuchBucket, match="no bucket none for the log") as caught:
        scene.plan()
    assert "manifest" in caught.value.next_step
    assert scene.untouched()

    scene.manifest = replace(scene.manifest, log_bucket="logs")
    assert scene.plan().survey.log_refused == ""
    scene.store.read_only.add("logs")
    assert "Access Denied" in scene.plan().survey.log_refused


def test_where_no_object_can_be_read_nothing_is_erased(scene: Scene) -> None:
    """What the way to S3 breaks is told with what helps; a load may go on."""
    keys = [f"{number:03}" for number in range(300)]
    scene.store.faults = {key: ["breaks"] * 9 for key in keys}
    with pytest.raises(BodyBroken, match="none of the 3 objects tried could") as told:
        scene.plan()
    assert "the connection broke" in told.value.message
    assert "nothing was changed" in told.value.next_step
    assert scene.untouched()

    scene.store.faults = {}
    scene.load.carry_out(scene.plan())
    scene.store.faults = {key: ["breaks"] * 9 for key in keys}
    assert scene.plan().resumes


def test_what_could_not_be_read_is_counted(scene: Scene) -> None:
    """One that breaks off is tried again."""
    scene.store.faults = {
        "001": [PermissionMissing("no")],
        "002": ["breaks", "breaks"],
        "003": ["breaks"] * 3,
    }

    probe = scene.plan().survey.probe

    assert (probe.objects, probe.unread, str(probe.trouble)) == (3, 2, "no")
    assert probe.bytes_a_second


def test_a_load_is_begun_anew_when_that_is_said(scene: Scene) -> None:
    """The plan says what is lost; then the disk is erased."""
    job = scene.load.carry_out(scene.plan()).plan.request.job_id

    plan = scene.plan(wishes=LoadWishes(start_over=True))
    loaded = scene.load.carry_out(plan)

    assert not plan.resumes
    assert f"a load of job {job}, which would be lost" in " ".join(plan.cautions())
    assert (loaded.result.written, loaded.result.taken_over) == (300, 0)


def test_a_container_that_was_begun_leaves_its_room_to_the_next_one(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it was made, the load goes on: how much is free is asked after."""
    begun = TreePath(b".begun")

    def killed(tree: MemoryWritableTree, *_: object) -> NoReturn:
        tree.write(begun, [bytes(tree.free_bytes() - 1000)])
        raise Unreachable("killed")

    def room(tree: MemoryWritableTree, _: TreePath) -> int:
        tree.remove(begun)
        return tree.free_bytes()

    with monkeypatch.context() as while_killed:
        while_killed.setattr(scene.containers, "create", killed)
        with pytest.raises(Unreachable):
            scene.load.carry_out(scene.plan(Encryption.TRUECRYPT))
    monkeypatch.setattr(scene.containers, "make_room", room)

    plan = scene.plan(Encryption.TRUECRYPT)
    loaded = scene.load.carry_out(plan)

    assert plan.resumes
    assert loaded.result.written == 300


@pytest.mark.parametrize("room", [None, 0, 1 << 30])
@pytest.mark.parametrize("method", ["prepare", "open_for_writing"])
def test_an_image_is_not_called_faulty_where_what_holds_it_is_full(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, room: int | None, method: str
) -> None:
    """Room helps, and after it perhaps beginning anew."""
    plan = scene.plan()
    scene.devices.room = room

    def failed(*_: object) -> NoReturn:
        raise DeviceFailed("No space left on device", next_step="it is faulty")

    monkeypatch.setattr(scene.devices, method, failed)
    with pytest.raises(DeviceFailed) as caught:
        scene.load.carry_out(plan)

    full = room == 0
    assert ("faulty" in caught.value.next_step) is not full
    assert ("--start-over" in caught.value.next_step) is full
    assert ("that holds /dev/sdz is full" in caught.value.message) is full


class Stopped(BaseException):
    """Somebody has pressed Ctrl-C."""


@pytest.mark.parametrize("start_over", [False, True])
@pytest.mark.parametrize(
    ("where", "method", "said", "next_step"),
    [
        ("devices", "back_up", "nothing on /dev/sdz was changed", "again"),
        ("devices", "prepare", "is erased, or in part, and holds no load", "anew"),
        ("containers", "create", "is erased, and holds no object yet", "goes on"),
        ("store", "open", "/dev/sdz holds a part of the load", "goes on"),
        ("store", "write", "/dev/sdz holds a part of the load", "goes on"),
    ],
)
def test_whoever_interrupts_a_load_is_told_how_the_disk_is(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    method: str,
    said: str,
    next_step: str,
    start_over: bool,
) -> None:
    """And what the same command will do: with --start-over it would erase again."""
    wishes = LoadWishes(start_over=start_over)
    plan = scene.plan(Encryption.TRUECRYPT, wishes=wishes)

    def stopped(*_: object, **__: object) -> NoReturn:
        raise Stopped

    monkeypatch.setattr(getattr(scene, where), method, stopped)
    if method == "open":
        monkeypatch.setattr(scene.store, "ask_ahead", stopped)
    with pytest.raises(Stopped) as caught:
        scene.load.carry_out(plan)

    standing, way_on = caught.value.__notes__
    assert said in standing
    assert way_on.startswith("run the same command again")
    assert next_step in way_on
    without = start_over and next_step == "goes on"
    assert (", without --start-over:" in way_on) is without


@pytest.mark.parametrize(
    "error", [Unreachable("no network"), PasswordRefused("does not open")]
)
def test_a_load_that_began_anew_is_gone_on_with_without_erasing_it_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, error: S3ExportError
) -> None:
    """The command that was given has --start-over. Also where a host is full."""
    scene.load.carry_out(scene.plan())
    scene.devices.room = 0
    plan = scene.plan(wishes=LoadWishes(start_over=True))
    with monkeypatch.context() as failing:
        failing.setattr(scene.load.load.store, "list_objects", raising(error))
        with pytest.raises(type(error)) as caught:
            scene.load.carry_out(plan)
    assert "again, without --start-over: it goes on" in caught.value.next_step

    monkeypatch.setattr(scene.devices, "prepare", raising(DeviceFailed("no space")))
    with pytest.raises(DeviceFailed) as full:
        scene.load.carry_out(scene.plan(wishes=LoadWishes(start_over=True)))
    assert "again, without --start-over; if the image" in full.value.next_step


def raising(error: Exception) -> Callable[..., NoReturn]:
    """Return what raises an error, however it is called."""

    def it(*_: object, **__: object) -> NoReturn:
        raise error

    return it


def test_whoever_interrupts_a_load_that_goes_on_hears_that_it_will(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is loaded, what is there is what was there."""
    scene.load.carry_out(scene.plan())
    plan = scene.plan()

    def stopped(*_: object) -> NoReturn:
        raise Stopped

    monkeypatch.setattr(scene.devices, "open_for_writing", stopped)
    with pytest.raises(Stopped) as caught:
        scene.load.carry_out(plan)
    assert caught.value.__notes__[0] == f"{DISK} holds what was loaded before"


def test_a_damaged_disk_is_not_gone_on_with_for_ever(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next step is one that helps."""
    scene.load.carry_out(scene.plan())
    plan = scene.plan()

    def damaged(facts: DeviceFacts) -> NoReturn:
        raise DeviceUnreadable("cannot be mounted", next_step="look at it")

    monkeypatch.setattr(scene.devices, "open_for_writing", damaged)
    with pytest.raises(DeviceUnreadable) as caught:
        scene.load.carry_out(plan)
    assert "--start-over" in caught.value.next_step
    assert "run the same command again" not in caught.value.next_step


@pytest.mark.parametrize(
    "error",
    [
        DeviceUnreadable("looking at a file failed: Structure needs cleaning"),
        FileUnreadable("/AAAAA.tc: Structure needs cleaning"),
        ContainerDamaged("its header makes no sense"),
    ],
)
def test_damage_that_is_met_again_each_time_is_begun_anew(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, error: S3ExportError
) -> None:
    """The same command would end there for ever; the disk is named in any case."""
    scene.load.carry_out(scene.plan())
    plan = scene.plan()

    monkeypatch.setattr(scene.tree, "size_of", raising(error))
    with pytest.raises(type(error)) as caught:
        scene.load.carry_out(plan)
    assert "--start-over erases the disk" in caught.value.next_step
    assert "run the same command again" not in caught.value.next_step
    assert caught.value.message.startswith(f"{DISK}: ")


def test_a_plan_counts_disks_and_what_must_be_restored(scene: Scene) -> None:
    """What fits on no disk is named, too."""
    scene.store.put("b", "cold", b"x", storage_class="DEEP_ARCHIVE")
    scene.store.put("b", "z-huge", bytes(SIZE))
    for number in range(3):
        scene.store.put("b", f"large{number}", bytes(30 << 20))

    survey = scene.plan().survey

    assert (survey.archived, survey.archived_names) == (1, ("s3://b/cold",))
    assert [large.key for large in survey.too_large] == ["z-huge"]
    assert len(survey.shares) > 1
    assert survey.usd > 0


def test_a_plan_ends_before_what_fits_on_no_such_disk(scene: Scene) -> None:
    """What comes after it is not counted to the disk, however small."""
    scene.store.put("b", "100-huge", bytes(SIZE))

    survey = scene.plan().survey

    assert [large.key for large in survey.too_large] == ["100-huge"]
    assert (survey.objects, survey.first.objects) == (301, 101)
    scene.store.put("b", "0", bytes(SIZE))
    assert scene.plan().survey.first.objects == 0


def test_a_full_disk_is_gone_on_with_on_the_next_one(scene: Scene) -> None:
    """By the log of the disk before."""
    for number in range(3):
        scene.store.put("b", f"large{number}", bytes(30 << 20))
    first = scene.load.carry_out(scene.plan()).result
    log = scene.tree.files[TreePath(b"S3EXPORT/export-log-" + _job(scene))]

    assert first.next_disk is not None
    place = place_after(parse_export_log(log, "log").entries, scene.manifest.sources())
    assert (place.operation, place.key) == (0, first.next_disk.begin_marker)
    second = scene.load.carry_out(scene.plan(wishes=LoadWishes(begin=place))).result
    assert second.next_disk is None
    assert first.written + second.written == 303
    scene.manifest = replace(scene.manifest, operations=(Operation("logs"),))
    with pytest.raises(InputRefused, match="does not select"):
        place_after(parse_export_log(log, "log").entries, scene.manifest.sources())


def _job(scene: Scene) -> bytes:
    names = scene.tree.names(TreePath(b"S3EXPORT"))
    found = next(name for name in names if name.startswith(b"export-log-"))
    return found.removeprefix(b"export-log-")


def test_reading_back_finds_what_is_not_as_written(scene: Scene) -> None:
    """Other bytes, another length, an unreadable file, a missing one."""
    result = scene.load.carry_out(scene.plan()).result
    read = ReadBack(InstalledHashes(), InlineWorkers(), SilentProgress())
    sizes = {"total": result.written, "total_bytes": result.size_bytes, "at_once": 1}

    assert read(scene.tree, **sizes).wrong == 0
    scene.tree.files[b"b/100"] = b"y" * 100
    scene.tree.files[b"b/101"] = b"x"
    scene.tree.damaged.add(b"b/102")
    del scene.tree.files[b"b/103"]
    found = read(scene.tree, **sizes)

    assert (found.files, found.wrong, found.absent) == (300, 4, 1)
    assert [entry.key for entry, _ in found.named] == ["100", "101", "102", "103"]


OTHER_MARKERS = (
    b"",
    b"{}",
    b"[]",
    b"\xff",
    b"[" * 60_000,
    b'{"schema": "s3export/load-marker/1"}',
    b'{"schema": "s3export/load-marker/2"}',
)


@pytest.mark.parametrize("encryption", list(Encryption))
@pytest.mark.parametrize("damage", ["file", "directory", *OTHER_MARKERS])
def test_a_marker_that_cannot_be_read_is_not_taken_for_none(
    scene: Scene, encryption: Encryption, damage: str | bytes
) -> None:
    """The same command must not erase the load; --start-over may, and says so."""
    scene.load.carry_out(scene.plan(encryption))
    with scene.outer(encryption) as tree:
        if damage == "file":
            tree.damaged.add(MARKER)
        elif damage == "directory":
            tree.files.clear()
            tree._directories.clear()
            tree.links.add(LOAD_DIRECTORY)
        elif isinstance(damage, bytes):
            tree.files[MARKER] = damage

    with pytest.raises(DeviceUnreadable, match="it cannot be read") as refused:
        scene.plan(encryption)
    anew = scene.plan(encryption, wishes=LoadWishes(start_over=True))

    assert "--start-over erases the disk" in refused.value.next_step
    assert not anew.resumes
    assert "it holds what may be a load, with a damaged" in " ".join(anew.cautions())


def test_a_disk_of_somebody_else_is_taken_as_before(scene: Scene) -> None:
    """Whatever is on it: a file of the name of our directory, or files in it."""
    for path in (b"S3EXPORT", b"S3EXPORT/x", b"another"):
        tree = MemoryWritableTree()
        tree.replace(TreePath(path), b"theirs")
        scene.disk.tree = tree
        assert not scene.plan().resumes


def test_a_mistyped_password_is_a_caution_before_a_loaded_disk_is_erased(
    scene: Scene,
) -> None:
    """A LUKS disk says nothing of itself without its password."""
    scene.load.carry_out(scene.plan(Encryption.LUKS2))
    scene.disk.facts = replace(scene.disk.facts, signatures=("crypto_LUKS",))

    plan = scene.plan(Encryption.LUKS2, Secret("mistyped"))

    assert not plan.resumes
    assert "this password does not open, which would be lost" in " ".join(
        plan.cautions()
    )
    assert scene.plan(Encryption.LUKS2).cautions() == ()


def test_facts_are_those_of_the_disk(scene: Scene) -> None:
    """What is confirmed is the disk that was looked at."""
    facts: DeviceFacts = scene.plan().facts

    assert facts.name_to_confirm == "S3R1AL"
