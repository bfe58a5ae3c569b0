# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which user-mode Linux this machine can use: found out by booting a guest and taking a snapshot, then remembered."""

from __future__ import annotations

from vm import image, machines, uml_kernel
from vm.host import LabError, locked, say

IMAGE = "trixie"
NAME = "uml-trial"
# A snapshot of a volume on a loop device, and what it is for: the origin is as it was.
SCRIPT = """\
set -eu
truncate -s 64M /run/disk
loop=$(losetup --find --show /run/disk)
vgcreate -q trial "$loop"
lvcreate -q -y -n origin -l 4 trial
lvcreate -q -s -n before -l 4 trial/origin
echo changed >/dev/trial/origin
lvconvert -q --merge trial/before
test "$(head -c 7 /dev/trial/origin)" != changed
vgremove -q -f trial
"""


def usable_kernel() -> tuple[uml_kernel.Kernel | None, str]:
    """The newest kernel that works on this machine, or why there is none; said once in a line by whoever is told."""
    if reason := uml_kernel.why_never():
        return None, reason
    with locked(uml_kernel.place() / "trial.lock"):
        try:
            found = uml_kernel.candidates()
        except LabError as error:
            return None, str(error)
        verdicts = uml_kernel.Verdicts()
        problem = ""
        for kernel in found:
            known = verdicts.of(kernel.version)
            if known is None:
                known = trial(kernel)
                verdicts.keep(kernel.version, known)
            if not known:
                return kernel, ""
            problem = problem or f"version {kernel.version} failed its trial: {known}"
        return None, problem


def trial(kernel: uml_kernel.Kernel) -> str:
    """What is wrong with a kernel; empty if it boots and LVM's snapshots work."""
    say(f"trying user-mode Linux {kernel.version} (once)")
    try:
        golden = image.build(IMAGE, kernel)
        machine = machines.create(NAME, golden, memory_mib=512, cache="unsafe", disks=[])
        try:
            machine.boot()
            code = machine.run(["sh", "-c", SCRIPT])
        finally:
            machine.remove()
    except (LabError, OSError) as error:
        return str(error)
    return f"the snapshot of a volume failed with exit code {code}" if code else ""
