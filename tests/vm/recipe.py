# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content of an image: packages, disk layout and configuration files. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vm import encryption, grub, initramfs
from vm.firmware import BIOS, ESP_FSTAB, ESP_MIB, OWN_KEYS, SECURE_BOOT, UEFI, Firmware

if TYPE_CHECKING:
    from vm.initramfs import Initramfs

SUITES = {"bookworm": "Debian 12", "trixie": "Debian 13"}
# Becomes the next Debian, and changes every day.
UNSTABLE = "sid"

PACKAGES = (
    # The cloud kernel has all device-mapper targets, loop, XFS and btrfs, but only a third of the modules.
    "linux-image-cloud-amd64",
    "zstd",
    "systemd-sysv",
    "udev",
    "dbus",
    "openssh-server",
    "sudo",
    "python3",
    "python3-pytest",
    "lvm2",
    "thin-provisioning-tools",
    "e2fsprogs",
    "xfsprogs",
    "btrfs-progs",
    "dosfstools",
    "cryptsetup-bin",
    "fdisk",
    "rsync",
    "psmisc",
    "procps",
    "kmod",
    "iproute2",
)
# Packages of single releases. Debian 13 is the first one whose kernel and LVM support VDO.
SUITE_PACKAGES = {"bookworm": (), "trixie": ("vdo",), UNSTABLE: ("vdo",)}

# Excluded, because a smaller root filesystem is faster to copy and to boot.
EXCLUDED_PATHS = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")

# Units that wait for something, that do something in the middle of a test, or that no test needs. In software emulation
# each of them makes every boot up to a second longer.
MASKED_UNITS = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "grub-common.service",
    "modprobe@configfs.service",
    "modprobe@drm.service",
    "modprobe@efi_pstore.service",
    "modprobe@fuse.service",
    "proc-sys-fs-binfmt_misc.automount",
    "serial-getty@ttyS0.service",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",
    "systemd-network-generator.service",
    "systemd-networkd-persistent-storage.service",
    "systemd-networkd-wait-online.service",
    "systemd-pstore.service",
    "systemd-udev-load-credentials.service",
)
ENABLED_UNITS = ("ssh.service", "systemd-networkd.service")


@dataclass(frozen=True)
class Volume:
    """A logical volume of the guest, or its /boot partition."""

    name: str
    size_mib: int
    fstype: str
    mountpoint: str


DISK_MIB = 6144
VOLUME_GROUP = "sysvg"
ROOT = f"/dev/mapper/{VOLUME_GROUP}-root"
BOOT = Volume("boot", 400, "ext4", "/boot")
# The same in all images, because no guest sees the disk of another.
BOOT_UUID = "6f3b1a52-9d0c-4c57-8a55-0c1d6a3d5e71"
# Types of partitions.
BIOS_BOOT_TYPE = "21686148-6449-6E6F-744E-656564454649"
ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
LINUX_TYPE = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
LVM_TYPE = "E6D6D379-F507-44C2-A23C-238F2A3DF928"
# If all volumes are linear, more than half of the VG is free: enough for a snapshot of each.
VOLUMES = (
    Volume("root", 1536, "ext4", "/"),
    Volume("var", 512, "xfs", "/var"),
    Volume("home", 320, "xfs", "/home"),
)


@dataclass(frozen=True)
class ThinPool:
    """A thin pool of the guest, and the names of its thin volumes."""

    name: str
    data_mib: int
    metadata_mib: int
    volumes: tuple[str, ...]


# All blocks of the thin volumes are provisioned. The rest of the pool is for snapshots. More than 1 GiB of the VG is
# free for LVs outside the pool.
THIN_ROOT = ThinPool("pool", 3584, 32, ("root", "var"))


@dataclass(frozen=True)
class Recipe:
    """An image: `name` for commands and files, `title` for messages, and how it differs from the others."""

    name: str
    title: str
    suite: str
    pool: ThinPool | None = None
    initramfs: Initramfs = "initramfs-tools"
    firmware: Firmware = BIOS
    encrypted: bool = False
    bls: bool = False

    @property
    def packages(self) -> tuple[str, ...]:
        """The Debian packages of the guest."""
        more = ("cryptsetup-initramfs",) if self.encrypted else ()
        return (*PACKAGES, *SUITE_PACKAGES[self.suite], self.initramfs, *self.firmware.packages, *more)

    @property
    def first_mib(self) -> int:
        """The size of the first partition: the ESP, or space for GRUB's core image."""
        return ESP_MIB if self.firmware.uefi else 1

    @property
    def boot_start_mib(self) -> int:
        """The start of /boot: after 1 MiB for the partition table, and the first partition."""
        return 1 + self.first_mib

    @property
    def pv_start_mib(self) -> int:
        """The start of the PV, after /boot."""
        return self.boot_start_mib + BOOT.size_mib

    @property
    def plain_pv_mib(self) -> int:
        """The size of an encrypted PV. The end of the disk contains a copy of the partition table."""
        return DISK_MIB - self.pv_start_mib - encryption.HEADER_MIB - 1

    @property
    def tree(self) -> str:
        """The name of the packed tree with its packages. Images that differ only in their volumes share it."""
        firmware = "own-keys" if self.firmware.own_keys else "uefi" if self.firmware.uefi else "bios"
        return f"{self.suite}-{self.initramfs}-{firmware}" + ("-luks" if self.encrypted else "")

    @property
    def linear_volumes(self) -> tuple[Volume, ...]:
        """The volumes that are linear LVs."""
        thin = self.pool.volumes if self.pool else ()
        return tuple(volume for volume in VOLUMES if volume.name not in thin)

    @property
    def thin_volumes(self) -> tuple[Volume, ...]:
        """The volumes in the thin pool."""
        return tuple(volume for volume in VOLUMES if volume not in self.linear_volumes)


def recipes_of(suite: str, title: str) -> tuple[Recipe, ...]:
    """The images of a suite. The first one is the plain one, with the name of the suite."""
    return (
        Recipe(suite, title, suite),
        Recipe(f"{suite}-thin", f"{title}, thin root", suite, pool=THIN_ROOT),
        Recipe(f"{suite}-dracut", f"{title}, dracut", suite, initramfs="dracut"),
        Recipe(f"{suite}-uefi", f"{title}, UEFI", suite, firmware=UEFI),
        Recipe(f"{suite}-secureboot", f"{title}, Secure Boot", suite, firmware=SECURE_BOOT),
        Recipe(f"{suite}-ownkeys", f"{title}, Secure Boot with own keys", suite, firmware=OWN_KEYS),
        Recipe(f"{suite}-luks", f"{title}, encrypted", suite, encrypted=True),
    )


RECIPES = {recipe.name: recipe for suite, title in SUITES.items() for recipe in recipes_of(suite, title)}
RECIPES[UNSTABLE] = Recipe(UNSTABLE, "Debian unstable", UNSTABLE)
RECIPES[f"{UNSTABLE}-bls"] = Recipe(f"{UNSTABLE}-bls", "Debian unstable, Boot Loader Specification", UNSTABLE, bls=True)
# debian12-thin is bookworm-thin, and so on.
ALIASES = {
    name.replace(suite, title.lower().replace(" ", ""), 1): name
    for suite, title in SUITES.items()
    for name in RECIPES
    if name.startswith(suite)
}


def partitions(recipe: Recipe) -> str:
    """The partition table as input of sfdisk: the partition for the firmware, /boot, the PV."""
    first = ESP_TYPE if recipe.firmware.uefi else BIOS_BOOT_TYPE
    return f"""\
label: gpt
unit: sectors
start=2048, size={recipe.first_mib * 2048}, type={first}, name="firmware"
start={recipe.boot_start_mib * 2048}, size={BOOT.size_mib * 2048}, type={LINUX_TYPE}, name="boot"
start={recipe.pv_start_mib * 2048}, type={LVM_TYPE}, name="lvm"
"""


def fstab(recipe: Recipe) -> str:
    """The guest's /etc/fstab: logical volumes by their /dev/mapper names, /boot and the ESP by their UUIDs."""
    lines = []
    for volume in VOLUMES:
        checked = 1 if volume.mountpoint == "/" else 0
        options = "errors=remount-ro" if volume.fstype == "ext4" else "defaults"
        lines.append(
            f"/dev/mapper/{VOLUME_GROUP}-{volume.name} {volume.mountpoint} {volume.fstype} {options} 0 {checked}"
        )
    lines.append(f"UUID={BOOT_UUID} {BOOT.mountpoint} {BOOT.fstype} defaults 0 0")
    if recipe.firmware.uefi:
        lines.append(ESP_FSTAB)
    return "\n".join(lines) + "\n"


def configuration(recipe: Recipe, *, public_key: str) -> dict[str, str]:
    """The files that the guest gets beside its packages: content by absolute path. Scripts start with `#!`."""
    return {
        "/etc/fstab": fstab(recipe),
        "/etc/hostname": "guest\n",
        "/etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
        # The DNS server of QEMU's user network.
        "/etc/resolv.conf": "nameserver 10.0.2.3\n",
        "/etc/systemd/network/lab.network": NETWORK,
        "/etc/systemd/network/uml.network": UML_NETWORK,
        # In software emulation on a busy host, a mount can take minutes. The boot must not fail because of that.
        "/etc/systemd/system.conf.d/lab.conf": "[Manager]\n"
        "DefaultTimeoutStartSec=15min\nDefaultDeviceTimeoutSec=15min\n",
        "/etc/systemd/journald.conf.d/lab.conf": "[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n",
        "/etc/default/grub.d/lab.cfg": grub.DEFAULTS + recipe.firmware.grub_terminal,
        "/root/.ssh/authorized_keys": public_key,
        **initramfs.files(recipe.initramfs, f"{VOLUME_GROUP}/root"),
        **(encryption.FILES if recipe.encrypted else {}),
    }


NETWORK = """\
[Match]
Name=eth*

[Network]
DHCP=ipv4
IPv6AcceptRA=no
LinkLocalAddressing=no

[DHCPv4]
UseHostname=no
"""

# The addresses of the guest, and of the process that contains it.
UML_PREFIX = 24
UML_GUEST, UML_HOST = "10.0.2.15", "10.0.2.2"
UML_NETWORK = f"""\
[Match]
Name=vec*

[Network]
Address={UML_GUEST}/{UML_PREFIX}
IPv6AcceptRA=no
LinkLocalAddressing=no
"""

# Runs once in the finished tree. It creates a machine-id and marks /usr as up to date, so that the first boot is like
# any other.
FINISH_SCRIPT = f"""\
set -eu
chmod 0700 /root/.ssh
chmod 0600 /root/.ssh/authorized_keys
systemctl enable {" ".join(ENABLED_UNITS)}
systemctl mask {" ".join(MASKED_UNITS)}
systemd-machine-id-setup
done=/usr/lib/systemd/systemd-update-done
[ ! -x $done ] || $done  # Debian 12 has none, and no units that would ask
"""

# Runs in the tree of a guest of user-mode Linux, after its modules have been copied. The argument is the kernel's
# release. The files of Debian's kernel are removed. Otherwise, whatever rebuilds all initramfs would spend half of its
# time on one that never boots.
UML_SCRIPT = """\
set -eu
depmod "$1"
rm -rf /boot/vmlinuz-*-amd64 /boot/initrd.img-*-amd64 /boot/config-*-amd64 /boot/System.map-*-amd64
update-initramfs -c -k "$1"
"""
