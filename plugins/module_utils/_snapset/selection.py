# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which LVs a request means: by VG and LV, by mountpoint, or both. Pure; private to this collection."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._model import SWAP
from .coverage import system_mountpoints, why_not_lvm
from .tags import is_auxiliary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._model import LvKey, Picture, Volume
    from .sizes import Size


@dataclass(frozen=True)
class VolumeSpec:
    """An item of ``volumes``: one LV, or with ``lv`` None every LV of the VG that can be an origin."""

    vg: str
    lv: str | None = None
    size: Size | None = None


@dataclass(frozen=True)
class Selector:
    """What a user chose; every path is normalised. ``system`` means / and what has to roll back with it."""

    volumes: tuple[VolumeSpec, ...] = ()
    mountpoints: tuple[str, ...] = ()
    system: bool = False
    exclude: tuple[str, ...] = ()
    ignore_uncovered: tuple[str, ...] = ()

    @property
    def given(self) -> bool:
        """Whether anything was chosen at all."""
        return bool(self.volumes or self.mountpoints or self.system)


NOTHING_CHOSEN = Selector()


@dataclass(frozen=True)
class Wanted:
    """One origin to protect; ``size`` is what its own item of ``volumes`` says, if it says anything."""

    origin: Volume
    size: Size | None = None


@dataclass(frozen=True)
class Selection:
    """The origins that were meant, each once, and why the rest of the request cannot be understood."""

    wanted: tuple[Wanted, ...]
    reasons: tuple[str, ...] = ()


def select(picture: Picture, selector: Selector) -> Selection:
    """The origins that ``selector`` means on the host in ``picture``."""
    reasons = [*_duplicates(selector), *_unknown_excludes(picture, selector)]
    chosen: dict[LvKey, Wanted] = {}
    # A whole VG first, so that what is said of one of its LVs stands.
    for spec in sorted(selector.volumes, key=lambda item: item.lv is not None):
        for volume in _volumes_of(picture, spec, reasons):
            chosen[volume.key] = Wanted(origin=volume, size=spec.size)
    system = system_mountpoints(picture, selector.ignore_uncovered) if selector.system else ()
    for mountpoint in dict.fromkeys((*selector.mountpoints, *system)):
        below = _volume_below(picture, mountpoint, selector, reasons)
        if below is not None:
            chosen.setdefault(below.key, Wanted(origin=below))
    excluded = {volume.key for volume in _excluded(picture, selector)}
    wanted = tuple(
        sorted(
            (w for w in chosen.values() if w.origin.key not in excluded),
            key=lambda w: (w.origin.vg, w.origin.name),
        )
    )
    if selector.given and not wanted and not reasons:
        reasons.append("nothing is left to protect: what is chosen has no LV that exclude leaves")
    return Selection(wanted=wanted, reasons=tuple(reasons))


def _duplicates(selector: Selector) -> Iterator[str]:
    names = Counter((spec.vg, spec.lv) for spec in selector.volumes)
    for (vg, lv), times in names.items():
        if times > 1:
            yield (f"volumes names {vg}/{lv} {times} times" if lv else f"volumes names VG {vg} {times} times")
    for mountpoint, times in Counter(selector.mountpoints).items():
        if times > 1:
            yield f"mountpoints names {mountpoint} {times} times"


def _volumes_of(picture: Picture, spec: VolumeSpec, reasons: list[str]) -> Iterator[Volume]:
    if picture.group(spec.vg) is None:
        known = ", ".join(group.name for group in picture.volume_groups) or "none"
        reasons.append(f"there is no VG {spec.vg} here (a foreign one is not visible); VGs of this host: {known}")
    elif spec.lv is None:
        yield from (volume for volume in picture.volumes if volume.vg == spec.vg and _fits_all(picture, volume))
    else:
        volume = picture.volume(spec.vg, spec.lv)
        if volume is None:
            reasons.append(f"there is no LV {spec.vg}/{spec.lv}")
        else:
            yield volume


def _fits_all(picture: Picture, volume: Volume) -> bool:
    # A whole VG means its data: no pools, no snapshots, nothing hidden, no swap, nothing that we keep there.
    swapped = any(mount.mountpoint == SWAP for mount in picture.mounts_of(volume))
    return not (volume.hidden or volume.is_pool or volume.is_snapshot or swapped or is_auxiliary(volume.all_tags))


def _volume_below(picture: Picture, mountpoint: str, selector: Selector, reasons: list[str]) -> Volume | None:
    mount = picture.host.mount_at(mountpoint)
    if mount is None:
        # The root filesystem is there, but may lie on no block device, as of a network or in memory.
        reasons.append("/ is not on a block device" if mountpoint == "/" else f"nothing is mounted at {mountpoint}")
        return None
    volume = picture.lv_below(mount.device)
    if volume is None and mountpoint not in selector.ignore_uncovered:
        reasons.append(
            f"{mountpoint} cannot be protected: {why_not_lvm(picture, mount)}; "
            "leave it out, or name it in ignore_uncovered"
        )
    return volume


def _unknown_excludes(picture: Picture, selector: Selector) -> Iterator[str]:
    for item in selector.exclude:
        if not list(_matching(picture, item)):
            yield f"exclude names {item}, which is neither an LV (VG/LV) nor a mountpoint on LVM here"


def _excluded(picture: Picture, selector: Selector) -> Iterator[Volume]:
    for item in selector.exclude:
        yield from _matching(picture, item)


def _matching(picture: Picture, item: str) -> Iterator[Volume]:
    for volume in picture.volumes:
        if item == volume.full_name or any(mount.mountpoint == item for mount in picture.mounts_of(volume)):
            yield volume
