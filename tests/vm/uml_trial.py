# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find out which user-mode Linux works on this machine: boot a guest and merge a snapshot. The result is stored."""

from __future__ import annotations

from vm import image, machines, uml_kernel
from vm.host import LabError, locked, say

IMAGE = "trixie"
NAME = "uml-trial"
# Takes a snapshot of a volume on a loop device, changes the volume, and merges: the change must be gone.
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
    """The newest kernel that works on this machine, or None and why there is none. The caller prints the reason."""
    if reason := uml_kernel.unsupported_reason():
        return None, reason
    with locked(uml_kernel.uml_directory() / "trial.lock"):
        try:
            found = uml_kernel.candidates()
        except LabError as error:
            return None, str(error)
        verdicts = uml_kernel.Verdicts()
        problem = ""
        for kernel in found:
            known = verdicts.problem_of(kernel.version)
            if known is None:
                known = trial(kernel)
                verdicts.store(kernel.version, known)
            if not known:
                return kernel, ""
            problem = problem or f"version {kernel.version} failed its trial: {known}"
        return None, problem


def trial(kernel: uml_kernel.Kernel) -> str:
    """What is wrong with a kernel; empty if it boots and LVM's snapshots work."""
    say(f"testing user-mode Linux {kernel.version} (once)")
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
    return f"the test of a snapshot failed with exit code {code}" if code else ""
