# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role rollback on simulated hosts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scenarios import CHANGED, Expected, Scenario, backup, info, reason, snapset

LOOK = "Get the state of the host"
RESTORE = "Restore the files that boot the host"
REQUEST = "Request the merges"
WAIT = "Reboot if needed and wait for the merges"
UNDO = "Undo the restore of /boot"
_PACK = "Pack the evidence outside of all snapshots"
_FETCH = "Copy the evidence to the controller"
_CLEAN = "Remove the packed evidence from the host"
_DISARM = "Disarm the rollback timer"
_DISARM_AGAIN = "Disarm the rollback timer, unless that was done before"
_NO_ENTRY = "Remove the boot entry"
_CANARIES = "Write a canary to each filesystem whose merge is pending"
_PREDICT = "Check whether the rollback is possible"
_PREDICT_BOOT = "Check whether /boot can be restored"


def _merge(state: str, **more: Any) -> dict[str, Any]:
    found = snapset(state, rolled_back_at="2026-11-23T14:30:00+00:00")
    return {"changed": True, "reboot_required": False, "poll_after": None, "snapset": found, **more}


_INFO = info(
    snapset("active"),
    boot_backups=[backup()],
    boot_entries=[{"name": "s"}],
    rollback_timers=[{"name": "s", "state": "armed"}],
)
_FAILED = {"failed": True, "msg": "read-only file system"}
# From the reboot to the end.
_LAST = (
    *("rollback_wait s", "find", "rollback_timer s disarmed"),
    *("boot_backup s restored", "boot_entry s absent", "boot_backup s absent"),
)
_ENDED = _merge("rolled_back", elapsed=83)

WHOLE = Scenario(
    title="roll back",
    role="rollback",
    variables={"rollback_fetch": ["/var/log/dpkg.log"]},
    answers={
        LOOK: _INFO,
        _PREDICT: _merge("merge_pending", reboot_required=True),
        _PREDICT_BOOT: CHANGED,
        _PACK: {"rc": 1, "stdout_lines": []},
        _FETCH: CHANGED,
        # It prevents no rollback, and hides no other failure.
        _CLEAN: _FAILED,
        RESTORE: CHANGED,
        REQUEST: _merge("merge_pending", reboot_required=True),
        # It does not prevent the rollback, and is done again after the reboot. The timer stays armed until then.
        _NO_ENTRY: _FAILED,
        _CANARIES: {"rc": 0, "stdout_lines": []},
        WAIT: _ENDED,
        "Find canaries that are still there": {"files": []},
        _DISARM_AGAIN: CHANGED,
        "Restore /boot exactly and verify it": CHANGED,
        "Remove the boot entry if that failed before the reboot": CHANGED,
        "Remove the /boot backup": CHANGED,
    },
    in_rescue={UNDO: CHANGED},
    says="/ is rolled back to s since 2026-11-23T14:30:00+00:00; /boot is restored (83 s after the request)",
    expected={
        **{(task,): Expected(("file absent",), reason(task)) for task in (_PACK, _FETCH)},
        (_CANARIES,): Expected(_LAST, ""),
        (RESTORE,): Expected(("boot_backup s",), reason(RESTORE)),
        (REQUEST,): Expected(("boot_backup s",), reason(REQUEST)),
        (RESTORE, UNDO): Expected(
            ("boot_backup s",), f"{reason(RESTORE)}. The restored files are still in /boot: {reason(UNDO)}"
        ),
        (REQUEST, UNDO): Expected(
            ("boot_backup s",), f"{reason(REQUEST)}. The restored files are still in /boot: {reason(UNDO)}"
        ),
    },
)
CHECK = Scenario(
    title="roll back in check mode",
    role="rollback",
    check=True,
    answers={
        LOOK: _INFO,
        _PREDICT: _merge("merge_pending", reboot_required=True),
        _PREDICT_BOOT: CHANGED,
        _DISARM: CHANGED,
        _NO_ENTRY: CHANGED,
    },
    says="The rollback to s discards 0 h 10 min of writes on /; the host must reboot for this",
)


def _unmounted(state: str) -> dict[str, Any]:
    found = _merge(state, elapsed=7)
    found["snapset"]["members"] = [{**found["snapset"]["members"][0], "mountpoints": [], "state": state}]
    return found


# Of volumes that are not in use, with a timer that is still armed.
UNUSED = Scenario(
    title="roll back without a reboot",
    role="rollback",
    answers={
        LOOK: info(snapset("active"), rollback_timers=[{"name": "s", "state": "armed"}]),
        _PREDICT: _unmounted("merging"),
        REQUEST: _unmounted("merging"),
        _DISARM: CHANGED,
        WAIT: _unmounted("rolled_back"),
    },
    says="sysvg/root is rolled back to s since 2026-11-23T14:30:00+00:00; not verified by a canary of this run: "
    "sysvg/root (7 s after the request)",
    # It is disarmed again at the end.
    in_rescue={_DISARM_AGAIN: CHANGED},
    expected={(_DISARM,): Expected(("rollback_wait s", "rollback_timer s disarmed"), "")},
)
WAITS = replace(
    UNUSED,
    title="roll back with rollback_reboot: false",
    variables={"rollback_reboot": False},
    answers={
        LOOK: info(
            snapset("active"),
            rollback_timers=[{"name": "s", "state": "armed", "deadline": "2026-11-23T14:30:00+00:00"}],
        ),
        _PREDICT: WHOLE.answers[_PREDICT],
        REQUEST: WHOLE.answers[REQUEST],
        _CANARIES: WHOLE.answers[_CANARIES],
    },
    says="The rollback to s is requested and waits for a reboot, but rollback_reboot is false.",
    expected={(_CANARIES,): Expected((), "")},
)
SCENARIOS = [WHOLE, CHECK, UNUSED, WAITS]
