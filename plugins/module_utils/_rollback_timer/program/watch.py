# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program of a rollback timer, put together: only its text. Pure; private to this collection."""

from __future__ import annotations

from .base import BASE
from .boot import BOOT
from .clock import CLOCK
from .fire import FIRE
from .firmware import FIRMWARE
from .volumes import VOLUMES

_WATCH = r"""
retry=0
next_look=0
examined=
interrupted=
shouted=

check_files() {
    (cd "$HERE" && tool sha256sum --quiet --strict --check SHA256SUMS) || because "the files of the timer are damaged"
}

# For the module, before it starts the timer: whether the rollback is possible now. The module holds the lock.
check() {
    make_scratch
    step "$FILES_LIMIT" "the check of the files" check_files && look && judge &&
        step "$CHANGE_LIMIT" "asking LVM whether it can merge" merge_members --test &&
        { [ -z "$BACKUP" ] || step "$FILES_LIMIT" "the check of the backup of /boot" with_backup check_backup; }
    result=$?
    [ "$result" = 0 ] || echo "$reason"
    tool umount "$SCRATCH"
    return "$result"
}

# Once in each boot. A rollback that was interrupted continues at once. One that is no longer possible, or has ended,
# needs no program. What may be only late in this boot is left for when the time is over.
examine() {
    [ -z "$examined" ] && [ "$uptime" -ge "$next_look" ] || return 0
    next_look=$((uptime + RETRY))
    kept=$reason
    look || { reason=$kept; return 0; }
    examined=yes
    judge
    case $? in
    0 | 1) reason=$kept ;;
    3) return 3 ;;
    4) interrupted=yes state=watching reason= ;;
    5) mark_fired ended; return 5 ;;
    *) return 5 ;;
    esac
}

# Looks at the clock again while the timer is stale: somebody may correct it.
find_state() {
    [ "$serial" = "$counted" ] || find_end
    if [ -n "$interrupted" ]; then
        end=0
    elif is_elsewhere; then
        state=stale reason="it was armed on another machine (the DMI product UUID differs)"
    elif [ "$counted_in" != "$boot_id" ] || [ "$state" = stale ]; then
        clock=$(tool date +%s)
        end_in_another_boot
    fi
}

shout_stale() {
    [ -z "$shouted" ] || [ $((uptime - shouted)) -ge 3600 ] || return 0
    shouted=$uptime
    shout "the rollback timer of $NAME does nothing until somebody decides: $reason. Accept the change" \
        "(ansible-playbook safepoint.lvm.commit -e snapset=$NAME) or roll back (safepoint.lvm.rollback)"
}

is_due() {
    [ "$uptime" -ge "$end" ] || has_failed_boots
}

roll_back() {
    [ "$uptime" -ge "$retry" ] || return 0
    hangs=
    fire
    case $? in
    0) state=watching reason= ;;
    1) state=postponed ;;
    *) return ;;
    esac
    read_uptime
    retry=$((uptime + RETRY))
    tell
    reboot_if_stuck
}

# One round. Returns 3 if no rollback is possible any more, 5 if it has ended.
look_once() {
    read_uptime
    read_term
    find_state
    examine || return
    if [ "$state" = stale ]; then
        shout_stale
    else
        look_for_target
        if is_due; then roll_back || return; else warn; fi
        [ -n "$interrupted" ] || follow_clock
    fi
    tell
}

watch() {
    while :; do
        look_once
        case $? in
        0) ;;
        3) state=spent; tell; exit 3 ;;
        *) state=fired reason=; tell; exit 0 ;;
        esac
        tool sleep "$TICK"
    done
}

start() {
    make_scratch
    recall
    rotate_log
    read_uptime
    read_term
    step "$FILES_LIMIT" "the check of the files" check_files || { state=postponed; tell; exit 1; }
    if [ -e "$HERE/fired" ]; then
        read -r fired_in <"$HERE/fired"
        [ "$fired_in" != "$boot_id" ] || reboot_host "the merges were requested in this boot, rebooting"
        state=fired
        tell
        exit 0
    fi
    count_boot
    watch
}
"""
_MAIN = """
case ${2-} in
--check) check ;;
*) start ;;
esac
"""
FUNCTIONS = f"{BASE}\n{CLOCK}\n{VOLUMES}\n{BOOT}\n{FIRMWARE}\n{FIRE}\n{_WATCH}"
PROGRAM = f"{FUNCTIONS}{_MAIN}"
