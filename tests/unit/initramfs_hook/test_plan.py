# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done for which initramfs."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._initramfs_hook.plan import (
    Found,
    Image,
    hook_view,
    plan_hook,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._initramfs_hook.program import PROGRAM
from ansible_collections.safepoint.lvm.plugins.module_utils._initramfs_hook.script import WANTED, Script
from ansible_collections.safepoint.lvm.plugins.module_utils._steps import FileStep

PATH = "/etc/initramfs-tools/scripts/local-bottom/safepoint-lvm"
OLD = Script(3, "f" * 64, 0o755)
LACKS, HAS = Image("6.1", "/boot/initrd.img-6.1"), Image("6.2", "/boot/initrd.img-6.2", has_script=True)
OTHER = Image("6.3", "/boot/initrd.img-6.3", stops_udev=False)
UNREADABLE = Image("6.4", "/boot/initrd.img-6.4", readable=False, stops_udev=False)
EVERY = (LACKS, HAS, OTHER, UNREADABLE)


def steps(found: Found, state: Any = "present") -> list[str]:
    rendered = [dict(step.render()) for step in plan_hook(found, state).steps]
    return [f"{one['step']} {one.get('kernel', '')}".strip() for one in rendered]


def changed_files(found: Found, state: Any) -> list[tuple[str, str, str]]:
    """The path of each changed file, and the texts before and after."""
    files = [
        one for step in plan_hook(found, state).steps if isinstance(step, FileStep) for one in step.changed_files()
    ]
    shown = [one.to_diff() for one in files]
    return [(one["after_header"], one["before"], one["after"]) for one in shown]


@pytest.mark.parametrize(
    ("found", "present", "absent"),
    [
        (Found(builds=False), [], []),
        (Found(builds=False, script=WANTED), [], ["remove_script"]),
        (Found(builds=True), ["write_script"], []),
        (Found(builds=True, script=WANTED, images=(HAS, OTHER)), [], ["remove_script", "build_initramfs 6.2"]),
        (
            Found(builds=True, script=WANTED, images=EVERY),
            ["build_initramfs 6.1", "build_initramfs 6.4"],
            ["remove_script", "build_initramfs 6.2"],
        ),
        # Those that have it have another one.
        (
            Found(builds=True, script=OLD, images=EVERY),
            ["write_script", "build_initramfs 6.1", "build_initramfs 6.2", "build_initramfs 6.4"],
            ["remove_script", "build_initramfs 6.2"],
        ),
        # What a run that was cut off has left.
        (
            Found(builds=True, images=(LACKS, HAS)),
            ["write_script", *(f"build_initramfs 6.{n}" for n in (1, 2))],
            ["build_initramfs 6.2"],
        ),
        (
            Found(builds=True, script=WANTED, images=(replace(HAS, is_older=True),)),
            ["build_initramfs 6.2"],
            ["remove_script", "build_initramfs 6.2"],
        ),
    ],
)
def test_steps(found: Found, present: list[str], absent: list[str]) -> None:
    assert steps(found) == present
    assert steps(found, "absent") == absent


def test_a_mode_that_nobody_may_run_is_another_script() -> None:
    assert steps(Found(builds=True, script=replace(WANTED, mode=0o644))) == ["write_script"]


def test_what_is_predicted_and_shown() -> None:
    found = Found(builds=True, script=OLD, images=EVERY)
    there = plan_hook(found, "present")
    assert there.after == {"state": "present", "path": PATH, "kernels": ["6.1", "6.2", "6.4"]}
    digest = hashlib.sha256(PROGRAM.encode()).hexdigest()
    written = {"path": PATH, "size": len(PROGRAM), "sha256": digest}
    assert hook_view(found) == {"state": "absent", "path": PATH, "kernels": ["6.2"]}
    assert dict(there.steps[0].render()) == {"step": "write_script", **written}
    assert plan_hook(found, "absent").after == {"state": "absent", "path": PATH, "kernels": []}
    assert plan_hook(Found(builds=False), "present").after["state"] == "not_needed"


@pytest.mark.parametrize("builds", [True, False])
def test_the_diff_shows_which_script_is_replaced_or_removed(*, builds: bool) -> None:
    """The state alone does not: an old script counts as absent."""
    old = f"3 bytes, sha256 {'f' * 64}, mode 0755\n"
    new = f"{WANTED.size} bytes, sha256 {WANTED.sha256}, mode 0755\n"
    found = Found(builds=builds, script=OLD)
    assert changed_files(found, "absent") == [(PATH, old, "")]
    assert changed_files(found, "present") == ([(PATH, old, new)] if builds else [])
    assert changed_files(Found(builds=builds), "present") == ([(PATH, "", new)] if builds else [])


def test_nothing_is_built_where_nothing_can_be_written() -> None:
    for images, refused in (((LACKS,), True), ((OTHER,), False)):
        found = Found(builds=True, script=WANTED, images=images, boot_is_writable=False)
        if refused:
            with pytest.raises(Refused, match="/boot is mounted read-only: mount -o remount,rw /boot"):
                plan_hook(found, "present")
        else:
            assert plan_hook(found, "present").steps == ()


def test_room_is_looked_at_before_the_script_is_installed() -> None:
    """A new initramfs is written beside the old one, one after the other."""
    images = (replace(LACKS, size=10 * 2**20), replace(OTHER, size=99 * 2**20))
    found = Found(builds=True, images=images, boot_free=12 * 2**20)
    assert steps(found) == ["write_script", "build_initramfs 6.1"]
    with pytest.raises(Refused, match=r"/boot has 11 MiB free, and building /boot/initrd.img-6.1 again needs 12 MiB"):
        plan_hook(replace(found, boot_free=12 * 2**20 - 1), "present")
    assert steps(replace(found, boot_free=0, images=(OTHER,))) == ["write_script"]
