# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A copied disk is attached and imported under another name: the same LV UUIDs and tags, but another VG UUID."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import builders as b
import driver
import pytest
import situations
from model_lvm import ModelLvm

from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import outcome_tags
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import (
    backups_in,
    host_problems,
    snapset_context,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.copies import separate_copied_tags
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.timers import timers_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, Volume
    from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import Request

# One name sorts before the original name, the other one after it.
COPIES = ({"va": "aa", "vt": "at"}, {"va": "va_copy", "vt": "vt_copy"})
NAMES = pytest.mark.parametrize("names", COPIES, ids=("before", "after"))
ACTIVE = pytest.mark.parametrize("active", [False, True], ids=("inactive", "active"))
EACH = pytest.mark.parametrize("case", situations.ALL)
REQUESTS = (
    b.request("va/a", "vt/t"),
    b.request("va", "vt", size="40MiB"),
    b.request(state="merged"),
    b.request(state="merged", accept_loss_of=("s",)),
    b.request(state="absent"),
    b.request("va/b", name="z"),
)


def old(host_state: HostState) -> HostState:
    """``host_state`` as release 0.1.0 would have left it: its tags do not record their VG."""
    return replace(host_state, volumes=tuple(replace(one, tags=_old_tags(one.tags)) for one in host_state.volumes))


def _old_tags(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(_old_outcome(tag) for tag in tags if ".vg=" not in tag)


def _old_outcome(tag: str) -> str:
    outcome = outcome_tags.parse_outcome(tag)
    if outcome is None:
        return tag
    thin_ids = {lv: thin_id for found in outcome.vgs.values() for lv, thin_id in found.items()}
    return replace(outcome, vgs={"": thin_ids} if thin_ids else {}).to_tag()


def _planned(host_state: HostState, request: Request) -> object:
    """Everything that a request shows to a user and sends to LVM."""
    reasons = driver.reasons(host_state, request)
    if reasons:
        return reasons
    plan = driver.plan(host_state, request)
    return driver.argvs(plan), plan.after, plan.warnings


@EACH
@NAMES
@ACTIVE
def test_a_copy_changes_nothing(
    case: str,
    names: dict[str, str],
    active: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("uuid.uuid4", lambda: type("Uuid", (), {"hex": "f" * 32}))
    alone = situations.ALL[case]()
    both = separate_copied_tags(b.copied(alone, names, active=active))
    for request in REQUESTS:
        assert driver.view(both, request) == driver.view(alone, request)
        assert _planned(both, request) == _planned(alone, request)


@EACH
@NAMES
def test_a_set_of_release_0_1_0_belongs_to_the_active_vg(
    case: str, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uuid.uuid4", lambda: type("Uuid", (), {"hex": "f" * 32}))
    alone = old(situations.ALL[case]())
    both = separate_copied_tags(b.copied(alone, names, active=False))
    assert both.ambiguities == ()
    for request in REQUESTS:
        assert driver.view(both, request) == driver.view(alone, request)
        assert _planned(both, request) == _planned(alone, request)


@NAMES
def test_a_set_of_release_0_1_0_that_is_ambiguous(names: dict[str, str]) -> None:
    both = separate_copied_tags(b.copied(old(situations.active()), names, active=True))
    for request in REQUESTS[:-1]:
        assert any("are copies of each other" in reason for reason in driver.reasons(both, request)), request
    assert driver.reasons(both, REQUESTS[-1]) == ()
    told = [text for text in host_info(both, None)["warnings"] if text.startswith("snapset s: ")]
    assert sorted(told) == sorted({f"snapset s: {doubt}" for _name, doubt in both.ambiguities})
    assert [*host_problems(snapset_context(both, "s"))] == [doubt for _name, doubt in both.ambiguities]
    assert [*host_problems(snapset_context(both, "z"))] == []


def test_a_set_of_release_0_1_0_of_which_only_the_copy_is_left() -> None:
    """The copy is not in use, so it is not used instead of the set."""
    both = b.copied(old(situations.active()), COPIES[0], active=False)
    left = replace(both, volumes=tuple(v for v in both.volumes if v.vg in COPIES[0].values() or not v.is_snapshot))
    assert driver.view(separate_copied_tags(left), b.request()).state == "absent"
    assert separate_copied_tags(left).ambiguities == ()


def test_a_set_of_release_0_1_0_beside_a_vg_of_the_same_template() -> None:
    """Two disks are old copies of the same disk: both belong to this host."""
    host = b.copied(old(situations.nothing()), COPIES[1], active=True)
    member = replace(situations.A_MEMBER, tags=_old_tags(b.member(situations.A).tags))
    own = separate_copied_tags(replace(host, volumes=(*host.volumes, member)))
    assert driver.view(own, b.request()).state == "active"


@NAMES
@ACTIVE
def test_all_states_beside_a_copy(names: dict[str, str], active: bool) -> None:  # noqa: FBT001
    """The copy was attached first, and nothing that is done to the original is done to it."""
    model = ModelLvm(b.copied(situations.nothing(), names, active=active))
    before = [volume for volume in model.host_state.volumes if volume.vg in names.values()]
    driver.bring_about(model, b.request("va/a", "vt/t", size="40MiB"))
    assert driver.view(model.observe(), b.request()).state == "active"
    _roll_back(model, members=2)
    assert [volume for volume in model.host_state.volumes if volume.vg in names.values()] == before


@NAMES
def test_the_original_and_the_copy_in_one_set(names: dict[str, str]) -> None:
    """Both are normal VGs of this host."""
    model = ModelLvm(b.copied(situations.nothing(), names, active=True))
    request = b.request(*names, *names.values(), size="40MiB", exclude=["va/b", f"{names['va']}/b"])
    driver.bring_about(model, request)
    view = driver.view(model.observe(), request)
    assert view.state == "active"
    assert {(member.vg, member.origin) for member in view.members} == {
        ("va", "a"),
        (names["va"], "a"),
        ("vt", "t"),
        (names["vt"], "t"),
    }
    assert driver.plan(model.observe(), request).steps == ()
    _roll_back(model, members=4)


def _roll_back(model: ModelLvm, *, members: int) -> None:
    driver.bring_about(model, b.request(state="merged"))
    model.settle()
    driver.bring_about(model, b.request(state="merged"))
    view = driver.view(model.observe(), b.request())
    assert (view.state, len(view.members), len(model.merged)) == ("rolled_back", members, members)
    driver.bring_about(model, b.request(state="absent"))
    assert driver.view(model.observe(), b.request()).state == "absent"


def test_one_thin_member_of_a_copy_was_removed() -> None:
    """The recorded device IDs of the two origins are distinct."""
    names = {"vt": "vt_copy"}
    model = ModelLvm(b.copied(situations.nothing(), names, active=True))
    driver.bring_about(model, b.request("vt/t", "vt_copy/t"))
    driver.bring_about(model, b.request(state="merged"))
    model.put(model.get("vt_copy/t"), thin_id=99)
    states = {m.vg: m.state for m in driver.view(model.observe(), b.request()).members}
    assert states == {"vt": "merged", "vt_copy": "lost"}


@NAMES
def test_a_set_of_which_only_the_copy_is_left(names: dict[str, str]) -> None:
    both = b.copied(situations.active(), names, active=True)
    gone = tuple(volume for volume in both.volumes if volume.vg in names.values() or not volume.is_snapshot)
    left = ModelLvm(replace(both, volumes=gone))
    assert driver.view(left.observe(), b.request()).state == "absent"
    assert driver.plan(left.observe(), b.request(state="absent")).steps == ()
    reasons = "; ".join(driver.reasons(left.observe(), b.request(state="merged")))
    for name in names.values():
        assert f"VG {name} does not have the UUID that its set s records" in reasons
    # LV names of the copied set do not prevent a set of the copy itself.
    driver.bring_about(left, b.request(f"{names['va']}/a", size="40MiB"))
    (member,) = driver.view(left.observe(), b.request()).members
    assert (member.vg, member.origin, member.state) == (names["va"], "a", "active")
    assert member.snapshot != "a_s"


def test_copies_are_shown_as_such() -> None:
    both = separate_copied_tags(b.copied(situations.active(), COPIES[1], active=False))
    info = host_info(both, None)
    assert info["copies"] == [
        {"vg": "va_copy", "original": "va", "snapsets": ("s",), "volumes": ("a_s",)},
        {"vg": "vt_copy", "original": "vt", "snapsets": ("s",), "volumes": ("t_s",)},
    ]
    assert [snapset["name"] for snapset in info["snapsets"]] == ["s"]
    assert {one["vg"] for one in info["unmanaged_snapshots"]} == {"va_copy", "vt_copy"}
    assert host_info(situations.active(), None)["copies"] == []


def test_a_copy_without_its_original() -> None:
    both = b.copied(situations.rolled_back(), {"va": "copy"}, active=True)
    alone = replace(
        both,
        volume_groups=tuple(group for group in both.volume_groups if group.name == "copy"),
        volumes=tuple(volume for volume in both.volumes if volume.vg == "copy"),
    )
    info = host_info(separate_copied_tags(alone), None)
    assert info["snapsets"] == []
    assert info["copies"] == [{"vg": "copy", "original": None, "snapsets": ("s",), "volumes": ("a",)}]


def _kept(vg: str) -> list[Volume]:
    """The auxiliary LVs of a set."""
    uuid = b.lvm_uuid(vg)
    backup = _tags.BootTags(set_name="s", set_id=b.SET_ID, taken=b.NOW, vg=uuid)
    timer = _tags.TimerTags(set_name="s", set_id=b.SET_ID, armed=b.NOW, after=60, boots=0, vg=uuid)
    tags = {"boot": backup.to_tags(), "timer": timer.to_tags()}
    return [b.volume(f"{vg}/safepoint_{name}_s", tags=found) for name, found in tags.items()]


@NAMES
@pytest.mark.parametrize("as_old", [False, True])
def test_auxiliary_lvs_of_a_copy(names: dict[str, str], as_old: bool) -> None:  # noqa: FBT001
    alone = situations.of(situations.A, situations.T, *_kept("va"))
    alone = old(alone) if as_old else alone
    both = separate_copied_tags(b.copied(alone, names, active=False))
    assert [backup.volume.vg for backup in backups_in(both)] == ["va"]
    assert [timer.volume.vg for timer in timers_in(both)] == ["va"]
    # A whole VG does not select them either.
    chosen = driver.selected(both, b.request(names["va"]))
    assert b.labels([wanted.origin for wanted in chosen]) == [f"{names['va']}/a", f"{names['va']}/b"]


def test_a_mount_belongs_to_one_of_them() -> None:
    host = situations.of(situations.A, situations.T, mounts={"/srv": situations.A})
    both = b.copied(host, COPIES[0], active=True)
    mounted = {volume.full_name for volume in both.volumes if both.mounts_of(volume)}
    assert mounted == {"va/a"}
    by_mountpoint = driver.selected(both, b.request(mountpoints=["/srv"]))
    assert b.labels([wanted.origin for wanted in by_mountpoint]) == ["va/a"]


def test_two_groups_of_one_name() -> None:
    """A disk of another host has a VG with the same name, and LVM shows both."""
    strange = replace(b.volume("va/a"), uuid=b.lvm_uuid("strange"), vg_uuid=b.lvm_uuid("strange group"))
    member = replace(b.thick_snapshot(strange, "x"), vg_uuid=strange.vg_uuid)
    groups = [*situations.GROUPS, replace(b.group("va"), uuid=strange.vg_uuid)]
    alone = situations.active()
    both = replace(alone, volume_groups=tuple(groups), volumes=(*alone.volumes, strange, member))
    assert both.volume("va", "a") == situations.A
    assert both.origin_of(member) == strange
    assert b.labels(both.snapshots_of(situations.A)) == ["va/a_s"]
