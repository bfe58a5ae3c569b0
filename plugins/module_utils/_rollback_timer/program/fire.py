# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the program of a rollback timer rolls back: only shell text. Pure; private to this collection."""

from __future__ import annotations

FIRE = r"""
locked_since=
stuck_since=
released=
locked=
announced=
may_change=

# The module that holds the lock may hang. After some minutes LVM commands that wait for udev are released, and after
# some more the rollback begins without the lock.
take_lock() {
    locked=
    tool mkdir -p -m 700 "${LOCK%/*}"
    if true >>"$LOCK"; then
        exec 9>>"$LOCK"
        if tool flock -n 9; then
            locked=yes locked_since=
            write_holder
            return 0
        fi
        exec 9>&-
    fi
    locked_since=${locked_since:-$uptime}
    waited=$((uptime - locked_since))
    holder=
    [ ! -r "$LOCK" ] || read -r holder <"$LOCK"
    reason="another run holds the host lock: ${holder:-an unknown process}"
    [ "$waited" -ge "$UDEV_LIMIT" ] || return 1
    [ -n "$released" ] || bounded 60 tool dmsetup udevcomplete_all --yes 5
    released=yes
    [ "$waited" -ge "$LOCK_LIMIT" ] || return 1
    say "continuing without the host lock, because for $((waited / 60)) min $reason"
}

# The first line names the holder to other runs. The second one, once the rollback has begun, says what to expect.
write_holder() {
    [ -z "$locked" ] || printf '%s\n' "the rollback timer of $NAME (PID $$)" "$*" >"$LOCK"
}

leave_lock() {
    [ -z "$locked" ] || { tool flock -u 9; exec 9>&-; }
    locked=
}

# Returns 0 if the time is not over after all, 1 if it must wait, 3 if no rollback is possible, 5 if it has fired. It
# does not return if it succeeds.
fire() {
    take_lock || return 1
    attempt
    result=$?
    leave_lock
    return "$result"
}

attempt() {
    # Before the lock was free, somebody may have armed it again.
    read_term
    [ "$serial" = "$counted" ] || return 0
    may_change=yes
    look || return 1
    judge
    case $? in
    0 | 4) ;;
    1) return 1 ;;
    3) return 3 ;;
    5) mark_fired ended; return 5 ;;
    *) return 5 ;;
    esac
    step "$FILES_LIMIT" "the check of the files" check_files || return 1
    [ -z "$BACKUP" ] || step "$FILES_LIMIT" "the check of the backup of /boot" with_backup check_backup || return 1
    step "$CHANGE_LIMIT" "asking LVM whether it can merge" merge_members --test || return 1
    begin_rollback
    carry_out || { trap stop TERM; return 1; }
    mark_fired "$boot_id"
    reboot_host "the merges are requested, rebooting"
}

begin_rollback() {
    # systemctl stop must not end it half-way.
    trap '' TERM
    [ -n "$announced" ] || shout "rolling back to $NAME and rebooting"
    [ -n "$announced" ] || [ -z "$lost" ] || say "$lost; the other members are rolled back"
    announced=yes state=firing reason=
    write_holder "the host is rolling back to $NAME by itself and will reboot, so the change can no longer be" \
        "accepted; then complete it with: ansible-playbook safepoint.lvm.rollback -e snapset=$NAME"
    tell
}

carry_out() {
    step "$CHANGE_LIMIT" "recording the rollback on the origins" remember || return
    [ -z "$BACKUP" ] || step "$FILES_LIMIT" "restoring /boot" with_backup restore_boot || return
    forbid_other_boots
    step "$CHANGE_LIMIT" "requesting the merges" merge_members && return
    [ -z "$BACKUP" ] || reason="$reason; /boot is restored already, so roll back, or make it fit the change again"
    return 1
}

# The change was accepted after all, but /boot is restored already: it must be possible to make it fit the change.
stop() {
    make_writable
    tool rm -f "$NO_HIBERNATION"
    exit 143
}

# As _host.steps does for the modules. A failure must not prevent the rollback: nothing else leads to such a boot
# while this program reboots the host.
forbid_other_boots() {
    (umask 022 && tool mkdir -p "${NO_HIBERNATION%/*}" && echo "$NO_HIBERNATION_TEXT" >"$NO_HIBERNATION") ||
        say "cannot forbid hibernation"
    unload_kexec
    if [ -e "$KEXEC_LIMIT" ]; then
        echo 0 >"$KEXEC_LIMIT"
    elif [ -e "$KEXEC_DISABLED" ]; then
        echo 1 >"$KEXEC_DISABLED"
    fi
}

unload_kexec() {
    is_kexec_loaded || return 0
    if [ -x "$HERE/bin/kexec" ]; then
        bounded 60 tool kexec -u
    elif [ -x "$KEXEC" ]; then
        bounded 60 "$KEXEC" -u
    fi
    ! is_kexec_loaded || say "cannot unload the kernel that is loaded for kexec"
}

is_kexec_loaded() {
    loaded=
    [ ! -e "$KEXEC_LOADED" ] || read -r loaded <"$KEXEC_LOADED"
    [ "$loaded" = 1 ]
}

with_backup() {
    find_volume "$BACKUP" || { because "the backup of /boot is gone"; return 1; }
    tool mkdir -p "$HERE/backup"
    tool mount -t ext4 -o ro,nosuid,nodev "$path" "$HERE/backup" ||
        { activate_backup && tool mount -t ext4 -o ro,nosuid,nodev "$path" "$HERE/backup"; } ||
        { because "cannot mount the backup of /boot, $name"; return 1; }
    "$@"
    result=$?
    tool umount "$HERE/backup"
    return "$result"
}

activate_backup() {
    tool lvm lvchange --config "$config" --yes --activate y "$name"
}

check_backup() {
    (cd "$HERE/backup/tree" && tool sha256sum --quiet --strict --check ../SHA256SUMS) ||
        because "the backup of /boot is damaged"
}

# An origin records its merge before it is requested: a member that is gone then has been merged.
remember() {
    set --
    while read -r _ snapshot base; do
        is_requestable || continue
        find_volume "${snapshot%/*}/$base" || continue
        set -- "$@" "$name"
        rest=$tags,
        while [ -n "$rest" ]; do
            tag=${rest%%,*}
            rest=${rest#*,}
            case $tag in safepoint.outcome.*) set -- --deltag "$tag" "$@" ;; esac
        done
    done <"$HERE/members"
    [ $# -gt 0 ] || return 0
    set -- --addtag "$OUTCOME_START:$boot_id:$(tool date +%s)$OUTCOME_REST" "$@"
    tool lvm lvchange --config "$config" --yes "$@" || because "LVM cannot change the tags of the origins"
}

# Sets `name` of the snapshot if it exists and its merge has not been requested.
is_requestable() {
    find_volume "$snapshot" && [ -z "$merging" ] && [ "$origin" = "$base" ] && [ "$invalid" != "snapshot invalid" ]
}

# With --test, LVM only checks whether it would merge (lvm(8)). It changes nothing then (seen with 2.03.31).
merge_members() {
    while read -r _ snapshot base; do
        is_requestable || continue
        tool lvm lvconvert --config "$config" "$@" --yes --merge --background "$name" 2>"$SCRATCH/errors" && continue
        error=nothing
        while read -r line; do
            case $line in *"TEST MODE"*) ;; *) error=$line; break ;; esac
        done <"$SCRATCH/errors"
        because "LVM cannot merge $name and said: $error" || return
    done <"$HERE/members"
}

# Only a record: what has been done is known from the origins. The tag is for snapset_info, the file for a boot in which
# LVM does not show the LV of the timer. $1 is the boot that must still end by a reboot, or `ended`.
mark_fired() {
    bounded 60 write "$HERE/fired" "$1" || say "cannot write to the disk of the timer"
    bounded "$CHANGE_LIMIT" tag_timer || say "LVM cannot change the tags of the timer"
}

tag_timer() {
    while IFS='|' read -r vg _ name _ _ _ _ _ _ _ tags; do
        case "${vg##* },$tags," in
        "$TIMER_GROUP,"*",safepoint.timer.id=$ID,"*)
            tool lvm lvchange --config "$config" --yes --addtag "safepoint.timer.fired=$(tool date +%s)" "$name"
            return
            ;;
        esac
    done <"$volumes"
    return 1
}

# Never returns. A stop of the unit must not leave the host with pending merges. systemctl(1) would start a loaded
# kernel or a prepared system (/run/nextroot) instead, and a service may start the former: then no service is stopped.
reboot_host() {
    say "$1"
    trap - TERM
    export SYSTEMCTL_SKIP_AUTO_KEXEC=1 SYSTEMCTL_SKIP_AUTO_SOFT_REBOOT=1
    how=--no-block
    ! is_kexec_loaded || how=--force
    while :; do
        bounded 60 "$SYSTEMCTL" "$how" reboot
        tool sleep "$REBOOT_LIMIT"
        say "the regular reboot did not happen in time, forcing it"
        tool sync 9>&- &
        tool sleep 5
        for key in s u b; do
            echo "$key" >"$SYSRQ"
            tool sleep 5
        done
        bounded 60 "$SYSTEMCTL" --force --force reboot
    done
}

# Nothing else helps against a kernel in which LVM or a disk hangs. The next boot continues. Never twice, and never
# without a record.
reboot_if_stuck() {
    [ -n "$hangs" ] || { stuck_since=; return 0; }
    stuck_since=${stuck_since:-$uptime}
    [ $((uptime - stuck_since)) -ge "$STUCK_LIMIT" ] || return 0
    former=
    [ ! -e "$HERE/rebooted" ] || read -r former <"$HERE/rebooted"
    [ "$former" != "$serial" ] && bounded 60 write "$HERE/rebooted" "$serial" || return 0
    reboot_host "rebooting once, because $reason"
}
""".lstrip()
