# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Boot entries of safe points: what they are made of, and what stands against one. Pure; private to this collection.

An entry boots the kernel and the initramfs of the backup of /boot, with a second, small initramfs beside it. That one
mounts each snapshot read-only, with whatever is written above it in memory, so looking at a safe point changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal

from .._boot_backup.backups import host_problems
from .._model import SWAP
from .._names import device_path, initramfs_names
from .._snapset.selection import mount_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .._boot_backup.backups import Situation
    from .._boot_files.tree import Tree
    from .._model import BlockDevice, Mount, Picture, Volume
    from .._snapset.state import Taking

InitramfsKind = Literal["initramfs-tools", "dracut"]

DIRECTORY = "safepoint.lvm"
"""Below /boot; each entry has a directory of its set's id in it."""
KERNEL, INITRAMFS, LOOK = "vmlinuz", "initrd.img", "look.img"
"""The files of an entry: the kernel and the initramfs of the backup, and what turns that boot into a look."""

# How each filesystem is mounted without a write, a replay of its journal included (ext4(5), xfs(5)). Its journal is
# empty: LVM freezes a mounted filesystem to take a snapshot of it.
_READ_ONLY = {"ext2": "ro", "ext3": "ro,noload", "ext4": "ro,noload", "xfs": "ro,norecovery,nouuid"}
# Where GRUB can write its environment block in place (save_env of GRUB 2.12 writes the blocks that the file has).
_GRUB_WRITES_TO = ("ext2", "ext3", "ext4", "xfs", "vfat")
# A word of a kernel command line; quotes keep blanks together (kernel-parameters of the kernel's documentation).
_WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')
_COMMON = (
    r"(BOOT_IMAGE|initrd|root|rootflags|rootfstype|panic|resume|resume_offset|fsck\.mode|systemd\.unit)=.*"
    "|ro|rw|noresume|single|rescue|emergency"
)
# For dracut, boot= is where a host with FIPS has its kernel.
_NOT_OURS: Mapping[InitramfsKind, re.Pattern[str]] = {
    "initramfs-tools": re.compile(rf"{_COMMON}|boot=.*"),
    "dracut": re.compile(rf"{_COMMON}|rd\.(lvm\.lv|lvm\.vg|shell|emergency|timeout)=.*"),
}
# In /etc/grub.d/00_header.
_DEFAULT = re.compile(r'^\s*set default="([^"]*)"', re.MULTILINE)
_SAVED = "${saved_entry}"
_NUMBERS = re.compile(r"(\d+)")
_KERNELS = re.compile(r"vmlinuz-(.+)")


@dataclass(frozen=True)
class Shown:
    """A filesystem of the safe point: where it is mounted, the origin and its snapshot."""

    mountpoint: str
    fstype: str
    origin: Volume
    snapshot: Volume

    @property
    def line(self) -> str:
        """What the program of the look reads: mountpoint, device, type, options, origin, snapshot."""
        device = device_path(self.snapshot.vg, self.snapshot.name)
        mount = f"{self.mountpoint}\t{device}\t{self.fstype}\t{_READ_ONLY[self.fstype]}"
        return f"{mount}\t{self.origin.full_name}\t{self.snapshot.full_name}"


@dataclass(frozen=True)
class Kernel:
    """A kernel of the backup, as paths relative to /boot."""

    version: str
    kernel: str
    initramfs: str


@dataclass(frozen=True)
class Grub:
    """GRUB as it is installed: its directory, what its menu file says, and what is in its environment block.

    ``entries`` are the names of the files in /boot/loader/entries, None where GRUB does not read them (BLS).
    """

    directory: str
    menu: str
    environment: Mapping[str, str]
    custom: str = ""
    entries: tuple[str, ...] | None = None

    @property
    def environment_path(self) -> str:
        """The environment block."""
        return f"{self.directory}/grubenv"

    @property
    def custom_path(self) -> str:
        """The file of entries of one's own."""
        return f"{self.directory}/custom.cfg"


def entry_id(set_id: str) -> str:
    """What GRUB knows an entry by.

    Files of the Boot Loader Specification are sorted by their names, as rpm sorts versions, and the first is the
    default where nothing else is: a capital letter comes after every machine id.
    """
    return f"Safepoint-{set_id}"


def shown(picture: Picture, taking: Taking) -> tuple[Shown, ...]:
    """What of ``taking`` can be mounted instead of the present filesystems, parents first."""
    found = [
        Shown(mount.mountpoint, mount.fstype, member.origin, member.snapshot)
        for member in taking.live
        if member.origin and member.snapshot and (mount := _mount_of(picture, member.origin)) is not None
    ]
    return tuple(sorted(found, key=lambda one: one.mountpoint))


def _mount_of(picture: Picture, origin: Volume) -> Mount | None:
    """Where an origin itself is mounted; not what lies on it encrypted, and nothing that no line could hold."""
    device = picture.device_of(origin)
    for mount in picture.mounts_of(origin):
        plain = device is not None and picture.host.devices.get(mount.device) == device
        if plain and mount.fstype in _READ_ONLY and mount.mountpoint != SWAP and "\t" not in mount.mountpoint:
            return mount if "\n" not in mount.mountpoint else None
    return None


def cannot_be_looked_at(now: Situation) -> Iterator[str]:
    """What stands against an entry for the set, but for what GRUB is."""
    yield from host_problems(now)
    if now.taking is None or now.set_state != "active":
        yield f"snapset {now.name} is {now.set_state}; expected is one that is active"
        return
    if not any(one.mountpoint == "/" for one in shown(now.picture, now.taking)):
        yield (
            f"no member of {now.name} is a root filesystem that could be booted: expected is / on one of its origins "
            f"itself, not encrypted, with {', '.join(_READ_ONLY)}"
        )
    if mount_at(now.picture, "/usr") is not None:
        yield "/usr is a filesystem of its own, and the initramfs would mount the one of the change with the old /"
    if now.bound is None:
        yield "there is no backup of /boot for it, and so no kernel that is sure to fit (boot_backup)"
    elif not now.bound.volume.active:
        name = now.bound.volume.full_name
        yield f"{name}, which holds the backup of /boot, is not active: lvchange -ay {name}"


def grub_problems(grub: Grub | None, picture: Picture, environment_mount: Mount | None) -> Iterator[str]:
    """What stands against an entry that GRUB boots once and only once."""
    if grub is None:
        yield "no grub.cfg is there, in /boot/grub, /boot/grub2 or the ESP: only GRUB is supported"
        return
    if "next_entry" not in grub.menu:
        yield f"{grub.directory}/grub.cfg does not look at next_entry: make it anew (update-grub, or grub2-mkconfig)"
    if "custom.cfg" not in grub.menu:
        yield f"{grub.directory}/grub.cfg does not read custom.cfg: make it anew, with /etc/grub.d/41_custom"
    if grub.entries is not None and not _has_saved_default(grub):
        yield (
            f"{grub.environment_path} has no saved_entry that is in /boot/loader/entries, or the menu does not look at "
            "it, so another entry could become the default: GRUB_DEFAULT=saved, grub2-mkconfig, grub2-set-default ENTRY"
        )
    yield from _cannot_clear(grub, picture, environment_mount)


def _has_saved_default(grub: Grub) -> bool:
    return _default(grub) == _SAVED and grub.environment.get("saved_entry", "") in (grub.entries or ())


def _default(grub: Grub) -> str:
    """What the menu takes when nothing was chosen for one boot."""
    found = (value for value in _DEFAULT.findall(grub.menu) if value != "${next_entry}")
    return next(found, "0")


def _cannot_clear(grub: Grub, picture: Picture, mount: Mount | None) -> Iterator[str]:
    place = f"{grub.environment_path}, in which GRUB has to clear the choice of the next boot,"
    if mount is None:
        yield f"{place} lies on no disk that could be found"
        return
    device = picture.host.devices.get(mount.device)
    if device is None or not _is_plain(device):
        yield f"{place} lies on {mount.source}, and GRUB cannot write to LVM, RAID or encrypted disks"
    if mount.fstype not in _GRUB_WRITES_TO:
        yield f"{place} lies on {mount.fstype}, and GRUB can write to {', '.join(_GRUB_WRITES_TO)} only"


def _is_plain(device: BlockDevice) -> bool:
    return not (device.slaves or device.dm_uuid or device.name.startswith("md"))


def kernels_in(tree: Tree) -> tuple[Kernel, ...]:
    """The kernels in the backup of /boot that have an initramfs, the newest last."""
    files = {path for path, entry in tree.entries.items() if entry.kind == "file"}
    found = []
    for path in files:
        match = _KERNELS.fullmatch(path)
        if match and "rescue" not in path:
            found += [Kernel(match[1], path, name) for name in initramfs_names(match[1]) if name in files][:1]
    return tuple(sorted(found, key=lambda kernel: _in_order(kernel.version)))


def _in_order(version: str) -> list[tuple[int, str]]:
    """A key by which 6.1.0-10 comes after 6.1.0-9."""
    parts = _NUMBERS.split(version)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def kernel_arguments(cmdline: str, root: Shown, kind: InitramfsKind) -> list[str]:
    """The words of the kernel's command line for a look: those of the present boot, with another root.

    Whatever goes wrong ends in a reboot, and so in the default entry (initramfs-tools(7), dracut.cmdline(7)).
    """
    unwanted = _NOT_OURS[kind]
    kept = [word for word in _WORD.findall(cmdline) if not unwanted.fullmatch(word)]
    common = [
        *kept,
        f"root={device_path(root.snapshot.vg, root.snapshot.name)}",
        "ro",
        f"rootfstype={root.fstype}",
        f"rootflags={_READ_ONLY[root.fstype]}",
        "panic=10",
        "noresume",
        "fsck.mode=skip",
    ]
    if kind == "initramfs-tools":
        return [*common, "boot=safepoint"]
    return [
        *common,
        f"rd.lvm.lv={root.origin.full_name}",
        f"rd.lvm.lv={root.snapshot.full_name}",
        "rd.shell=0",
        "rd.emergency=reboot",
        "rd.timeout=120",
    ]


def title(taking: Taking) -> str:
    """What the boot menu shows."""
    taken = "" if taking.created is None else f" of {datetime.fromtimestamp(taking.created, tz=timezone.utc):%F %R} UTC"
    return f"Safe point {taking.name}{taken}, to look at; nothing is kept"


def menu_entry(taking: Taking, *, uuid: str, arguments: Sequence[str]) -> str:
    """The entry for GRUB's custom.cfg; ``uuid`` is that of the filesystem at /boot."""
    place = f"/{DIRECTORY}/{taking.set_id}"
    return f"""\
menuentry {_quoted(title(taking))} --unrestricted --id {entry_id(taking.set_id)} {{
    search --no-floppy --fs-uuid --set=root {uuid}
    linux {place}/{KERNEL} {" ".join(_quoted(word) for word in arguments)}
    initrd {place}/{INITRAMFS} {place}/{LOOK}
}}
"""


def custom_part(grub: Grub, set_id: str, entry: str = "") -> str:
    """What custom.cfg gets: an ``entry``, if it stands there, and where GRUB goes when it cannot load it.

    GRUB does not look into submenus for that, so then it is the first entry.
    """
    default = _default(grub)
    fallback = "0" if ">" in default else default
    return f"""\
{_begin(set_id)}
{entry}if [ "${{default}}" = {entry_id(set_id)} ]; then
    set fallback="{fallback}"
fi
{_end(set_id)}
"""


def bls_entry(taking: Taking, kernel: Kernel, arguments: Sequence[str]) -> str:
    """The entry as a file of the Boot Loader Specification."""
    place = f"/{DIRECTORY}/{taking.set_id}"
    return f"""\
# Made by safepoint.lvm.boot_entry, which also removes it.
title {title(taking)}
version {kernel.version}
linux {place}/{KERNEL}
initrd {place}/{INITRAMFS} {place}/{LOOK}
options {" ".join(arguments)}
grub_arg --unrestricted
"""


def with_part(custom: str, part: str) -> str:
    """The text of custom.cfg with a part more."""
    return f"{custom}{'' if not custom or custom.endswith(chr(10)) else chr(10)}{part}"


def without_entry(custom: str, set_id: str) -> str:
    """The text of custom.cfg without the entry of a set; the same when it has none that is whole."""
    start, end = custom.find(_begin(set_id)), custom.find(_end(set_id))
    if start < 0 or end < start:
        return custom
    return custom[:start] + custom[end + len(_end(set_id)) + 1 :]


def _begin(set_id: str) -> str:
    return f"# BEGIN {entry_id(set_id)}: made by safepoint.lvm.boot_entry, which also removes it"


def _end(set_id: str) -> str:
    return f"# END {entry_id(set_id)}"


def _quoted(word: str) -> str:
    """A word as GRUB takes it literally."""
    return "'" + word.replace("'", "'\\''") + "'" if not re.fullmatch(r"[\w./:=,@+-]+", word) else word


def parse_environment(lines: Iterable[str]) -> dict[str, str]:
    """What ``grub-editenv list`` prints: NAME=VALUE, a line each."""
    return {name: value for name, equals, value in (line.partition("=") for line in lines) if equals}
