# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small model of LVM in memory, on which plans are carried out.

With it, tests check what this collection does if commands succeed, fail half-way or are killed. It proves nothing about
LVM itself: tests in virtual machines check whether the real LVM behaves like the model.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Callable, Literal

from builders import lvm_uuid
from model_commands import Command, CommandError, error_of, parse

from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, Volume
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.foreign import own_state
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.sizes import (
    CHUNK_SIZE,
    cow_maximum_extents,
    extents_for,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._steps import CommandResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import LvKey

Fault = Literal["refused", "half", "killed_before", "killed_half", "killed_after"]
FAULTS: tuple[Fault, ...] = ("refused", "half", "killed_before", "killed_half", "killed_after")
_THIN_ROLES = frozenset({"public", "snapshot", "thinsnapshot"})
_THICK_ROLES = frozenset({"public", "snapshot", "thicksnapshot"})


class Killed(Exception):
    """The module was killed: it does not see how the command ended, and undoes nothing."""


@dataclass
class ModelLvm:
    """A host. ``faults`` are the faults of commands, by their number, counted from 0.

    ``merged`` are the snapshots that were really merged into their origins. ``watched`` are the origins that LVM polls.
    ``started`` are the thin origins that were activated with their merge.
    """

    host_state: HostState
    faults: dict[int, Fault] = field(default_factory=dict)
    commands: list[tuple[str, ...]] = field(default_factory=list)
    watched: set[LvKey] = field(default_factory=set)
    started: set[LvKey] = field(default_factory=set)
    merged: set[LvKey] = field(default_factory=set)
    _serial: int = 100
    _inactive: dict[LvKey, dict[str, Any]] = field(default_factory=dict)

    def observe(self) -> HostState:
        """The host as it is now."""
        return own_state(self.host_state)

    lock = -1

    def note(self, text: str) -> None:
        """Ignore what goes to the journal."""

    def warn(self, text: str) -> None:
        """Ignore that there is no device to overwrite."""

    def run_program(self, name: str, *arguments: str) -> None:
        """No plan for snapshots runs another program."""
        raise AssertionError(name, arguments)

    def run(self, arguments: Sequence[str], *, vgs: Sequence[str]) -> CommandResult:
        """Run one command, and check that ``vgs`` are those that it changes. Raises Killed if its fault says so."""
        assert [*vgs] == sorted({word.partition("/")[0] for word in parse(arguments).operands})
        fault = self.faults.pop(len(self.commands), None)
        self.commands.append(tuple(arguments))
        command = parse(arguments)
        if fault == "killed_before":
            raise Killed
        rc, said = (5, "refused by the test") if fault == "refused" else self._execute(command, half=fault)
        if fault in ("killed_half", "killed_after"):
            raise Killed
        return CommandResult(argv=("lvm", *arguments), rc=rc, stdout="", stderr=said)

    def _execute(self, command: Command, half: Fault | None) -> tuple[int, str]:
        broken = half in ("half", "killed_half")
        if command.name == "lvcreate":
            return self._each(command, lambda name: self._create(command, name, broken=broken), command.operands)
        handlers: dict[str, Callable[[str], None]] = {
            "lvextend": lambda name: self._extend(name, int(command.one("--extents"))),
            "lvchange": lambda name: self._change(command, name),
            "lvconvert": self._merge,
            "lvremove": lambda name: self._remove(name, command.all("--select")),
        }
        # If a command on several LVs is done by half, it changes the first half of them.
        reached = command.operands[: len(command.operands) // 2] if broken else command.operands
        rc, said = self._each(command, handlers[command.name], reached)
        return (5, said or "half of it was done") if broken else (rc, said)

    def _each(self, command: Command, act: Callable[[str], None], names: Sequence[str]) -> tuple[int, str]:
        # After an error, LVM continues with the next LV. It exits with the worst code.
        errors = [f"{command.name}: {error}" for name in names if (error := error_of(act, name))]
        return (5, "\n".join(errors)) if errors else (0, "")

    # LVs and VGs

    def get(self, full_name: str) -> Volume:
        """The LV with that name. LVM reports an error if there is none."""
        vg, _slash, name = full_name.partition("/")
        found = self.host_state.volume(vg, name)
        if found is None:
            raise CommandError(f"Failed to find logical volume {full_name}")
        return found

    def put(self, volume: Volume, **changes: Any) -> Volume:
        """Apply ``changes`` to ``volume``."""
        changed = replace(volume, **changes)
        others = tuple(changed if other.key == volume.key else other for other in self.host_state.volumes)
        self.host_state = replace(self.host_state, volumes=others)
        return changed

    def _add(self, volume: Volume) -> None:
        self.host_state = replace(self.host_state, volumes=(*self.host_state.volumes, volume))

    def drop(self, volume: Volume) -> None:
        """Delete ``volume`` and free its extents in the VG."""
        self.host_state = replace(
            self.host_state, volumes=tuple(v for v in self.host_state.volumes if v.key != volume.key)
        )
        if not volume.is_thin:
            self._allocate(volume.vg, -extents_for(volume.size, self._extent_size(volume.vg)))

    def _extent_size(self, vg: str) -> int:
        return next(group.extent_size for group in self.host_state.volume_groups if group.name == vg)

    def _allocate(self, vg: str, extents: int) -> None:
        groups = []
        for group in self.host_state.volume_groups:
            free = group.free_extents - extents if group.name == vg else group.free_extents
            if free < 0:
                raise CommandError(f"Volume group {vg} has insufficient free space")
            groups.append(replace(group, free_extents=free))
        self.host_state = replace(self.host_state, volume_groups=tuple(groups))

    # Commands

    def _create(self, command: Command, origin_name: str, *, broken: bool) -> None:
        origin, name = self.get(origin_name), command.one("--name")
        if self.host_state.volume(origin.vg, name) is not None:
            raise CommandError(f"Logical Volume {name} already exists in volume group {origin.vg}")
        if any(snap.merging for snap in self.host_state.snapshots_of(origin) if not snap.is_thin):
            raise CommandError("Snapshots of an origin that has a merging snapshot are not supported")
        self._serial += 1
        fresh = Volume(
            vg=origin.vg,
            name=name,
            uuid=lvm_uuid(f"{name} {self._serial}"),
            vg_uuid=origin.vg_uuid,
            size=origin.size,
            tags=command.all("--addtag"),
            created=self.host_state.host.now,
            active=origin.active,
        )
        if "--extents" not in command.options:
            self._create_thin(origin, fresh, broken=broken)
        else:
            self._create_thick(origin, fresh, int(command.one("--extents")), broken=broken)

    def _create_thin(self, origin: Volume, fresh: Volume, *, broken: bool) -> None:
        if broken or not origin.is_thin:
            raise CommandError("Failed to suspend thin snapshot origin")
        thin: dict[str, Any] = {
            "segtype": "thin",
            "pool": origin.pool,
            "thin_id": self._serial,
            "layout": origin.layout,
        }
        self._add(replace(fresh, **thin, roles=_THIN_ROLES, origin=origin.name, active=False))

    def _create_thick(self, origin: Volume, fresh: Volume, extents: int, *, broken: bool) -> None:
        extent_size = self._extent_size(origin.vg)
        extents = min(extents, cow_maximum_extents(origin.size, extent_size))
        self._allocate(origin.vg, extents)
        plain = replace(fresh, size=extents * extent_size, roles=frozenset({"public"}), open=False)
        if broken:
            # It is committed as a plain LV, but never attached to its origin.
            self._add(replace(plain, active=False))
            raise CommandError("Aborting. Manual intervention required")
        known = {"invalid": False, "data_percent": Fraction(0)} if origin.active else {"invalid": None, "open": None}
        self._add(replace(plain, roles=_THICK_ROLES, origin=origin.name, chunk_size=CHUNK_SIZE, **known))

    def _extend(self, name: str, extents: int) -> None:
        snapshot = self.get(name)
        extent_size = self._extent_size(snapshot.vg)
        origin = self.host_state.origin_of(snapshot)
        if snapshot.merging or origin is None:
            raise CommandError("Can't resize internal logical volume")
        now = extents_for(snapshot.size, extent_size)
        extents = min(extents, cow_maximum_extents(origin.size, extent_size, snapshot.chunk_size))
        if extents <= now:
            raise CommandError(f"New size ({extents} extents) matches existing size ({now} extents)")
        self._allocate(snapshot.vg, extents - now)
        used = (snapshot.data_percent or Fraction(0)) * now / extents
        self.put(snapshot, size=extents * extent_size, data_percent=used)

    def _change(self, command: Command, name: str) -> None:
        volume = self.get(name)
        if "--refresh" in command.options:
            self._start(volume)
        elif "--poll" in command.options:
            self._poll(volume)
        elif "--activate" in command.options:
            self._activate(volume, active=command.one("--activate") == "y")
        elif volume.hidden or (volume.is_snapshot and volume.merging):
            raise CommandError(f"Operation not permitted on hidden LV {name}")
        else:
            kept = [tag for tag in volume.tags if tag not in command.all("--deltag")]
            self.put(volume, tags=tuple(dict.fromkeys((*kept, *command.all("--addtag")))))

    def _merge(self, name: str) -> None:
        snapshot = self.get(name)
        origin = self.host_state.origin_of(snapshot)
        if origin is None or snapshot.merging:
            raise CommandError(f"{name} is not a mergeable logical volume")
        siblings = list(self.host_state.snapshots_of(origin))
        if any(sibling.merging for sibling in siblings):
            raise CommandError("Cannot merge snapshot into the origin with a merging snapshot")
        if snapshot.invalid:
            raise CommandError("Unable to merge invalidated snapshot LV")
        if snapshot.is_thin and any(not sibling.is_thin for sibling in siblings):
            raise CommandError("Merging into the old snapshot origin is not supported")
        origin = self.put(origin, merging=not origin.is_thin)
        snapshot = self.put(snapshot, merging=True)
        if not snapshot.open:
            self._start(origin)

    def _start(self, origin: Volume, *, even_open: bool = False) -> None:
        """Start the pending merge if ``origin`` is not open; otherwise succeed and do nothing."""
        snapshot = next((snap for snap in self.host_state.snapshots_of(origin) if snap.merging), None)
        if snapshot is None or (origin.open and not even_open):
            return
        if not snapshot.invalid:
            self.merged.add(snapshot.key)
        if snapshot.is_thin:
            self._replace_origin(origin, snapshot)
        elif origin.active:
            self.put(origin, data_percent=snapshot.data_percent, invalid=bool(snapshot.invalid))
            self.watched.add(origin.key)

    def _poll(self, origin: Volume) -> None:
        self.watched.add(origin.key)
        if origin.key in self.started:
            self.started.discard(origin.key)
            self._start(origin, even_open=True)

    def _activate(self, origin: Volume, *, active: bool) -> None:
        """Activate an origin with its thick snapshots, which starts a pending merge, or deactivate it."""
        if active == origin.active:
            return
        if origin.open:
            raise CommandError(f"Logical volume {origin.full_name} contains a filesystem in use")
        for volume in (origin, *(snap for snap in self.host_state.snapshots_of(origin) if snap.is_thick_snapshot)):
            if active:
                self.put(volume, **self._inactive.pop(volume.key))
            else:
                unknown = {"active": False, "open": None, "invalid": None, "data_percent": None}
                self._inactive[volume.key] = {name: getattr(volume, name) for name in unknown}
                self.put(volume, **unknown)
        if active:
            self._start(self.get(origin.full_name))

    def _replace_origin(self, origin: Volume, snapshot: Volume) -> None:
        siblings = [snap for snap in self.host_state.snapshots_of(origin) if snap.key != snapshot.key]
        self.drop(snapshot)
        self.put(origin, thin_id=snapshot.thin_id, size=snapshot.size, merging=False)
        for sibling in siblings:
            self.put(sibling, origin="")

    def _remove(self, name: str, selected: Sequence[str] = ()) -> None:
        volume = self.get(name)
        if selected and "(vg_uuid={} && lv_uuid={})".format(*volume.key) not in selected[0].split(" || "):
            return
        origin = self.host_state.origin_of(volume)
        if origin is not None and volume.merging:
            # If the store overflowed before the origin was activated, LVM can remove it.
            if origin.active and not origin.invalid:
                raise CommandError(f"Can't remove merging snapshot logical volume {name}")
            self.put(origin, merging=False, invalid=None, data_percent=None)
        if volume.open:
            raise CommandError(f"Logical volume {name} contains a filesystem in use")
        for snapshot in list(self.host_state.snapshots_of(volume)):
            if not snapshot.is_thin:
                self.drop(snapshot)
        self.drop(volume)

    # Events outside this collection

    def copy(self) -> ModelLvm:
        """Another host that is equal to this one."""
        return replace(
            self,
            faults=dict(self.faults),
            commands=list(self.commands),
            watched=set(self.watched),
            started=set(self.started),
            merged=set(self.merged),
            _inactive=dict(self._inactive),
        )

    def settle(self, *, cut_off: bool = False) -> None:
        """End every merge that is polled, or with ``cut_off`` only its first commit."""
        for origin in self.host_state.volumes:
            running = origin.merging and origin.data_percent is not None and not origin.invalid
            if running and origin.key in self.watched:
                (snapshot,) = (snap for snap in self.host_state.snapshots_of(origin) if snap.merging)
                self.put(origin, merging=False, data_percent=None, invalid=None)
                self.watched.discard(origin.key)
                if cut_off:
                    self.split(snapshot, snapshot.name)
                else:
                    self.drop(snapshot)

    def split(self, snapshot: Volume, name: str) -> None:
        """Make the store of a thick snapshot a plain LV."""
        ordinary = {"roles": frozenset({"public"}), "merging": False, "invalid": None, "data_percent": None}
        self.put(snapshot, name=name, origin="", **ordinary)

    def reboot(self, boot_id: str) -> None:
        """Reboot: pending merges start, and LVM does not poll them. A thin one ends when LVM is polled."""
        self.host_state = replace(self.host_state, host=replace(self.host_state.host, boot_id=boot_id))
        for origin in self.host_state.volumes:
            if any(snap.merging for snap in self.host_state.snapshots_of(origin)):
                if origin.is_thin:
                    self.started.add(origin.key)
                else:
                    self._start(origin, even_open=True)
        self.watched.clear()

    def write(self, snapshot: Volume, used: int) -> None:
        """Fill the store of a thick snapshot to ``used`` percent by writes to its origin; above 100 it overflows."""
        origin = self.host_state.origin_of(snapshot)
        is_merging = origin is not None and origin.merging and origin.data_percent is not None
        if snapshot.is_thick_snapshot and snapshot.active and not snapshot.invalid and not is_merging:
            self.put(snapshot, data_percent=Fraction(min(used, 100)), invalid=used > 100)
