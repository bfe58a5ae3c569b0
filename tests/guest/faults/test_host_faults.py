# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of the host: disks, daemons, space, LVM's configuration and the clock.

A task either works as on a host without the fault, or it reports the fault and damages nothing. After the fault is
removed, the same task has the same result as without the fault.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import lvm
import processes
import pytest
import storage
from calls import absent, call, merged, ok, present, refused, rolled_back, start, states
from test_merging import NAME as SLOW
from test_merging import slow_group, wait_for_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from calls import Result
    from test_merging import Disk

ORIGINS = ("thick/c", "thin/t2")
CONFIGURATION = Path("/etc/lvm")
YEAR = 365 * 24 * 3600


def host_is_consistent() -> bool:
    """Whether no device is suspended and the host lock is free."""
    assert processes.suspended_for_good() == []
    return not ok("snapset", {**absent("nothing"), "lock_timeout": 0})["changed"]


def failed(result: Result, *parts: str) -> Result:
    """Check that a task has failed, has changed nothing, and that its message contains these ``parts``."""
    assert result.get("failed"), result
    assert result["changed"] is False, result["msg"]
    assert [part for part in parts if part not in result["msg"]] == [], result["msg"]
    assert "Traceback" not in str(result)
    return result


# ---------------------------------------------------------------------------------------------------------------------
# Faults without any effect


@contextmanager
def without(*units: str) -> Iterator[None]:
    """Stop these systemd units temporarily, so that they cannot be started."""
    lvm.run("systemctl", "mask", "--runtime", "--now", *units)
    try:
        yield
    finally:
        lvm.run("systemctl", "unmask", "--runtime", *units)
        lvm.run("systemctl", "start", *(unit for unit in units if unit.endswith(".socket")))


@contextmanager
def read_only_configuration() -> Iterator[None]:
    """Make the directory of LVM read-only temporarily."""
    lvm.run("mount", "--bind", str(CONFIGURATION), str(CONFIGURATION))
    try:
        lvm.run("mount", "-o", "remount,bind,ro", str(CONFIGURATION))
        yield
    finally:
        lvm.run("umount", str(CONFIGURATION))


@contextmanager
def other_thin_check(executable: str) -> Iterator[None]:
    """Replace LVM's program that checks the metadata of pools temporarily. The merge will activate the pool."""
    with lvm.settings(f'global {{ thin_check_executable="{executable}" }}'):
        lvm.run("lvchange", "-an", "thin/t1")
        yield


HARMLESS: Mapping[str, Callable[[], AbstractContextManager[object]]] = {
    "no dmeventd": lambda: without("dm-event.socket", "dm-event.service"),
    "no lvmpolld": lambda: without("lvm2-lvmpolld.socket", "lvm2-lvmpolld.service"),
    "issue_discards": lambda: lvm.settings("devices { issue_discards=1 }"),
    "auto_activation_volume_list": lambda: lvm.settings("activation { auto_activation_volume_list=[] }"),
    "no thin_check": lambda: other_thin_check("/nonexistent/thin_check"),
    "thin_check switched off": lambda: other_thin_check(""),
}


@pytest.mark.parametrize("fault", HARMLESS)
def test_everything_works(fault: str) -> None:
    taken = storage.checksums(*ORIGINS)
    with HARMLESS[fault]():
        changed = whole_lifecycle()
        assert processes.suspended_for_good() == []
    assert storage.visible() == set(storage.VOLUMES)
    assert storage.checksums(*ORIGINS) == changed
    assert taken != changed
    assert host_is_consistent()


def whole_lifecycle(env: Mapping[str, str] | None = None) -> list[str]:
    """Take a set, change the origins, roll back, take it again, change them again, commit. Return the checksums."""
    task = present("s", *ORIGINS, size="8MiB")
    taken = storage.checksums(*ORIGINS)
    assert states(ok("snapset", task, env=env)) == ("active", ["active"] * 2)
    change()
    assert ok("snapset", merged("s"), env=env)["changed"]
    assert states(rolled_back("snapset", merged("s"))) == ("rolled_back", ["rolled_back"] * 2)
    assert storage.checksums(*ORIGINS) == taken
    assert states(ok("snapset", task, env=env)) == ("active", ["active"] * 2)
    change()
    changed = storage.checksums(*ORIGINS)
    assert ok("snapset", absent("s"), env=env)["changed"]
    return changed


def change() -> None:
    for origin in ORIGINS:
        storage.write(origin, 1, at=3)


def test_the_environment_changes_nothing() -> None:
    hostile = {
        "LVM_SYSTEM_DIR": "/nonexistent",
        "LVM_COMMAND_PROFILE": "nothing",
        "LVM_RUN_BY_DMEVENTD": "1",
        "LVM_EXPECTED_EXIT_STATUS": ">0",
        "LVM_LOG_FILE_MAX_LINES": "1",
        "DM_DISABLE_UDEV": "1",
        "DM_UDEV_COOKIE": "1",
        "DM_DEFAULT_NAME_MANGLING_MODE": "hex",
        "LC_NUMERIC": "de_DE.UTF-8",
        "TMPDIR": "/nonexistent",
        "HOME": "/nonexistent",
    }
    changed = whole_lifecycle(hostile)
    assert storage.visible() == set(storage.VOLUMES)
    assert storage.checksums(*ORIGINS) == changed


def test_udev_is_stopped() -> None:
    """LVM waits for udev forever. Other tasks report who holds the lock. When udev continues, so does everything."""
    lvm.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGSTOP", "systemd-udevd")
    try:
        running = start("snapset", present("s", *ORIGINS))
        command, _supervisor = processes.wait_for_child_of_child(running.pid)
        time.sleep(8)
        assert processes.is_running(command)
        failed(
            call("snapset", {**absent("s"), "lock_timeout": 1}),
            f"the host is busy: snapset s, state present (PID {running.pid})",
        )
        assert processes.suspended() == []
    finally:
        lvm.run("systemctl", "kill", "--signal=SIGCONT", "systemd-udevd")
    assert states(running.result()) == ("active", ["active"] * 2)
    assert ok("snapset", absent("s"))["changed"]
    assert storage.visible() == set(storage.VOLUMES)


def test_udev_does_not_run() -> None:
    """Nothing is started, because LVM would wait for udev forever."""
    task = present("s", *ORIGINS)
    service = "systemd-udevd.service"
    ok("snapset", task)
    with without(service, "systemd-udevd-control.socket", "systemd-udevd-kernel.socket"):
        for one in (merged("s"), absent("s"), present("t", *ORIGINS)):
            refused("snapset", one, "udev does not run .*systemctl start systemd-udevd")
        assert not ok("snapset", task)["changed"]
        assert "udev does not run" in str(ok("snapset_info", {})["warnings"])
    lvm.run("systemctl", "start", service)
    assert not ok("snapset", task)["changed"]
    assert ok("snapset", absent("s"))["changed"]
    assert storage.visible() == set(storage.VOLUMES)


# ---------------------------------------------------------------------------------------------------------------------
# Disks


@pytest.fixture
def disk() -> Iterator[Disk]:
    """A disk of the VG slow that can fail: the stores of slow/o are allocated there, but slow/o itself is not."""
    with slow_group() as one:
        yield one


@pytest.fixture
def disk_of_origin(disk: Disk) -> Disk:
    """The same disk, but slow/o is on it, and its stores are not."""
    lvm.run("lvremove", "-y", "-q", "slow/o")
    lvm.run("lvcreate", "-q", "-y", "-l", "100%PVS", "-n", "o", "slow", f"/dev/mapper/{SLOW}")
    return disk


def test_the_disk_of_a_store_is_gone(disk: Disk) -> None:
    task = present("s", "slow/o")
    ok("snapset", task)
    taken = storage.checksums("slow/o")
    disk.vanish()
    assert_reported_as_partial(task)
    assert storage.checksums("slow/o") == taken
    disk.work()
    assert not ok("snapset", task)["changed"]
    storage.write("slow/o", 2)
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
    assert storage.checksums("slow/o") == taken


def test_the_disk_of_a_store_is_gone_and_was_needed(disk: Disk) -> None:
    task = present("s", "slow/o")
    ok("snapset", task)
    disk.vanish()
    storage.write("slow/o", 2)
    kept = storage.checksums("slow/o")
    assert_reported_as_partial(task)
    (shown,) = ok("snapset_info", {})["snapsets"]
    assert states({"snapset": shown}) == ("invalid", ["invalid"])
    disk.work()
    refused("snapset", merged("s"), "slow/o_s .*is invalid")
    assert ok("snapset", absent("s"))["changed"]
    assert lvm.names("slow") == {"o"}
    assert storage.checksums("slow/o") == kept
    assert host_is_consistent()


def test_the_disk_of_an_origin_is_gone(disk_of_origin: Disk) -> None:
    task = present("s", "slow/o", size="8MiB")
    taken = storage.checksums("slow/o")
    ok("snapset", task)
    storage.write("slow/o", 2)
    disk_of_origin.vanish()
    assert_reported_as_partial(task)
    disk_of_origin.work()
    assert not ok("snapset", task)["changed"]
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
    assert storage.checksums("slow/o") == taken


def assert_reported_as_partial(task: Mapping[str, object]) -> None:
    """A disk of the VG slow is missing: all its tasks report that, and tasks in other VGs still work."""
    for one in (task, merged("s"), absent("s"), present("t", "slow/o")):
        refused("snapset", one, "VG slow is partial .*reconnect the PV")
    shown = ok("snapset_info", {})
    assert "VG slow is partial: a PV is missing" in str(shown["warnings"])
    assert [one["name"] for one in shown["snapsets"]] == ["s"]
    assert ok("snapset", present("elsewhere", "thick/c"))["changed"]
    assert ok("snapset", absent("elsewhere"))["changed"]
    assert processes.suspended_for_good() == []


@pytest.mark.parametrize("how", ["fail", "refuse_writes"])
def test_a_store_cannot_be_written(disk: Disk, how: str) -> None:
    """The origin still works. The store is reported as lost, and can be removed while its disk still fails."""
    task = present("s", "slow/o")
    ok("snapset", task)
    getattr(disk, how)()
    storage.write("slow/o", 1)
    kept = storage.checksums("slow/o")
    (shown,) = ok("snapset_info", {})["snapsets"]
    assert states({"snapset": shown}) == ("invalid", ["invalid"])
    for one in (task, merged("s")):
        refused("snapset", one, "slow/o_s .*is invalid")
    assert ok("snapset", absent("s"))["changed"]
    assert lvm.names("slow") == {"o"}
    assert storage.checksums("slow/o") == kept
    assert host_is_consistent()
    disk.work()
    assert ok("snapset", task)["changed"]


@pytest.mark.parametrize("how", ["fail", "refuse_writes"])
def test_a_store_cannot_be_made(disk: Disk, how: str) -> None:
    task = present("s", "thick/c", "slow/o")
    kept = storage.checksums("slow/o", "thick/c")
    getattr(disk, how)()
    failed(call("snapset", task), "create failed (vg slow", "slow/o_s")
    assert storage.visible() == set(storage.VOLUMES)
    assert lvm.names("slow") == {"o"}
    assert storage.checksums("slow/o", "thick/c") == kept
    assert ok("snapset_info", {})["snapsets"] == []
    assert host_is_consistent()
    disk.work()
    assert states(ok("snapset", task)) == ("active", ["active"] * 2)


def test_an_origin_cannot_be_written_back(disk_of_origin: Disk) -> None:
    taken = storage.checksums("slow/o")
    ok("snapset", present("s", "slow/o", size="8MiB"))
    storage.write("slow/o", 2)
    disk_of_origin.refuse_writes()
    call("snapset", merged("s"))
    wait_for_failure()
    refused("snapset", merged("s"), "the merge of slow/o_s failed .*repair the device")
    assert processes.suspended_for_good() == []
    disk_of_origin.work()
    lvm.run("lvchange", "-an", "slow/o")
    lvm.run("lvchange", "-ay", "slow/o")
    rolled_back("snapset", merged("s"))
    assert storage.checksums("slow/o") == taken


def test_a_pool_loses_its_disk(disk: Disk) -> None:
    lvm.run("lvremove", "-y", "-q", "slow/o")
    where = f"/dev/mapper/{SLOW}"
    lvm.run(
        "lvcreate", "-y", "-q", "--type", "thin-pool", "-L", "24m", "--poolmetadatasize", "4m", "-n", "p", "slow", where
    )
    lvm.run("lvcreate", "-y", "-q", "-V", "8m", "--thinpool", "slow/p", "-n", "v")
    storage.write("slow/v", 2)
    ok("snapset", present("s", "slow/v"))
    taken = storage.checksums("slow/v")
    storage.write("slow/v", 2)
    disk.fail()
    with suppress(AssertionError, OSError):
        storage.write("slow/v", 1, at=4)
    for task in (present("t", "slow/v"), merged("s")):
        assert call("snapset", task).get("failed")
    assert processes.suspended_for_good() == []
    disk.work()
    lvm.run("lvchange", "-an", "slow/v", "slow/p")
    lvm.run("lvchange", "-ay", "slow/p", "slow/v")
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
    assert storage.checksums("slow/v") == taken


# ---------------------------------------------------------------------------------------------------------------------
# Space


@contextmanager
def full(directory: Path) -> Iterator[None]:
    """Fill the filesystem of ``directory`` temporarily."""
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        end = 0
        for step in (256 * storage.MIB, 16 * storage.MIB, storage.MIB, 4096):
            with suppress_no_space():
                while True:
                    os.posix_fallocate(file.fileno(), end, step)
                    end += step
        yield


@contextmanager
def suppress_no_space() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


@contextmanager
def small(directory: Path) -> Iterator[None]:
    """Replace ``directory`` temporarily by a small filesystem with the same content."""
    with tempfile.TemporaryDirectory(dir=storage.BASE) as aside:
        copy = Path(aside) / "copy"
        shutil.copytree(directory, copy, symlinks=True)
        lvm.run("mount", "-t", "tmpfs", "-o", "size=32m,mode=700", "small", str(directory))
        try:
            shutil.copytree(copy, directory, symlinks=True, dirs_exist_ok=True)
            yield
        finally:
            lvm.run("umount", str(directory))


@contextmanager
def full_configuration() -> Iterator[None]:
    with small(CONFIGURATION), full(CONFIGURATION):
        yield


NO_SPACE: Mapping[str, Callable[[], AbstractContextManager[object]]] = {
    "read-only /etc/lvm": read_only_configuration,
    "full /etc/lvm": full_configuration,
    "full root filesystem": lambda: full(Path("/")),
}


@pytest.mark.parametrize("fault", NO_SPACE)
def test_no_space_for_lvm(fault: str) -> None:
    """A full filesystem is a reason for a rollback: LVM works without its archive."""
    with NO_SPACE[fault]():
        for task in (present("s", *ORIGINS), absent("s")):
            result = ok("snapset", task)
            assert "LVM archives no metadata" in str(result["warnings"])
            assert all("archive=0" in str(command) for command in result["commands"])
        changed = whole_lifecycle()
        assert host_is_consistent()
    assert storage.checksums(*ORIGINS) == changed
    assert storage.visible() == set(storage.VOLUMES)
    assert "archive" not in str(ok("snapset", present("s", *ORIGINS)))
    assert ok("snapset", absent("s"))["changed"]


def test_no_space_anywhere_else() -> None:
    """/tmp and /var/tmp are not needed, and /run only for one directory entry."""
    places = [Path("/tmp"), Path("/var/tmp"), Path("/run/safepoint.lvm")]
    ok("snapset", absent("s"))  # creates the directory
    with ExitStack() as stack:
        for place in places:
            stack.enter_context(small(place))
            stack.enter_context(full(place))
        changed = whole_lifecycle()
    assert storage.checksums(*ORIGINS) == changed
    assert storage.visible() == set(storage.VOLUMES)


# ---------------------------------------------------------------------------------------------------------------------
# LVM's configuration


def disks_of(vg: str) -> list[str]:
    """The PVs of a VG."""
    return [row["pv_name"] for row in lvm.report("pvs", "pv_name,vg_name") if row["vg_name"] == vg]


@contextmanager
def hidden_by(option: str, disk: str) -> Iterator[None]:
    """Configure LVM temporarily so that it does not see ``disk``."""
    # No "a|.*|" after it: LVM accepts a disk if any of its names is accepted.
    if option != "devicesfile":
        with lvm.settings(f'devices {{ {option} = [ "r|^{disk}$|" ] }}'):
            yield
        return
    seen = {row["pv_name"] for row in lvm.report("pvs", "pv_name")} - {disk}
    file = CONFIGURATION / "devices" / "safepoint-guest.devices"
    with lvm.settings(f'devices {{ use_devicesfile=1 devicesfile="{file.name}" }}'):
        try:
            for one in sorted(seen):
                # Debian has no program lvmdevices, but lvm has the command.
                lvm.run("lvm", "lvmdevices", "-y", "--adddev", one)
            yield
        finally:
            file.unlink(missing_ok=True)


HIDING = ["filter", "global_filter", "devicesfile"]


def test_a_whole_group_is_hidden() -> None:
    """Its LVs are active in the kernel, but LVM does not see them: no task may report that the set does not exist."""
    (disk,) = disks_of("thick")
    task = present("s", *ORIGINS)
    ok("snapset", task)
    for option in HIDING:
        with hidden_by(option, disk):
            assert "thick-c_s" in str(ok("snapset_info", {}).get("warnings"))
            for one in (task, merged("s"), absent("s"), absent("t"), present("t", "thin/t2")):
                refused("snapset", one, "LVM does not show .*thick-")
    assert not ok("snapset", task)["changed"]
    assert ok("snapset", absent("s"))["changed"]
    assert storage.visible() == set(storage.VOLUMES)


def test_one_disk_of_a_group_is_hidden() -> None:
    disks = [storage.new_disk(name, 24) for name in ("one", "two")]
    storage.new_group("pair", *disks)
    try:
        lvm.run("lvcreate", "-q", "-y", "-l", "100%PVS", "-n", "o", "pair", disks[0])
        task = present("s", "pair/o")
        ok("snapset", task)
        for option in HIDING:
            with hidden_by(option, disks[1]):
                for one in (task, merged("s"), absent("s"), present("t", "pair/o")):
                    refused("snapset", one, "VG pair is partial")
                assert "VG pair is partial: a PV is missing" in str(ok("snapset_info", {})["warnings"])
        assert not ok("snapset", task)["changed"]
        assert ok("snapset", absent("s"))["changed"]
    finally:
        storage.remove_disks(*disks)


def test_activation_is_not_allowed() -> None:
    """volume_list prevents activation: no set can be created, but an existing one can be removed."""
    task = present("s", *ORIGINS, size="8MiB")
    taken = storage.checksums(*ORIGINS)
    allowed = 'activation { volume_list=["sysvg"] }'
    with lvm.settings(allowed):
        failed(call("snapset", task), "create failed")
    assert storage.visible() == set(storage.VOLUMES)
    assert host_is_consistent()
    ok("snapset", task)
    change()
    with lvm.settings(allowed):
        ok("snapset", absent("s"))
    assert storage.visible() == set(storage.VOLUMES)
    ok("snapset", task)
    taken = storage.checksums(*ORIGINS)
    change()
    with lvm.settings(allowed):
        call("snapset", merged("s"))
    lvm.run("lvchange", "-ay", *ORIGINS)
    rolled_back("snapset", merged("s"))
    assert storage.checksums(*ORIGINS) == taken


def test_lvm_without_activation() -> None:
    """LVM would change its metadata but not the devices, so every change is refused."""
    task = present("s", *ORIGINS, size="8MiB")
    setting, reason = "global { activation=0 }", "LVM does not know which LVs are active .activation=0"
    with lvm.settings(setting):
        refused("snapset", task, reason)
        assert ok("snapset_info", {})["snapsets"] == []
    assert storage.visible() == set(storage.VOLUMES)
    ok("snapset", task)
    with lvm.settings(setting):
        for one in (merged("s"), absent("s")):
            refused("snapset", one, reason)
    assert not any(lvm.tags(origin) for origin in ORIGINS)
    assert ok("snapset", absent("s"))["changed"]


# ---------------------------------------------------------------------------------------------------------------------
# The clock


@contextmanager
def clock(seconds: int) -> Iterator[None]:
    """Set the clock wrong by ``seconds`` temporarily."""
    real, steady = time.time(), time.monotonic()
    time.clock_settime(time.CLOCK_REALTIME, real + seconds)
    try:
        yield
    finally:
        time.clock_settime(time.CLOCK_REALTIME, real + time.monotonic() - steady)


def test_a_wrong_clock() -> None:
    task = present("s", *ORIGINS, size="8MiB")
    taken = storage.checksums(*ORIGINS)
    with clock(YEAR):
        future = ok("snapset", task)["snapset"]
        assert 0 <= future["age"] < 60
    assert ok("snapset", task)["snapset"]["age"] == 0
    change()
    with clock(-YEAR):
        (shown,) = ok("snapset_info", {})["snapsets"]
        assert (shown["age"], shown["created"], shown["state"]) == (0, future["created"], "active")
        ok("snapset", merged("s"))
    assert states(rolled_back("snapset", merged("s"))) == ("rolled_back", ["rolled_back"] * 2)
    assert storage.checksums(*ORIGINS) == taken
    with clock(-YEAR):
        past = ok("snapset", task)["snapset"]
        assert past["created"] < future["created"]
    again = ok("snapset", task)
    assert not again["changed"]
    assert abs(again["snapset"]["age"] - YEAR) < 3600
    assert ok("snapset", absent("s"))["changed"]


# The kernel refuses a time that is less than its uptime.
@pytest.mark.parametrize("epoch", [24 * 3600, 2**32 + 1])
def test_a_very_wrong_clock(epoch: int) -> None:
    with clock(epoch - int(time.time())):
        whole_lifecycle()
    assert storage.visible() == set(storage.VOLUMES)
