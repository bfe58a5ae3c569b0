# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mutants: small changes of the planner that each break a promise. `old` has to be in the plugins exactly once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A change of `old` to `new` in the one file of the plugins that has it, and the promise that it breaks."""

    promise: str
    old: str
    new: str


MUTANTS = (
    Mutant(
        "hyphens count twice in the name of a device",
        'return name.replace("-", "--")',
        "return name",
    ),
    Mutant(
        "LVM's own names are never given",
        "        if part in name:",
        "        if name.endswith(part):",
    ),
    Mutant(
        "a set with a part of its tags cut is none",
        "    if not 1 <= count <= _MOST_MEMBERS:",
        "    if not count <= _MOST_MEMBERS:",
    ),
    Mutant(
        "an outcome is only understood when it can be deleted again",
        "return outcome if outcome is not None and outcome.to_tag() == tag else None",
        "return outcome",
    ),
    Mutant(
        "the seal is never given at creation",
        "return _format_tags(MEMBER, {",
        "return (SEALED,) + _format_tags(MEMBER, {",
    ),
    Mutant(
        "a store at its maximum holds the header too",
        "(1 + origin_chunks + metadata_chunks) * chunk_size",
        "(origin_chunks + metadata_chunks) * chunk_size",
    ),
    Mutant(
        "%ORIGIN means what lvcreate means by it",
        "return min(maximum, overhead + ceil_fraction(percent * origin_extents / 100))",
        "return min(maximum, ceil_fraction(percent * origin_extents / 100))",
    ),
    Mutant(
        "what the two decimals of a percentage hide is counted as used",
        "size * (used_percent + Fraction(1, 100)) / 100",
        "size * used_percent / 100",
    ),
    Mutant(
        "room is shared in proportion to what each wants",
        "(room - minimums) * (share.estimate - share.minimum) // wanted",
        "(room - minimums) // len(shares)",
    ),
    Mutant(
        "the reserve is left free",
        "return group.free_extents + freed.get(group.name, 0) - _reserve_extents(group, reserve)",
        "return group.free_extents + freed.get(group.name, 0)",
    ),
    Mutant(
        "removing a thin volume gives nothing back to its VG",
        "if group is not None and not volume.is_thin:",
        "if group is not None:",
    ),
    Mutant(
        "sizes relative to what changes act at creation only",
        'if size.unit in ("bytes", "ORIGIN", "VG"):',
        'if size.unit in ("bytes", "ORIGIN", "VG", "FREE"):',
    ),
    Mutant(
        "a pool at its limit takes no further snapshot",
        "if data >= POOL_DATA_LIMIT:",
        "if data > POOL_DATA_LIMIT:",
    ),
    Mutant(
        "an fstab that names the content is refused for an origin that is not mounted, too",
        "    return entry.device is not None and host_state.lv_below(entry.device) == origin",
        "    return False",
    ),
    Mutant(
        "no snapshot is taken of an origin that is going back",
        "        if snapshot.merging:",
        "        if snapshot.merging and not snapshot.is_thin:",
    ),
    Mutant(
        "of several mounts at one place the last counts",
        "(mount for mount in reversed(self.mounts) if mount.mountpoint == mountpoint)",
        "(mount for mount in self.mounts if mount.mountpoint == mountpoint)",
    ),
    Mutant(
        "what goes with / is protected or ignored by name",
        'SYSTEM_MOUNTPOINTS = ("/", "/usr", "/var", "/var/lib", "/etc", "/opt")',
        'SYSTEM_MOUNTPOINTS = ("/", "/usr", "/var", "/etc", "/opt")',
    ),
    Mutant(
        "a merge is pending until the origin tells how far it is",
        "if origin.is_thin else origin.data_percent is None",
        "if origin.is_thin else origin.data_percent is not None",
    ),
    Mutant(
        "a thin origin is rolled back only when it has its member's device",
        "is not None and thin_id != origin.thin_id:",
        "is not None and thin_id == -1:",
    ),
    Mutant(
        "one sealed member seals the set",
        "sealed=any(sealed_ones) or bool(gone),",
        "sealed=all(sealed_ones) or bool(gone),",
    ),
    Mutant(
        "a name that is another LV's is not taken",
        "        if holder is not None and holder not in removed:",
        "        if holder is not None and holder in removed:",
    ),
    Mutant(
        "the outcome of an older set of the name goes with a new instance",
        "*created, *sealing, *forget_steps(host_state, request)),",
        "*created, *sealing),",
    ),
    Mutant(
        "only what is too small is extended, and a half-done sealing is finished",
        "steps=(*removal_steps(leftovers), *sealing, *forgetting, *extension_steps(allocations)),",
        "steps=(*removal_steps(leftovers), *forgetting, *extension_steps(allocations)),",
    ),
    Mutant(
        "the outcome is written down before LVM is asked to merge",
        "        add=(outcome.to_tag(),),\n        delete=_old_outcomes(members),\n",
        "        delete=_old_outcomes(members),\n",
    ),
    Mutant(
        "nobody's thin snapshot loses its origin unasked",
        "        if sibling.is_thin_snapshot:",
        "        if sibling.is_thin_snapshot and sibling.active:",
    ),
    Mutant(
        "what is merging is polled to its end",
        'poll=(*current.members_in("merging"), *stale),',
        "poll=stale,",
    ),
    Mutant(
        "outcomes are forgotten before the members go",
        "steps=(*forget_steps(host_state, request), *removal_steps(existing)),",
        "steps=(*removal_steps(existing), *forget_steps(host_state, request)),",
    ),
    Mutant(
        "a pending merge is not removed",
        'if member.state in ("merge_pending", "merging"):',
        'if member.state == "merging":',
    ),
    Mutant(
        "an LV that is no longer the member is not removed",
        "    return instance.single or volume.name in generated_names(member.origin.name, instance.name)",
        "    return True",
    ),
    Mutant(
        "a member whose snapshot is mounted is not removed",
        "if snapshot is None or not (snapshot.open or host_state.mounts_of(snapshot)):",
        "if snapshot is None or not host_state.mounts_of(snapshot):",
    ),
    Mutant(
        "what is lost is only left behind when somebody accepts that",
        "    if current.unrecoverable and not accepted:",
        "    if current.unrecoverable and not _can_accept_loss(current):",
    ),
    Mutant(
        "a set that is not whole is no way back before anything goes back",
        "    return current.sealed and current.unrecoverable and current.rollback_started",
        "    return current.sealed and current.unrecoverable",
    ),
    Mutant(
        "an accepted loss is written down",
        "        if outcome.count != rest.count:",
        "        if outcome.count == rest.count:",
    ),
    Mutant(
        "a casualty is forgotten before it is removed",
        "    return (*_forget_steps(lost.members), *_recount_steps(host_state, rest), *removal_steps((lost,)))",
        "    return (*_recount_steps(host_state, rest), *removal_steps((lost,)))",
    ),
    Mutant(
        "a boot loader never reads a store half merged",
        "            if mount.mountpoint in BOOT_MOUNTPOINTS:\n",
        "            if mount.mountpoint == BOOT_MOUNTPOINTS[0] * 2:\n",
    ),
    Mutant(
        "a devices file that comes back has to name every PV of /",
        "    if added:\n",
        "    if not membership:\n",
    ),
    Mutant(
        "the boot menu is brought back last",
        "key=lambda path: (is_menu(path), path",
        "key=lambda path: (not is_menu(path), path",
    ),
    Mutant(
        "what GRUB was installed anew with stays",
        "if match and now is not None and now.content != entry.content:",
        "if match and now is None:",
    ),
    Mutant(
        "a backup belongs to one instance",
        "if one.tags.set_id == self.set_id and one.tags.manifest), None)",
        "if one.tags.manifest), None)",
    ),
    Mutant(
        "what others added is removed only at the end",
        "    for path in filter(is_menu, difference.extra):\n",
        "    for path in difference.extra:\n",
    ),
    Mutant(
        "undo brings back what was replaced",
        "    _put_back(work / _REPLACED, work.parent)\n",
        "",
    ),
    Mutant(
        "an LV of a copy is another LV",
        "        return self.vg_uuid, self.uuid\n",
        '        return "", self.uuid\n',
    ),
    Mutant(
        "what came with a copy means nothing",
        "        if not is_own:\n",
        "        if is_own is None:\n",
    ),
    Mutant(
        "a set that may be the copy's is in doubt",
        "return None if len(used) != 1 < len(claimed) else here in used",
        "return here in used",
    ),
    Mutant(
        "a timer merges no LV of a copy",
        'selected="vg_uuid=${1%/*} && lv_uuid=${1#*/} && $2"',
        'selected="lv_uuid=${1#*/} && $2"',
    ),
    Mutant(
        "a backslash before another character means itself",
        """_ESCAPED = re.compile(r'\\\\(["\\\\])')""",
        """_ESCAPED = re.compile(r'\\\\(.)')""",
    ),
    Mutant(
        "what is no text is told as text",
        'return value.encode(errors="surrogateescape").decode(errors="backslashreplace")',
        "return value",
    ),
    Mutant(
        "a timer fires once",
        r'*[\ ,]safepoint.timer.fired=*) say "the timer has already fired"; return 1 ;;',
        "*,safepoint.timer.never=*) return 1 ;;",
    ),
    Mutant(
        "a timer goes back only while every member is there",
        'no rollback possible"; return 3 ;;',
        'no rollback possible" ;;',
    ),
    Mutant(
        "a timer puts nothing damaged into /boot",
        '        has_checksum "$1.safepoint-new" "$2" && return\n',
        "        true && return\n",
    ),
    Mutant(
        "nobody can set the time of the boot in which a timer was armed",
        '    if [ "$boot_id" = "$ARMED_BOOT" ]; then',
        '    if [ "$boot_id" = "" ]; then',
    ),
    Mutant(
        "a failed boot is counted once",
        '    [ "$last" = "$boot_id" ] || note_failed',
        "    note_failed",
    ),
    Mutant(
        "a look replays no journal",
        '"ext4": "ro,noload"',
        '"ext4": "ro"',
    ),
    Mutant(
        "GRUB can clear its choice",
        "    if device is None or not _is_plain(device):",
        "    if device is None:",
    ),
    Mutant(
        "what others have in custom.cfg stays",
        "    return custom[:start] + custom[end",
        "    return custom[end",
    ),
    Mutant(
        "on BLS no entry becomes the default",
        "    if grub.entries is not None and not _has_saved_default(grub):",
        "    if grub.entries is not None and not grub.menu:",
    ),
    Mutant(
        "what is no part of a look is read-only",
        "*) options=$options,ro,nofail ;;",
        "*) ;;",
    ),
    Mutant(
        "a mount that fails ends a look",
        '"$device" "$2/below" || return',
        '"$device" "$2/below"',
    ),
    Mutant(
        "no directory takes the place of a link in an initramfs",
        'directories = sorted({path.rpartition("/")[0] for path in files} - {""})',
        'directories = sorted({str(p) for path in files for p in __import__("pathlib").Path(path).parents} - {"."})',
    ),
)
