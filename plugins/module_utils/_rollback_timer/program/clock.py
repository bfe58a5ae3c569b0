# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the program of a rollback timer counts the time: only shell text. Pure; private to this collection.

Within a boot only the time since the boot counts, because nobody can set it. From one boot to the next the clock
counts, because nothing else goes on while the host is off.
"""

from __future__ import annotations

CLOCK = r"""
serial='' after=0 delay=0 spread=0 boots=0 target='' machines=''
counted='' counted_in='' end=0 deadline=0 graces=0

read_uptime() {
    read -r uptime _ <"$UPTIME"
    uptime=${uptime%.*}
}

# What was asked for. The module replaces this file when the timer is armed again.
read_term() {
    read -r serial after delay spread boots target machines <"$HERE/term"
}

# The end of the present term: the uptime in the boot $counted_in, the clock, and how many boots have needed a grace.
read_end() {
    [ -e "$HERE/end" ] && read -r counted counted_in end deadline graces <"$HERE/end" &&
        is_number "$end" && is_number "$deadline" && is_number "$graces"
}

keep_end() {
    write "$HERE/end" "$serial $boot_id $end $deadline $graces" || say "cannot write to the disk of the timer"
}

# The time counts from here, not from when the module began: until this runs, minutes can pass.
begin_term() {
    counted=$serial counted_in=$boot_id graces=0 warned=9999 retry=0 state=watching reason=
    end=$((uptime + after + delay))
    deadline=$((clock + after + delay))
    say "watching for $((end - uptime)) s"
    keep_end
}

find_end() {
    read_uptime
    clock=$(tool date +%s)
    if ! read_end || [ "$counted" != "$serial" ]; then
        begin_term
    elif [ "$counted_in" != "$boot_id" ]; then
        end_in_another_boot
    fi
}

# Somebody must have had time to accept the change in this boot. A boot that ended before its grace halves the next one:
# a host that resets again and again is rolled back all the same.
end_in_another_boot() {
    left=$((deadline - clock))
    if is_too_late; then
        state=stale
        reason="by the clock the deadline passed $(((clock - deadline) / 60)) min ago: the host was off, or the clock is wrong"
        return
    fi
    state=watching reason=
    # A clock that shows a time before the arming.
    [ "$left" -le $((after + delay)) ] || left=$((after + delay))
    find_grace
    [ "$left" -ge "$grace" ] || { left=$grace; graces=$((graces + 1)); }
    end=$((uptime + left))
    deadline=$((clock + left))
    counted_in=$boot_id
    say "watching for $left s"
    keep_end
}

# Who was off for so long, or has such a clock, must not be rolled back without a decision.
is_too_late() {
    most=$after
    [ "$most" -ge "$LATE_LEAST" ] || most=$LATE_LEAST
    [ "$most" -le "$LATE_MOST" ] || most=$LATE_MOST
    [ "$left" -lt "-$most" ]
}

find_grace() {
    grace=$after
    [ "$grace" -le "$GRACE" ] || grace=$GRACE
    count=$graces
    while [ "$count" -gt 0 ]; do
        grace=$((grace / 2))
        count=$((count - 1))
    done
    grace=$((grace + delay))
}

# If somebody has set the clock, the end by the clock changes.
follow_clock() {
    clock=$(tool date +%s)
    new=$((clock + end - uptime))
    [ $((new - deadline)) -gt 2 ] || [ $((deadline - new)) -gt 2 ] || return 0
    deadline=$new
    keep_end
}

# A clone, or a restored disk in another computer. Hosts without DMI cannot tell. The kernel has changed the case.
is_elsewhere() {
    [ -n "$machines" ] && [ -r "$MACHINE" ] && read -r machine <"$MACHINE" && [ -n "$machine" ] || return 1
    case " $machines " in *" $machine "*) return 1 ;; esac
}
""".lstrip()
