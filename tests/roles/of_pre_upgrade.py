# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role pre_upgrade on simulated hosts."""

from __future__ import annotations

from dataclasses import replace

from scenarios import CHANGED, Expected, Scenario, backup, reason, snapset

PREDICT = "Check whether the snapset can be taken"
PREDICT_BOOT = "Check whether /boot can be saved"
PREPARE = "Prepare the initramfs"
SAVE = "Save /boot"
TAKE = "Take the snapset"
PREDICT_TIMER = "Check whether the rollback timer can be armed"
ARM = "Arm the rollback timer"
REMOVE_SET = "Remove the snapset that must not be used"
STOP = "Stop PostgreSQL"
START = "Start PostgreSQL"
REMOVE_BACKUP = "Remove the unused /boot backup"
_BOOT = {"boot_to_save": ["/boot"], "boot_ignored": [], "not_rolled_back": []}
_TAKEN = {"changed": True, "planned": [{"step": "create"}, {"step": "seal"}], "snapset": snapset("active"), **_BOOT}
_SAVED = {"changed": True, "planned": [{"step": "create_backup"}], "boot_backup": backup()}
_KEPT = {"changed": False, "planned": [], "boot_backup": backup()}
_ARMED = {"changed": True, "rollback_timer": {"deadline": "2026-11-23T14:30:00+00:00"}}
_NO_SET_YET = {"failed": True, "changed": False, "msg": "no such snapset", "snapset_missing": True}
_SET_LEFT = f". The snapset s was taken and cannot be removed: {reason(REMOVE_SET)}"
_BACKUP_LEFT = f". Its backup of /boot cannot be removed: {reason(REMOVE_BACKUP)}"

FRESH = Scenario(
    title="take it",
    role="pre_upgrade",
    variables={"pre_upgrade_confirm_within": "30m"},
    answers={
        PREDICT: _TAKEN,
        PREDICT_BOOT: {**_SAVED, "boot_backup": backup(id=None)},
        PREDICT_TIMER: _NO_SET_YET,
        PREPARE: CHANGED,
        SAVE: _SAVED,
        TAKE: _TAKEN,
        ARM: _ARMED,
    },
    in_rescue={REMOVE_SET: CHANGED, REMOVE_BACKUP: CHANGED},
    says="s protects / (sysvg/root, 1.00 GiB); /boot is saved in sysvg/safepoint_boot_s; the host rolls back by itself "
    "at 2026-11-23T14:30:00+00:00 or a little later unless the change is accepted before",
    expected={
        (SAVE,): Expected((), reason(SAVE)),
        (TAKE,): Expected(("boot_backup s absent",), reason(TAKE)),
        (TAKE, REMOVE_BACKUP): Expected(("boot_backup s absent",), reason(TAKE) + _BACKUP_LEFT),
        (ARM,): Expected(("snapset s absent", "boot_backup s absent"), reason(ARM)),
        (ARM, REMOVE_SET): Expected(("snapset s absent",), reason(ARM) + _SET_LEFT),
        (ARM, REMOVE_BACKUP): Expected(("snapset s absent", "boot_backup s absent"), reason(ARM) + _BACKUP_LEFT),
    },
)
UNDISTURBED = replace(
    FRESH,
    title="take it without a timer",
    variables={},
    answers={task: answer for task, answer in FRESH.answers.items() if task not in (PREDICT_TIMER, ARM)},
    says="s protects / (sysvg/root, 1.00 GiB); /boot is saved in sysvg/safepoint_boot_s",
)
# Then it must not be removed: it may be the only way to roll back.
EXISTING = replace(
    FRESH,
    title="take it where it exists, so that it is extended",
    answers={
        PREDICT: {**_TAKEN, "planned": [{"step": "extend"}]},
        PREDICT_BOOT: _KEPT,
        PREDICT_TIMER: _ARMED,
        SAVE: _KEPT,
        TAKE: {**_TAKEN, "planned": [{"step": "extend"}]},
        ARM: _ARMED,
    },
    variables={**FRESH.variables, "pre_upgrade_prepare_initramfs": False},
    says=f"{FRESH.says}; it already exists and is 0 h 10 min old",
    expected={(task,): Expected((), reason(task)) for task in (SAVE, TAKE, ARM)},
    blocks_alone=True,
)
DONE = replace(
    UNDISTURBED,
    title="take it where all is done",
    answers={
        PREDICT: {**_TAKEN, "changed": False, "planned": []},
        PREDICT_BOOT: _KEPT,
        PREPARE: {"changed": False},
        SAVE: _KEPT,
        TAKE: {**_TAKEN, "changed": False, "planned": []},
    },
    says=f"{UNDISTURBED.says}; it already exists and is 0 h 10 min old",
    expected={(task,): Expected((), reason(task)) for task in (SAVE, TAKE)},
    blocks_alone=True,
)
# Without /boot, on a host where it is to be ignored.
IGNORED = replace(
    UNDISTURBED,
    title="take it without /boot",
    answers={
        PREDICT: {**_TAKEN, "boot_to_save": [], "boot_ignored": ["/boot"], "not_rolled_back": []},
        PREPARE: CHANGED,
        TAKE: _TAKEN,
    },
    says="s protects / (sysvg/root, 1.00 GiB)",
    expected={(TAKE,): Expected((), reason(TAKE))},
    blocks_alone=True,
)
# With databases that are filesystems of their own, some of them links; and an ESP that is not saved although /boot is.
_DATABASES = [
    {"path": f"/var/lib/db{number}", "reason": f"data/db{number} is not in the snapset"} for number in range(10)
]
_LEFT_OUT = {**_TAKEN, "boot_to_save": ["/boot"], "boot_ignored": ["/efi"], "not_rolled_back": _DATABASES}
LEFT_OUT = replace(
    UNDISTURBED,
    title="take it where databases do not roll back",
    answers={**UNDISTURBED.answers, PREDICT: _LEFT_OUT, TAKE: _LEFT_OUT},
    says="s protects / (sysvg/root, 1.00 GiB); /boot is saved in sysvg/safepoint_boot_s; not rolled back: "
    + ", ".join(f"/var/lib/db{number} (data/db{number} is not in the snapset)" for number in range(8))
    + ", and 2 more (see snapset_info)",
    expected={
        (SAVE,): Expected((), reason(SAVE)),
        (TAKE,): Expected(("boot_backup s absent",), reason(TAKE)),
    },
    blocks_alone=True,
)
CHECK = replace(
    FRESH,
    title="take it in check mode",
    check=True,
    answers={task: FRESH.answers[task] for task in (PREDICT, PREDICT_BOOT, PREDICT_TIMER, PREPARE)},
    says="s would protect / (sysvg/root, 1.00 GiB); /boot would be saved in sysvg/safepoint_boot_s",
    expected={},
)
CHECK_EXISTING = replace(
    EXISTING,
    title="take it where it exists, in check mode",
    check=True,
    answers={task: EXISTING.answers[task] for task in (PREDICT, PREDICT_BOOT, PREDICT_TIMER)},
    expected={},
)
# With the tasks of a user, here those of the example.
_FILES = {
    "pre_upgrade_before_taking": "tasks/stop_postgresql.yml",
    "pre_upgrade_after_taking": "tasks/start_postgresql.yml",
    "postgresql_unit": "postgresql@17-main",
}
_STARTED = "systemd_service postgresql@17-main started"
_UNDONE = ("snapset s absent", "boot_backup s absent")


def _of_the_user(task: str) -> str:
    return f"the task {task} failed: {reason(task)}"


WITH_TASKS = replace(
    FRESH,
    title="take it between the tasks of a user",
    variables={**FRESH.variables, **_FILES},
    answers={
        **{task: FRESH.answers[task] for task in (PREDICT, PREDICT_BOOT, PREDICT_TIMER, PREPARE, SAVE)},
        STOP: CHANGED,
        TAKE: _TAKEN,
        START: CHANGED,
        ARM: _ARMED,
    },
    expected={
        # Nothing was stopped then.
        (SAVE,): Expected((), reason(SAVE)),
        # It may have stopped a part.
        (STOP,): Expected((_STARTED, "boot_backup s absent"), _of_the_user(STOP)),
        (TAKE,): Expected((_STARTED, "boot_backup s absent"), reason(TAKE)),
        (START,): Expected(_UNDONE, _of_the_user(START)),
        (ARM,): Expected(_UNDONE, reason(ARM)),
        (STOP, START): Expected(
            (_STARTED, "boot_backup s absent"), f"{_of_the_user(STOP)}; afterwards {_of_the_user(START)}"
        ),
        (TAKE, START): Expected(
            (_STARTED, "boot_backup s absent"), f"{reason(TAKE)}; afterwards {_of_the_user(START)}"
        ),
        (STOP, REMOVE_BACKUP): Expected((_STARTED, "boot_backup s absent"), _of_the_user(STOP) + _BACKUP_LEFT),
        (TAKE, REMOVE_BACKUP): Expected((_STARTED, "boot_backup s absent"), reason(TAKE) + _BACKUP_LEFT),
        (START, REMOVE_SET): Expected(_UNDONE[:1], _of_the_user(START) + _SET_LEFT),
        (START, REMOVE_BACKUP): Expected(_UNDONE, _of_the_user(START) + _BACKUP_LEFT),
        (ARM, REMOVE_SET): Expected(_UNDONE[:1], reason(ARM) + _SET_LEFT),
        (ARM, REMOVE_BACKUP): Expected(_UNDONE, reason(ARM) + _BACKUP_LEFT),
    },
)
NOT_RUNNING = replace(
    WITH_TASKS,
    title="take it where the database does not run",
    variables=_FILES,
    answers={
        **{task: UNDISTURBED.answers[task] for task in (PREDICT, PREDICT_BOOT, PREPARE, SAVE)},
        STOP: {"changed": False},
        TAKE: _TAKEN,
    },
    says=UNDISTURBED.says,
    expected={
        (SAVE,): Expected((), reason(SAVE)),
        (TAKE,): Expected(("boot_backup s absent",), reason(TAKE)),
    },
    blocks_alone=True,
)
# Nothing is taken then.
EXISTING_WITH_TASKS = replace(
    DONE, title="take it where all is done, with the tasks of a user", variables={**DONE.variables, **_FILES}
)
CHECK_WITH_TASKS = replace(
    CHECK,
    title="take it between the tasks of a user, in check mode",
    variables={**CHECK.variables, **_FILES},
    says=f"{CHECK.says}; check mode does not run the tasks in ",
)
SCENARIOS = [
    *(FRESH, EXISTING, DONE, IGNORED, LEFT_OUT, CHECK, CHECK_EXISTING),
    *(WITH_TASKS, NOT_RUNNING, EXISTING_WITH_TASKS, CHECK_WITH_TASKS),
]
