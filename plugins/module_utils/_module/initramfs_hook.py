# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way of the module initramfs_hook: lock, observe, plan, carry out, result. Private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._errors import FilesFailed, Refused, SafepointError, error_text
from .._host.facts import read_host
from .._initramfs_hook.files import carry_out, check_built, command
from .._initramfs_hook.installed import read_found
from .._initramfs_hook.plan import Build, plan, problems
from .._paths import INITRAMFS_SCRIPT
from .changes import ChangeSession
from .session import open_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible.module_utils.basic import AnsibleModule

    from .._initramfs_hook.plan import State, Step


def run_initramfs_hook(module: AnsibleModule) -> None:
    """Bring the script, and the initramfs of each kernel, to what the module's parameters ask for. Ends the module."""
    with open_session(module, ChangeSession) as session:
        state: State = module.params["state"]
        session.subject = "initramfs hook"
        with session.locked(f"{session.subject}, state {state}"):
            session.refuse_preview(read_host())
            try:
                found = read_found()
            except OSError as error:
                raise FilesFailed(f"cannot read what boots the host: {error_text(error)}") from error
            planned = plan(found, state)
            if reasons := tuple(problems(found, planned.steps)):
                raise Refused(f"the initramfs hook cannot be {state}", reasons)
            if not module.check_mode:
                _carry_out(session, planned.steps, state)
        builds = [step for step in planned.steps if isinstance(step, Build)]
        session.end(
            changed=bool(planned.steps),
            initramfs_hook=planned.after.to_result(),
            planned=[dict(step.render()) for step in planned.steps],
            commands=[] if module.check_mode else [list(command(step)) for step in builds],
            diff={"before": planned.before.to_diff(), "after": planned.after.to_diff()},
        )


def _carry_out(session: ChangeSession, steps: Sequence[Step], state: State) -> None:
    for place, step in enumerate(steps):
        session.note(", ".join(f"{key} {value}" for key, value in step.render().items()))
        try:
            carry_out(step, lock=session.lock)
            if isinstance(step, Build):
                check_built(step, state)
        except (SafepointError, OSError) as error:
            raise _failure(error, steps[:place], steps[place:], state) from error


def _failure(error: SafepointError | OSError, done: Sequence[Step], left: Sequence[Step], state: State) -> FilesFailed:
    """The error of a step, with how the host is left."""
    built, missing = (", ".join(step.kernel for step in steps if isinstance(step, Build)) for steps in (done, left))
    script = f"{INITRAMFS_SCRIPT} is {'there' if INITRAMFS_SCRIPT.exists() else 'not there'}"
    kernels = f"; built again for kernel {built or 'none'}, not yet for {missing}" if built or missing else ""
    details = error.details if isinstance(error, SafepointError) else {}
    return FilesFailed(
        f"the initramfs hook could not be made {state}: {error_text(error)}. {script}{kernels}. Correct that, then "
        "run this again",
        **{**details, "changed": bool(done)},
    )
