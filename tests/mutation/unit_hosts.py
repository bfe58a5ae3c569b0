# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mutants of the rules that say to which host a snapset belongs."""

from __future__ import annotations

from mutation.unit_table import Mutant

MUTANTS = (
    Mutant(
        "a set of this host stays own when it is inactive",
        "    if part.host and part.host == here:\n        return True\n",
        "",
    ),
    Mutant(
        "a set of another host is foreign",
        "    if part.host:\n        return holds_root\n",
        "    if part.host:\n        return True\n",
    ),
    Mutant(
        "a set with the running / stays own when the machine-id of the host changes",
        "    if part.host:\n        return holds_root\n",
        "    if part.host:\n        return False\n",
    ),
    Mutant(
        "one VG with / is enough for a set of this host in several VGs",
        "holds_root = any(claim.volume.vg_uuid == root",
        "holds_root = all(claim.volume.vg_uuid == root",
    ),
    Mutant(
        "without a tag of its host a set is own only if an origin is active",
        "return is_in_use(host_state, part) and not (part.has_members and rivals)",
        "return not (part.has_members and rivals)",
    ),
    Mutant(
        "the tag of this host counts more than none",
        "return is_in_use(host_state, part) and not (part.has_members and rivals)",
        "return is_in_use(host_state, part)",
    ),
    Mutant(
        "old records without the tag of a host do not stay forever",
        "return is_in_use(host_state, part) and not (part.has_members and rivals)",
        "return is_in_use(host_state, part) and not rivals",
    ),
    Mutant(
        "a backup without a set and without the tag of this host is never mounted",
        "return holds_root or (not here and any(",
        "return holds_root or (any(",
    ),
    Mutant(
        "an instance is told by its host too, because tags can be crafted",
        "        found[claim.set_name, claim.set_id, host].append(claim)\n",
        "        found[claim.set_name, claim.set_id, known[0].host].append(claim)\n",
    ),
    Mutant(
        "the host of a snapshot that is being merged is the one that its origin records",
        "        host = recorded.get((claim.origin, claim.set_id), claim.host)\n",
        "        host = claim.host\n",
    ),
    Mutant(
        "outcomes record the host of the set",
        "        host=instance.host,\n",
        "        host=host_state.host.host_id,\n",
    ),
    Mutant(
        "the LV names of a set of another host are taken",
        "return self.tags + self.copied_tags + self.foreign_tags",
        "return self.tags + self.copied_tags",
    ),
    Mutant(
        "the module snapshot does not touch a set of another host",
        "    if foreign is not None:\n",
        "    if foreign is not None and membership is not None:\n",
    ),
    Mutant(
        "a host without machine-id takes no set that it would not know again",
        "if selection.wanted and not active and request.single is None and not host_state.host.host_id:",
        "if not selection.wanted and not host_state.host.host_id:",
    ),
    Mutant(
        "no set is adopted from another host that may be using it",
        "    if part.origins and not is_in_use(host_state, part):\n",
        "    if not part.origins:\n",
    ),
    Mutant(
        "nothing is adopted from another host if this one has a set of the name",
        '    if own is not None and not own.members_in("lost"):\n        return ()\n',
        "",
    ),
    Mutant(
        "an interrupted adoption from another host goes on",
        '    if own is not None and not own.members_in("lost"):\n',
        "    if own is not None:\n",
    ),
    Mutant(
        "the members are adopted last, so that an interrupted adoption from another host goes on",
        '_KINDS: tuple[ClaimKind, ...] = ("boot", "timer", "outcome", "member")',
        '_KINDS: tuple[ClaimKind, ...] = ("member", "outcome", "timer", "boot")',
    ),
    Mutant(
        "the machine-id of a host is not shown",
        "    digits = hmac.new(bytes.fromhex(machine), _APPLICATION, hashlib.sha256).hexdigest()\n",
        "    digits = machine\n",
    ),
    Mutant(
        "a backup is not restored outside of the boot filesystems of the host",
        "        if tree.mountpoint not in BOOT_MOUNTPOINTS:\n",
        '        if tree.mountpoint == "":\n',
    ),
    Mutant(
        "a backup is not restored through a link of the host",
        'tree.entries[parent].kind == "directory" for parent in parents',
        "tree.entries[parent].kind for parent in parents",
    ),
)
