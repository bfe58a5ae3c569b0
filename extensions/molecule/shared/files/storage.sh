#!/bin/sh
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Volumes for a scenario, on loop devices over sparse files in memory, all below /run/molecule. This script removes what an
# earlier run left. A scenario appends lines that call these functions to create its own volumes.

base=/run/molecule

# Remove the device-mapper devices on top of a block device, uppermost first, and then the device itself if it is one.
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
        # An earlier try may have requested this while the device was in use; then it disappears by itself.
        losetup --detach "$device" || ! losetup "$device"
    done
    # A loop device is released only when its last reader (udev) closes it.
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

# filesystem DEVICE NAME: create one without background writes, and mount it at /run/molecule/NAME.
filesystem() {
    mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$1"
    mkdir "$base/$2"
    mount -o noatime "$1" "$base/$2"
}

clean
mkdir -p "$base"
mount -t tmpfs -o size=75%,mode=755 molecule "$base"
