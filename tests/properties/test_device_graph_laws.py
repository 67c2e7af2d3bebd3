"""Laws of the graph of devices: nothing that carries anything in use is ever erased."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS

from s3export.domain.devices import (
    DeviceFacts,
    DeviceKind,
    cautions,
    refusals_to_read,
    refusals_to_write,
)
from s3export.domain.devices.safety import MEMBERS, SMALLEST_DISK_BYTES
from s3export.domain.devices.system import BlockDevice, Mount, SystemDevices

SIZES = (0, SMALLEST_DISK_BYTES, 1 << 40, 1 << 50)
ONE_PARENT = ("part", "crypt", "lvm", "loop")
MANY_PARENTS = ("raid1", "mpath", "lvm", "disk")  # lsblk calls a bcache a disk
PLACES = ("/", "/mnt", "/boot", "/srv/backup")
NAMESPACES = ("", "", "process 812 (backupd)")
FILES = ((), ("8:9 5", "/a"), ("8:9 5", "/b"), ("8:9 6", "/b"), ("/c",))
CONTENTS = ("", "ext4", "crypto_LUKS", "zfs_member")


@dataclass(frozen=True)
class System:
    """What the graph is made of."""

    devices: tuple[BlockDevice, ...]
    mounts: tuple[Mount, ...]
    swaps: frozenset[str]
    held: frozenset[str]

    def seen(self) -> SystemDevices:
        """Return the graph."""
        return SystemDevices(self.devices, self.mounts, self.swaps, held=self.held)

    def facts(self, path: str) -> DeviceFacts:
        """Return what is seen of a device."""
        facts = self.seen().facts(path)
        assert facts is not None
        return facts

    def accepts(self, path: str) -> bool:
        """Say whether a device may be written to."""
        return refusals_to_write(self.facts(path)) == ()

    def below(self, path: str) -> set[str]:
        """Walk down to everything that a device stands on, itself included."""
        parents = {device.path: device.parents for device in self.devices}
        found: set[str] = set()
        todo = [path]
        while todo:
            here = todo.pop()
            if here not in found:
                found.add(here)
                todo.extend(parents.get(here, ()))
        return found


def node(index: int) -> str:
    """Return the path of a device."""
    return f"/dev/d{index}"


@st.composite
def mounts_of(draw: st.DrawFn, device: BlockDevice) -> Mount:
    """Mount a device, known by its number, by its source alone, or by both."""
    number, source = device.number, device.path
    how = draw(st.sampled_from(("both", "number", "source")))
    if how == "number":
        source = "/dev/root"
    if how == "source":
        number = f"0:{draw(st.integers(20, 60))}"  # btrfs
    place, namespace = st.sampled_from(PLACES), st.sampled_from(NAMESPACES)
    return Mount(number, source, draw(place), draw(namespace))


@st.composite
def systems(
    draw: st.DrawFn, *, cyclic: bool = False, idle: bool = False, least: int = 1
) -> System:
    """Disks, and partitions, mappings, RAIDs and loop devices on those before them.

    Args:
        cyclic: A device may stand on itself and on those after it, too.
        idle: Nothing is mounted, held or swap space.
        least: How many devices there are at least.
    """
    count = draw(st.integers(least, 6))
    devices = []
    for index in range(count):
        others = range(count) if cyclic else range(index)
        below = st.lists(st.sampled_from(others), max_size=3, unique=True)
        stands = draw(below) if others else []
        kinds = MANY_PARENTS if len(stands) > 1 else ONE_PARENT
        kind = draw(st.sampled_from(kinds)) if stands else "disk"
        kind = draw(st.sampled_from((kind, kind, kind, "rom", "loop")))
        devices.append(
            BlockDevice(
                path=node(index),
                number=f"8:{index}",
                type=kind,
                size_bytes=draw(st.sampled_from(SIZES)),
                parents=tuple(map(node, stands)),
                files=draw(st.sampled_from(FILES)) if kind == "loop" else (),
                offset=draw(st.sampled_from(SIZES)),
                read_only=draw(st.sampled_from((False, False, False, True))),
                removable=draw(st.booleans()),
                content=draw(st.sampled_from(CONTENTS)),
            )
        )
    if idle:
        return System(tuple(devices), (), frozenset(), frozenset())
    some = st.sets(st.sampled_from([d.path for d in devices]), max_size=2)
    mounted = draw(st.lists(st.sampled_from(devices), max_size=3))
    return System(
        tuple(devices),
        tuple(draw(mounts_of(device)) for device in mounted),
        frozenset(draw(some)),
        frozenset(draw(some)),
    )


def in_use(facts: DeviceFacts) -> bool:
    """Say whether a device, or what stands on it, is in use by its own name."""
    return bool(refusals_to_read(replace(facts, kind=DeviceKind.DISK, twins=())))


@given(systems(), st.data())
@SETTINGS
def test_what_the_running_system_stands_on_is_never_accepted(
    system: System, data: st.DataObject
) -> None:
    """Wherever the root file system is, everything down to the disks is refused."""
    device = data.draw(st.sampled_from(system.devices))
    root = replace(data.draw(mounts_of(device)), place="/", namespace="")
    system = replace(system, mounts=(*system.mounts, root))

    for path in system.below(device.path):
        assert not system.accepts(path)
        if system.seen().by_path[path].type != "rom":
            assert refusals_to_read(system.facts(path))
            assert "the running system stands on" in str(
                [r.reason for r in refusals_to_write(system.facts(path))]
            )


@given(systems())
@SETTINGS
def test_what_carries_anything_in_use_is_never_accepted(system: System) -> None:
    """Mounted anywhere, swap space, or held: nothing below it may be erased."""
    numbers = {mount.number for mount in system.mounts}
    sources = {mount.source for mount in system.mounts}
    in_use = {d.path for d in system.devices if d.number in numbers}
    in_use |= {d.path for d in system.devices if d.path in sources}

    for used in in_use | system.swaps | system.held:
        for path in system.below(used):
            assert not system.accepts(path)


def shows_the_same(one: BlockDevice, other: BlockDevice) -> bool:
    """Say whether two loop devices have bytes of one file in common."""
    begin = max(one.offset, other.offset)
    end = min(one.offset + one.size_bytes, other.offset + other.size_bytes)
    known = one.size_bytes and other.size_bytes
    return bool({*one.files} & {*other.files}) and (begin < end or not known)


@given(systems())
@SETTINGS
def test_what_is_in_use_by_another_loop_device_over_the_file_is_never_accepted(
    system: System,
) -> None:
    """Both show its bytes, whichever of its names they have in common."""
    used = [
        device
        for device in system.devices
        if device.type == "loop" and in_use(system.facts(device.path))
    ]
    for one in system.devices:
        for other in used:
            if one is not other and shows_the_same(one, other):
                assert not system.accepts(one.path)
                for part in system.seen().above(one.path):
                    assert part.files or not system.accepts(part.path)


@given(systems())
@SETTINGS
def test_what_carries_a_mapping_is_never_accepted(system: System) -> None:
    """Something that stands on a device is a reason, in use or not."""
    for device in system.devices:
        if device.type != "part" and device.parents:
            for path in system.below(device.path) - {device.path}:
                assert not system.accepts(path)


@given(systems(idle=True))
@SETTINGS
def test_an_idle_disk_that_fits_is_always_accepted(system: System) -> None:
    """Nothing on it, not in use, writable, no member, of a size that AWS takes."""
    carrying = {parent for device in system.devices for parent in device.parents}
    for device in system.devices:
        good = (
            device.path not in carrying
            and device.type != "rom"
            and not device.read_only
            and device.content != "zfs_member"
            and device.size_bytes in SIZES[1:3]
        )
        assert system.accepts(device.path) == good or device.path in carrying


@given(systems(cyclic=True))
@SETTINGS
def test_a_graph_with_circles_is_walked_to_its_end(system: System) -> None:
    """No way from a device upwards meets the same one twice."""
    seen = system.seen()

    def check(facts: DeviceFacts, way: Sequence[str]) -> None:
        assert facts.path not in way
        for part in facts.parts:
            check(part, (*way, facts.path))

    for device in system.devices:
        tree = seen.tree(device.path)
        facts = system.facts(device.path)
        check(facts, ())
        assert len(tree) == len(set(tree))
        assert {part.path for part in facts.tree()} == set(tree)


@given(systems(cyclic=True), st.data())
@SETTINGS
def test_more_use_never_makes_a_device_acceptable(
    system: System, data: st.DataObject
) -> None:
    """Another mount, swap space, holder or device on top only adds to the refusals."""
    device = data.draw(st.sampled_from(system.devices))
    change = data.draw(st.sampled_from(("mount", "swap", "hold", "part", "crypt")))
    if change == "mount":
        mount = data.draw(mounts_of(device))
        more = replace(system, mounts=(*system.mounts, mount))
    elif change == "swap":
        more = replace(system, swaps=system.swaps | {device.path})
    elif change == "hold":
        more = replace(system, held=system.held | {device.path})
    else:
        child = BlockDevice("/dev/new", "9:9", change, 1 << 40, (device.path,))
        more = replace(system, devices=(*system.devices, child))

    for each in system.devices:
        assert system.accepts(each.path) or not more.accepts(each.path)


@given(systems(cyclic=True))
@SETTINGS
def test_every_refusal_has_its_reason_once_and_a_way_out(system: System) -> None:
    """Whatever is refused, what to do about it is said."""
    for device in system.devices:
        facts = system.facts(device.path)
        for needed in (0, 1 << 41):
            refusals = refusals_to_write(facts, allow_fixed=False, needed_bytes=needed)
            assert all(each.reason and each.way_out for each in refusals)
            assert len(refusals) == len(set(refusals))


@given(systems(cyclic=True))
@SETTINGS
def test_there_is_always_something_to_consider(system: System) -> None:
    """A device with nothing recognised on it is not called empty."""
    for device in system.devices:
        told = cautions(system.facts(device.path))
        assert told
        assert all(told)


@given(systems(least=2))
@SETTINGS
def test_all_that_stands_on_a_device_is_in_its_facts(system: System) -> None:
    """The view from below is the walk from above, turned round."""
    for device in system.devices:
        above = {d.path for d in system.devices if device.path in system.below(d.path)}
        assert {part.path for part in system.facts(device.path).tree()} == above


@given(systems(idle=True))
@SETTINGS
def test_a_disk_too_small_for_what_is_needed_is_refused(system: System) -> None:
    """One byte is enough to be too small."""
    for device in system.devices:
        facts, size = system.facts(device.path), device.size_bytes
        good = system.accepts(device.path)

        assert good == (refusals_to_write(facts, needed_bytes=size) == ())
        assert refusals_to_write(facts, needed_bytes=size + 1)


def test_every_member_is_refused_by_its_name() -> None:
    """What it is a part of is said."""
    for content, larger in MEMBERS.items():
        disk = BlockDevice("/dev/d", "8:0", "disk", 1 << 40, content=content)
        facts = SystemDevices((disk,)).facts("/dev/d")

        assert facts is not None
        (refusal,) = refusals_to_write(facts)
        assert f"is a part of {larger}" in refusal.reason
