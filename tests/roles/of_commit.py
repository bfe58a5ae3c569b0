# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role commit on simulated hosts."""

from __future__ import annotations

from dataclasses import replace

from scenarios import CHANGED, Scenario, backup, info, snapset

LOOK = "Get the state of the host"
PREDICT = "Check whether the snapset can be removed"
PREDICT_BACKUP = "Check whether the /boot backup can be removed"
REMOVE = "Remove the snapset"
DISARM = "Disarm the rollback timer"
REMOVE_BACKUP = "Remove the /boot backup"
_ENTRY = "Remove the boot entry"
_TIMER = {"name": "s", "state": "armed"}

# The usual case: everything can be removed.
REAL = Scenario(
    title="commit",
    role="commit",
    answers={
        LOOK: info(snapset("active"), boot_backups=[backup()], rollback_timers=[_TIMER]),
        REMOVE: CHANGED,
        DISARM: CHANGED,
        REMOVE_BACKUP: CHANGED,
    },
    says="s is removed and the change accepted; there are no other snapsets",
)
UNDISTURBED = replace(
    REAL,
    title="commit without a timer",
    answers={
        **{task: REAL.answers[task] for task in (LOOK, REMOVE, REMOVE_BACKUP)},
        LOOK: info(snapset("active"), boot_backups=[backup()]),
    },
)
# Another task changes something before the snapset is removed, or something might not be removable after that.
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
    says="s is removed; the host was rolled back to it and stays rolled back; other snapsets: other",
)
LEFT = replace(
    REAL,
    title="commit where only a timer is left",
    answers={LOOK: info(rollback_timers=[_TIMER]), REMOVE: {"changed": False}, DISARM: CHANGED},
    says="snapset s does not exist; what was left of it is removed; there are no other snapsets",
)
UNKNOWN = replace(
    REAL,
    title="commit of nothing",
    answers={LOOK: info(), REMOVE: {"changed": False}},
    says="snapset s does not exist; nothing was done; there are no other snapsets",
)
CHECK = replace(
    REAL,
    title="commit in check mode",
    check=True,
    says="s would be removed and the change accepted; there are no other snapsets",
)
SCENARIOS = [REAL, ENTRY, ROLLED_BACK, LEFT, UNKNOWN, CHECK]
