# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The use case of the module initramfs_hook. Private to this collection."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .._errors import FilesFailed, SafepointError, error_text
from .._host.facts import read_host
from .._initramfs_hook.installed import read_found
from .._initramfs_hook.plan import Found, hook_view, plan_hook, refusal
from .._initramfs_hook.steps import Build
from .._model import HostState
from .._paths import BOOT_MOUNTPOINTS, INITRAMFS_SCRIPT
from .kept import KeptCase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._initramfs_hook.plan import State
    from .._steps import Runner, Step, StepsPlan
    from .changes import ChangeSession


def failure_of(
    plan: StepsPlan, step: Step, error: SafepointError | OSError, done: Sequence[Step], _runner: Runner
) -> SafepointError:
    """The error of a ``plan`` whose ``step`` failed, with the state in which it leaves the host.

    Nothing is undone: an initramfs without the script is as it was, and one with it does no harm.
    """
    built, missing = (
        ", ".join(one.kernel for one in steps if isinstance(one, Build)) for steps in (done, plan.steps[len(done) :])
    )
    script = f"{INITRAMFS_SCRIPT} {'exists' if os.path.lexists(INITRAMFS_SCRIPT) else 'does not exist'}"
    kernels = f"; built again for kernel {built or 'none'}, not yet for {missing}" if built or missing else ""
    details = error.details if isinstance(error, SafepointError) else {}
    return FilesFailed(
        f"{step.render()['step']} failed: {error_text(error)}. {script}{kernels}. Correct the cause, then run again",
        **{**details, "changed": bool(done)},
    )


class HookCase(KeptCase[Found]):
    """The script that ends LVM's pollers, in the initramfs of each kernel."""

    key = "initramfs_hook"
    title = "the initramfs hook"
    paths = BOOT_MOUNTPOINTS
    reads_boot = True
    failure = staticmethod(failure_of)

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.state: State = params["state"]
        self.refusal = refusal(self.state)

    def read(self, _session: ChangeSession) -> HostState:
        """The host without LVM, on which nothing depends here."""
        return HostState(host=read_host(self.paths))

    def observe(self, _host_state: HostState) -> Found:
        """The script, and what each initramfs contains, which takes seconds. Raises OSError."""
        return read_found()

    def plan(self, observed: Found) -> StepsPlan:
        """The plan. Raises Refused."""
        return plan_hook(observed, self.state)

    def view(self, observed: Found) -> dict[str, Any]:
        """The result for what exists now."""
        return hook_view(observed)

    def verify(self, _before: Found, plan: StepsPlan, now: Found) -> None:
        """Raise FilesFailed if an initramfs is not as planned: update-initramfs may do nothing, and exit with 0."""
        images = {image.kernel: image for image in now.images if image.readable}
        wrong = [
            step
            for step in plan.steps
            if isinstance(step, Build)
            and (step.kernel not in images or images[step.kernel].has_script != (self.state == "present"))
        ]
        if wrong:
            contains = "does not contain" if self.state == "present" else "still contains"
            raise FilesFailed(
                f"update-initramfs exited with 0, but {', '.join(step.path for step in wrong)} {contains} "
                f"{INITRAMFS_SCRIPT.name}, or cannot be listed: see what {' '.join(wrong[0].command)} prints, check "
                "/etc/initramfs-tools/update-initramfs.conf, then run this again",
                changed=True,
            )
