# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role commit on simulated hosts."""

from __future__ import annotations

from dataclasses import replace

from scenarios import CHANGED, Scenario, backup, info, snapset

LOOK = "Look at the host"
PREDICT = "Find out whether the snapset can be removed"
PREDICT_BACKUP = "Find out whether the /boot backup can be removed"
REMOVE = "Remove the snapset"
DISARM = "Disarm the rollback timer"
REMOVE_BACKUP = "Remove the /boot backup"
_ENTRY = "Remove the boot entry"
_TIMER = {"name": "s", "state": "armed"}

# The usual case: it can all be removed.
REAL = Scenario(
    title="commit",
    role="commit",
    answers={
        LOOK: info(snapset("active"), boot_backups=[backup()], rollback_timers=[_TIMER]),
        REMOVE: CHANGED,
        DISARM: CHANGED,
        REMOVE_BACKUP: CHANGED,
    },
    says="s is gone, and the change accepted; there is no other",
)
UNDISTURBED = replace(
    REAL,
    title="commit without a timer",
    answers={
        **{task: REAL.answers[task] for task in (LOOK, REMOVE, REMOVE_BACKUP)},
        LOOK: info(snapset("active"), boot_backups=[backup()]),
    },
)
# Something is changed before the snapset is removed, or something may not be removable after that.
ENTRY = replace(
    REAL,
    title="commit with a boot entry",
    answers={
        LOOK: info(snapset("active"), boot_entries=[{"name": "s"}]),
        PREDICT: CHANGED,
        _ENTRY: CHANGED,
        REMOVE: CHANGED,
    },
)
ROLLED_BACK = replace(
    REAL,
    title="commit after a rollback",
    answers={
        LOOK: info(snapset("rolled_back"), snapset("active", name="other"), boot_backups=[backup(state="restored")]),
        PREDICT: CHANGED,
        PREDICT_BACKUP: CHANGED,
        REMOVE: CHANGED,
        REMOVE_BACKUP: CHANGED,
    },
    says="s is forgotten; the host was rolled back to it, and stays so; these exist: other",
)
LEFT = replace(
    REAL,
    title="commit where only a timer is left",
    answers={LOOK: info(rollback_timers=[_TIMER]), REMOVE: {"changed": False}, DISARM: CHANGED},
    says="there is no snapset s here; what was left of it is gone; there is no other",
)
UNKNOWN = replace(
    REAL,
    title="commit of nothing",
    answers={LOOK: info(), REMOVE: {"changed": False}},
    says="there is no snapset s here, so nothing was done; there is no other",
)
CHECK = replace(
    REAL,
    title="commit in check mode",
    check=True,
    says="s would be gone, and the change accepted; there is no other",
)
SCENARIOS = [REAL, ENTRY, ROLLED_BACK, LEFT, UNKNOWN, CHECK]
