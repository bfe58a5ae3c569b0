# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups of /boot: finding them, matching them to snapsets, and what prevents making, using and removing one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import builders as b
import pytest
import strategies
from backups import MANIFEST, OTHER_ID, ROOT, TREE, backup, host, taken
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup.backups import (
    plan_new,
    present_problems,
    removal_problems,
    restore_problems,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import Mount
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import backups_in, snapset_context
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.coverage import boot_mounts

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, Volume


@given(
    st.builds(
        _tags.BootTags,
        set_name=strategies.set_names,
        set_id=st.text("0123456789abcdef", min_size=32, max_size=32),
        taken=strategies.seconds,
    )
)
def test_tags_are_read_as_they_were_written(tags: _tags.BootTags) -> None:
    words = ["another", *tags.to_tags()]
    assert _tags.parse_boot(words) == tags
    assert _tags.parse_boot([*words, _tags.boot_seal(MANIFEST)]) == replace(tags, manifest=MANIFEST)
    sealed = [*words, _tags.boot_seal(MANIFEST), _tags.BOOT_RESTORED]
    assert _tags.parse_boot(sealed) == replace(tags, manifest=MANIFEST, restored=True)


@pytest.mark.parametrize("missing", range(3))
def test_tags_with_a_part_missing_are_no_backup(missing: int) -> None:
    tags = list(_tags.BootTags(set_name="s", set_id=b.SET_ID, taken=1).to_tags())
    del tags[missing]
    assert _tags.parse_boot(tags) is None


@pytest.mark.parametrize(
    ("volume", "state"),
    [(backup(manifest=""), "incomplete"), (backup(), "present"), (backup(restored=True), "restored")],
)
def test_what_a_backup_is_good_for(volume: Volume, state: str) -> None:
    (found,) = backups_in(host(volume))
    assert found.state == state


def test_a_backup_belongs_to_the_instance_with_its_id() -> None:
    bound, other = backup(), replace(backup(set_id=OTHER_ID), name="x", uuid=b.lvm_uuid("x"))
    now = snapset_context(host(taken(), bound, other), "s")
    assert now.bound is not None
    assert now.bound.volume.name == bound.name
    assert now.unbound is not None
    assert now.unbound.volume.name == "x"


@pytest.mark.parametrize("volume", [backup(manifest=""), backup(set_id=OTHER_ID), backup(name="other")])
def test_a_backup_that_is_incomplete_or_of_another_instance_is_not_bound(volume: Volume) -> None:
    assert snapset_context(host(taken(), volume), "s").bound is None


def test_only_separate_filesystems_are_saved() -> None:
    assert [mount.mountpoint for mount in boot_mounts(host(boot=("/boot", "/home", "/boot/efi")))] == [
        "/boot",
        "/boot/efi",
    ]


@pytest.mark.parametrize(
    ("host_state", "reasons"),
    [
        (host(), []),
        (host(backup()), []),
        (host(taken(), backup()), []),
        (host(taken(sealed=False)), []),
        (host(taken()), ["already exists, without a backup of /boot"]),
        (host(taken(), backup(set_id=OTHER_ID)), ["already exists, without a backup of /boot"]),
        (host(boot=()), ["none of /boot"]),
    ],
)
def test_what_prevents_making_or_keeping_one(host_state: HostState, reasons: list[str]) -> None:
    found = list(present_problems(snapset_context(host_state, "s")))
    assert [reason for reason, text in zip(reasons, found) if reason not in text] == []
    assert len(found) == len(reasons), found


def rolling_back(*volumes: Volume) -> HostState:
    origin, snapshot = b.pending(ROOT, taken())
    one = b.host_state([origin, snapshot, *volumes], mounts={"/": origin})
    return b.mounting(one, Mount("/boot", "/dev/vda1", "ext4", (254, 1), 1))


def rolled_back(*volumes: Volume) -> HostState:
    origin = replace(ROOT, tags=(b.outcome_tag("rolled_back"),))
    return b.host_state([origin, *volumes], mounts={"/": origin})


def test_during_a_rollback_nothing_is_saved_and_nothing_removed() -> None:
    now = snapset_context(rolling_back(backup()), "s")
    assert now.set_state == "merge_pending"
    assert "is being rolled back (state merge_pending)" in str(list(present_problems(now)))
    assert "is being rolled back (state merge_pending)" in str(list(removal_problems(now)))
    assert list(restore_problems(now)) == []


def test_what_prevents_restoring_it() -> None:
    assert list(restore_problems(snapset_context(host(taken(), backup()), "s"))) == []
    assert list(restore_problems(snapset_context(rolled_back(backup()), "s"))) == []
    assert list(restore_problems(snapset_context(host(backup()), "s"))) == ["snapset s does not exist: there is none"]
    incomplete = snapset_context(host(taken(), backup(manifest="")), "s")
    assert "no complete backup" in str(list(restore_problems(incomplete)))
    assert "not made for this snapset" in str(
        list(restore_problems(snapset_context(host(taken(), backup(set_id=OTHER_ID)), "s")))
    )
    half = snapset_context(host(taken(count=2), backup()), "s")
    assert "cannot be rolled back, and /boot must not be restored without it" in str(list(restore_problems(half)))


def test_a_backup_that_is_mounted_is_not_removed() -> None:
    reasons = list(removal_problems(snapset_context(host(replace(backup(), open=True)), "s")))
    assert reasons == ["vg/safepoint_boot_s is in use: unmount it (findmnt /dev/vg/safepoint_boot_s)"]


def test_it_goes_to_the_group_of_root_with_room_for_everything() -> None:
    new = plan_new(snapset_context(host(), "s"), [TREE], None)
    assert (new.place.vg, new.place.name) == ("vg", "safepoint_boot_s")
    assert new.place.size == new.place.extents * b.EXTENT
    assert new.place.size > TREE.size + 8 * b.MIB
    assert new.tags.taken == b.NOW


def test_it_goes_where_it_is_wanted() -> None:
    groups = [b.group(), b.group("other")]
    assert plan_new(snapset_context(host(groups=groups), "s"), [TREE], "other").place.vg == "other"


def test_a_name_that_somebody_else_has_is_left_alone() -> None:
    new = plan_new(snapset_context(host(b.volume("vg/safepoint_boot_s")), "s"), [TREE], None)
    assert new.place.name != "safepoint_boot_s"
    assert new.place.name.startswith("safepoint_boot")


def test_the_room_of_the_one_that_is_replaced_counts() -> None:
    full = [b.group(free=0)]
    with pytest.raises(Refused, match=r"VG vg has 0 bytes free, but 20 MiB are needed"):
        plan_new(snapset_context(host(groups=full), "s"), [TREE], None)
    assert plan_new(snapset_context(host(backup(), groups=full), "s"), [TREE], None).place.name == "safepoint_boot_s"


def test_no_such_group() -> None:
    with pytest.raises(Refused, match="there is no VG nowhere here; VGs of this host: vg"):
        plan_new(snapset_context(host(), "s"), [TREE], "nowhere")


def test_root_that_is_not_on_lvm() -> None:
    bare = b.host_state([ROOT])
    with pytest.raises(Refused, match="/ is not on LVM: choose the VG"):
        plan_new(snapset_context(bare, "s"), [TREE], None)
