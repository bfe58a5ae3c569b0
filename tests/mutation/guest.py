# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check that the tests of tests/guest can fail: remove one rule from the plugins, and run the test that must detect it.

    python tests/mutation guest NAME [BREAK...]

NAME is a running machine of the lab. The exit code is 0 if every test failed as expected.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from mutation.code import broken

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests" / "guest"
PLUGINS = ROOT / "plugins"


@dataclass(frozen=True)
class Break:
    """A removed rule: ``old`` in the plugins is replaced by ``new``, and ``test`` must fail."""

    old: str
    new: str
    test: str


BREAKS = {
    "groups": Break(
        "if group.partial:",
        "if not group.name:",
        "test_groups.py::test_a_set_in_a_partial_group",
    ),
    "origins": Break(
        '(origin.is_snapshot, "a snapshot")',
        '(False, "a snapshot")',
        "test_origins.py::test_what_cannot_be_an_origin[thin snapshot]",
    ),
    "space": Break(
        "if mine and needed > room:",
        "if mine and needed < 0:",
        "test_sizes.py::test_too_little_space",
    ),
    "arithmetic": Break(
        "(1 + origin_chunks + metadata_chunks)",
        "(1024 + origin_chunks + metadata_chunks)",
        "test_sizes.py::test_every_unit_matches_what_lvm_allocates",
    ),
    "pools": Break(
        "if metadata >= POOL_METADATA_LIMIT:",
        "if metadata < 0:",
        "test_pools.py::test_metadata_are_nearly_full",
    ),
    "fstab": Break(
        "_CONTENT = re.compile(r'(UUID=|LABEL=|",
        "_CONTENT = re.compile(r'(UUID=|LABELS=|",
        "test_selection.py::test_fstab_identifies_a_mounted_origin_by_its_content[LABEL]",
    ),
    "automounts": Break(
        "return mount is not None and mount.is_automount and mount.mountpoint not in remote",
        "return mount is not None and not mount.number and mount.mountpoint not in remote",
        "test_automounts.py::test_boot_as_an_idle_automount",
    ),
    "not mounted": Break(
        "elif entry is not None and mount.mountpoint != entry.mountpoint:",
        "elif entry is not None and mount.mountpoint == entry.spec:",
        "test_automounts.py::test_a_boot_filesystem_that_is_not_mounted[noauto]",
    ),
    "left behind": Break(
        "elif one.lasts and any(is_at_or_below(one.mountpoint, place) for place in places):",
        "elif not one.lasts and any(is_at_or_below(one.mountpoint, place) for place in places):",
        "test_filesystems.py::test_a_database_on_a_filesystem_of_its_own",
    ),
    "several volumes": Break(
        "        if len(volumes) + len(others) > 1:\n",
        "        if len(volumes) + len(others) > 9:\n",
        "test_content.py::test_btrfs_on_several_volumes_that_is_in_use",
    ),
    "crypttab": Break(
        "yield from _of_crypttab(read(_CRYPTTAB))",
        'yield from _of_crypttab("")',
        "test_content.py::test_crypttab_finds_an_origin_by_its_uuid[UUID={}]",
    ),
    "siblings": Break(
        "if sibling.is_thin_snapshot:",
        "if not sibling.name:",
        "test_siblings.py::test_a_thin_sibling_that_would_be_detached",
    ),
    "names": Break(
        "if not membership_tags(holder.all_tags):",
        "if membership_tags(holder.all_tags):",
        "test_names.py::test_the_name_belongs_to_another_lv[ordinary]",
    ),
    "other hosts": Break(
        "        if not _is_own(host_state, part, parts):\n",
        "        if part.set_id is None:\n",
        "test_foreign.py::test_only_another_host_has_the_set[inactive]",
    ),
    "foreign backups": Break(
        "        return holds_root or (not here and any(_is_active(claim.volume) for claim in part.claims))\n",
        "        return any(_is_active(claim.volume) for claim in part.claims)\n",
        "test_foreign_boot.py::test_the_backup_of_another_host_is_never_mounted[no host]",
    ),
    "hidden tags": Break(
        'return claim.kind == "member" and claim.volume.merging',
        "return claim.volume.hidden",
        "test_foreign.py::test_the_machine_id_changes_while_a_merge_is_pending",
    ),
    "states": Break(
        '(self.sealed and bool(states & {"lost", "detached"}), "damaged"),',
        "",
        "test_damage.py::test_a_member_is_lost[thin/t2]",
    ),
    "seal": Break(
        "sealed=any(sealed_ones) or bool(gone)",
        "sealed=True",
        "test_interrupted.py::test_leftovers_are_replaced_by_a_new_set",
    ),
    "in use": Break(
        "if snapshot is None or not (snapshot.open or host_state.mounts_of(snapshot)):",
        "if snapshot is None or not snapshot.name.startswith('/'):",
        "test_damage.py::test_the_snapshot_itself_is_mounted[thin/t1]",
    ),
    "lock": Break(
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        "faults/test_races.py::test_without_a_timeout_only_one_run_succeeds",
    ),
    "undo": Break(
        "    if made:\n        undoing",
        "    if not made:\n        undoing",
        "test_undo.py::test_a_creation_that_fails_halfway",
    ),
    "memory": Break(
        "        if names:\n            undoing",
        "        if not names:\n            undoing",
        "test_undo.py::test_a_merge_that_lvm_refuses",
    ),
    "lock of LVM": Break(
        "stdin=lock,",
        "stdin=subprocess.DEVNULL,",
        "faults/test_kills.py::test_killed[create-thick-while-0]",
    ),
    "inactive origin": Break(
        "if not lost:",
        "if active:",
        "faults/test_kills.py::test_an_origin_that_lvm_has_deactivated_is_active_again",
    ),
    "archive": Break(
        "archive=self._archive",
        "archive=True",
        "faults/test_no_space.py::test_no_space_for_lvm[full /etc/lvm]",
    ),
    "vdo": Break(
        'not (self.segtype == "vdo" and "thickorigin" in self.roles)',
        "True",
        "faults/test_origin_types.py::test_vdo",
    ),
    "another volume": Break(
        '"--select", selection, *self.volumes',
        "*self.volumes",
        "faults/test_by_hand.py::test_another_volume_has_the_name_of_a_member",
    ),
    "links": Break(
        "os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW",
        "os.O_RDWR | os.O_CREAT",
        "faults/test_paths.py::test_foreign_objects_are_not_used[link to a file as lock]",
    ),
    "overflow": Break(
        "_room_in(sibling) < used",
        "_room_in(sibling) < 0",
        "faults/test_overflow.py::test_a_sibling_without_enough_room_for_the_merge",
    ),
}


def main() -> int:
    """Try the given breaks, or all."""
    parser = argparse.ArgumentParser(
        prog="tests/mutation guest", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", metavar="NAME", help="a running machine of the lab")
    parser.add_argument("breaks", metavar="BREAK", nargs="*", help=f"one of: {', '.join(BREAKS)}")
    options = parser.parse_args()
    undetected = [name for name in options.breaks or BREAKS if not detected(options.name, name)]
    print(f"not detected: {', '.join(undetected)}" if undetected else "every break was detected")
    return 1 if undetected else 0


def detected(machine: str, name: str) -> bool:
    """Whether the test of a break failed, and not only its setup."""
    one = BREAKS[name]
    print(f"== {name}: {one.old}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        plugins, report = Path(directory) / "plugins", Path(directory) / "junit.xml"
        shutil.copytree(PLUGINS, plugins)
        source, text = broken(plugins, one.old, one.new)
        source.write_text(text, encoding="utf-8")
        options = ["--plugins", str(plugins), "--junitxml", str(report)]
        subprocess.run([sys.executable, str(TESTS), *options, machine, "--", one.test], check=False)
        suite = next(ET.parse(report).getroot().iter("testsuite"))
    return suite.get("failures") == "1" and suite.get("errors") == "0"


if __name__ == "__main__":
    sys.exit(main())
