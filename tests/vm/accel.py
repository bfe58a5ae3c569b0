# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find out once whether KVM works, by booting a kernel; the result is stored.

Inside a virtual machine /dev/kvm can exist and be usable, although no ordinary kernel finishes its boot with it.
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
# The kernel starts this program as its first process. When it ends, the kernel panics and prints its exit code.
FIRST_PROCESS = "/bin/true"
PROOF = b"Attempted to kill init! exitcode=0x00000000"


def arguments(accelerator: Accelerator, processors: int = 0) -> list[str]:
    """QEMU's options for an accelerator. With 0 processors it gets as many as are fastest."""
    if accelerator == "kvm":
        return ["-accel", "kvm", "-cpu", "max", "-smp", str(processors or 2)]
    # One processor: on a busy host, two emulated ones wait for each other, until the guest reports soft lockups. Page
    # tables of five levels would cost another step in each emulated memory access.
    return ["-accel", "tcg", "-cpu", "max,la57=off", "-smp", str(processors or 1)]


def accelerator(image: Image) -> Accelerator:
    """The accelerator for guests on this machine. It is tested once for each kernel of the host, with `image`."""
    if not Path("/dev/kvm").exists():
        return "tcg"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        say("no permission for /dev/kvm: guests run in slow emulation. Add yourself to the group kvm")
        return "tcg"
    file = cache_directory() / "accelerator.json"
    with locked(file.with_suffix(".lock")):
        release = os.uname().release
        known: dict[str, Accelerator] = json.loads(file.read_text()) if file.exists() else {}
        if release not in known:
            say(f"testing KVM (once, up to {SECONDS} s)")
            known[release] = "kvm" if boots(image, "kvm") else "tcg"
            file.write_text(json.dumps(known))
            say(
                "guests will run with KVM"
                if known[release] == "kvm"
                else "KVM does not work here: guests run in slow emulation"
            )
        return known[release]


def boots(image: Image, candidate: Accelerator, *, seconds: int = SECONDS) -> bool:
    """Whether the image's kernel starts its first process within the time limit."""
    argv = ["qemu-system-x86_64", "-nodefaults", "-no-reboot", "-display", "none", "-m", "512", *arguments(candidate)]
    argv += ["-kernel", str(image.vmlinuz), "-initrd", str(image.initrd), "-serial", "stdio"]
    argv += ["-append", f"console=ttyS0 panic=-1 rdinit={FIRST_PROCESS}"]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return PROOF in done.stdout
