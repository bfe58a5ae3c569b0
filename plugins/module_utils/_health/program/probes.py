# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the health program asks systemd, the package manager and the clock, and the user's checks. Pure; private."""

from __future__ import annotations

PROBES = r"""
probe_boot() {
    has systemctl || missing systemctl || return
    # Its exit code is not 0 in every state but one (systemctl(1)).
    capped "$HERE/boot.raw" systemctl is-system-running
    case $? in 4 | 5) return 1 ;; esac
    state=
    read -r state <"$HERE/boot.raw"
    [ -n "$state" ] || return 1
    fact boot system "$state"
}

# Calls the function $1 for each unit in what systemctl(1) shows, with the properties in variables. A transient unit
# (systemd-run, scopes) ends with what started it, and says nothing of the host.
each_unit() {
    id='' transient='' restarts=''
    while read -r line || [ -n "$line" ]; do
        case $line in
        Id=*) id=${line#Id=} ;;
        Transient=*) transient=${line#Transient=} ;;
        NRestarts=*) restarts=${line#NRestarts=} ;;
        '') end_unit "$1" ;;
        esac
    done <"$2"
    end_unit "$1"
}

end_unit() {
    [ -z "$id" ] || [ "$transient" = yes ] || { escape "$id"; "$1"; }
    id='' transient='' restarts=''
}

failed_unit() {
    fact failed_units "$word" failed
}

probe_failed_units() {
    has systemctl || missing systemctl || return
    # One question, while `show` has one for each unit.
    capped "$HERE/failed_units.raw" systemctl list-units --state=failed --plain --no-legend --full || return
    set --
    while read -r unit second _; do
        # Some versions print a mark before the name.
        case $unit in *.*) set -- "$@" "$unit" ;; *) set -- "$@" "$second" ;; esac
    done <"$HERE/failed_units.raw"
    [ $# -gt 0 ] || return 0
    capped "$HERE/failed_units.raw" systemctl show --property=Id --property=Transient -- "$@" || return
    each_unit failed_unit "$HERE/failed_units.raw"
}

restarted_unit() {
    ! is_number "$restarts" || [ "$restarts" -eq 0 ] || fact restarts "$word" "$restarts"
}

probe_restarts() {
    has systemctl || missing systemctl || return
    set -- --property=Id --property=Transient --property=NRestarts
    capped "$HERE/restarts.raw" systemctl show "$@" -- '*.service' || return
    each_unit restarted_unit "$HERE/restarts.raw"
}

# chronyd does not always tell the kernel (rtcsync), so it is asked first.
probe_time_sync() {
    raw=$HERE/time_sync.raw
    if has chronyc && capped "$raw" chronyc -n tracking; then
        while read -r one two _ four; do
            case "$one $two $four" in
            'Leap status Not synchronised') fact time_sync clock unsynchronised; return ;;
            'Leap status '?*) fact time_sync clock synchronised; return ;;
            esac
        done <"$raw"
        return 1
    fi
    has timedatectl || missing "chronyc or timedatectl" || return
    capped "$raw" timedatectl show --property=NTPSynchronized --value || return
    read -r one <"$raw" || return 1
    [ "$one" = yes ] || { fact time_sync clock unsynchronised; return; }
    fact time_sync clock synchronised
}

probe_packages() {
    if [ -s "$DPKG/status" ] && has dpkg-query; then
        packages_of_dpkg
    elif has rpm; then
        packages_of_rpm
    else
        missing "dpkg-query or rpm"
    fi
}

# dpkg(1): states of packages. Every state but these needs somebody's attention, and so does an error flag.
packages_of_dpkg() {
    format="\${db:Status-Status}|\${db:Status-Eflag}|\${binary:Package}\\n"
    capped "$HERE/packages.raw" dpkg-query -W -f "$format" || return
    while IFS='|' read -r state flag package; do
        case $state:$flag in
        installed:ok | config-files:ok | not-installed:ok) ;;
        *) escape "$package"; key=$word; fact packages "$key" "$state:$flag" ;;
        esac
    done <"$HERE/packages.raw"
    # The journal of a dpkg that was interrupted.
    set +f
    for file in "$DPKG"/updates/[0-9]*; do
        [ ! -e "$file" ] || { fact packages dpkg interrupted; break; }
    done
    set -f
}

# rpm(8): with these options it verifies only dependencies. It exits with 1 if one is not satisfied.
packages_of_rpm() {
    capped "$HERE/packages.raw" rpm -qa --nodigest --nosignature || return
    capped "$HERE/packages.raw" rpm --verify --all --nofiles --noscripts --nodigest --nosignature
    case $? in 0 | 1) ;; *) return 1 ;; esac
    last=
    while read -r one two three name _; do
        [ "$one $two $three" = "Unsatisfied dependencies for" ] || continue
        name=${name%:}
        escape "${name%-*-*}"
        [ "$word" = "$last" ] || fact packages "$word" unsatisfied
        last=$word
    done <"$HERE/packages.raw"
}

check_names() {
    has getent || return 127
    getent ahosts "$1"
}

check_commands() {
    cd / && sh -c "$1"
}

check_urls() {
    if has curl; then
        # -q: without the settings of a user.
        curl -q -sS -f -o /dev/null --max-time "$LIMIT" --url "$1"
    elif has wget; then
        wget -q -T "$LIMIT" -O /dev/null "$1"
    else
        return 127
    fi
}
""".lstrip()
