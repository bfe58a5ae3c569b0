# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mutants of what roles leave to modules: ages, the system, lists as text, what boots the host, the initramfs."""

from __future__ import annotations

from mutation.unit_table import Mutant

MUTANTS = (
    Mutant(
        "a set that is too old was taken for something else",
        "    if age > request.max_age.seconds:\n",
        "    if age < request.max_age.seconds:\n",
    ),
    Mutant(
        "only a sound set can be too old",
        'if request.max_age is None or current.state != "active" or current.created is None:',
        "if request.max_age is None or current.created is None:",
    ),
    Mutant(
        "the system is protected beside what was chosen",
        "if selector.system else ()",
        "if not selector.given else ()",
    ),
    Mutant(
        "a part of the system is not passed over",
        'separate = (path for path in SYSTEM_MOUNTPOINTS if path == "/" or',
        "separate = (path for path in SYSTEM_MOUNTPOINTS if",
    ),
    Mutant(
        "what boots the host is to be saved unless it rolls back with the set",
        "for mount in mounts if host_state.lv_below(mount.device) not in members)",
        "for mount in mounts)",
    ),
    Mutant(
        "the sign for swap is no list",
        'found[-1].endswith("]") and found[0] != SWAP:',
        'found[-1].endswith("]"):',
    ),
    Mutant(
        "nothing is changed in a preview boot",
        "    check_host(host_state.host)\n",
        "",
    ),
    Mutant(
        "an initramfs that lacks the script is built again",
        "(not image.has_script or image.is_older)",
        "image.is_older",
    ),
    Mutant(
        "an initramfs with another script is built again",
        "if (writes and image.stops_udev) or _needs_build(image)",
        "if _needs_build(image)",
    ),
    Mutant(
        "an initramfs that was not built is noticed",
        'and (step.kernel not in images or images[step.kernel].has_script != (self.state == "present"))',
        "and step.kernel not in images",
    ),
    Mutant(
        "no half of a script is where every file is a script",
        "mode=WANTED.mode, directory=_TEMPORARY)",
        "mode=WANTED.mode)",
    ),
    Mutant(
        "the host is locked until an initramfs is built",
        "run_tool(*argv, pass_fds=(self.lock,))",
        "run_tool(*argv)",
    ),
)
