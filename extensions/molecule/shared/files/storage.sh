#!/bin/sh
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Volumes for a scenario, on loop devices over sparse files in memory, all of it below /run/molecule. This takes away
# what an earlier run left; the lines that a scenario adds call the functions to make its own.

base=/run/molecule

# Remove the device-mapper devices on a block device, those on top of them first, and then itself if it is one.
remove_stack() {
    for holder in /sys/class/block/"$1"/holders/*; do
        [ ! -e "$holder" ] || remove_stack "${holder##*/}"
    done
    name=/sys/class/block/$1/dm/name
    [ ! -e "$name" ] || dmsetup remove --retry --force "$(cat "$name")"
}

clean() {
    sed -i '/# molecule$/d' /etc/fstab
    awk -v below="$base/" 'index($2, below) == 1 {print $2}' /proc/mounts | sort -r | while read -r mountpoint; do
        umount "$mountpoint"
    done
    for device in $(losetup --noheadings --output NAME,BACK-FILE | awk -v below="$base/" 'index($2, below) == 1 {print $1}'); do
        remove_stack "${device##*/}"
        # An earlier try may have asked for that while the device was in use; it has gone by itself then.
        losetup --detach "$device" || ! losetup "$device"
    done
    # A loop device is let go when the last of those that look at it (udev) closes it.
    for _ in $(seq 30); do
        mountpoint -q "$base" || return 0
        umount "$base" || sleep 1
    done
    return 1
}

# disk NAME MIB: print a new block device.
disk() {
    truncate --size "$2M" "$base/$1.disk"
    losetup --find --show "$base/$1.disk"
}

# group VG MIB
group() {
    vgcreate --quiet "$1" "$(disk "$1" "$2")"
}

# linear VG/LV MIB
linear() {
    lvcreate --yes --quiet --size "$2m" --name "${1#*/}" "${1%/*}"
}

# pool VG/LV MIB
pool() {
    lvcreate --yes --quiet --type thin-pool --size "$2m" --poolmetadatasize 4m --name "${1#*/}" "${1%/*}"
}

# thin VG/LV MIB POOL
thin() {
    lvcreate --yes --quiet --virtualsize "$2m" --thinpool "${1%/*}/$3" --name "${1#*/}"
}

# filesystem DEVICE NAME: make one that writes nothing of its own accord, and mount it at /run/molecule/NAME.
filesystem() {
    mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$1"
    mkdir "$base/$2"
    mount -o noatime "$1" "$base/$2"
}

clean
mkdir -p "$base"
mount -t tmpfs -o size=75%,mode=755 molecule "$base"
