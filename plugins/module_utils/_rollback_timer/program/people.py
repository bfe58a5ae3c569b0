# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the program of a rollback timer tells people what it does: only shell text. Pure; private to this collection."""

from __future__ import annotations

PEOPLE = r"""
told=
said=
warned=9999
due=

say() {
    echo "$(tool date -u +%FT%TZ) $*" >>"$HERE/log"
    echo "safepoint.lvm: timer of $NAME: $*" >>"$KERNEL_LOG"
    echo "$*"
}

# Also on the console, whatever its log level, and on every terminal. Nothing waits for wall: a terminal may be blocked.
shout() {
    say "$*"
    echo "<1>safepoint.lvm: timer of $NAME: $*" >>"$KERNEL_LOG"
    [ ! -x "$HERE/bin/wall" ] || tool wall -n "safepoint.lvm: $*" >/dev/null 2>&1 9>&- &
}

# The disk of the timer must have room for more important things.
rotate_log() {
    [ -e "$HERE/log" ] || return 0
    lines=0
    while read -r _; do lines=$((lines + 1)); done <"$HERE/log"
    [ "$lines" -lt "$LOG_LINES" ] || tool mv -f "$HERE/log" "$HERE/log.old"
}

# What an earlier process of this boot has said is not said again.
recall() {
    [ ! -e "$STATUS" ] || { read -r _ state _ && read -r reason && said="$state: $reason"; } <"$STATUS"
    state=watching reason=
}

# Shows the state to snapset_info and in the message of the day.
tell() {
    line="$serial $state $((deadline - delay)) $after $spread $boots"
    [ "$line $reason" != "$told" ] || return 0
    told="$line $reason"
    if [ -n "$reason" ] && [ "$state: $reason" != "$said" ]; then
        said="$state: $reason"
        say "$said"
    fi
    printf '%s\n' "$line" "$reason" >"$STATUS.new" && tool mv -f "$STATUS.new" "$STATUS"
    tool mkdir -p "${MOTD%/*}" && motd >"$STATUS.motd" && tool mv -f "$STATUS.motd" "$MOTD"
}

motd() {
    case $state in
    watching) echo "Unless the change is accepted, this host rolls back to the safe point $NAME by itself" \
        "at $(tool date -u -d "@$((deadline - delay))" '+%F %R UTC') or a little later." ;;
    firing) echo "This host is rolling back to the safe point $NAME and will reboot." ;;
    fired) echo "This host has rolled back to the safe point $NAME by itself." ;;
    *) echo "The rollback timer of $NAME is $state: $reason." ;;
    esac
    case $state in
    watching | postponed | stale) echo "To accept the change: ansible-playbook safepoint.lvm.commit -e snapset=$NAME" ;;
    esac
    case $state in
    fired | stale) echo "To roll back: ansible-playbook safepoint.lvm.rollback -e snapset=$NAME" ;;
    esac
}

# Some minutes before the end, and when a boot begins so late.
warn() {
    left=$((end - uptime))
    for threshold in 600 120; do
        if [ "$left" -le "$threshold" ] && [ "$warned" -gt "$threshold" ]; then
            warned=$threshold
            due=yes
        fi
    done
    [ -n "$due" ] || return 0
    due=
    shout "in about $(((left + 59) / 60)) min this host rolls back to $NAME, which discards all that was written" \
        "since, and reboots. To prevent it: ansible-playbook safepoint.lvm.commit -e snapset=$NAME"
}
""".lstrip()
