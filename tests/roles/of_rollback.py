# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role rollback on simulated hosts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scenarios import CHANGED, Expected, Scenario, backup, info, reason, snapset

LOOK = "Look at the host"
RESTORE = "Restore what boots the host"
REQUEST = "Request the merges"
WAIT = "Reboot if a merge needs that, and wait for the merges"
UNDO = "Leave /boot as the change has made it"
_PACK = "Pack the evidence, where no snapshot records it"
_PLACE = "Make a place for it on the controller, where nobody else can read it either"
_FETCH = "Copy the evidence to the controller"
_CLEAN = "Remove the packed evidence from the host"
_DISARM = "Disarm the rollback timer"
_DISARM_AGAIN = "Disarm the rollback timer where that failed before the reboot"
_NO_ENTRY = "Remove the boot entry"
_CANARIES = "Leave a canary on each filesystem that waits"
_PREDICT = "Find out whether the rollback is possible"
_PREDICT_BOOT = "Find out whether /boot can be restored"


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
    *("rollback_wait s", "find", "rollback_timer s disarmed", "boot_entry s absent"),
    *("boot_backup s restored", "boot_backup s absent"),
)
_ENDED = _merge("rolled_back", elapsed=83)

WHOLE = Scenario(
    title="go back",
    role="rollback",
    variables={"rollback_fetch": ["/var/log/dpkg.log"]},
    answers={
        LOOK: _INFO,
        _PREDICT: _merge("merge_pending", reboot_required=True),
        _PREDICT_BOOT: CHANGED,
        _PACK: {"rc": 1, "stdout_lines": []},
        _PLACE: {"rc": 0},
        _FETCH: CHANGED,
        # It keeps nobody from going back, and hides no other failure.
        _CLEAN: _FAILED,
        RESTORE: CHANGED,
        REQUEST: _merge("merge_pending", reboot_required=True),
        # Neither keeps the host from going back, and both are done again after the reboot.
        _DISARM: _FAILED,
        _NO_ENTRY: _FAILED,
        _CANARIES: {"rc": 0, "stdout_lines": []},
        WAIT: _ENDED,
        "Look for canaries": {"files": []},
        _DISARM_AGAIN: CHANGED,
        "Remove the boot entry where that failed before the reboot": CHANGED,
        "Bring /boot to exactly what it was, and verify that": CHANGED,
        "Remove the /boot backup": CHANGED,
    },
    in_rescue={UNDO: CHANGED},
    says="/ is back at s, since 2026-11-23T14:30:00+00:00; so is /boot (83 s after the request)",
    expected={
        **{(task,): Expected(("file absent",), reason(task)) for task in (_PACK, _PLACE, _FETCH)},
        (_CANARIES,): Expected(_LAST, ""),
        (RESTORE,): Expected(("boot_backup s",), reason(RESTORE)),
        (REQUEST,): Expected(("boot_backup s",), reason(REQUEST)),
        (RESTORE, UNDO): Expected(
            ("boot_backup s",), f"{reason(RESTORE)}. /boot keeps what was restored there: {reason(UNDO)}"
        ),
        (REQUEST, UNDO): Expected(
            ("boot_backup s",), f"{reason(REQUEST)}. /boot keeps what was restored there: {reason(UNDO)}"
        ),
    },
)
CHECK = Scenario(
    title="go back in check mode",
    role="rollback",
    check=True,
    answers={
        LOOK: _INFO,
        _PREDICT: _merge("merge_pending", reboot_required=True),
        _PREDICT_BOOT: CHANGED,
        _DISARM: CHANGED,
        _NO_ENTRY: CHANGED,
    },
    says="The rollback to s discards 0 h 10 min of writes on /; the host has to reboot for that",
)


def _unmounted(state: str) -> dict[str, Any]:
    found = _merge(state, elapsed=7)
    found["snapset"]["members"] = [{**found["snapset"]["members"][0], "mountpoints": [], "state": state}]
    return found


# Of volumes that nobody uses, with a timer that nobody has let end.
UNUSED = Scenario(
    title="go back without a reboot",
    role="rollback",
    answers={
        LOOK: info(snapset("active"), rollback_timers=[{"name": "s", "state": "armed"}]),
        _PREDICT: _unmounted("merging"),
        REQUEST: _unmounted("merging"),
        _DISARM: CHANGED,
        WAIT: _unmounted("rolled_back"),
    },
    says="sysvg/root is back at s, since 2026-11-23T14:30:00+00:00; not verified by a canary of this run: sysvg/root "
    "(7 s after the request)",
    # It is asked for again at the end.
    in_rescue={_DISARM_AGAIN: CHANGED},
    expected={(_DISARM,): Expected(("rollback_wait s", "rollback_timer s disarmed"), "")},
)
WAITS = replace(
    UNUSED,
    title="go back without leave to reboot",
    variables={"rollback_reboot": False},
    answers={
        LOOK: info(snapset("active")),
        _PREDICT: WHOLE.answers[_PREDICT],
        REQUEST: WHOLE.answers[REQUEST],
        _CANARIES: WHOLE.answers[_CANARIES],
    },
    says="The rollback to s is requested and waits for a reboot, which rollback_reboot forbids.",
    expected={(_CANARIES,): Expected((), "")},
)
SCENARIOS = [WHOLE, CHECK, UNUSED, WAITS]
