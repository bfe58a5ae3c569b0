# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which LVs a request selects, by VG and LV, by mountpoint, or both. Pure; private to this collection."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._model import SWAP
from .checks import same_name_problems
from .coverage import not_on_lvm_problem, system_mountpoints
from .tags import is_auxiliary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._model import HostState, LvKey, Volume
    from .sizes import Size


@dataclass(frozen=True)
class VolumeSpec:
    """An item of ``volumes``: one LV, or if ``lv`` is None, every LV of the VG that holds data."""

    vg: str
    lv: str | None = None
    size: Size | None = None


@dataclass(frozen=True)
class Selector:
    """What the user selects. All paths are normalised. ``system`` means / and what must roll back with it."""

    volumes: tuple[VolumeSpec, ...] = ()
    mountpoints: tuple[str, ...] = ()
    system: bool = False
    exclude: tuple[str, ...] = ()
    ignore_uncovered: tuple[str, ...] = ()

    @property
    def given(self) -> bool:
        """Whether the user selects anything at all."""
        return bool(self.volumes or self.mountpoints or self.system)


NOTHING_CHOSEN = Selector()


@dataclass(frozen=True)
class RequestedOrigin:
    """One origin to protect. ``size`` is the size in its item of ``volumes``, or None."""

    origin: Volume
    size: Size | None = None


@dataclass(frozen=True)
class Selection:
    """The selected origins, each once, and the reasons why the request is not valid."""

    wanted: tuple[RequestedOrigin, ...]
    reasons: tuple[str, ...] = ()


def select(host_state: HostState, selector: Selector) -> Selection:
    """The origins that ``selector`` selects on the host in ``host_state``."""
    reasons = [*_duplicates(selector), *_unknown_excludes(host_state, selector)]
    chosen: dict[LvKey, RequestedOrigin] = {}
    # Whole VGs first, so that an item for one LV overrides the item for its VG.
    for spec in sorted(selector.volumes, key=lambda item: item.lv is not None):
        for volume in _volumes_of(host_state, spec, reasons):
            chosen[volume.key] = RequestedOrigin(origin=volume, size=spec.size)
    system = system_mountpoints(host_state, selector.ignore_uncovered) if selector.system else ()
    for mountpoint in dict.fromkeys((*selector.mountpoints, *system)):
        below = _volume_below(host_state, mountpoint, selector, reasons)
        if below is not None:
            chosen.setdefault(below.key, RequestedOrigin(origin=below))
    excluded = {volume.key for volume in _excluded(host_state, selector)}
    wanted = tuple(
        sorted(
            (w for w in chosen.values() if w.origin.key not in excluded),
            key=lambda w: (w.origin.vg, w.origin.name),
        )
    )
    if selector.given and not wanted and not reasons:
        reasons.append(
            "no LV is selected: none of them holds data, or exclude and ignore_uncovered leave out all of them"
        )
    return Selection(wanted=wanted, reasons=tuple(reasons))


def _duplicates(selector: Selector) -> Iterator[str]:
    names = Counter((spec.vg, spec.lv) for spec in selector.volumes)
    for (vg, lv), times in names.items():
        if times > 1:
            yield (f"volumes lists {vg}/{lv} {times} times" if lv else f"volumes lists VG {vg} {times} times")
    for mountpoint, times in Counter(selector.mountpoints).items():
        if times > 1:
            yield f"mountpoints lists {mountpoint} {times} times"


def _volumes_of(host_state: HostState, spec: VolumeSpec, reasons: list[str]) -> Iterator[Volume]:
    if problems := tuple(same_name_problems(host_state, {spec.vg})):
        reasons += problems
    elif host_state.group(spec.vg) is None:
        known = ", ".join(group.name for group in host_state.volume_groups) or "none"
        reasons.append(f"there is no VG {spec.vg} here (LVM hides foreign VGs); VGs of this host: {known}")
    elif spec.lv is None:
        yield from (volume for volume in host_state.volumes if volume.vg == spec.vg and _holds_data(host_state, volume))
    else:
        volume = host_state.volume(spec.vg, spec.lv)
        if volume is None:
            reasons.append(f"there is no LV {spec.vg}/{spec.lv}")
        else:
            yield volume


def _holds_data(host_state: HostState, volume: Volume) -> bool:
    # A whole VG means its data: no pools, snapshots, hidden LVs, swap or auxiliary LVs.
    swapped = any(mount.mountpoint == SWAP for mount in host_state.mounts_of(volume))
    return not (volume.hidden or volume.is_pool or volume.is_snapshot or swapped or is_auxiliary(volume.all_tags))


def _volume_below(host_state: HostState, mountpoint: str, selector: Selector, reasons: list[str]) -> Volume | None:
    mount = host_state.host.mount_at(mountpoint)
    if mount is None:
        # The root filesystem always exists, but may not be on a block device (network, memory).
        reasons.append("/ is not on a block device" if mountpoint == "/" else f"nothing is mounted at {mountpoint}")
        return None
    volume = host_state.lv_below(mount.device)
    if volume is None and mountpoint not in selector.ignore_uncovered:
        reasons.append(
            f"{mountpoint} cannot be protected: {not_on_lvm_problem(host_state, mount)}; "
            "leave it out, or list it in ignore_uncovered"
        )
    return volume


def _unknown_excludes(host_state: HostState, selector: Selector) -> Iterator[str]:
    for item in selector.exclude:
        if not list(_matching(host_state, item)):
            yield f"exclude lists {item}, which is neither an LV (VG/LV) nor a mountpoint on LVM here"


def _excluded(host_state: HostState, selector: Selector) -> Iterator[Volume]:
    for item in selector.exclude:
        yield from _matching(host_state, item)


def _matching(host_state: HostState, item: str) -> Iterator[Volume]:
    for volume in host_state.volumes:
        if item == volume.full_name or any(mount.mountpoint == item for mount in host_state.mounts_of(volume)):
            yield volume
