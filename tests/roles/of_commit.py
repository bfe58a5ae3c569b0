# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role commit on simulated hosts."""

from __future__ import annotations

from dataclasses import replace

from scenarios import CHANGED, Scenario, info, snapset

REAL = Scenario(
    title="commit",
    role="commit",
    answers={
        "Look at the safe points of the host": info(snapset("active"), boot_entries=[{"name": "s"}]),
        "Find out whether the safe point can be let go of, before anything is changed": CHANGED,
        "Find out whether what was saved of /boot can be let go of": CHANGED,
        "Stop the timer, if one was to bring the host back": CHANGED,
        "Take its entry out of the boot menu": CHANGED,
        "Let go of the safe point": CHANGED,
        "Let go of what was saved of /boot for it": CHANGED,
    },
    says="s is gone, and the change accepted; there is no other",
)
CHECK = replace(
    REAL,
    title="commit in check mode",
    check=True,
    blocks_alone=True,
    says="s would be gone, and the change accepted; there is no other",
)
SCENARIOS = [REAL, CHECK]
