# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A VG of another host is visible here, as the disk of a guest to its hypervisor; and the machine-id changes."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lvm
import pytest
import storage
from calls import absent, four_runs, merged, ok, predicted_and_done, present, processes, refused, rolled_back, states
from identity import HOST, machine_id

from ansible_collections.safepoint.lvm.plugins.modules import snapset

if TYPE_CHECKING:
    from collections.abc import Iterator

# The same names as in the VGs of this host.
THEIRS = ("guest/c", "guest/t2")
OURS = ("thick/c", "thin/t2")
ACTIVE = pytest.mark.parametrize("active", [True, False], ids=["active", "inactive"])


@pytest.fixture(autouse=True)
def _guest(keeper: storage.Keeper) -> Iterator[None]:
    """The VG guest with the thick origin c and the thin origin t2, of which the other host has the set s."""
    disk = storage.new_disk("guest", 200)
    storage.new_group("guest", disk)
    lvm.run("lvcreate", "-q", "-y", "-L", "20m", "-n", "c", "guest")
    pool = ("--type", "thin-pool", "-L", "48m", "--poolmetadatasize", "4m", "-n", "pool")
    lvm.run("lvcreate", "-q", "-y", *pool, "guest")
    lvm.run("lvcreate", "-q", "-y", "-V", "20m", "--thinpool", "guest/pool", "-n", "t2")
    for origin in THEIRS:
        storage.write(origin, 4)
    with machine_id():
        ok("snapset", present("s", *THEIRS))
    try:
        yield
    finally:
        storage.remove_disks(disk)
    keeper.restore()


def whole(vg: str) -> tuple[Any, int]:
    """Everything that LVM records of a VG, and how often it was written."""
    fields = "lv_name,lv_uuid,lv_tags,lv_size,lv_active,lv_merging,seg_start"
    return lvm.report("lvs", fields, "-a", vg), storage.seqnos()[f"{vg}.disk"]


@contextmanager
def in_use() -> Iterator[None]:
    """Hold the origins open temporarily, so that no merge into them starts."""
    with Path("/dev/guest/c").open("rb"), Path("/dev/guest/t2").open("rb"):
        yield


def set_active(*, active: bool) -> None:
    lvm.run("vgchange", "-q", "-ay" if active else "-an", "guest")


def shown() -> list[tuple[str, list[str]]]:
    """The names of foreign sets and their LVs."""
    return [(part["name"], part["volumes"]) for part in ok("snapset_info", {})["foreign"]]


FOREIGN = [("s", ["guest/c_s", "guest/t2_s"])]


def test_the_host_id_is_what_systemd_prints() -> None:
    printed = lvm.run("systemd-id128", "machine-id", "--app-specific=f834d514fd884a08b63c96e48d1595c0")
    assert ok("snapset_info", {})["host_id"] == printed[:16]
    with machine_id():
        assert ok("snapset_info", {})["host_id"] == HOST
    with machine_id("uninitialized"):
        assert ok("snapset_info", {})["host_id"] is None


@ACTIVE
def test_an_own_set_of_the_same_name(*, active: bool) -> None:
    set_active(active=active)
    before = whole("guest")
    four_runs("snapset", present("s", *OURS), commands=5)
    info = ok("snapset_info", {})
    assert [(one["name"], one["state"]) for one in info["snapsets"]] == [("s", "active")]
    assert (shown(), info["foreign"][0]["host"], info["unmanaged_snapshots"]) == (FOREIGN, HOST, [])
    content = storage.checksums(*OURS)
    for origin in OURS:
        storage.write(origin, 2)
    assert processes(ok("snapset", merged("s"))) == 4
    assert states(rolled_back("snapset", merged("s")))[0] == "rolled_back"
    assert storage.checksums(*OURS) == content
    # Its record is that of this host, so nothing is done to the other one.
    assert not ok("snapset", merged("s"))["changed"]
    assert ok("snapset", absent("s"))["changed"]
    assert not ok("snapset", absent("s"))["changed"]
    assert (whole("guest"), shown()) == (before, FOREIGN)


@ACTIVE
def test_only_another_host_has_the_set(*, active: bool) -> None:
    set_active(active=active)
    before = whole("guest")
    whose = rf"VG guest has a snapset s of another host \({HOST}, this host is [0-9a-f]{{16}}\), which is not touched"
    refused("snapset", merged("s"), "it does not exist", whose, "adopt: true")
    for check in (True, False):
        gone = ok("snapset", absent("s"), check=check)
        assert (gone["changed"], gone["planned"], gone["commands"]) == (False, [], [])
        assert re.search(whose, str(gone["warnings"]))
    for state in ("present", "merged", "absent"):
        single = {"vg": "guest", "lv": "c", "snapshot": "c_s", "state": state}
        refused("snapshot", single, "guest/c_s belongs to snapset s of another host, so it is not touched")
    timer = {"name": "s", "after": "30m", "vg": "other"}
    refused("rollback_timer", timer, "snapset s does not exist", "VG guest has a snapset s of another host")
    assert whole("guest") == before


def test_the_rollback_of_another_host_is_not_ours() -> None:
    """Pending, running and done."""
    with in_use(), machine_id():
        assert states(ok("snapset", merged("s")))[0] == "merge_pending"
    before = whole("guest")
    refused("snapset", merged("s"), "it does not exist")
    assert not ok("snapset", absent("s"))["changed"]
    assert whole("guest") == before
    with machine_id():
        rolled_back("snapset", merged("s"))
    assert shown() == [("s", ["guest/c", "guest/t2"])]
    refused("snapset", merged("s"), "it does not exist")
    assert not ok("snapset", absent("s"))["changed"]


def test_the_example_of_an_adoption() -> None:
    """The disk was moved from another host, or the machine-id has changed."""
    assert "    name: before_migration\n    adopt: true\n" in snapset.EXAMPLES
    adopt = {"name": "s", "adopt": True}
    content = storage.checksums(*THEIRS)
    for origin in THEIRS:
        storage.write(origin, 2)
    set_active(active=False)
    refused("snapset", adopt, "none of its origins is active here", r"lvchange -ay guest/c guest/t2")
    set_active(active=True)
    adopted = four_runs("snapset", adopt, commands=3).real
    assert adopted["planned"] == [{"step": "adopt", "volumes": ["guest/c_s", "guest/t2_s"]}]
    assert states(adopted) == ("active", ["active"] * 2)
    assert shown() == []
    assert processes(ok("snapset", merged("s"))) == 4
    rolled_back("snapset", merged("s"))
    assert storage.checksums(*THEIRS) == content
    assert not ok("snapset", {**merged("s"), "adopt": True})["changed"]
    with machine_id():
        refused("snapset", merged("s"), "of another host")
    assert ok("snapset", absent("s"))["changed"]


def test_a_set_is_adopted_and_removed_at_once() -> None:
    removed = predicted_and_done("snapset", {**absent("s"), "adopt": True}, commands=4)
    assert [step["step"] for step in removed["planned"]] == ["adopt", "remove"]
    assert lvm.names("guest") == {"c", "pool", "t2"}


def test_the_machine_id_changes_while_a_merge_is_pending() -> None:
    """LVM refuses to change the tags of the hidden snapshots. Their origins say whose they are."""
    content = storage.checksums(*THEIRS)
    for origin in THEIRS:
        storage.write(origin, 2)
    with in_use(), machine_id():
        assert states(ok("snapset", merged("s")))[0] == "merge_pending"
    with pytest.raises(AssertionError, match="hidden"):
        lvm.run("lvchange", "--addtag", "x", "guest/c_s")
    refused("snapset", merged("s"), "of another host")
    adopted = predicted_and_done("snapset", {**merged("s"), "adopt": True}, commands=4)
    assert [step["step"] for step in adopted["planned"]] == ["adopt", "start"]
    assert states(rolled_back("snapset", merged("s")))[0] == "rolled_back"
    assert storage.checksums(*THEIRS) == content
    assert shown() == []


def test_a_set_in_the_vg_of_the_running_root_stays_own() -> None:
    volumes = [{"vg": "sysvg", "lv": "home"}, {"vg": "thick", "lv": "c"}]
    ok("snapset", {"name": "home", "volumes": volumes, "size": "32MiB"})
    ok("snapset", present("data", "thick/b"))
    try:
        with machine_id():
            info = ok("snapset_info", {})
            assert sorted(one["name"] for one in info["snapsets"]) == ["home", "s"]
            assert [one["name"] for one in info["foreign"]] == ["data"]
            assert not ok("snapset", {"name": "home", "volumes": volumes, "size": "32MiB"})["changed"]
            refused("snapset", merged("data"), "of another host")
            ok("snapset", {"name": "data", "adopt": True})
        with machine_id("uninitialized"):
            assert [one["name"] for one in ok("snapset_info", {})["snapsets"]] == ["home"]
        assert [one["name"] for one in ok("snapset_info", {})["snapsets"]] == ["home"]
        ok("snapset", {"name": "data", "state": "absent", "adopt": True})
    finally:
        assert ok("snapset", absent("home"))["changed"]


def test_a_set_without_the_tag_of_a_host() -> None:
    """As an earlier version created it, or a host without machine-id."""
    tag = f"safepoint.member.host={HOST}"
    lvm.run("lvchange", "-q", "--deltag", tag, "guest/c_s", "guest/t2_s")
    assert not ok("snapset", present("s", *THEIRS))["changed"]
    set_active(active=False)
    refused("snapset", merged("s"), "does not record its host and is not active here", "lvchange -ay guest/c guest/t2")
    assert shown() == FOREIGN
    set_active(active=True)
    with machine_id("uninitialized"):
        ok("snapset", present("n", "thick/c"))
        assert not [one for one in lvm.tags("thick/c_n") if ".host=" in one]
        assert not ok("snapset", present("n", "thick/c"))["changed"]
    assert not ok("snapset", present("n", "thick/c"))["changed"]
    content = storage.checksum("thick/c")
    storage.write("thick/c", 2)
    ok("snapset", merged("n"))
    rolled_back("snapset", merged("n"))
    assert storage.checksum("thick/c") == content


def test_two_vgs_of_one_name() -> None:
    """LVM shows both, but skips every command that names one of them."""
    ok("snapset", present("o", "other/a"))
    set_active(active=False)
    uuid = lvm.report("vgs", "vg_uuid", "guest")[0]["vg_uuid"]
    # While /dev/other exists, LVM gives its name to no other VG.
    lvm.run("vgchange", "-q", "-an", "other")
    with _hidden("other"):
        lvm.run("vgrename", "-q", "guest", "other")
    try:
        for request in (present("o", "other/a"), merged("o"), absent("o"), present("new", "other/a")):
            refused("snapset", request, "2 VGs are named other", uuid, "vgrename UUID NEW_NAME")
        single = {"vg": "other", "lv": "a", "snapshot": "x"}
        refused("snapshot", single, "2 VGs are named other")
        assert "2 VGs are named other" in str(ok("snapset_info", {})["warnings"])
        ok("snapset", present("n", "thick/c"))
    finally:
        lvm.run("vgrename", "-q", uuid, "guest")
    lvm.run("vgchange", "-q", "-ay", "other")
    ok("snapset", absent("o"))


@contextmanager
def _hidden(vg: str) -> Iterator[None]:
    """Hide the disk of a VG from LVM."""
    (disk,) = (row["pv_name"] for row in lvm.report("pvs", "pv_name,vg_name") if row["vg_name"] == vg)
    with lvm.settings(f'devices {{ global_filter = [ "r|^{disk}$|" ] }}'):
        yield
