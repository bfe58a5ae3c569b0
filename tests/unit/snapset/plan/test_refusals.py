# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused before anything is changed, each with a reason that names the cause."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest
import situations

from ansible_collections.safepoint.lvm.plugins.module_utils._host.references import of_arguments
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import Boot
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import Volume

A = b.volume("vg/a")
T = b.thin("vg/t")
PUBLIC = frozenset({"public"})


def _roles(*words: str) -> frozenset[str]:
    return PUBLIC | set(words)


# Problems of the origin vg/a, each with a part of the reason that no other refusal has.
ORIGINS: dict[str, tuple[dict[str, Any], str]] = {
    "a pool": ({"layout": frozenset({"thin", "pool"})}, "vg/a is a pool, which cannot be an origin"),
    "hidden": ({"roles": frozenset({"private"})}, "vg/a is an internal LV of LVM"),
    "sparse": ({"layout": frozenset({"virtual"})}, "vg/a is a sparse volume"),
    "sparse by its origin": ({"origin": "a_vorigin"}, "vg/a is a sparse volume"),
    "external origin": ({"roles": _roles("origin", "extthinorigin")}, "vg/a is the external origin of thin volumes"),
    "old mirror": ({"layout": frozenset({"mirror"})}, "vg/a is a mirror of the old segment type"),
    "read-only": ({"writable": False}, "vg/a is read-only, so LVM could not merge into it: type lvchange"),
    "unhealthy": ({"health": "partial"}, "vg/a is not healthy (partial): repair it first"),
    "suspended": ({"suspended": True}, "vg/a is suspended: find the cause, then type dmsetup resume /dev/mapper/vg-a"),
}


@pytest.mark.parametrize("case", ORIGINS)
def test_origin(case: str) -> None:
    facts, expected = ORIGINS[case]
    (reason,) = driver.reasons(b.host_state([replace(A, **facts)]), b.request("vg/a"))
    assert reason.startswith(expected)


def test_raid_with_integrity_is_identified_by_its_legs() -> None:
    leg = b.volume("vg/a_rimage_0", roles=frozenset({"private", "raid", "image"}), layout=frozenset({"integrity"}))
    (reason,) = driver.reasons(b.host_state([A, leg]), b.request("vg/a"))
    assert reason.startswith("vg/a is a RAID volume with integrity")


def test_a_vdo_volume_that_has_a_snapshot() -> None:
    """Only with a snapshot, LVM reports it as private and virtual (recorded by hand from LVM 2.03.31)."""
    roles, layout = frozenset({"private", "origin", "thickorigin"}), frozenset({"vdo", "sparse", "virtual"})
    origin = b.volume("vg/a", segtype="vdo", pool="vpool0", roles=roles, layout=layout)
    host_state = b.host_state([origin, b.member(origin)])
    assert driver.reasons(host_state, b.request("vg/a")) == ()
    assert driver.reasons(host_state, b.request("vg/a", state="merged")) == ()


@pytest.mark.parametrize("roles", ["private,thin,pool,data", "private,cache,origin,cacheorigin"])
def test_an_internal_vdo_volume(roles: str) -> None:
    hidden = b.volume("vg/x", segtype="vdo", roles=frozenset(roles.split(",")))
    (reason,) = driver.reasons(b.host_state([A, hidden]), b.request("vg/x"))
    assert reason.startswith("vg/x is an internal LV of LVM")


@pytest.mark.parametrize("layout", ["linear", "striped", "raid,raid1", "cache", "writecache"])
def test_types_of_origins_that_lvm_accepts(layout: str) -> None:
    origin = replace(A, layout=frozenset(layout.split(",")))
    assert driver.reasons(b.host_state([origin]), b.request("vg/a")) == ()


@pytest.mark.parametrize("origin", [A, T])
def test_a_snapshot_as_origin(origin: Volume) -> None:
    host_state = b.host_state([origin, b.snapshot(origin, "snap"), b.thin_pool()])
    (reason,) = driver.reasons(host_state, b.request("vg/snap"))
    assert reason == "vg/snap is a snapshot, which cannot be an origin"


@pytest.mark.parametrize("origin", [A, T])
def test_an_origin_with_a_merging_snapshot(origin: Volume) -> None:
    snapshot = b.snapshot(origin, "old", merging=True)
    (reason,) = driver.reasons(b.host_state([origin, snapshot, b.thin_pool()]), b.request(f"vg/{origin.name}"))
    assert reason.startswith(f"vg/old will be merged into vg/{origin.name} at the next activation")


def test_a_thin_origin_with_a_thick_snapshot() -> None:
    host_state = b.host_state([T, b.thick_snapshot(T, "cow"), b.thin_pool()])
    (reason,) = driver.reasons(host_state, b.request("vg/t"))
    assert reason.startswith("vg/t is thin and has a thick snapshot (vg/cow)")


@pytest.mark.parametrize("more", [b.thick_snapshot(A, "one"), b.thick_snapshot(A, "invalid_one", invalid=True)])
def test_other_snapshots_of_a_thick_origin_do_no_harm(more: Volume) -> None:
    assert driver.reasons(b.host_state([A, more]), b.request("vg/a")) == ()


@pytest.mark.parametrize("name", ["/dev/vg/a", "/dev/mapper/vg-a"])
def test_a_pv_on_the_origin(name: str) -> None:
    groups = [b.group(), b.group("inner", pv_names=("/dev/sda", name))]
    (reason,) = driver.reasons(b.host_state([A], groups=groups), b.request("vg/a"))
    assert reason.startswith("vg/a is a PV of VG inner, and a thick snapshot would be a duplicate of it")
    groups = [b.group(), b.group("inner", pv_names=(f"{name[:-1]}t",))]
    assert driver.reasons(b.host_state([T, b.thin_pool()], groups=groups), b.request("vg/t")) == (), "it stays inactive"


def test_a_name_too_long_for_the_hidden_device() -> None:
    # vg-NAME-real has to fit, while the snapshot gets a short, hashed name.
    for length, refused in ((119, False), (120, True)):
        reasons = driver.reasons(b.host_state([b.volume(f"vg/{'a' * length}")]), b.request(f"vg/{'a' * length}"))
        assert any("is too long" in reason for reason in reasons) == refused


GROUPS: dict[str, tuple[dict[str, Any], str]] = {
    "partial": ({"partial": True}, "VG vg is partial (a PV is missing)"),
    "exported": ({"exported": True}, "VG vg is exported: type vgimport vg"),
    "shared": ({"lock_type": "sanlock"}, "VG vg is shared (lock type sanlock)"),
}


@pytest.mark.parametrize("state", ["present", "merged", "absent"])
@pytest.mark.parametrize("case", GROUPS)
def test_group(case: str, state: Any) -> None:
    facts, expected = GROUPS[case]
    volumes = [A] if state == "present" else [A, b.member(A)]
    (reason,) = driver.reasons(b.host_state(volumes, groups=[b.group(**facts)]), b.request("vg/a", state=state))
    assert reason.startswith(expected)


@pytest.mark.parametrize("state", ["present", "merged", "absent"])
def test_an_unusable_group_without_members_of_the_set(state: Any) -> None:
    volumes = [A, b.member(A)] if state != "present" else [A]
    groups = [b.group(), b.group("sick", partial=True, exported=True, lock_type="dlm")]
    host_state = b.host_state([*volumes, b.volume("sick/x")], groups=groups)
    assert driver.reasons(host_state, b.request("vg/a", state=state)) == ()


@pytest.mark.parametrize(("state", "members"), [("present", 0), ("merged", 1), ("absent", 0), ("absent", 1)])
def test_what_lvm_could_not_read_may_hide_members(state: Any, members: int) -> None:
    # One of two members is visible, or none.
    host_state = b.host_state([A, *[b.member(A, count=2)] * members], unread="/dev/sdx: checksum error")
    reasons = driver.reasons(host_state, b.request("vg/a", state=state))
    expected = "members may be hidden: LVM could not read everything: /dev/sdx: checksum error"
    assert expected in reasons


@pytest.mark.parametrize(("state", "members"), [("present", 0), ("merged", 1), ("absent", 0), ("absent", 1)])
def test_active_volumes_that_lvm_does_not_show(state: Any, members: int) -> None:
    other = b.volume("else/x")
    seen = b.host_state([A, *[b.member(A, count=2)] * members, other])
    host_state = replace(seen, volumes=seen.volumes[:-1], volume_groups=seen.volume_groups[:-1])
    reasons = driver.reasons(host_state, b.request("vg/a", state=state))
    expected = "members may be hidden: LVM does not show the VG of active LVs (else-x)"
    assert any(reason.startswith(expected) for reason in reasons), reasons
    assert any("does not show the VG of active LVs (else-x)" in one for one in host_info(host_state, None)["warnings"])
    assert not any("members may be hidden" in one for one in driver.reasons(seen, b.request("vg/a", state=state)))


@pytest.mark.parametrize("state", ["present", "merged", "absent"])
def test_lvm_does_not_know_what_is_active(state: Any) -> None:
    volumes = [A, b.member(A)] if state != "present" else [A]
    host_state = b.host_state([replace(volume, active=None, open=None) for volume in volumes])
    expected = "LVM does not know which LVs are active"
    assert any(reason.startswith(expected) for reason in driver.reasons(host_state, b.request("vg/a", state=state)))
    assert any(warning.startswith(expected) for warning in host_info(host_state, None)["warnings"])


@pytest.mark.parametrize("state", ["present", "merged", "absent"])
def test_a_complete_set_has_no_hidden_members(state: Any) -> None:
    host_state = b.host_state([A, b.member(A)], unread="/dev/sdx: checksum error")
    assert driver.reasons(host_state, b.request("vg/a", state=state)) == ()


def test_a_set_with_hidden_members_only_cannot_be_merged() -> None:
    assert driver.reasons(b.host_state([A], unread="checksum error"), b.request(state="merged"))


def test_a_size_for_a_thin_volume() -> None:
    (reason,) = driver.reasons(b.host_state([T, b.thin_pool()]), b.request("vg/t=1GiB"))
    assert reason.startswith("vg/t is thin, and thin snapshots have no size")
    assert driver.reasons(b.host_state([T, b.thin_pool()]), b.request("vg/t", size="1GiB")) == ()


def test_every_reason_is_found_at_once() -> None:
    """One reason of each kind, all of them in one refusal."""
    sick = replace(A, health="partial", writable=False)
    host_state = b.host_state(
        [sick, T, b.thin_pool(data=90), b.volume("vg/b"), b.volume("vg/b_s"), b.volume("x/y")],
        groups=[b.group(free=3), b.group("x", exported=True)],
        mounts={"/": sick},
        references=tuple(of_arguments(["root=LABEL=root"])),
        boot=Boot("6.1", ()),
    )
    reasons = driver.reasons(host_state, b.request("vg/a", "vg/t=1GiB", "vg/b", "x/y", "vg/no", "no/a", "vg/b"))
    for part in (
        "volumes lists vg/b 2 times",
        "no LV vg/no",
        "no VG no",
        "VG x is exported",
        "vg/a is read-only",
        "vg/a is not healthy",
        "root=LABEL=root",
        "vg/t is thin",
        "thin pool vg/pool",
        "running kernel 6.1",
        "VG vg has too little space",
        "the name vg/b_s is needed",
    ):
        assert sum(part in reason for reason in reasons) == 1, part
    assert len(reasons) == 12


@pytest.mark.parametrize("tag", ["safepoint.member.x=&/tmp/x&", "safepoint.member.x=#y"])
def test_commands_to_type_are_quoted(tag: str) -> None:
    """Whoever pastes the command into the shell of root must run nothing else. LVM allows these tags."""
    start = situations.detached()
    odd = [replace(one, tags=(*one.tags, tag)) if one.full_name == "va/mine" else one for one in start.volumes]
    (command,) = [
        reason.partition("type ")[2]
        for reason in driver.reasons(replace(start, volumes=tuple(odd)), b.request(state="absent"))
        if "is no longer a snapshot of" in reason
    ]
    words = list(shlex.shlex(command, posix=True, punctuation_chars=True))
    assert "&" not in words
    assert shlex.split(command, comments=True)[-3:] == ["--deltag", tag, "va/mine"]
