# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role rollback on simulated hosts."""

from __future__ import annotations

from typing import Any

from scenarios import CHANGED, Expected, Scenario, backup, info, reason, snapset

RESTORE = "Bring back what boots the host"
REQUEST = "Request the merges"
UNDO = "Leave /boot as the change has made it"
_PACK = "Pack the evidence, where no snapshot records it"
_PLACE = "Make a place for it on the controller, where nobody else can read it either"
_FETCH = "Copy the evidence to the controller"
_CLEAN = "Remove the packed evidence from the host"
_DISARM = "Stop the timer, which has nothing left to do"
_NO_ENTRY = "Take the entry out of the boot menu, which has nothing left to show"
_CANARIES = "Leave a canary on each filesystem that waits"
_REBOOT = "Reboot"
_PYTHON = "Look for Python again, which may have gone with the change"
_LOOK = "Look at the safe points of the host"
_PREDICT = "Find out what going back would do, and whether it can be done"
_PREDICT_BOOT = "Find out whether /boot can be brought back"
_ROUND = "Go on with the merges"


def _merge(state: str, **more: Any) -> dict[str, Any]:
    found = snapset(state, rolled_back_at="2026-11-23T14:30:00+00:00")
    found["members"][0]["merge_percent"] = 80
    return {"changed": True, "reboot_required": False, "poll_after": None, "snapset": found, **more}


_INFO = info(snapset("active"), boot_backups=[backup()], boot_entries=[{"name": "s"}])
_FAILED = {"failed": True, "msg": "read-only file system"}
# From the reboot to the end.
_LAST = (
    *("reboot", "ping", "snapset s merged", "wait_for", "snapset s merged", "find"),
    *("rollback_timer s disarmed", "boot_entry s absent", "boot_backup s restored", "boot_backup s absent"),
)

WHOLE = Scenario(
    title="go back",
    role="rollback",
    variables={"rollback_fetch": ["/var/log/dpkg.log"]},
    answers={
        _LOOK: _INFO,
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
        _REBOOT: CHANGED,
        _PYTHON: {},
        _ROUND: [_merge("merging"), _merge("rolled_back")],
        "Wait": {},
        "Look for canaries": {"files": []},
        "Stop the timer where that failed before the reboot": CHANGED,
        "Take the entry out of the boot menu where that failed before the reboot": CHANGED,
        "Bring /boot to exactly what it was, and verify that": CHANGED,
        "Let go of its backup": CHANGED,
    },
    in_rescue={UNDO: CHANGED},
    says="/ is back at s, since 2026-11-23T14:30:00+00:00; so is /boot",
    expected={
        **{(task,): Expected(("file absent",), reason(task)) for task in (_PACK, _PLACE, _FETCH)},
        (_CANARIES,): Expected(_LAST, ""),
        (RESTORE,): Expected(("boot_backup s",), reason(RESTORE)),
        (REQUEST,): Expected(("boot_backup s",), reason(REQUEST)),
        (RESTORE, UNDO): Expected(
            ("boot_backup s",), f"{reason(RESTORE)}. /boot keeps what was brought back there: {reason(UNDO)}"
        ),
        (REQUEST, UNDO): Expected(
            ("boot_backup s",), f"{reason(REQUEST)}. /boot keeps what was brought back there: {reason(UNDO)}"
        ),
    },
)
CHECK = Scenario(
    title="go back in check mode",
    role="rollback",
    check=True,
    answers={
        _LOOK: _INFO,
        _PREDICT: _merge("merge_pending", reboot_required=True),
        _PREDICT_BOOT: CHANGED,
        "Predict that the timer goes": CHANGED,
        "Predict that the boot entry goes": CHANGED,
    },
    says="Going back to s discards 0 h 10 min of writes on /; the host has to reboot for that",
)
SCENARIOS = [WHOLE, CHECK]
