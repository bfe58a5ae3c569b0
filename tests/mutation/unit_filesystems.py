# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mutants of what is mounted, what it lies on and what does not roll back, in the form of unit_table.py."""

from __future__ import annotations

from mutation.unit_table import Mutant

MUTANTS = (
    Mutant(
        "a mount that another one hides is not looked up",
        "if mount.parent in numbers and mount.parent != mount.number else None",
        "if not mount.parent else None",
    ),
    Mutant(
        "a path through a network filesystem is not looked at",
        "return bool(trail) and trail[-1].is_local and all(",
        "return bool(trail) and trail[-1].is_local or all(",
    ),
    Mutant(
        "a program that does not answer is not looked at",
        "return not self.is_program and (",
        "return (",
    ),
    Mutant(
        "links are followed to what they lead to",
        '        todo += target.split("/")[::-1]\n',
        "        todo += []\n",
    ),
    Mutant(
        "no link is read where a look could wait",
        "if table.at(path) is not None or not table.is_safe(directory):",
        "if table.at(path) is not None:",
    ),
    Mutant(
        "a mountpoint is not read as a link",
        "if table.at(path) is not None or not table.is_safe(directory):",
        "if not table.is_safe(directory):",
    ),
    Mutant(
        "only paths in /dev are looked at as devices",
        'if not path.startswith("/dev/"):',
        "if not path:",
    ),
    Mutant(
        "an automount that cannot mount costs its time once",
        "        tried.update(waiting)\n",
        "        tried.update(waiting[:1])\n",
    ),
    Mutant(
        "an automount stays mounted until the module ends",
        "                _keep_mounted(place)\n",
        "                _is_waiting(table, place, ())\n",
    ),
    Mutant(
        "an automount of a network filesystem is not woken",
        "and mount.is_automount and mount.mountpoint not in remote",
        "and mount.is_automount",
    ),
    Mutant(
        "all devices of btrfs count",
        'if mount.fstype == "btrfs" else [_journal_name',
        "if not mount.fstype else [_journal_name",
    ),
    Mutant(
        "the external journal of ext4 counts",
        'read(f"/proc/{task}/comm").strip().partition("/")[2]',
        'read(f"/proc/{task}/comm").strip()',
    ),
    Mutant(
        "an overlay rolls back with its upper directory",
        "    places = (mount.carrier,) if mount.carrier else mount.layers\n",
        "    places = mount.layers\n",
    ),
    Mutant(
        "an overlay that another mount hides is not followed forever",
        "if below is None or below in (*above, mount):",
        "if below is None or below == mount.carrier:",
    ),
    Mutant(
        "an automount that has mounted its filesystem is shown once",
        "return mount.is_automount and (of_the_boot or not host_state.host.table.is_seen(mount))",
        "return mount.is_automount and of_the_boot",
    ),
    Mutant(
        "what only fstab has is shown",
        "return is_path and not of_no_matter and host_state.host.table.at(entry.mountpoint) is None",
        "return False",
    ),
    Mutant(
        "a filesystem on several LVs rolls back only with all of them",
        "if volume.key not in keys]\n",
        "if volume.key not in keys][1:]\n",
    ),
    Mutant(
        "memory is not reported as left behind",
        "elif one.lasts and any(is_at_or_below(one.mountpoint, place) for place in places):",
        "elif any(is_at_or_below(one.mountpoint, place) for place in places):",
    ),
    Mutant(
        "links in the directories of the system are reported",
        "if why is not None and one.lasts and any(is_at_or_below(path, place) for place in places):",
        "if why is None and one.lasts and any(is_at_or_below(path, place) for place in places):",
    ),
    Mutant(
        "an ESP that is a part of an array is no second ESP",
        "in _ESP_TYPES and not device.holders",
        "in _ESP_TYPES",
    ),
    Mutant(
        "a part of another filesystem is not selected with the system",
        "return mount is not None and mount.mountpoint == path and not mount.is_part",
        "return mount is not None and mount.mountpoint == path",
    ),
    Mutant(
        "a part of the system behind a link must be protected",
        "        if mount is None or mount in seen:\n",
        "        if mount is None or mount in seen or mount.mountpoint != path:\n",
    ),
    Mutant(
        "each boot filesystem is ignored alone",
        "return tuple(path for path in BOOT_MOUNTPOINTS if path not in ignore)",
        "return tuple(path for path in BOOT_MOUNTPOINTS if not ignore)",
    ),
    Mutant(
        "the ESP is ignored with a separate /boot",
        'if "/boot" in ignore and host.lies_on("/boot") != host.lies_on("/"):',
        'if host.lies_on("/boot") is None:',
    ),
    Mutant(
        "the ESP is not ignored with /boot on /",
        'if "/boot" in ignore and host.lies_on("/boot") != host.lies_on("/"):',
        'if "/boot" in ignore:',
    ),
    Mutant(
        "a boot filesystem of fstab must be mounted",
        "elif entry is not None and mount.mountpoint != entry.mountpoint:",
        "elif entry is not None and mount.mountpoint == entry.mountpoint * 2:",
    ),
    Mutant(
        "the initramfs must activate /usr and /etc too",
        '    for path in ("/usr", "/etc", *early):\n',
        "    for path in early:\n",
    ),
    Mutant(
        "the initramfs must activate what the kernel's command line has",
        "if volume.full_name in host.early_volumes:",
        "if volume.full_name in host.early_volumes[:0]:",
    ),
    Mutant(
        "the initramfs must activate what is below an overlay",
        "for mount in mounts if mount for volume in host_state.volumes_below(mount)[0]]",
        "for mount in mounts[:1] if mount for volume in host_state.volumes_below(mount)[0]]",
    ),
    Mutant(
        "the system of a host of ostree is not rolled back",
        'if "/" in named or any(',
        "if any(",
    ),
    Mutant(
        "what is inside LUKS is not in the snapshot",
        '        if device.dm_uuid.startswith("CRYPT-"):\n            return False\n',
        '        if device.dm_uuid.startswith("CRYPT-"):\n            return True\n',
    ),
    Mutant(
        "a LUKS origin is found by its UUID",
        "if reference.uuid and signature.uuid.lower().startswith(reference.uuid.lower()):",
        "if reference.uuid and signature.uuid == reference.label:",
    ),
    Mutant(
        "a filesystem on several LVs is not snapshotted while it is in use",
        "    elif not mount.read_only:\n",
        "    elif not mount.device:\n",
    ),
    Mutant(
        "btrfs that is not mounted needs all its LVs",
        "elif volume not in origins and not volume.is_snapshot:",
        "elif volume in origins and not volume.is_snapshot:",
    ),
    Mutant(
        "the last root= counts",
        "if key in _ONLY_ONE and last[key] != word:",
        "if key in _ONLY_ONE and last[key] == word * 2:",
    ),
    Mutant(
        "a unit in /etc hides one in /usr",
        "for directory in reversed(_UNIT_DIRECTORIES)\n        for kind",
        "for directory in _UNIT_DIRECTORIES\n        for kind",
    ),
    Mutant(
        "a single file is no place for a canary",
        "key=lambda mount: mount.is_part)",
        "key=lambda mount: False)",
    ),
)
