# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host around LVM, read from /proc, /sys and /etc. Private to this collection."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from ansible_collections.safepoint.lvm.plugins.module_utils._lvm import clean_environment
from ansible_collections.safepoint.lvm.plugins.module_utils._model import (
    SWAP,
    BlockDevice,
    Boot,
    DeviceNumber,
    FstabEntry,
    Host,
    Initramfs,
    Mount,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._names import initramfs_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_Found = TypeVar("_Found")
_PROC = Path("/proc")
_BY_UUID = Path("/dev/disk/by-uuid")
_UDEV = "/run/udev/control"
_UDEV_NAMES = ("systemd-udevd", "udevd")
LVM_ARCHIVE = Path("/etc/lvm/archive")
"""Where LVM archives its metadata, unless it is told otherwise (lvm.conf(5), backup/archive_dir)."""
# Not used while it is not there (lvmdevices(8)), nor with use_devicesfile=0, which only lvmconfig would tell.
_DEVICES_FILE = Path("/etc/lvm/devices/system.devices")
# ext4 counts up to 4096 clusters as free that not even root gets (ext4_calculate_resv_clusters, fs/ext4/super.c).
_ARCHIVE_ROOM = 32 * 1024 * 1024
_LINKS = {"UUID": "by-uuid", "LABEL": "by-label", "PARTUUID": "by-partuuid", "PARTLABEL": "by-partlabel"}
_BLANKS = re.compile(r"[ \t]+")
_OCTAL = re.compile(r"\\([0-7]{3})")
# The script of initramfs-tools after which nobody answers LVM, and the one of the role pre_upgrade that comes before.
_STOPS_UDEV = "scripts/init-bottom/udev"
_ENDS_POLLERS = "scripts/local-bottom/safepoint-lvm"
# A device or process that ends between two looks: its directory is gone, or what is open has nothing to tell of. Of a
# device that is being removed, device-mapper says EINVAL (dm_attr_show, drivers/md/dm-sysfs.c).
_GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ESRCH, errno.EINVAL)
_MODULE_FILE = re.compile(r"([^/\s]+)\.ko(?:\.\w+)?$")


def read_host() -> Host:
    """The host as it is now, without what it boots with."""
    devices = dict(_block_devices(Path("/sys/class/block")))
    # Only a line feed ends a line: names may hold whatever else Unicode takes for a line's end or for a space.
    mounts = parse_mountinfo(_read("/proc/self/mountinfo").split("\n"), devices)
    swaps = parse_swaps(_read("/proc/swaps").split("\n"))
    return Host(
        now=int(time.time()),
        boot_id=_read("/proc/sys/kernel/random/boot_id").strip(),
        # What /proc/uptime shows (proc_uptime(5)); it goes on while the host is suspended.
        uptime=int(time.clock_gettime(time.CLOCK_BOOTTIME)),
        mounts=tuple(_with_used(mount) for mount in mounts) + tuple(swaps),
        devices=MappingProxyType(devices),
        fstab=tuple(parse_fstab(_read("/etc/fstab").split("\n"))),
        root_argument=root_argument(_read("/proc/cmdline")),
        udev_runs=_udev_runs(),
        can_archive=_can_archive(),
        has_devices_file=_DEVICES_FILE.exists(),
    )


def _udev_runs() -> bool:
    """Whether udev runs, or LVM does not count on it: there is no socket (udev_queue_get_udev_is_active of libudev).

    The socket itself would not tell: systemd listens at it for a udev that nobody may start.
    """
    names = (_read(str(comm)).strip() for comm in _PROC.glob("[0-9]*/comm"))
    return not Path(_UDEV).exists() or any(name in _UDEV_NAMES for name in names)


def _can_archive() -> bool:
    """Whether LVM can write copies of its metadata where it does by default; where nothing is, that is left to LVM."""
    for place in (LVM_ARCHIVE, LVM_ARCHIVE.parent):
        try:
            numbers = os.statvfs(place)
        except FileNotFoundError:
            continue
        except OSError:
            return False
        room = numbers.f_bfree * numbers.f_frsize
        full = room < _ARCHIVE_ROOM or (numbers.f_files > 0 and numbers.f_ffree == 0)
        return not full and not numbers.f_flag & os.ST_RDONLY
    return True


def _read(path: str) -> str:
    # Not as text, which would make a carriage return in a name the end of a line.
    return _unless_gone(lambda: Path(path).read_bytes(), b"").decode(errors="surrogateescape")


def _unless_gone(read: Callable[[], _Found], otherwise: _Found) -> _Found:
    """What ``read`` finds, or ``otherwise`` when that is not there or went away meanwhile; OSError for the rest."""
    try:
        return read()
    except OSError as error:
        if error.errno in _GONE:
            return otherwise
        raise


def parse_mountinfo(lines: Iterable[str], devices: Iterable[DeviceNumber]) -> Iterator[Mount]:
    """The mounted block filesystems of /proc/self/mountinfo (proc_pid_mountinfo(5)), in its order.

    A filesystem with a device number of its own making (btrfs) is told by its source when that is a block device.
    """
    known = set(devices)
    for line in filter(None, lines):
        fields, _separator, rest = line.partition(" - ")
        words, (fstype, source, *_options) = fields.split(" "), rest.split(" ")
        major, _colon, minor = words[2].partition(":")
        number: DeviceNumber | None = (int(major), int(minor))
        if number not in known:
            number = _device_number(_unescape(source)) if source.startswith("/dev/") else None
        if number is not None:
            yield Mount(mountpoint=_unescape(words[4]), source=_unescape(source), fstype=fstype, device=number)


def parse_swaps(lines: Iterable[str]) -> Iterator[Mount]:
    """The active swap areas on block devices of /proc/swaps (proc_swaps(5)); swap files belong to their filesystem."""
    for line in lines:
        words = _BLANKS.split(line)
        if len(words) > 1 and words[1] == "partition":
            number = _device_number(_unescape(words[0]))
            if number is not None:
                yield Mount(mountpoint=SWAP, source=_unescape(words[0]), fstype="swap", device=number)


def parse_fstab(lines: Iterable[str]) -> Iterator[FstabEntry]:
    """The entries of an fstab(5); swap entries have ``[SWAP]`` as their mountpoint."""
    for line in lines:
        words = _BLANKS.split(line.strip(" \t"))
        spec, mountpoint, fstype, *_options = [_unescape(word) for word in words] + [""] * 3
        if fstype and not spec.startswith("#"):
            mountpoint = SWAP if fstype == "swap" else mountpoint
            yield FstabEntry(spec=spec, mountpoint=mountpoint, device=_device_number(_path_of(spec)))


def root_argument(cmdline: str) -> str:
    """What a kernel command line gives as root=; the last one counts (bootparam(7))."""
    values = [word[len("root=") :] for word in cmdline.split() if word.startswith("root=")]
    return values[-1] if values else ""


def _unescape(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def _path_of(spec: str) -> str:
    key, equals, value = spec.partition("=")
    return f"/dev/disk/{_LINKS[key]}/{value.strip(chr(34))}" if equals and key in _LINKS else spec


def _device_number(path: str) -> DeviceNumber | None:
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        # ValueError: no path at all, as zeroes that a power cut left in fstab.
        return None
    return (os.major(status.st_rdev), os.minor(status.st_rdev)) if status.st_rdev else None


def lasting_name(source: str) -> str:
    """A device's name by its UUID, as others may differ after the next boot; ``source`` itself when it has none."""
    device = os.path.realpath(source)
    links = (str(link) for link in sorted(_BY_UUID.glob("*")) if os.path.realpath(link) == device)
    return next(links, source)


def _with_used(mount: Mount) -> Mount:
    try:
        numbers = os.statvfs(mount.mountpoint)
    except OSError:
        return mount
    used = (numbers.f_blocks - numbers.f_bfree) * numbers.f_frsize
    return Mount(mount.mountpoint, mount.source, mount.fstype, mount.device, used)


def _block_devices(root: Path) -> Iterator[tuple[DeviceNumber, BlockDevice]]:
    for entry in sorted(root.iterdir()):
        number = _sysfs_number(entry)
        if number is not None:
            slaves = (_sysfs_number(slave) for slave in _entries(entry / "slaves"))
            mapped = entry.name.startswith("dm-")
            yield (
                number,
                BlockDevice(
                    name=entry.name,
                    dm_name=_read(f"{entry}/dm/name").strip() if mapped else "",
                    dm_uuid=_read(f"{entry}/dm/uuid").strip() if mapped else "",
                    slaves=tuple(slave for slave in slaves if slave is not None),
                    holders=tuple(holder.name for holder in _entries(entry / "holders")),
                ),
            )


def _entries(directory: Path) -> list[Path]:
    return _unless_gone(lambda: sorted(directory.iterdir()), [])


def _sysfs_number(entry: Path) -> DeviceNumber | None:
    major, colon, minor = _read(f"{entry}/dev").strip().partition(":")
    return (int(major), int(minor)) if colon else None


def read_boot() -> Boot:
    """What the host boots with; looks into the initramfs of each kernel, which takes seconds."""
    boot = Path("/boot")
    kernels = sorted(path.name.partition("-")[2] for path in boot.glob("vmlinuz-*"))
    wanted = [kernel for kernel in kernels if "rescue" not in kernel]
    return Boot(running_kernel=os.uname().release, initramfs=tuple(_read_initramfs(boot, kernel) for kernel in wanted))


def _read_initramfs(boot: Path, kernel: str) -> Initramfs:
    candidates = (boot / name for name in initramfs_names(kernel))
    path = next((str(candidate) for candidate in candidates if candidate.is_file()), None)
    modules_dir = Path("/lib/modules") / kernel
    listing = list_initramfs(path) if path else None
    builtin = modules_in(_read(str(modules_dir / "modules.builtin")).splitlines())
    return Initramfs(
        kernel=kernel,
        path=path,
        modules=None if listing is None else modules_in(listing) | builtin,
        has_modules_dir=modules_dir.is_dir(),
        leaves_pollers=listing is not None and leaves_pollers(listing),
    )


def list_initramfs(path: str) -> list[str] | None:
    """The files in an initramfs, a line each, by lsinitramfs(8) or lsinitrd(1) of dracut; None if neither can."""
    tool = shutil.which("lsinitramfs") or shutil.which("lsinitrd")
    if tool is None:
        return None
    done = subprocess.run(
        [tool, path],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=clean_environment(),
        check=False,
    )
    return done.stdout.splitlines() if done.returncode == 0 else None


def leaves_pollers(lines: Sequence[str]) -> bool:
    """Whether LVM may still poll for a merge when the initramfs whose files are named in ``lines`` hands over.

    With initramfs-tools it does (docs/lvm.md); dracut activates with --sysinit, which does not poll (dracut, 70lvm).
    """
    return any(line.endswith(_STOPS_UDEV) for line in lines) and not any(line.endswith(_ENDS_POLLERS) for line in lines)


def modules_in(lines: Iterable[str]) -> frozenset[str]:
    """The kernel modules whose files are named in ``lines``, with underscores as the kernel has it."""
    found = (_MODULE_FILE.search(line) for line in lines)
    return frozenset(match[1].replace("-", "_") for match in found if match)
