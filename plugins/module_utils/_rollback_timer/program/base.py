# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the program of a rollback timer runs tools: only shell text. Pure; private to this collection.

The package ``_rollback_timer.program`` knows the shell program that watches and rolls back. It must not know how its
input files are made, or anything of Python: it is text only.
"""

from __future__ import annotations

BASE = r"""
# Rolls the host back to a safe point when the time is over. Its states are described in docs/timer.md. Arguments: the
# directory of the timer, and --check to only check whether the rollback is possible.
set -u
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
    while kill -0 "$job" 2>/dev/null; do
        [ "$limit" -gt 0 ] || { kill -9 "$job"; return 124; }
        limit=$((limit - 1))
        tool sleep 1
    done
    wait "$job"
}

# The same for a step of the rollback, called $2 in messages. If it fails, `reason` says why.
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
""".lstrip()
