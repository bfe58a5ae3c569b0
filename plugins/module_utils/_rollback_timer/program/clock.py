# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the program of a rollback timer counts the time and failed boots: only text. Pure; private to this collection.

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
    bounded 60 write "$HERE/end" "$serial $boot_id $end $deadline $graces" ||
        say "cannot write to the disk of the timer"
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
        reason="by the clock the deadline passed $(((clock - deadline) / 60)) min ago: the host was off, or it is wrong"
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

failed=0
special=

# A boot that is not meant to reach the usual target says nothing about the change: an offline update, a relabelling of
# SELinux (generators of systemd select their targets), or what somebody has selected in the boot menu.
find_special_boot() {
    selected=$(tool readlink "$EARLY_TARGET")
    is_usual "${selected##*/}" || { special=${selected##*/}; return; }
    read -r words <"$CMDLINE"
    set -f
    for word in $words; do
        case $word in
        systemd.unit=*) is_usual "${word#*=}" || special=$word ;;
        rescue | emergency | single | s | S | 1 | -s | rd.break | rd.break=*) special=$word ;;
        esac
    done
    set +f
}

is_usual() {
    case $1 in '' | "$target" | multi-user.target | graphical.target) return 0 ;; esac
    return 1
}

# A boot counts as failed until it has reached its target.
count_boot() {
    find_special_boot
    [ -z "$special" ] || say "this boot does not count: $special"
    failed=0 last=
    [ ! -e "$HERE/failed" ] || read -r failed last <"$HERE/failed"
    is_number "$failed" || failed=0
    [ -n "$special" ] || [ "$last" = "$boot_id" ] || note_failed $((failed + 1))
}

note_failed() {
    failed=$1
    bounded 60 write "$HERE/failed" "$failed $boot_id"
}

has_failed_boots() {
    [ -z "$special" ] && [ "$boots" -gt 0 ] && [ "$failed" -gt "$boots" ]
}

look_for_target() {
    [ -z "$special" ] && [ "$boots" -gt 0 ] && [ "$failed" -gt 0 ] || return 0
    for one in "$target" multi-user.target graphical.target; do
        ! bounded 30 "$SYSTEMCTL" is-active --quiet "$one" || { note_failed 0; return; }
    done
}
""".lstrip()
