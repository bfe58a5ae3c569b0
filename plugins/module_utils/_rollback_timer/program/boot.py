# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the program of a rollback timer restores /boot: only shell text. Pure; private to this collection.

It follows the rule of ``_boot_files.rule``, from the files that ``script`` writes. The other parts call only
``restore_boot``, in ``with_backup``.
"""

from __future__ import annotations

BOOT = r"""
left=$TAB

# Restores /boot and the ESP from the backup that is mounted at $HERE/backup. Returns 1 if the host could not boot then.
restore_boot() {
    left=$TAB optional=$TAB mounts=''
    restore_all && return
    # The next attempt mounts them again.
    for mountpoint in $mounts; do
        tool umount -l "$mountpoint"
    done
    return 1
}

restore_all() {
    mount_filesystems || return
    if may_refuse; then
        say "Secure Boot revokes more programs than before: boot loaders on the ESP stay as they are"
        leave firmware
    fi
    for attempt in 1 2 3; do
        restore_once || return
        # Now nobody else can change anything.
        make_read_only
        list_differences
        [ -s "$SCRATCH/todo" ] || return 0
        say "another program has changed boot files after they were restored (attempt $attempt)"
        make_writable
    done
}

restore_once() {
    find_new_images
    restore_directories || return
    list_differences
    prepare_filesystems || return
    while IFS=$TAB read -r kind filesystem part _ path content; do
        is_left "$filesystem" "$part" || "restore_$kind" "$path" "$content" ||
            give_up "$filesystem" "cannot restore $path" || return
    done <"$SCRATCH/todo"
    hide_other_entries || return
    is_left firmware || restore_variables
}

# Mounts over existing mounts, in the mount namespace of this program: the change may have broken fstab.
mount_filesystems() {
    while read -r device type mountpoint need second; do
        [ "$need" != optional ] || optional=$optional$mountpoint$TAB
        choose_device
        mount_boot "$device" "$type" "$mountpoint" ||
            give_up "$mountpoint" "cannot mount $device on $mountpoint" || return
    done <"$HERE/filesystems"
}

# A copy of a disk has the same UUIDs. The name by the serial number of the disk, if there is one, shows which is ours;
# otherwise what the host has mounted, perhaps before the copy was attached.
choose_device() {
    ours=$second
    [ -n "$ours" ] && [ -e "$ours" ] || ours=$(mounted_device)
    [ -n "$ours" ] && [ -e "$ours" ] || return 0
    [ "$(tool readlink -f "$device")" != "$(tool readlink -f "$ours")" ] || return 0
    say "$device is not $ours any more, using the latter"
    device=$ours
}

# The path of the device that the host has mounted whole on $mountpoint, from proc_pid_mountinfo(5).
mounted_device() {
    found=
    while read -r _ _ number root place _; do
        [ "$place:$root" != "$mountpoint:/" ] || found=$number
    done <"$MOUNTS"
    [ -n "$found" ] && [ -e "$BLOCKS/$found" ] || return 0
    found=$(tool readlink "$BLOCKS/$found")
    echo "/dev/${found##*/}"
}

# The host has usually mounted this filesystem already, and the kernel refuses to mount a filesystem over itself (EBUSY,
# fs/namespace.c of Linux 6.1). So a tmpfs is mounted between. A bind mount would not do: a mount on it also appears at
# its source.
mount_boot() {
    tool mkdir -p -m 755 "$3" && tool mount -t tmpfs none "$3" && mounts="$3 $mounts" &&
        tool mount -t "$2" "$1" "$3" && mounts="$3 $mounts" && tool mount -o remount,rw "$3"
}

# Leaves the filesystem $1 as the change left it, and with it the GRUB modules in /boot that fit its boot loader. For an
# ESP without kernels that is better than no rollback. Returns 1 for any other.
give_up() {
    case $optional in
    *"$TAB$1$TAB"*) say "$2" && leave "$1" && leave firmware ;;
    *) because "$2" ;;
    esac
}

leave() {
    left=$left$1$TAB
}

# Whether one of the filesystems and parts $* stays as it is.
is_left() {
    for what; do
        case $left in *"$TAB$what$TAB"*) return 0 ;; esac
    done
    return 1
}

# Files that fit only an image in boot sectors stay if that was installed again. Its copy shows it.
find_new_images() {
    while IFS=$TAB read -r kind _ part _ path content; do
        if [ "$kind" = image ] && [ -e "$path" ] && ! has_checksum "$path" "$content"; then
            say "the boot loader was installed again, so its files beside $path stay as they are"
            leave "$part"
        fi
    done <"$HERE/boot"
}

restore_directories() {
    while IFS=$TAB read -r kind filesystem part _ path _; do
        [ "$kind" = directory ] || continue
        is_left "$filesystem" "$part" || is_directory "$path" ||
            restore_directory "$path" ||
            give_up "$filesystem" "cannot restore $path" || return
    done <"$HERE/boot"
}

# Writes to the file todo what must be restored.
list_differences() {
    while IFS=$TAB read -r kind filesystem part size path content; do
        is_left "$filesystem" "$part" || "is_$kind" "$path" "$content" ||
            echo "$kind$TAB$filesystem$TAB$part$TAB$size$TAB$path$TAB$content"
    done <"$HERE/boot" >"$SCRATCH/todo"
}

is_image() {
    :
}

is_directory() {
    [ -d "$1" ] && [ ! -L "$1" ]
}

is_link() {
    [ -L "$1" ] && [ "$(tool readlink "$1")" = "$2" ]
}

is_file() {
    [ -f "$1" ] && [ ! -L "$1" ] && has_checksum "$1" "$2"
}

is_content() {
    is_file "$@"
}

# Room is counted before anything is replaced or deleted.
prepare_filesystems() {
    while read -r _ _ mountpoint need _; do
        problem=
        is_left "$mountpoint" || prepare_filesystem "$mountpoint" "$need" ||
            give_up "$mountpoint" "cannot restore $mountpoint${problem:+: $problem}" || return
    done <"$HERE/filesystems"
}

# An ESP gets all copies before the first one is used: if one fails, nothing has changed.
prepare_filesystem() {
    read_room "$1" && count_needed "$1" || return
    if [ "$2" = optional ]; then
        [ "$all" -le "$free" ] || { problem="$free bytes are free, $all are needed"; return 1; }
        stage "$1"
        return
    fi
    needed=$((growth + largest))
    [ "$needed" -le "$free" ] || make_room "$1"
}

# As in _host.filesystem.free_bytes.
read_room() {
    found=$(tool stat -f -c '%b %f %S' "$1") || return
    block=${found##* } blocks=${found%% *}
    free=${found#* } reserved=$((blocks / 50))
    [ "$reserved" -le 4096 ] || reserved=4096
    free=$(((${free% *} - reserved) * block))
}

# Sets all to the bytes of all copies, growth to how much more they need than the files that they replace. If they are
# made and used one by one, in any order, both files exist for a moment: the smaller one of them needs at most largest.
count_needed() {
    all=0 growth=0 largest=0
    while IFS=$TAB read -r _ filesystem _ size path _; do
        [ "$filesystem" = "$1" ] || continue
        new=$(((size + block) / block * block)) old=0
        [ ! -f "$path" ] || [ -L "$path" ] || old=$(tool stat -c %s "$path") || return
        all=$((all + new))
        [ "$new" -le "$old" ] || growth=$((growth + new - old)) new=$old
        [ "$new" -le "$largest" ] || largest=$new
    done <"$SCRATCH/todo"
}

# Deletes kernels that the change has added, except the running one, if that is enough. Otherwise it deletes nothing.
make_room() {
    read -r release </proc/sys/kernel/osrelease
    possible=$free
    for file in "$1"/vmlinuz-* "$1"/initrd* "$1"/initramfs-*; do
        ! is_added_kernel "$file" || possible=$((possible + $(allocated "$file")))
    done
    if [ "$possible" -lt "$needed" ]; then
        problem="$free bytes are free, $needed are needed, and deleting the kernels of the change would not be enough"
        return 1
    fi
    for file in "$1"/vmlinuz-* "$1"/initrd* "$1"/initramfs-*; do
        [ "$needed" -gt "$free" ] || break
        is_added_kernel "$file" || continue
        size=$(allocated "$file")
        say "deleting $file to free space"
        tool rm -f -- "$file" || return
        free=$((free + size))
    done
}

is_added_kernel() {
    case $1 in *"$release"*) return 1 ;; esac
    [ -f "$1" ] && [ ! -L "$1" ] && ! is_kept "$1"
}

allocated() {
    found=$(tool stat -c '%b %B' -- "$1") && echo $((${found% *} * ${found#* }))
}

stage() {
    while IFS=$TAB read -r kind filesystem part _ path content; do
        [ "$filesystem" = "$1" ] || continue
        ! is_left "$part" || continue
        case $kind in file | content) ;; *) continue ;; esac
        copy_file "$kind" "$path" "$content" || { unstage "$1" && return 1; }
    done <"$SCRATCH/todo"
}

unstage() {
    while IFS=$TAB read -r _ filesystem _ _ path _; do
        [ "$filesystem" != "$1" ] || tool rm -f -- "$path.safepoint-new"
    done <"$SCRATCH/todo"
    :
}

restore_directory() {
    out_of_the_way "$1" && tool mkdir -m 755 -- "$1"
}

restore_link() {
    out_of_the_way "$1" && tool ln -s -- "$2" "$1"
}

restore_file() {
    put file "$@"
}

# A file on a filesystem that stores no metadata.
restore_content() {
    put content "$@"
}

put() {
    is_file "$2.safepoint-new" "$3" || copy_file "$@" || return
    ! is_directory "$2" || out_of_the_way "$2" || return
    tool mv -f -T -- "$2.safepoint-new" "$2"
}

# Returns 1 if the copy in the backup is damaged, or cannot be copied.
copy_file() {
    copy=$2.safepoint-new preserved=
    [ "$1" != file ] || preserved=--preserve=all
    tool rm -f -- "$copy"
    tool cp ${preserved:+"$preserved"} -- "$HERE/backup/tree$2" "$copy" && tool sync "$copy" &&
        has_checksum "$copy" "$3" && return
    tool rm -f -- "$copy"
    return 1
}

has_checksum() {
    found=$(tool sha256sum <"$1")
    [ "${found%% *}" = "$2" ]
}

# The name may be in use: by an earlier attempt, or by a file of the host.
out_of_the_way() {
    exists "$1" || return 0
    aside=$1.safepoint-aside
    while exists "$aside"; do aside=$aside+; done
    tool mv -T -- "$1" "$aside"
}

exists() {
    [ -e "$1" ] || [ -L "$1" ]
}

# Boot loaders read every file that one of these patterns matches.
hide_other_entries() {
    while IFS=$TAB read -r filesystem part pattern; do
        ! is_left "$filesystem" "$part" || continue
        # The patterns have no blanks.
        for file in $pattern; do
            is_hidden_or_kept "$file" || out_of_the_way "$file" ||
                give_up "$filesystem" "cannot move $file away" || return
        done
    done <"$HERE/menus"
}

is_hidden_or_kept() {
    exists "$1" || return 0
    # A link may lead out of the filesystem.
    [ ! -L "${1%/*}" ] && [ ! -L "${1%/*/*}" ] || return 0
    is_kept "$1"
}

# On vfat a kept file may be found under a name with other letters in upper case. Then it is the same inode.
is_kept() {
    inode=$(tool stat -c %d:%i -- "$1")
    while IFS=$TAB read -r _ _ _ _ kept _; do
        [ "$kept" != "$1" ] || return 0
        [ "${kept%/*}" = "${1%/*}" ] && [ -e "$kept" ] && [ "$(tool stat -c %d:%i -- "$kept")" = "$inode" ] && return
    done <"$HERE/boot"
    return 1
}

# It holds for all mounts of the filesystem, until the reboot.
make_read_only() {
    while read -r _ _ mountpoint _; do
        is_left "$mountpoint" || { tool sync -f "$mountpoint" && tool mount -o remount,ro "$mountpoint"; } ||
            say "cannot make $mountpoint read-only, so another program may still change it"
    done <"$HERE/filesystems"
}

make_writable() {
    while read -r _ _ mountpoint _; do
        is_left "$mountpoint" || tool mount -o remount,rw "$mountpoint"
    done <"$HERE/filesystems"
}
""".lstrip()
