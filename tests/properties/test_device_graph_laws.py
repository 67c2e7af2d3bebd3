"""Laws of the graph of devices and of the rule over it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS

from s3export.domain.devices import (
    DeviceFacts,
    cautions,
    refusals_to_read,
    refusals_to_write,
)
from s3export.domain.devices.system import BlockDevice, Mount, SystemDevices

GIB = 1 << 30
TYPES = ("disk", "part", "crypt", "lvm", "raid1", "mpath", "bcache", "loop")


@st.composite
def systems(draw: st.DrawFn) -> SystemDevices:
    """Devices that stand on earlier ones, with mounts, swap and holders anywhere."""
    count = draw(st.integers(1, 7))
    paths = [f"/dev/d{n}" for n in range(count)]
    devices = tuple(
        BlockDevice(
            path=path,
            number=f"8:{n}",
            type=draw(st.sampled_from(TYPES)),
            size_bytes=GIB,
            parents=tuple(draw(st.sets(st.sampled_from(paths[:n]), max_size=3)))
            if n
            else (),
            removable=draw(st.booleans()),
            serial=draw(st.sampled_from(["", "A1", "B2"])),
        )
        for n, path in enumerate(paths)
    )
    some = st.sets(st.sampled_from(paths), max_size=2)
    mounts = [
        Mount(f"8:{n}" if by_number else "0:77", paths[n], place, namespace)
        for n, by_number, place, namespace in draw(
            st.lists(
                st.tuples(
                    st.integers(0, count - 1),
                    st.booleans(),
                    st.sampled_from(["/", "/mnt", "/home"]),
                    st.sampled_from(["", "in the mount namespace of process 7 (x)"]),
                ),
                max_size=2,
            )
        )
    ]
    return SystemDevices(
        devices=devices,
        mounts=tuple(mounts),
        swaps=frozenset(draw(some)),
        held=frozenset(draw(some)),
    )


def ancestry(system: SystemDevices, path: str) -> set[str]:
    """Return a device and all that it stands on, found by walking down."""
    found, waiting = set(), [path]
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            waiting += system.by_path[here].parents
    return found


def facts_of(system: SystemDevices, path: str) -> DeviceFacts:
    """Return the facts of a device that is there."""
    facts = system.facts(path)
    assert facts is not None
    return facts


@given(systems(), st.data())
@SETTINGS
def test_nothing_that_the_running_system_stands_on_is_accepted(
    system: SystemDevices, data: st.DataObject
) -> None:
    """However many layers lie between a disk and the root file system."""
    root = data.draw(st.sampled_from([d.path for d in system.devices]))
    number = system.by_path[root].number if data.draw(st.booleans()) else "0:1"
    mounts = (*system.mounts, Mount(number, root, "/"))
    system = replace(system, mounts=mounts)

    for path in ancestry(system, root):
        facts = facts_of(system, path)
        assert refusals_to_write(facts), path
        assert refusals_to_read(facts), path
        assert "the running system stands on" in str(refusals_to_write(facts))


@given(systems())
@SETTINGS
def test_nothing_in_use_is_accepted(system: SystemDevices) -> None:
    """Mounted in whatever namespace, swap, held, or stood upon by a mapping."""
    used = {m.source for m in system.mounts} | system.swaps | system.held
    for device in system.devices:
        if device.type != "part" and device.parents:
            used |= set(device.parents)
    below = set().union(*(ancestry(system, path) for path in used)) if used else set()

    for device in system.devices:
        refusals = refusals_to_write(facts_of(system, device.path))
        assert bool(refusals) is (device.path in below), (device.path, refusals)
        assert all(refusal.reason and refusal.way_out for refusal in refusals)


@given(systems(), st.data())
@SETTINGS
def test_one_fact_more_never_makes_a_disk_safe(
    system: SystemDevices, data: st.DataObject
) -> None:
    """What is refused stays refused with another mount, holder or child."""
    paths = [d.path for d in system.devices]
    where = data.draw(st.sampled_from(paths))
    child = BlockDevice("/dev/new", "9:9", "loop", GIB, parents=(where,))
    more = data.draw(
        st.sampled_from(
            [
                replace(system, mounts=(*system.mounts, Mount("0:9", where, "/x"))),
                replace(system, held=system.held | {where}),
                replace(system, devices=(*system.devices, child)),
                replace(system, signatures={where: ("linux_raid_member",)}),
            ]
        )
    )

    for path in paths:
        before = refusals_to_write(facts_of(system, path))
        assert not before or refusals_to_write(facts_of(more, path))
    assert refusals_to_write(facts_of(more, where))


@given(systems(), st.data())
@SETTINGS
def test_a_graph_that_goes_round_ends(
    system: SystemDevices, data: st.DataObject
) -> None:
    """No kernel has one; a tool's output may."""
    first, *others = system.devices
    last = data.draw(st.sampled_from(system.devices))
    looped = replace(first, parents=(last.path,))
    system = replace(system, devices=(looped, *others))

    for device in system.devices:
        facts = facts_of(system, device.path)
        assert len(system.tree(device.path)) == len(set(system.tree(device.path)))
        assert cautions(facts)


@given(systems())
@SETTINGS
def test_a_partition_has_its_disks_serial(system: SystemDevices) -> None:
    """It is the disk that an operator holds in the hand."""
    for device in system.devices:
        if device.type == "part" and len(device.parents) == 1:
            parent = facts_of(system, device.parents[0])
            if parent.virtual and system.by_path[parent.path].type != "loop":
                continue
            facts = facts_of(system, device.path)
            assert facts.serial == parent.serial
            assert facts.name_to_confirm == (parent.serial or facts.path)
