# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mutants of rollback timers: when their program fires, what stops it, and what the module refuses."""

from __future__ import annotations

from mutation.unit_table import Mutant

MUTANTS = (
    Mutant(
        "a timer never merges an LV of a copy",
        '[ "${vg##* }/$lv" != "$1" ] || return 0',
        '[ "$lv" != "${1#*/}" ] || return 0',
    ),
    Mutant(
        "a timer fires once",
        'case ",$tags," in *,safepoint.timer.fired=*) return 6 ;; esac',
        ":",
    ),
    Mutant(
        "a timer rolls back only if every member exists",
        '[ -z "$lost" ] || { reason=$lost; return 3; }',
        ":",
    ),
    Mutant(
        "a timer never restores damaged files to /boot",
        '        has_checksum "$copy" "$3" && return\n',
        "        true && return\n",
    ),
    Mutant(
        "a timer leaves the files of a newly installed boot loader alone",
        'if [ "$kind" = image ] && [ -e "$path" ]',
        'if [ "$kind" = image ] && [ ! -e "$path" ]',
    ),
    Mutant(
        "a timer deletes no kernel if that would not be enough",
        'if [ "$possible" -lt "$needed" ]; then',
        "if false; then",
    ),
    Mutant(
        "an ESP that cannot be restored keeps the GRUB modules that fit it",
        'leave "$1" && leave firmware ;;',
        'leave "$1" ;;',
    ),
    Mutant(
        "attempts to restore /boot do not fill the table of mounts",
        "    for mountpoint in $mounts; do\n",
        "    for mountpoint in; do\n",
    ),
    Mutant(
        "a change of the clock does not affect the boot in which a timer was armed",
        '    elif [ "$counted_in" != "$boot_id" ]; then\n        end_in',
        "    elif true; then\n        end_in",
    ),
    Mutant(
        "a failed boot is counted once",
        '[ -n "$special" ] || [ "$last" = "$boot_id" ] || note_failed',
        '[ -n "$special" ] || note_failed',
    ),
    Mutant(
        "a boot for an offline update does not count",
        'is_usual "${selected##*/}" || {',
        "true || {",
    ),
    Mutant(
        "in every boot somebody can accept the change",
        '[ "$left" -ge "$grace" ] || { left=$grace; graces=$((graces + 1)); }',
        ":",
    ),
    Mutant(
        "a host that resets in every boot is rolled back",
        "        grace=$((grace / 2))\n",
        "        grace=$grace\n",
    ),
    Mutant(
        "a timer whose deadline passed long ago needs a decision",
        '[ "$left" -lt "-$most" ]',
        "false",
    ),
    Mutant(
        "a clock from before the arming does not add time",
        '[ "$left" -le $((after + delay)) ] || left=$((after + delay))',
        ":",
    ),
    Mutant(
        "a timer on another machine needs a decision",
        'case " $machines " in *" $machine "*) return 1 ;; esac',
        "return 1",
    ),
    Mutant(
        "hosts that are armed together do not fire together",
        "    end=$((uptime + after + delay))\n",
        "    end=$((uptime + after))\n",
    ),
    Mutant(
        "the deadline that is shown is the earliest moment",
        'line="$serial $state $((deadline - delay))',
        'line="$serial $state $deadline',
    ),
    Mutant(
        "a timer that has got another time while it waited does not fire",
        '    [ "$serial" = "$counted" ] || return 0\n    may_change',
        "    may_change",
    ),
    Mutant(
        "the host reboots only if this boot has requested a merge",
        '[ -z "$unmerged$requested_now" ] || return 4',
        "return 4",
    ),
    Mutant(
        "a timer never goes forward to its snapset",
        'was rolled back to another snapset since: $tag"; return 3 ;;',
        'was rolled back to another snapset since: $tag" ;;',
    ),
    Mutant(
        "a timer waits for the merge of another snapshot",
        "    judge_siblings || return\n",
        "",
    ),
    Mutant(
        "a timer never merges a snapshot of unknown validity",
        "    thin:* | thick:) unmerged=yes ;;",
        "    thin:* | thick: | thick:unknown) unmerged=yes ;;",
    ),
    Mutant(
        "a held lock does not stop a timer forever",
        '[ "$waited" -ge "$LOCK_LIMIT" ] || return 1',
        "return 1",
    ),
    Mutant(
        "no step waits forever",
        '[ $((polls - 10)) -le "$limit" ] || {',
        "true || {",
    ),
    Mutant(
        "no other filesystem is waited for",
        "        tool sync 9>&- &\n",
        "        tool sync\n",
    ),
    Mutant(
        "a host whose LVM hangs reboots only once for that",
        '[ "$former" != "$serial" ] && bounded',
        "bounded",
    ),
    Mutant(
        "what is in the way in /boot can always be moved",
        'while exists "$aside"; do',
        "while false; do",
    ),
    Mutant(
        "a copy of the disk is not taken for /boot",
        "    device=$ours\n",
        "",
    ),
    Mutant(
        "a running timer gets another time without a moment without a timer",
        "return _set_time(observed, request, found) if found else _create",
        "return _create",
    ),
    Mutant(
        "a time that only the tags record is given again",
        "        return requested == recorded == (status.after, status.spread, status.boots)",
        "        return requested == recorded",
    ),
    Mutant(
        "only one timer is armed for an origin",
        "        if timer.tags.set_name != observed.context.name:",
        "        if timer.tags.set_name == observed.context.name:",
    ),
    Mutant(
        "failed boots count only if the default target can be reached",
        "    if observed.systemd and request.boots and not observed.target:",
        "    if observed.systemd and not request.boots and not observed.target:",
    ),
    Mutant(
        "what an earlier holder of the lock has written means nothing",
        "is_present = bool(expectation) and _locker(descriptor) is not None and _holder(descriptor) == holder",
        "is_present = bool(expectation)",
    ),
)
