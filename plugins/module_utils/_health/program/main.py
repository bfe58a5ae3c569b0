# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health program, put together: only its text. Pure; private to this collection."""

from __future__ import annotations

from .base import BASE
from .judge import JUDGE
from .network import NETWORK
from .probes import PROBES

_LOOK = r"""
# Runs one probe or one check of the user, as a process of its own.
run_probe() {
    probe=$1
    case $1 in
    [0-9]*)
        kind='' text=''
        eval "kind=\$KIND_$1 text=\$TEXT_$1"
        "check_$kind" "$text" >/dev/null 2>&1
        ;;
    *) capped "$HERE/$1.out" "probe_$1" ;;
    esac
}

# Starts all probes in $1 at the same time, each as a process group of its own, and waits until they have ended or the
# time is over. What hangs in the kernel cannot be killed, so nothing waits for it.
run_probes() {
    for one in $1; do
        rm -f "$HERE/$one.out" "$HERE/$one.why"
        setsid sh "$PROGRAM" "$PROGRAM" "$HERE" probe "$one" </dev/null >/dev/null 2>&1 &
        eval "job_$one=$!"
    done
    left=$1
    read_uptime
    end=$((uptime + LIMIT))
    polls=0
    while keep_running && [ -n "$left" ] && [ "$uptime" -le "$end" ]; do
        # Most end at once.
        polls=$((polls + 1))
        if [ "$polls" -le 20 ]; then sleep 0.1; else sleep 1; fi
        read_uptime
    done
    for one in $left; do
        eval "kill -9 -\$job_$one"
        eval "job_$one="
    done 2>/dev/null
}

keep_running() {
    running=
    for one in $left; do
        eval "job=\$job_$one"
        if kill -0 "$job" 2>/dev/null; then running="$running $one"; fi
    done
    left=$running
}

# Sets `code` to the exit code of a probe, 124 if it ran out of time.
exit_code() {
    eval "job=\$job_$1"
    code=124
    [ -n "$job" ] || return 0
    wait "$job" 2>/dev/null
    code=$?
}

report_probe() {
    exit_code "$1"
    why=
    case $code in
    0)
        [ ! -s "$HERE/$1.out" ] || cat "$HERE/$1.out"
        status=ok
        ;;
    3) read -r why <"$HERE/$1.why"; status=missing ;;
    4) status=too_much why=$CAP ;;
    124) status=timeout why=$LIMIT ;;
    *) status=failed why=$code ;;
    esac
    escape "$why"
    printf 'probe %s %s %s\n' "$1" "$status" "$word"
}

report_check() {
    exit_code "$1"
    case $code in
    0) value=ok ;;
    124) value=timeout ;;
    127) value=missing ;;
    *) value=failed:$code ;;
    esac
    eval "printf 'fact %s %s %s\n' \"\$KIND_$1\" \"\$KEY_$1\" $value"
}

# Writes an observation to the file $1.
look() {
    run_probes "$PROBES $CHECKS"
    {
        echo "safepoint-health 1"
        for one in $PROBES; do report_probe "$one"; done
        for one in $CHECKS; do report_check "$one"; done
        echo end
    } >"$1"
}

# Whether systemd is still starting or stopping units of a boot.
is_starting() {
    case " $PROBES " in *" boot "*) ;; *) return 1 ;; esac
    run_probes boot
    report_probe boot >"$HERE/now"
    look_up "$(cat "$HERE/now")" "fact boot system"
    case $found in initializing | starting | stopping) ;; *) return 1 ;; esac
}

# Waits until the host has started, and then as long as it needs to come to rest. Returns 1 at the deadline.
settle() {
    read_uptime
    deadline=$((uptime + DEADLINE))
    while is_starting; do
        pause "$RETRY" || return
    done
    pause "$SETTLE"
}

# Sleeps, but not beyond the deadline. Returns 1 if the deadline has passed before.
pause() {
    read_uptime
    remaining=$((deadline - uptime))
    [ "$remaining" -gt 0 ] || return 1
    if [ "$1" -lt "$remaining" ]; then sleep "$1"; else sleep "$remaining"; fi
}

# Two observations: what differs between them comes and goes.
record() {
    settle
    look "$HERE/first"
    deadline=$((deadline + RETRY))
    pause "$RETRY"
    look "$HERE/now"
}

# Waits until the host is well and has been so for long enough, and returns whether it is. Prints what differs: in the
# last look, or if that was not ill but the host not well for long enough, in the last one that was.
wait_until_well() {
    settle
    since=
    while :; do
        read_uptime
        began=$uptime
        look "$HERE/now"
        [ -e "$HERE/first" ] || cp "$HERE/now" "$HERE/first"
        if judge "$HERE/first" "$HERE/now" >"$HERE/differences"; then
            read_uptime
            since=${since:-$uptime}
            if [ "$STABLE" = 0 ] || [ $((began - since)) -ge "$STABLE" ]; then
                cat "$HERE/differences"
                return 0
            fi
        else
            since=
            for name in first now differences; do cp "$HERE/$name" "$HERE/$name.ill"; done
            # From here on the counters of restarts must not grow.
            cp "$HERE/now" "$HERE/first"
        fi
        pause "$RETRY" || break
    done
    for name in first now differences; do
        [ ! -e "$HERE/$name.ill" ] || cp "$HERE/$name.ill" "$HERE/$name"
    done
    cat "$HERE/differences"
    [ -z "$since" ] || differs required gate well_for "$STABLE" "$((uptime - since))"
    return 1
}

check_tools
case $3 in
probe) run_probe "$4" ;;
record) record ;;
wait) wait_until_well ;;
judge) judge "$4" "$5" ;;
esac
"""
PROGRAM = f"{BASE}\n{PROBES}\n{NETWORK}\n{JUDGE}\n{_LOOK}"
