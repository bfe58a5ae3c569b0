# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What LVM itself refuses, as rules that a plan is checked against before anything is changed. Pure; private.

The planners have their own checks, which can say more. These rules apply to the LVM commands of every module. The table
in docs/lvm.md lists everything that LVM refuses, with the rule or the check that says so before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

from .checks import (
    duplicate_problems,
    exported_problems,
    locked_problems,
    moving_pool_problems,
    partial_problems,
    read_only_problems,
)
from .steps import CreateSnapshot, CreateVolume, Extend, LvmStep, Merge, Remove, Retag, Wake

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._model import HostState, Volume, VolumeGroup
    from .._steps import Step

# What one new LV adds to the metadata of a VG, in bytes: its text (export.c of LVM 2.03), that of the internal LV of a
# thick snapshot, and our tags.
_TEXT_OF_LV = 4096


Problems = Callable[["HostState", "Sequence[LvmStep]"], "Iterator[str]"]


@dataclass(frozen=True)
class LvmRule:
    """Something that LVM refuses for some kinds of ``steps``, or does in a way that nobody can want.

    ``says`` are LVM's words, ``source`` is where it says them: a file of its source and a function, the same in
    2.03.16, 2.03.31 and 2.03.39. ``problems`` returns the reasons, for those steps of a plan that are of these kinds.
    """

    says: str
    source: str
    steps: tuple[type[LvmStep], ...]
    problems: Problems


def _of_each_group(problems: Callable[[VolumeGroup], Iterator[str]]) -> Problems:
    def of_groups(host_state: HostState, steps: Sequence[LvmStep]) -> Iterator[str]:
        for name in dict.fromkeys(name for step in steps for name in step.vgs):
            group = host_state.group(name)
            if group is not None:
                yield from problems(group)

    return of_groups


def _of_each_lv(problems: Callable[[HostState, Volume], Iterator[str]]) -> Problems:
    def of_lvs(host_state: HostState, steps: Sequence[LvmStep]) -> Iterator[str]:
        for volume in _named(host_state, steps):
            yield from problems(host_state, volume)

    return of_lvs


def _named(host_state: HostState, steps: Sequence[LvmStep]) -> Iterator[Volume]:
    """The existing LVs that ``steps`` name."""
    for name in dict.fromkeys(name for step in steps for name in step.lvs):
        vg, _slash, lv = name.partition("/")
        volume = host_state.volume(vg, lv)
        if volume is not None:
            yield volume


def _unknown_segment_problems(host_state: HostState, steps: Sequence[LvmStep]) -> Iterator[str]:
    changed = {name for step in steps for name in step.vgs}
    for volume in host_state.volumes:
        if volume.vg in changed and "unknown" in volume.layout:
            yield (
                f"{volume.full_name} is of a type that this LVM does not know ({volume.segtype}), so LVM does not "
                f"change VG {volume.vg}: install the version of LVM that created it"
            )


def _count_problems(host_state: HostState, steps: Sequence[LvmStep]) -> Iterator[str]:
    for group, created, removed in _growing(host_state, steps):
        if group.max_lvs and group.lv_count - removed + created > group.max_lvs:
            yield (
                f"VG {group.name} has {group.lv_count} LVs and may have at most {group.max_lvs}, but {created} more "
                f"are needed: type vgchange --logicalvolume 0 {group.name}, or remove LVs"
            )


def _metadata_problems(host_state: HostState, steps: Sequence[LvmStep]) -> Iterator[str]:
    for group, created, _removed in _growing(host_state, steps):
        needed = created * _TEXT_OF_LV
        if group.metadata_free is not None and group.metadata_free < needed:
            yield (
                f"VG {group.name} has {group.metadata_free} bytes left for its metadata, but {needed} are needed for "
                f"{created} more LVs: remove LVs or tags, or move LVs to a VG with larger metadata areas (vgs -o "
                "vg_mda_size,vg_mda_free)"
            )


def _growing(host_state: HostState, steps: Sequence[LvmStep]) -> Iterator[tuple[VolumeGroup, int, int]]:
    """Each VG in which LVs are created, with the number of them, and of those that are removed before."""
    created = [step.vg for step in steps if isinstance(step, (CreateSnapshot, CreateVolume))]
    removed = [name.partition("/")[0] for step in steps if isinstance(step, Remove) for name in step.lvs]
    for group in host_state.volume_groups:
        if group.name in created:
            yield group, created.count(group.name), removed.count(group.name)


def _dependent_problems(host_state: HostState, steps: Sequence[LvmStep]) -> Iterator[str]:
    removed = list(_named(host_state, steps))
    for volume in removed:
        snapshots = [one for one in host_state.snapshots_of(volume) if one.is_thick_snapshot and one not in removed]
        if snapshots:
            names = ", ".join(one.full_name for one in snapshots)
            yield f"{volume.full_name} has a thick snapshot ({names}), which LVM would remove too: remove it first"
        if "extthinorigin" in volume.roles:
            yield (
                f"{volume.full_name} is the external origin of thin volumes, which LVM would remove too: see them with "
                f"lvs -o lv_name,origin {volume.vg}"
            )


def _merge_problems(host_state: HostState, snapshot: Volume) -> Iterator[str]:
    name = snapshot.full_name
    if "extthinorigin" in snapshot.roles:
        yield (
            f"{name} is the external origin of thin volumes, so LVM does not merge it: see them with "
            f"lvs -o lv_name,origin {snapshot.vg}"
        )
    for own in host_state.snapshots_of(snapshot):
        if own.merging:
            yield (
                f"{own.full_name} is to be merged into {name}, so LVM does not merge {name}: it becomes what "
                f"{own.full_name} is, and can never be merged again (lvs -a -o lv_name,origin {snapshot.vg})"
            )


def _read_only_origin_problems(host_state: HostState, snapshot: Volume) -> Iterator[str]:
    origin = host_state.origin_of(snapshot)
    if origin is not None and snapshot.is_thick_snapshot and not origin.writable:
        yield (
            f"{origin.full_name} is read-only, so LVM merges nothing into it: type lvchange --permission rw "
            f"{origin.full_name}, then run again"
        )


def _external_origin_problems(host_state: HostState, snapshot: Volume) -> Iterator[str]:
    origin = host_state.origin_of(snapshot)
    if origin is not None and "extthinorigin" in origin.roles:
        yield (
            f"{origin.full_name} is the external origin of thin volumes, so LVM merges nothing into it: see them with "
            f"lvs -o lv_name,origin {origin.vg}"
        )


def _mixed_origin_problems(host_state: HostState, snapshot: Volume) -> Iterator[str]:
    origin = host_state.origin_of(snapshot)
    siblings = host_state.snapshots_of(origin) if origin is not None else ()
    thick = [one.full_name for one in siblings if one.is_thick_snapshot]
    if origin is not None and snapshot.is_thin_snapshot and thick:
        yield (
            f"{origin.full_name} has a thick snapshot ({', '.join(thick)}), so LVM merges no thin one into it: remove "
            "it, then run again"
        )


_WRITING = (CreateSnapshot, CreateVolume, Extend, Merge, Remove, Retag)

RULES = (
    LvmRule(
        "Volume group VG is exported",
        "lib/metadata/metadata.c, _access_vg_exported",
        (LvmStep,),
        _of_each_group(exported_problems),
    ),
    LvmRule(
        "Volume group VG is read-only.",
        "lib/metadata/metadata.c, vg_read",
        (LvmStep,),
        _of_each_group(read_only_problems),
    ),
    # lvremove and lvchange set handles_missing_pvs: they also work if a PV is missing.
    LvmRule(
        "Cannot change VG VG while PVs are missing.",
        "lib/metadata/metadata.c, vg_read",
        (CreateSnapshot, CreateVolume, Extend, Merge),
        _of_each_group(partial_problems),
    ),
    LvmRule(
        "Cannot change VG VG with unknown segments in it!",
        "lib/metadata/metadata.c, vg_read",
        _WRITING,
        _unknown_segment_problems,
    ),
    # lvchange --refresh and --poll change no metadata, but the merge that they continue does.
    LvmRule(
        "Cannot update volume group VG with duplicate PV devices.",
        "lib/metadata/metadata.c, vg_write",
        (LvmStep,),
        _of_each_group(duplicate_problems),
    ),
    LvmRule(
        "Maximum number of logical volumes (N) reached in volume group VG",
        "lib/metadata/lv_manip.c, _vg_check_features",
        (CreateSnapshot, CreateVolume, Remove),
        _count_problems,
    ),
    LvmRule(
        "VG VG N metadata on DEVICE (N bytes) exceeds maximum metadata size (N bytes)",
        "lib/format_text/format-text.c, _vg_write_raw",
        (CreateSnapshot, CreateVolume, Remove),
        _metadata_problems,
    ),
    LvmRule(
        "Can't remove locked logical volume VG/LV.",
        "lib/metadata/lv_manip.c, lv_remove_single",
        (CreateSnapshot, Extend, Merge, Remove),
        _of_each_lv(locked_problems),
    ),
    LvmRule(
        "Internal error: Writing metadata in critical section.",
        "lib/metadata/metadata.c, vg_write",
        (CreateSnapshot, Merge, Remove, Wake),
        _of_each_lv(moving_pool_problems),
    ),
    LvmRule(
        "Do you really want to remove origin logical volume VG/LV with N snapshots(s)?",
        "lib/metadata/lv_manip.c, _lv_remove_check_in_use",
        (Remove,),
        _dependent_problems,
    ),
    LvmRule(
        "Command on LV VG/LV is invalid on LV with properties: lv_is_merging_origin lv_is_external_origin",
        "tools/command-lines.in, lvconvert_merge",
        (Merge,),
        _of_each_lv(_merge_problems),
    ),
    LvmRule(
        "Cannot merge snapshot VG/LV into the read-only origin VG/LV. (Use lvchange -p rw).",
        "tools/lvconvert.c, _lvconvert_merge_old_snapshot",
        (Merge,),
        _of_each_lv(_read_only_origin_problems),
    ),
    LvmRule(
        "Cannot merge snapshot VG/LV into the read-only external origin VG/LV.",
        "tools/lvconvert.c, _lvconvert_merge_old_snapshot",
        (Merge,),
        _of_each_lv(_external_origin_problems),
    ),
    LvmRule(
        "Merging into the old snapshot origin VG/LV is not supported.",
        "tools/lvconvert.c, _lvconvert_merge_thin_snapshot",
        (Merge,),
        _of_each_lv(_mixed_origin_problems),
    ),
)


def lvm_problems(host_state: HostState, steps: Sequence[Step]) -> tuple[str, ...]:
    """Every reason why LVM would refuse one of ``steps``, each once."""
    found = (
        problem
        for rule in RULES
        for problem in rule.problems(host_state, [step for step in steps if isinstance(step, rule.steps)])
    )
    return tuple(dict.fromkeys(found))
