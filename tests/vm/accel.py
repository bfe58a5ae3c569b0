# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""KVM or software emulation: found out by booting a kernel once, then remembered.

Where virtual machines are nested, /dev/kvm may exist and answer although no ordinary kernel gets through its boot.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vm.host import cache_directory, locked, say

if TYPE_CHECKING:
    from vm.image import Image

Accelerator = Literal["kvm", "tcg"]
SECONDS = 30
# The kernel starts this program as its first process; that it ends is an event the kernel reports with its exit code.
FIRST_PROCESS = "/bin/true"
PROOF = b"Attempted to kill init! exitcode=0x00000000"


def arguments(accelerator: Accelerator, processors: int = 0) -> list[str]:
    """QEMU's options for an accelerator; 0 processors: as many as are best for it."""
    if accelerator == "kvm":
        return ["-accel", "kvm", "-cpu", "max", "-smp", str(processors or 2)]
    # One processor: on a busy host two emulated ones wait for each other, to the point of soft lockups in the guest.
    # Page tables of five levels would be one more to walk in software.
    return ["-accel", "tcg", "-cpu", "max,la57=off", "-smp", str(processors or 1)]


def accelerator(image: Image) -> Accelerator:
    """What guests on this machine run with; probed with the kernel of `image` once per release of the host's kernel."""
    if not Path("/dev/kvm").exists():
        return "tcg"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        say("no permission for /dev/kvm, so guests run in slow emulation; members of the group kvm have it")
        return "tcg"
    memory = cache_directory() / "accelerator.json"
    with locked(memory.with_suffix(".lock")):
        release = os.uname().release
        known: dict[str, Accelerator] = json.loads(memory.read_text()) if memory.exists() else {}
        if release not in known:
            say(f"trying KVM (once, up to {SECONDS} s)")
            known[release] = "kvm" if boots(image, "kvm") else "tcg"
            memory.write_text(json.dumps(known))
            say("guests will run with KVM" if known[release] == "kvm" else "KVM does not work here: slow emulation")
        return known[release]


def boots(image: Image, candidate: Accelerator, *, seconds: int = SECONDS) -> bool:
    """True if the image's kernel reaches its first process within the time limit."""
    argv = ["qemu-system-x86_64", "-nodefaults", "-no-reboot", "-display", "none", "-m", "512", *arguments(candidate)]
    argv += ["-kernel", str(image.vmlinuz), "-initrd", str(image.initrd), "-serial", "stdio"]
    argv += ["-append", f"console=ttyS0 panic=-1 rdinit={FIRST_PROCESS}"]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return PROOF in done.stdout
