# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mutants of what modules do for roles: ages, the system, lists as text, boot filesystems, the initramfs."""

from __future__ import annotations

from mutation.unit_table import Mutant

MUTANTS = (
    Mutant(
        "a set that is older than max_age is refused",
        "    if age > request.max_age.seconds:\n",
        "    if age < request.max_age.seconds:\n",
    ),
    Mutant(
        "only an active set can be too old",
        'if request.max_age is None or current.state != "active" or current.created is None:',
        "if request.max_age is None or current.created is None:",
    ),
    Mutant(
        "the system is protected in addition to what was selected",
        "if selector.system else ()",
        "if not selector.given else ()",
    ),
    Mutant(
        "no part of the system is left out",
        'if path not in ignore and (path == "/" or _is_own(host_state, path))',
        'if path not in ignore and path != "/" and _is_own(host_state, path)',
    ),
    Mutant(
        "boot filesystems must be saved unless they are rolled back with the set",
        "for mount in mounts if host_state.lv_below(mount.device) not in members)",
        "for mount in mounts)",
    ),
    Mutant(
        "the name of swap is not a list",
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
        "an initramfs that was not built is detected",
        'and (step.kernel not in images or images[step.kernel].has_script != (self.state == "present"))',
        "and step.kernel not in images",
    ),
    Mutant(
        "an incomplete script is never where every file is run",
        "mode=WANTED.mode, directory=_TEMPORARY)",
        "mode=WANTED.mode)",
    ),
    Mutant(
        "the host is locked until an initramfs is built",
        "run_tool(*argv, pass_fds=(self.lock,))",
        "run_tool(*argv)",
    ),
)
