# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program of a rollback timer, for a POSIX shell: only its text. Pure; private to this collection."""

from __future__ import annotations

FUNCTIONS = r"""
# Rolls the host back to a safe point when the time is over. Arguments: the directory of the timer, and --check to only
# check whether the rollback is possible.
set -u
HERE=$1
. "$HERE/facts"
export LC_ALL=C PATH=/nowhere LVM_SYSTEM_DIR="$HERE/lvm" LVM_SUPPRESS_FD_WARNINGS=1
read -r boot_id </proc/sys/kernel/random/boot_id
failed=0

tool() {
    program=$1
    shift
    "$HERE/lib/ld" --library-path "$HERE/lib" "$HERE/bin/$program" "$@"
}

say() {
    echo "$(tool date -u +%FT%TZ) $*" >>"$HERE/log"
    echo "safepoint.lvm: timer of $NAME: $*" >"$KERNEL_LOG"
    echo "$*"
}

# Returns 0 if an LV with the UUIDs $1 (VG/LV) exists and matches the selection $2, 1 if not, 2 if LVM failed.
exists() {
    selected="vg_uuid=${1%/*} && lv_uuid=${1#*/} && $2"
    known=$(tool lvm lvs --all --noheadings --options lv_uuid --select "$selected") || return 2
    [ -n "$known" ]
}

# A disk may appear late in a boot.
groups_are_there() {
    missing=$(tool lvm vgs --noheadings --options vg_missing_pv_count $VGS) || return
    case $missing in *[1-9]*) return 1 ;; esac
}

with_backup() {
    tool mkdir -p "$HERE/backup" || return
    tool mount -t ext4 -o ro,nosuid,nodev "$BACKUP" "$HERE/backup" || { say "cannot mount $BACKUP"; return 1; }
    "$@"
    result=$?
    tool umount "$HERE/backup"
    return "$result"
}

check() {
    (cd "$HERE" && tool sha256sum --quiet --strict --check SHA256SUMS) ||
        { say "the files of the timer are damaged"; return 1; }
    groups_are_there || { say "a PV of the snapset is missing"; return 1; }
    for member in $MEMBERS; do
        [ ! -e "$HERE/begun" ] || continue
        exists "$member" 'lv_snapshot_invalid!="snapshot invalid"'
        case $? in
        0) ;;
        1) say "the snapshot with the UUID ${member#*/} is lost or has overflowed: no rollback possible"; return 3 ;;
        *) say "LVM failed"; return 1 ;;
        esac
    done
    [ -z "$BACKUP" ] || with_backup check_backup
}

check_backup() {
    (cd "$HERE/backup/tree" && tool sha256sum --quiet --strict --check ../SHA256SUMS) ||
        { say "the backup of /boot is damaged"; return 1; }
}

# Within a boot only the time since the boot counts, because nobody can set it. From one boot to the next the clock
# counts: each boot computes from it how much time is left, at most all of it.
find_end() {
    read_uptime
    if [ "$boot_id" = "$ARMED_BOOT" ]; then
        end=$((ARMED_UPTIME + AFTER))
        return
    fi
    read -r deadline <"$HERE/deadline"
    left=$((deadline - $(tool date +%s)))
    [ "$left" -ge 0 ] || left=0
    [ "$left" -le "$AFTER" ] || left=$AFTER
    end=$((uptime + left))
}

read_uptime() {
    read -r uptime _ <"$UPTIME"
    uptime=${uptime%.*}
}

is_over() {
    read_uptime
    [ "$uptime" -ge "$end" ]
}

# If somebody has set the clock, the deadline by the clock changes.
keep_deadline() {
    new=$(($(tool date +%s) + end - uptime))
    read -r deadline <"$HERE/deadline"
    [ $((new - deadline)) -gt 2 ] || [ $((deadline - new)) -gt 2 ] || return 0
    echo "$new" >"$HERE/deadline.new" && tool sync "$HERE/deadline.new" && tool mv "$HERE/deadline.new" "$HERE/deadline"
}

# A boot counts as failed until it has reached its target.
count_boot() {
    read -r failed last <"$HERE/failed"
    [ "$last" = "$boot_id" ] || note_failed $((failed + 1))
}

note_failed() {
    failed=$1
    new=$HERE/failed.new
    echo "$failed $boot_id" >"$new" && tool sync "$new" && tool mv "$new" "$HERE/failed"
}

has_failed_boots() {
    [ "$BOOTS" -gt 0 ] && [ "$failed" -gt "$BOOTS" ]
}

look_for_target() {
    [ "$BOOTS" -gt 0 ] && [ "$failed" -gt 0 ] || return 0
    for target in multi-user.target graphical.target; do
        [ "$(/usr/bin/systemctl is-active "$target")" != active ] || note_failed 0
    done
}

is_armed() {
    tags=$(tool lvm lvs --noheadings --options lv_tags "$VOLUME") || { say "LVM failed"; return 2; }
    # LVM indents the line.
    case " $tags " in
    *[\ ,]safepoint.timer.fired=*) say "the timer has already fired"; return 1 ;;
    *[\ ,]safepoint.timer.id="$ID"[\ ,]*) ;;
    *) say "the timer is no longer armed"; return 1 ;;
    esac
}

restore_boot() {
    # Mounts over existing mounts, in the mount namespace of this program: the change may have broken fstab.
    skipped=
    while read -r device type directory; do
        mount_boot "$device" "$type" "$directory" && continue
        say "cannot mount $device on $directory"
        # Then an ESP stays as the change left it. That is better than no rollback.
        [ "$directory" != "$BOOT" ] || return 1
        skipped=$directory
    done <"$HERE/filesystems"
    while IFS=$TAB read -r kind path content; do
        [ -z "$skipped" ] || case $path/ in "$skipped"/*) continue ;; esac
        "restore_$kind" "$path" "$content" || { say "cannot restore $path"; return 1; }
    done <"$HERE/boot"
    while read -r directory; do
        hide_other_entries "$directory"
    done <"$HERE/menus"
    tool sync
}

# The host has usually mounted this filesystem already, and the kernel refuses to mount a filesystem over itself (EBUSY,
# fs/namespace.c of Linux 6.1). So a tmpfs is mounted between. A bind mount would not do: a mount on it also appears at
# its source.
mount_boot() {
    tool mkdir -p "$3" && tool mount -t tmpfs none "$3" &&
        tool mount -t "$2" "$1" "$3" && tool mount -o remount,rw "$3"
}

restore_directory() {
    [ -d "$1" ] && return
    out_of_the_way "$1" && tool mkdir "$1"
}

restore_mountpoint() {
    restore_directory "$1"
}

restore_link() {
    [ -L "$1" ] && [ "$(tool readlink "$1")" = "$2" ] && return
    out_of_the_way "$1" && tool ln -s -- "$2" "$1"
}

restore_file() {
    [ -f "$1" ] && [ ! -L "$1" ] && has_checksum "$1" "$2" && return
    copy_file "$1" "$2" || { [ $? = 2 ] && make_room && copy_file "$1" "$2"; } || return
    [ ! -d "$1" ] || out_of_the_way "$1" || return
    tool mv -f -- "$1.safepoint-new" "$1"
}

# Returns 1 if the copy in the backup is damaged, 2 if it could not be copied, usually because the filesystem is full.
copy_file() {
    problem=2
    if tool cp -p -- "$HERE/backup/tree$1" "$1.safepoint-new" && tool sync "$1.safepoint-new"; then
        has_checksum "$1.safepoint-new" "$2" && return
        problem=1
    fi
    tool rm -f -- "$1.safepoint-new"
    return "$problem"
}

# Removes the kernels that the change has added, except the running one.
make_room() {
    read -r release </proc/sys/kernel/osrelease
    made=1
    for file in "$BOOT"/vmlinuz-* "$BOOT"/initrd* "$BOOT"/initramfs-*; do
        case $file in *"$release"*) continue ;; esac
        [ ! -f "$file" ] || is_kept "$file" || { say "deleting $file to free space"; tool rm -f -- "$file" && made=0; }
    done
    return "$made"
}

has_checksum() {
    found=$(tool sha256sum <"$1")
    [ "${found%% *}" = "$2" ]
}

out_of_the_way() {
    [ ! -e "$1" ] && [ ! -L "$1" ] || tool mv -f -- "$1" "$1.safepoint-aside"
}

# Boot loaders read every *.conf in such a directory.
hide_other_entries() {
    for file in "$1"/*.conf; do
        [ ! -e "$file" ] || is_kept "$file" || out_of_the_way "$file"
    done
}

is_kept() {
    while IFS=$TAB read -r _ kept _; do
        [ "$kept" = "$1" ] && return
    done <"$HERE/boot"
    return 1
}

merge() {
    # $1: UUIDs as for exists. $2: VG/LV.
    exists "$1" 'lv_merging!="merging"'
    case $? in 0) ;; 1) return 0 ;; *) return 1 ;; esac
    tool lvm lvconvert --config "$CONFIG" --yes --merge --background "$2"
}

go_back() {
    tool mkdir -p -m 700 /run/safepoint.lvm
    exec 9>>/run/safepoint.lvm/lock
    tool flock 9 || return
    echo "rollback timer of $NAME (PID $$)" >/run/safepoint.lvm/lock
    is_armed
    case $? in 0) ;; 1) return 0 ;; *) return 1 ;; esac
    check || return
    say "rolling back to $NAME"
    [ -z "$BACKUP" ] || with_backup restore_boot || return
    now=$(tool date +%s)
    # Written before the first merge is requested: a member that disappears after that has been merged.
    if [ ! -e "$HERE/begun" ]; then
        remember || return
        : >"$HERE/begun" && tool sync "$HERE/begun" "$HERE" || return
    fi
    request || { say "LVM cannot merge the snapshots"; return 1; }
    tool lvm lvchange --config "$CONFIG" --yes --addtag "safepoint.timer.fired=$now" "$VOLUME"
    say "the merges are requested, rebooting"
    tool sync
    /usr/bin/systemctl --no-block reboot
    tool sleep 120
    say "the regular reboot did not happen in time, forcing it"
    tool sync
    for key in s u b; do
        echo "$key" >/proc/sysrq-trigger
        tool sleep 5
    done
}
""".lstrip()
_MAIN = r"""
check || exit
[ "${2-}" != --check ] || exit 0
. "$HERE/requests"
count_boot
find_end
say "watching for $((end - uptime)) s"
: >"$RUNNING"
until is_over || has_failed_boots; do
    look_for_target
    keep_deadline
    tool sleep 5
done
go_back
"""
PROGRAM = FUNCTIONS + _MAIN
