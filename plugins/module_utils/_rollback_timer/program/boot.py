# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the program of a rollback timer restores /boot: only shell text. Pure; private to this collection.

The other parts call only ``check_backup`` and ``restore_boot``, in ``with_backup``.
"""

from __future__ import annotations

BOOT = r"""
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

restore_boot() {
    # Mounts over existing mounts, in the mount namespace of this program: the change may have broken fstab.
    skipped=
    while read -r device type directory second; do
        choose_device
        mount_boot "$device" "$type" "$directory" && continue
        say "cannot mount $device on $directory"
        # Then an ESP stays as the change left it. That is better than no rollback.
        [ "$directory" != "$BOOT" ] || { because "cannot mount $device on $directory"; return 1; }
        skipped=$directory
    done <"$HERE/filesystems"
    while IFS=$TAB read -r kind path content; do
        [ -z "$skipped" ] || case $path/ in "$skipped"/*) continue ;; esac
        "restore_$kind" "$path" "$content" || { because "cannot restore $path"; return 1; }
    done <"$HERE/boot"
    while read -r directory; do
        hide_other_entries "$directory"
    done <"$HERE/menus"
    sync_boot
}

# Only these filesystems: another one may hang.
sync_boot() {
    while read -r _ _ directory _; do
        [ "$directory" = "$skipped" ] || tool sync -f "$directory"
    done <"$HERE/filesystems"
}

# A copy of a disk has the same UUIDs. The name by the serial number of the disk, if there is one, shows which is ours.
choose_device() {
    [ -n "$second" ] && [ -e "$second" ] || return 0
    [ "$(tool readlink -f "$device")" != "$(tool readlink -f "$second")" ] || return 0
    say "$device is not $second any more, using the latter"
    device=$second
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

# The name may be in use: by an earlier attempt, or by a file of the host.
out_of_the_way() {
    [ -e "$1" ] || [ -L "$1" ] || return 0
    aside=$1.safepoint-aside
    while [ -e "$aside" ] || [ -L "$aside" ]; do
        aside=$aside+
    done
    tool mv -T -- "$1" "$aside"
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
""".lstrip()
