# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mutants: small changes of the planner that each break a promise. `old` must be in the plugins exactly once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A change of `old` to `new` in the one file of the plugins that contains it, and the promise that it breaks."""

    promise: str
    old: str
    new: str


MUTANTS = (
    Mutant(
        "hyphens count twice in device names",
        'return name.replace("-", "--")',
        "return name",
    ),
    Mutant(
        "names that LVM reserves are never used",
        "        if part in name:",
        "        if name.endswith(part):",
    ),
    Mutant(
        "a number of members below 1 is invalid",
        "    if not 1 <= count <= _MOST_MEMBERS:",
        "    if not count <= _MOST_MEMBERS:",
    ),
    Mutant(
        "an outcome is only accepted if its tag can be deleted again",
        "return outcome if outcome is not None and outcome.to_tag() == tag else None",
        "return outcome",
    ),
    Mutant(
        "a member is never sealed at creation",
        "return _format_tags(MEMBER, self, known)",
        "return (SEALED, *_format_tags(MEMBER, self, known))",
    ),
    Mutant(
        "the maximum size of a store includes the header",
        "(1 + origin_chunks + metadata_chunks) * chunk_size",
        "(origin_chunks + metadata_chunks) * chunk_size",
    ),
    Mutant(
        "%ORIGIN is calculated as in lvcreate",
        "return min(maximum, overhead + ceil_fraction(percent * origin_extents / 100))",
        "return min(maximum, ceil_fraction(percent * origin_extents / 100))",
    ),
    Mutant(
        "what LVM's rounding to two decimals can hide is counted as used",
        "size * (used_percent + Fraction(1, 100)) / 100",
        "size * used_percent / 100",
    ),
    Mutant(
        "space is shared in proportion to the estimates",
        "(room - minimums) * (share.estimate - share.minimum) // wanted",
        "(room - minimums) // len(shares)",
    ),
    Mutant(
        "the reserve stays free",
        "return group.free_extents + freed.get(group.name, 0) - _reserve_extents(group, reserve)",
        "return group.free_extents + freed.get(group.name, 0)",
    ),
    Mutant(
        "removing a thin volume frees no space in its VG",
        "if group is not None and not volume.is_thin:",
        "if group is not None:",
    ),
    Mutant(
        "sizes relative to a changing value are used at creation only",
        'if size.unit in ("bytes", "ORIGIN", "VG"):',
        'if size.unit in ("bytes", "ORIGIN", "VG", "FREE"):',
    ),
    Mutant(
        "no snapshot is taken in a pool at its limit",
        "if data >= POOL_DATA_LIMIT:",
        "if data > POOL_DATA_LIMIT:",
    ),
    Mutant(
        "an fstab entry by content is also refused for an origin that is not mounted",
        "    if reference.device is not None and _shows(host_state, reference.device, origin):\n",
        "    if reference.device is None and not origin:\n",
    ),
    Mutant(
        "no snapshot is taken of an origin that is being rolled back",
        "        elif snapshot.merging:",
        "        if snapshot.merging and not snapshot.is_thin:",
    ),
    Mutant(
        "of several mounts at one mountpoint the one that is seen is used",
        "while (above := self._above.get((found[-1].number if found else None, path))) is not None:",
        "if (above := self._above.get((found[-1].number if found else None, path))) is not None:",
    ),
    Mutant(
        "the other parts of the system are protected with / or ignored explicitly",
        'SYSTEM_MOUNTPOINTS = ("/", "/usr", "/var", "/var/lib", "/etc", "/opt")',
        'SYSTEM_MOUNTPOINTS = ("/", "/usr", "/var", "/etc", "/opt")',
    ),
    Mutant(
        "a merge is pending until the origin reports its progress",
        "if origin.is_thin else origin.data_percent is None",
        "if origin.is_thin else origin.data_percent is not None",
    ),
    Mutant(
        "a thin origin is rolled back only if it has the device ID of its member",
        "is not None and thin_id != origin.thin_id:",
        "is not None and thin_id == -1:",
    ),
    Mutant(
        "one sealed member seals the set",
        "sealed=any(sealed_ones) or bool(gone),",
        "sealed=all(sealed_ones) or bool(gone),",
    ),
    Mutant(
        "the name of another LV is not used",
        "        if holder is not None and holder not in removed:",
        "        if holder is not None and holder in removed:",
    ),
    Mutant(
        "a new instance deletes the outcome of an older set of that name",
        "*created, *sealing, *forget_steps(host_state, request)),",
        "*created, *sealing),",
    ),
    Mutant(
        "a partial sealing is completed",
        "steps=(*removal_steps(leftovers), *sealing, *forgetting, *extension_steps(allocations)),",
        "steps=(*removal_steps(leftovers), *forgetting, *extension_steps(allocations)),",
    ),
    Mutant(
        "the outcome is recorded before the merge is requested",
        "        add=(outcome.to_tag(),),\n        delete=_old_outcomes(members),\n",
        "        delete=_old_outcomes(members),\n",
    ),
    Mutant(
        "no thin snapshot is cut off from its origin without consent",
        "        if sibling.is_thin_snapshot:",
        "        if sibling.is_thin_snapshot and sibling.active:",
    ),
    Mutant(
        "running merges are polled until they end",
        'poll=(*current.members_in("merging"), *stale),',
        "poll=stale,",
    ),
    Mutant(
        "outcomes are deleted before the members are removed",
        "steps=(*forget_steps(host_state, request), *removal_steps(existing)),",
        "steps=(*removal_steps(existing), *forget_steps(host_state, request)),",
    ),
    Mutant(
        "a pending merge is not removed",
        'if member.state in ("merge_pending", "merging"):',
        'if member.state == "merging":',
    ),
    Mutant(
        "an LV that is no longer a member is not removed",
        "    return instance.single or volume.name in generated_names(member.origin.name, instance.name)",
        "    return True",
    ),
    Mutant(
        "a member whose snapshot is mounted is not removed",
        "if snapshot is None or not (snapshot.open or host_state.mounts_of(snapshot)):",
        "if snapshot is None or not host_state.mounts_of(snapshot):",
    ),
    Mutant(
        "a lost member is only abandoned if the user accepts that",
        "    if current.unrecoverable and not accepted:",
        "    if current.unrecoverable and not _can_accept_loss(current):",
    ),
    Mutant(
        "losses can only be accepted after the rollback has started",
        "    return current.sealed and current.unrecoverable and current.rollback_started",
        "    return current.sealed and current.unrecoverable",
    ),
    Mutant(
        "an accepted loss is recorded",
        "        if outcome.count != rest.count:",
        "        if outcome.count == rest.count:",
    ),
    Mutant(
        "the outcome of a lost member is deleted before the member is removed",
        "    return (*_forget_steps(lost.members), *_recount_steps(host_state, rest), *removal_steps((lost,)))",
        "    return (*_recount_steps(host_state, rest), *removal_steps((lost,)))",
    ),
    Mutant(
        "a boot loader never reads a partly merged filesystem",
        "            if mount.mountpoint in BOOT_MOUNTPOINTS:\n",
        "            if mount.mountpoint == BOOT_MOUNTPOINTS[0] * 2:\n",
    ),
    Mutant(
        "a devices file that is rolled back must list every PV of /",
        "    if added:\n",
        "    if not membership:\n",
    ),
    Mutant(
        "the boot menu is restored last",
        "    return is_menu(path), path.endswith(_LAST_OF_MENU)",
        "    return not is_menu(path), path.endswith(_LAST_OF_MENU)",
    ),
    Mutant(
        "files of a newly installed GRUB are kept",
        "if path in present.entries and _content(present, path) != _content(saved, path)}",
        "if path not in present.entries}",
    ),
    Mutant(
        "a backup belongs to one instance",
        "if one.tags.set_id == self.set_id and one.tags.manifest), None)",
        "if one.tags.manifest), None)",
    ),
    Mutant(
        "files that were added later are removed only at the end",
        "    for path in filter(is_menu, difference.extra):\n",
        "    for path in difference.extra:\n",
    ),
    Mutant(
        "undo restores replaced files",
        "    _put_back(work / _REPLACED, work.parent)\n",
        "",
    ),
    Mutant(
        "an LV in a copied VG is a different LV",
        "        return self.vg_uuid, self.uuid\n",
        '        return "", self.uuid\n',
    ),
    Mutant(
        "tags that came with a copy mean nothing",
        "        if not is_own:\n",
        "        if is_own is None:\n",
    ),
    Mutant(
        "it is unknown whether a set belongs to the copy if both are possible",
        "return None if len(used) != 1 < len(claimed) else here in used",
        "return here in used",
    ),
    Mutant(
        "a backslash before any other character is kept",
        """_ESCAPED = re.compile(r'\\\\(["\\\\])')""",
        """_ESCAPED = re.compile(r'\\\\(.)')""",
    ),
    Mutant(
        "bytes that are not UTF-8 are shown as text",
        'return value.encode(errors="surrogateescape").decode(errors="backslashreplace")',
        "return value",
    ),
    Mutant(
        "boot loaders that Secure Boot may refuse are not restored",
        "return not off and any(",
        "return False and any(",
    ),
    Mutant(
        "on vfat a name in another case is the same name",
        "    present = spelled_as(present, saved)\n",
        "",
    ),
    Mutant(
        "after the restoration nobody writes to /boot",
        "    return (*_release(observed, backup), *restored, HoldBoot(trees, set_id, refused))",
        "    return (*_release(observed, backup), *restored)",
    ),
    Mutant(
        "a preview boot replays no journal",
        '"ext4": "ro,noload"',
        '"ext4": "ro"',
    ),
    Mutant(
        "GRUB must be able to clear the selected entry",
        "    if device is None or not _is_plain(device):",
        "    if device is None:",
    ),
    Mutant(
        "other content of custom.cfg is kept",
        "    return custom[:start] + custom[end",
        "    return custom[end",
    ),
    Mutant(
        "other filesystems are mounted read-only in a preview boot",
        "*) options=$options,ro,nofail ;;",
        "*) ;;",
    ),
    Mutant(
        "a failed mount ends a preview boot",
        '"$device" "$2/below" || return',
        '"$device" "$2/below"',
    ),
    Mutant(
        "a preview boot shows the mode and owner of a snapshot's directory",
        """chown "$(stat -c %u:%g /run)" "$1" && chmod "$(stat -c %a /run)" "$1\"""",
        "",
    ),
    Mutant(
        "a preview boot has no network unless asked",
        '*(_NETWORK if services == "none" else ())',
        "",
    ),
    Mutant(
        "mount units are read-only in a preview boot",
        "Options=$options,ro\n",
        "Options=$options\n",
    ),
    Mutant(
        "a directory never replaces a link in an initramfs",
        'directories = sorted({path.rpartition("/")[0] for path in files} - {""})',
        'directories = sorted({str(p) for path in files for p in __import__("pathlib").Path(path).parents} - {"."})',
    ),
)
