# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the program of a rollback timer runs tools and tells people what it does: only text. Pure; private.

The package ``_rollback_timer.program`` knows the shell program that watches and rolls back. It must not know how its
input files are made, or anything of Python: it is text only.
"""

from __future__ import annotations

BASE = r"""
# Rolls the host back to a snapset when the time is over. Its states are described in docs/timer.md. Arguments: the
# directory of the timer, and --check to only check whether the rollback is possible.
set -u
# Files on the disk of the timer and its state are only for root.
umask 077
HERE=$1
. "$HERE/facts"
export LC_ALL=C PATH=/nowhere LVM_SUPPRESS_FD_WARNINGS=1
SCRATCH=$HERE/scratch
read -r boot_id <"$BOOT_ID"
state=watching
reason=
hangs=

tool() {
    program=$1
    shift
    "$HERE/lib/ld" --library-path "$HERE/lib" "$HERE/bin/$program" "$@"
}

# In memory, because the disk of the timer or /run may be full.
make_scratch() {
    tool mkdir -p "$SCRATCH"
    tool mount -t tmpfs -o size=16m,mode=700 none "$SCRATCH"
}

# Runs a command in the background, and waits for it at most $1 seconds. Returns 124 if it has not ended by then: a
# process that hangs in the kernel cannot be killed, so nothing here waits for one. LVM is never killed, it ends later.
bounded() {
    limit=$1
    shift
    "$@" &
    job=$!
    # Most commands end at once.
    polls=0
    while is_child "$job"; do
        polls=$((polls + 1))
        if [ "$polls" -le 10 ]; then
            tool sleep 0.1
        else
            [ $((polls - 10)) -le "$limit" ] || { kill -9 "$job"; return 124; }
            tool sleep 1
        fi
    done
    wait "$job"
}

# Whether the process still exists. Its number may belong to a process of somebody else by now.
is_child() {
    parent=
    { while read -r key value; do [ "$key" != PPid: ] || parent=$value; done <"/proc/$1/status"; } 2>/dev/null
    [ "$parent" = "$$" ]
}

# Like bounded, for a step of the rollback, called $2 in messages. If it fails, `reason` says why.
step() {
    seconds=$1 what=$2
    shift 2
    tool rm -f "$SCRATCH/reason"
    bounded "$seconds" "$@"
    case $? in
    0) return 0 ;;
    124) hangs=yes reason="$what has not ended within $seconds s" ;;
    *) { [ -e "$SCRATCH/reason" ] && read -r reason <"$SCRATCH/reason"; } || reason="$what failed" ;;
    esac
    return 1
}

because() {
    echo "$*" >"$SCRATCH/reason"
    return 1
}

is_number() {
    case $1 in '' | *[!0-9]*) return 1 ;; esac
}

# Replaces a file on the disk of the timer. A power cut leaves either the old or the new content.
write() {
    echo "$2" >"$1.new" && tool sync "$1.new" && tool mv -f "$1.new" "$1" && tool sync "$HERE"
}

told=
said=
warned=9999
due=

say() {
    record '' "$*"
}

record() {
    echo "$(tool date -u +%FT%TZ) $2" >>"$HERE/log"
    echo "$1safepoint.lvm: timer of $NAME: $2" >>"$KERNEL_LOG"
    echo "$2"
}

# Also on the console, whatever its log level, and on every terminal. Nothing waits for wall: a terminal may be blocked.
shout() {
    record '<1>' "$*"
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
    (umask 022 && tool mkdir -p "${MOTD%/*}" && motd >"$STATUS.motd") && tool mv -f "$STATUS.motd" "$MOTD"
}

motd() {
    case $state in
    watching) echo "Unless the change is accepted, this host rolls back to the snapset $NAME by itself" \
        "at $(tool date -u -d "@$((deadline - delay))" '+%F %R UTC') or a little later." ;;
    firing) echo "This host is rolling back to the snapset $NAME and will reboot." ;;
    fired) echo "This host has rolled back to the snapset $NAME by itself." ;;
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
