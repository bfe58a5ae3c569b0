# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role pre_upgrade on simulated hosts."""

from __future__ import annotations

from dataclasses import replace

from scenarios import CHANGED, Expected, Scenario, backup, info, reason, snapset

LOOK = "Look at what is mounted and which safe points exist"
PREDICT = "Take the safe point, in check mode"
SAVE = "Save what boots the host"
TAKE = "Take the safe point"
ARM = "Have the host go back by itself unless the change is confirmed in time"
REMOVE_SET = "Let go of what could not be made sure"
REMOVE_BACKUP = "Let go of what was saved for nothing"
BUILD = "Build the initramfs of each again"
_TAKEN = {"changed": True, "planned": [{"step": "create"}, {"step": "seal"}], "snapset": snapset("active")}
_SAVED = {"changed": True, "planned": [{"step": "create_backup"}], "boot_backup": backup()}
_ARMED = {"changed": True, "rollback_timer": {"deadline": "2026-11-23T14:30:00+00:00"}}
_SET_LEFT = f". s was taken all the same and is still there: {reason(REMOVE_SET)}"
_BACKUP_LEFT = f". What was saved of /boot for it is still there: {reason(REMOVE_BACKUP)}"

FRESH = Scenario(
    title="take it",
    role="pre_upgrade",
    variables={"pre_upgrade_confirm_within": "30m"},
    answers={
        LOOK: info(),
        PREDICT: _TAKEN,
        "Find out whether what boots the host can be saved, before anything is changed": _SAVED,
        "Find out whether the host uses initramfs-tools": {"stat": {"exists": True}},
        "Look at the initramfs script": {"stat": {"exists": False}},
        "Find the kernels whose initramfs lacks it": {"rc": 0, "stdout_lines": ["6.12", "6.13"]},
        "Install the initramfs script": CHANGED,
        BUILD: CHANGED,
        SAVE: _SAVED,
        TAKE: _TAKEN,
        ARM: _ARMED,
    },
    in_rescue={REMOVE_SET: CHANGED, REMOVE_BACKUP: CHANGED},
    says="s protects / (sysvg/root, 1.00 GiB); /boot is saved in sysvg/safepoint_boot_s; it goes back by itself at "
    "2026-11-23T14:30:00+00:00 unless that is accepted before",
    expected={
        # The loop goes on with the second kernel.
        (BUILD,): Expected(("command",), reason(BUILD)),
        (SAVE,): Expected((), reason(SAVE)),
        (TAKE,): Expected(("boot_backup s absent",), reason(TAKE)),
        (TAKE, REMOVE_BACKUP): Expected(("boot_backup s absent",), reason(TAKE) + _BACKUP_LEFT),
        (ARM,): Expected(("snapset s absent", "boot_backup s absent"), reason(ARM)),
        (ARM, REMOVE_SET): Expected(("snapset s absent",), reason(ARM) + _SET_LEFT),
        (ARM, REMOVE_BACKUP): Expected(("snapset s absent", "boot_backup s absent"), reason(ARM) + _BACKUP_LEFT),
    },
)
# Then nothing of it may be removed: it may be the only way back.
EXISTING = replace(
    FRESH,
    title="take it where it exists, so that it is extended",
    answers={
        **{task: answer for task, answer in FRESH.answers.items() if "initramfs" not in task},
        LOOK: info(snapset("active"), boot_backups=[backup()]),
        SAVE: {"changed": False, "planned": [], "boot_backup": backup()},
        TAKE: {"changed": True, "planned": [{"step": "extend"}], "snapset": snapset("active")},
    },
    variables={**FRESH.variables, "pre_upgrade_prepare_initramfs": False},
    says=f"{FRESH.says}; it exists already and is 0 h 10 min old",
    expected={(task,): Expected((), reason(task)) for task in (SAVE, TAKE, ARM)},
    blocks_alone=True,
)
CHECK = replace(
    EXISTING,
    title="take it in check mode",
    check=True,
    answers={
        **{task: answer for task, answer in EXISTING.answers.items() if task != ARM},
        LOOK: info(),
        SAVE: _SAVED,
        TAKE: _TAKEN,
    },
    says="s would protect / (sysvg/root, 1.00 GiB); /boot would be saved in sysvg/safepoint_boot_s",
    expected={(task,): Expected((), reason(task)) for task in (SAVE, TAKE)},
)
SCENARIOS = [FRESH, EXISTING, CHECK]
