# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the program of a rollback timer counts failed boots: only shell text. Pure; private to this collection."""

from __future__ import annotations

BOOTS = r"""
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
    write "$HERE/failed" "$failed $boot_id"
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
