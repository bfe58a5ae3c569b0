# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shell programs of a boot entry, run by an initramfs: only their text. Pure; private to this collection."""

from __future__ import annotations

# Runs in the shell of any initramfs (dash of klibc too), and uses no tool that an initramfs may lack. The others are in
# the snapset.
PROGRAM = r"""
#!/bin/sh
# activate: activates the snapshots and their origins.
# show ROOT: mounts the snapshots at ROOT. All writes go to memory.
LIST=${SAFEPOINT_LOOK-}/safepoint-look.list
MARK=${SAFEPOINT_LOOK-}/run/safepoint-look
TAB='	'
# The first directory in which systemd looks for units, before /etc (systemd.unit(5)). It is in memory.
UNITS=${SAFEPOINT_LOOK-}/run/systemd/system.control

activate() {
    while IFS=$TAB read -r _mountpoint device _type _flags origin snapshot; do
        [ -e "$device" ] || lvm lvchange --sysinit --yes --activate y --ignoreactivationskip \
            "$origin" "$snapshot" </dev/null
        [ -e "$device" ] || return 1
    done <"$LIST"
}

show() {
    mkdir -p "$MARK" && mount -t tmpfs -o mode=0755,size=50% tmpfs "$MARK" || return
    number=0
    while IFS=$TAB read -r mountpoint device type flags _; do
        number=$((number + 1))
        cover "$1${mountpoint%/}" "$MARK/$number" || return
        copy_attributes "$1" "$mountpoint" "$MARK/$number/below" || return
    done <"$LIST"
    rewrite_fstab "$1/etc/fstab" || return
    limit_mounts "$1" || return
    limit_units "$1" || return
    read -r set <"${SAFEPOINT_LOOK-}/safepoint-look.set"
    echo "$set" >"$MARK/set"
    # It may be a link to a place that does not exist yet.
    echo "This is a preview of the snapset ${set% *}. All changes are lost at the next boot." >>"$1/etc/motd" || :
}

# The first one is /. It contains the kernel modules for all of them.
cover() {
    mkdir "$2" "$2/below" "$2/above" "$2/work" || return
    modprobe -q -d "$MARK/1/below" "$type"
    mount -t "$type" -o "$flags" "$device" "$2/below" || return
    modprobe -q -d "$MARK/1/below" overlay
    mount -t overlay -o "lowerdir=$2/below,upperdir=$2/above,workdir=$2/work" overlay "$1"
}

# The root of an overlay has the attributes of the directory in memory. Here it gets those of the snapshot: without them
# everybody could read the directory of a database, and nobody could write to /tmp.
copy_attributes() {
    mount -o bind "$3" "$1/run" || return
    chroot "$1" sh -s "$2" <<'END'
        chown "$(stat -c %u:%g /run)" "$1" && chmod "$(stat -c %a /run)" "$1"
END
    copied=$?
    # ACL and labels, as far as tar and the filesystem in memory can.
    chroot "$1" sh -s "$2" 2>/dev/null <<'END' || :
        archive="tar --acls --xattrs --xattrs-include=* --numeric-owner"
        $archive -C /run --create --no-recursion . | $archive -C "$1" --extract
END
    umount "$1/run" || return
    return "$copied"
}

# Other filesystems are mounted read-only, and the boot does not wait for them.
rewrite_fstab() {
    lines=
    while read -r device mountpoint type options _ || [ -n "$device" ]; do
        case $device in '' | '#'*) continue ;; esac
        if [ "$type" = swap ] || is_shown "${mountpoint%/}"; then continue; fi
        options=${options:-defaults}
        case $type in tmpfs | ramfs | proc | sysfs | devpts) ;; *) options=$options,ro,nofail ;; esac
        lines="$lines$device $mountpoint $type $options 0 0
"
    done <"$1"
    cat >"$1" <<END
$lines
END
}

is_shown() {
    while IFS=$TAB read -r mountpoint_shown _; do
        [ "${mountpoint_shown%/}" != "$1" ] || return 0
    done <"$LIST"
    return 1
}

# The same for mount units that are not in fstab, except those of the kernel, such as mqueue. Swap is not used.
limit_mounts() {
    for unit in "$1"/etc/systemd/system/*.mount "$1"/usr/lib/systemd/system/*.mount; do
        [ -f "$unit" ] || continue
        what='' options=defaults
        while IFS=' =' read -r key value || [ -n "$key" ]; do
            case $key in What) what=$value ;; Options) options=$value ;; esac
        done <"$unit"
        case $what in */* | *=* | *:*) ;; *) continue ;; esac
        mkdir -p "$UNITS/${unit##*/}.d" || return
        cat >"$UNITS/${unit##*/}.d/zz-safepoint.conf" <<END
[Mount]
Options=$options,ro
END
    done
    for unit in "$1"/etc/systemd/system/*.swap "$1"/usr/lib/systemd/system/*.swap; do
        [ ! -f "$unit" ] || mask "${unit##*/}" || return
    done
}

# If not everything is to start, systemd must be there and gets a target of its own.
limit_units() {
    [ -e "${SAFEPOINT_LOOK-}/safepoint-look.target" ] || return 0
    [ -e "$1/usr/lib/systemd/systemd" ] || [ -e "$1/lib/systemd/systemd" ] || return
    mkdir -p "$UNITS" || return
    target=$UNITS/safepoint-preview.target
    cat "${SAFEPOINT_LOOK-}/safepoint-look.target" >"$target" || return
    while read -r what unit; do
        case $what in
            mask) mask "$unit" || return ;;
            want) ! is_enabled "$1/etc/systemd/system" "$unit" || echo "Wants=$unit" >>"$target" ;;
        esac
    done <"${SAFEPOINT_LOOK-}/safepoint-look.units"
}

mask() {
    mkdir -p "$UNITS" && ln -sf /dev/null "$UNITS/$1"
}

is_enabled() {
    for target_of_unit in multi-user network-online sockets sysinit; do
        # Links to absolute paths lead nowhere in an initramfs.
        [ ! -L "$1/$target_of_unit.target.wants/$2" ] || return 0
    done
    return 1
}

"$@"
""".lstrip()

# With boot=safepoint, the init of initramfs-tools sources this after scripts/local, and it uses functions from there.
# It waits for / as long as scripts/local does (initramfs-tools(7)).
INITRAMFS_TOOLS = r"""
mountroot() {
    local_top
    tries=0
    until sh /safepoint-look activate; do
        tries=$((tries + 1))
        [ "$tries" -lt 30 ] || panic "safepoint.lvm: cannot activate the snapset"
        sleep 1
        local_block "${ROOT?}"
    done
    sh /safepoint-look show "${rootmnt?}" || panic "safepoint.lvm: cannot mount the snapset"
}
""".lstrip()

# dracut sources its hooks (dracut.modules(7)). At pre-pivot it has already waited for the root LV and mounted it.
BEFORE_MOUNT = "sh /safepoint-look activate\n"
BEFORE_PIVOT = r"""
sh /safepoint-look show "${NEWROOT?}" || {
    echo "safepoint.lvm: cannot mount the snapset" >/dev/kmsg
    systemctl --no-block --force reboot || reboot -f
}
""".lstrip()
