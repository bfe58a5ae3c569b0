# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The small initramfs of a boot entry, with the program that mounts a safe point to be looked at. Private.

The kernel unpacks it over the initramfs of the backup (initramfs buffer format of the kernel's documentation), so that
one needs no preparation. Whatever fails ends in a reboot, which is into the default entry.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .entries import InitramfsKind, Shown

_PROGRAM, _LIST, _NAME = "safepoint-look", "safepoint-look.list", "safepoint-look.set"
_ALIGNMENT = 4
_FILE, _DIRECTORY = 0o100000, 0o040000

# dash of klibc, without any tool that an initramfs may lack.
PROGRAM = r"""
#!/bin/sh
# activate: activates the snapshots and their origins. show ROOT: mounts them at ROOT, with what is written in memory.
LIST=${SAFEPOINT_LOOK-}/safepoint-look.list
MARK=${SAFEPOINT_LOOK-}/run/safepoint-look
TAB='	'

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
    done <"$LIST"
    rewrite_fstab "$1/etc/fstab" || return
    read -r set <"${SAFEPOINT_LOOK-}/safepoint-look.set"
    echo "$set" >"$MARK/set"
    echo "This is the safe point ${set% *}. What is written here is gone with the next boot." >>"$1/etc/motd"
}

# The first is /, which has the modules for all.
cover() {
    mkdir "$2" "$2/below" "$2/above" "$2/work" || return
    modprobe -q -d "$MARK/1/below" "$type"
    mount -t "$type" -o "$flags" "$device" "$2/below" || return
    modprobe -q -d "$MARK/1/below" overlay
    mount -t overlay -o "lowerdir=$2/below,upperdir=$2/above,workdir=$2/work" overlay "$1"
}

# What is no part of the safe point can be read, and is not waited for.
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

"$@"
""".lstrip()

# Read by the initramfs's init for boot=safepoint, after scripts/local, whose functions it uses and which waits as long
# for / as this does (initramfs-tools(7)).
_INITRAMFS_TOOLS = r"""
mountroot() {
    local_top
    tries=0
    until sh /safepoint-look activate; do
        tries=$((tries + 1))
        [ "$tries" -lt 30 ] || panic "safepoint.lvm: the safe point cannot be activated"
        sleep 1
        local_block "${ROOT?}"
    done
    sh /safepoint-look show "${rootmnt?}" || panic "safepoint.lvm: the safe point cannot be mounted"
}
""".lstrip()

# Hooks of dracut are read by its own shell (dracut.modules(7)). It has waited for the root LV and mounted it.
_BEFORE_MOUNT = "sh /safepoint-look activate\n"
_BEFORE_PIVOT = r"""
sh /safepoint-look show "${NEWROOT?}" || {
    echo "safepoint.lvm: the safe point cannot be mounted" >/dev/kmsg
    systemctl --no-block --force reboot || reboot -f
}
""".lstrip()


def kind_of(listing: Iterable[str]) -> tuple[InitramfsKind, str] | None:
    """Which kind of initramfs has the files in ``listing``, and where it looks for scripts; None for any other kind.

    The lines are those of lsinitramfs(8), or those of lsinitrd(1), which are as ls(1) prints them.
    """
    hooks = None
    for line in listing:
        path = line.rsplit(None, 1)[-1] if line.strip() else ""
        if re.fullmatch(r"(.*/)?scripts/local", path):
            return "initramfs-tools", "scripts"
        if line.startswith("d") and re.fullmatch(r"(usr/lib|var/lib|lib)/dracut/hooks", path):
            hooks = path
    return None if hooks is None else ("dracut", hooks)


def look_image(kind: InitramfsKind, scripts: str, *, shown: Sequence[Shown], name: str, set_id: str) -> bytes:
    """The small initramfs for a safe point of which ``shown`` is to be seen; ``scripts`` as ``kind_of`` tells it."""
    files = {
        _PROGRAM: PROGRAM,
        _LIST: "".join(f"{one.line}\n" for one in shown),
        _NAME: f"{name} {set_id}\n",
    }
    if kind == "initramfs-tools":
        return _archive({**files, f"{scripts}/safepoint": _INITRAMFS_TOOLS})
    hooks = {"pre-mount": _BEFORE_MOUNT, "pre-pivot": _BEFORE_PIVOT}
    return _archive({**files, **{f"{scripts}/{hook}/50-safepoint-look.sh": text for hook, text in hooks.items()}})


def _archive(files: Mapping[str, str]) -> bytes:
    """An archive in the format newc of cpio(5): directories that may be missing, and the files, all of root.

    Directories above the last one are not named: the kernel would put a directory in the place of a link.
    """
    directories = sorted({path.rpartition("/")[0] for path in files} - {""})
    members = [_member(path, b"", _DIRECTORY | 0o755) for path in directories]
    members += [_member(path, text.encode(errors="surrogateescape"), _FILE | 0o755) for path, text in files.items()]
    return b"".join([*members, _member("TRAILER!!!", b"", 0)])


def _member(path: str, content: bytes, mode: int) -> bytes:
    name = path.encode() + b"\0"
    # ino, mode, uid, gid, nlink, mtime, filesize, device, rdevice, namesize, check: eight hexadecimal digits each.
    numbers = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08x" % number for number in numbers) + name
    return _padded(header) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGNMENT)
