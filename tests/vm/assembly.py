# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The building of an image, on the host and without a virtual machine: a Debian on LVM, with GRUB.

The kernel of the host need not know device-mapper. LVM's metadata is written by the LVM tools with `--driverloaded n`;
each volume, also a thin one, is one contiguous range of the disk, so that a second loop device at that offset can be
formatted, mounted and filled. All of that is done by the guest's own tools, in its own tree by chroot: their versions
fit the guest's kernel, and the host needs none of them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING

from vm import encryption, grub, image, recipe, thin
from vm.firmware import KEYS_SCRIPT, enrolment
from vm.host import Progress, locked
from vm.ranges import MIB, ByteRange, volume_ranges
from vm.sources import host_mirror

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vm.uml_kernel import Kernel

DISK = "disk.raw"
PLAIN_PV = "pv.raw"
LVM_CONFIG = (
    'devices{{filter=["a|^{device}$|","r|.*|"] use_devicesfile=0 hints="none" obtain_device_list_from_udev=0}} '
    "activation{{udev_sync=0 udev_rules=0 monitoring=0}} backup{{backup=0 archive=0}} global{{use_lvmpolld=0}}"
)


def assemble(name: str, kernel: Kernel | None) -> None:
    """Build the image of that name and move it into place. Needs root and a mount namespace of its own.

    With a `kernel` it is one for user-mode Linux.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wanted = image.current(image.recipe_of(name).name, kernel)
    log = image.images_directory() / f"{wanted.title}.log"
    log.unlink(missing_ok=True)
    progress = Progress(log)
    with working_directory(image.images_directory() / f"{wanted.title}.partial") as work:
        Builder(progress, work, wanted).build()
        hand_over(work / "image", log)
        (work / "image").rename(wanted.directory)
    progress.step(f"{wanted.title} image ready")


@contextmanager
def working_directory(path: Path) -> Iterator[Path]:
    """A directory that contains `mounts`, the place for mounts; removed afterwards with all that is mounted there."""
    mounts = path / "mounts"
    remove = ["rm", "-rf", "--one-file-system", str(path)]
    for file in (DISK, PLAIN_PV):
        detach_all(path / file)  # what a killed run has left
    subprocess.run(remove, check=True)
    mounts.mkdir(parents=True)
    try:
        subprocess.run(["mount", "--bind", str(mounts), str(mounts)], check=True)
        yield path
    finally:
        # Lazily, because a tool that was interrupted may still be about to end.
        subprocess.run(["umount", "--recursive", "--lazy", str(mounts)], check=False)
        subprocess.run(remove, check=False)


def detach_all(disk: Path) -> None:
    """Detach every loop device that lies on `disk`."""
    argv = ["losetup", "--noheadings", "--output", "NAME", "--associated", str(disk)]
    found = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()
    for device in found:
        subprocess.run(["losetup", "--detach", device], check=False)


def hand_over(*paths: Path) -> None:
    """Give files made under sudo to the user who called it."""
    if "SUDO_UID" in os.environ:
        owner = f"{os.environ['SUDO_UID']}:{os.environ['SUDO_GID']}"
        subprocess.run(["chown", "--recursive", owner, *map(str, paths)], check=True)


class Builder:
    """One build: from packages to a bootable disk, inside the directory `work`."""

    def __init__(self, progress: Progress, work: Path, wanted: image.Image) -> None:
        self.run = progress.run
        self.step = progress.step
        self.image = wanted
        self.recipe = image.recipe_of(wanted.name)
        self.work = work
        self.rootfs = work / "mounts" / "rootfs"
        self.target = work / "mounts" / "target"
        self.disk = work / DISK
        # Where the physical volume is written, and where it begins there.
        self.pv_file, self.pv_start = self.disk, self.recipe.pv_start_mib * MIB
        if self.recipe.encrypted:
            self.pv_file, self.pv_start = work / PLAIN_PV, 0

    def build(self) -> None:
        """Leave the finished files in `work`/image."""
        self.step(f"building the {self.recipe.title} image")
        self.fill_tree()
        result = self.work / "image"
        result.mkdir()
        self.make_varstore(result / image.VARSTORE)
        with ExitStack() as stack:
            self.step("writing partitions, volume group and file systems")
            volumes = self.lay_out(stack)
            if self.image.kernel:
                self.exchange_kernel(self.image.kernel)
            self.mount_volumes(stack, volumes)
            self.step("copying the system")
            # Links of a file in /boot with one in /usr would cross file systems: a kernel of sid has such.
            options = ["--archive", "--no-preserve=links", "--one-file-system"]
            self.run("cp", *options, f"{self.rootfs}/.", str(self.target))
            self.step("installing GRUB")
            self.make_bootable(stack)
        if self.recipe.encrypted:
            self.encrypt()
        if self.image.kernel:
            self.disk.rename(result / self.image.disk.name)
            return
        self.step("converting to qcow2")
        for name in ("vmlinuz", "initrd.img"):
            (newest,) = (self.rootfs / "boot").glob(f"{name}-*")
            shutil.copyfile(newest, result / name)
        self.run("qemu-img", "convert", "-O", "qcow2", str(self.disk), str(result / self.image.disk.name))

    def fill_tree(self) -> None:
        """Fill `rootfs` from the packed tree in the cache, which is made and kept if it is not there."""
        packed = image.packed_tree(self.recipe)
        tar = ["tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "--directory", str(self.rootfs)]
        with locked(packed.with_suffix(".lock")):
            if packed.exists():
                self.rootfs.mkdir()
                self.run(*tar, "--extract", "--file", str(packed))
                return
            self.step("installing packages (1-2 min)")
            self.install_packages()
            draft = packed.with_suffix(".partial")
            self.run(*tar, "--create", "--file", str(draft), ".")
            hand_over(draft)
            image.remove_outdated_trees(self.recipe)
            draft.rename(packed)

    def install_packages(self) -> None:
        """Make `rootfs` of packages. Configuration comes before the packages: their scripts then see it."""
        staging = self.work / "staging"
        files = recipe.configuration(self.recipe, public_key=image.public_key())
        for path, content in files.items():
            file = staging / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
            file.chmod(0o755 if content.startswith("#!") else 0o644)
        debconf = self.work / "debconf"
        debconf.write_text(grub.DEBCONF, encoding="utf-8")
        self.run(
            "mmdebstrap",
            "--mode=root",
            "--variant=apt",
            "--architectures=amd64",
            f"--include={','.join(self.recipe.packages)}",
            "--dpkgopt=force-unsafe-io",  # what is lost with the power is built again
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.LEFT_OUT),
            "--dpkgopt=force-confold",  # the recipe's own configuration files are there first
            f"--essential-hook=sync-in {staging} /",
            f'--essential-hook=chroot "$1" debconf-set-selections < {debconf}',
            self.recipe.suite,
            str(self.rootfs),
            "-",
            stdin=host_mirror().lines(self.recipe.suite),
        )
        # Again: the host's resolv.conf and hostname were in use while packages were installed.
        self.run("cp", "--recursive", f"{staging}/.", str(self.rootfs))
        with ExitStack() as stack:
            self.enter_tree(stack, self.rootfs)  # systemd 262 makes no machine-id without /proc
            self.run("chroot", str(self.rootfs), "sh", stdin=recipe.FINISH_SCRIPT)

    def exchange_kernel(self, kernel: Kernel) -> None:
        """Put user-mode Linux in the place of Debian's kernel, with an initramfs for it."""
        self.step(f"installing user-mode Linux {kernel.release}")
        self.run("rm", "-rf", str(self.rootfs / "usr/lib/modules"))
        self.run("cp", "--recursive", f"{kernel.modules.parent}/.", str(self.rootfs / "usr/lib/modules"))
        for name, file in (("vmlinuz", kernel.program), ("config", kernel.configuration)):
            self.run("cp", str(file), str(self.rootfs / "boot" / f"{name}-{kernel.release}"))
        self.run("chroot", str(self.rootfs), "sh", "-s", kernel.release, stdin=recipe.UML_SCRIPT)

    def lay_out(self, stack: ExitStack) -> dict[str, str]:
        """Partition the disk, create the volume group and the file systems; the block device of each volume."""
        with self.disk.open("wb") as disk:
            disk.truncate(recipe.DISK_MIB * MIB)
        self.run("sfdisk", "--quiet", str(self.disk), stdin=recipe.partitions(self.recipe))
        self.loop = stack.enter_context(self.attached(self.disk, "--partscan"))
        self.run("partx", "--update", self.loop)  # for kernels that cannot read partition tables themselves
        self.enter_tree(stack, self.rootfs)
        devices = {recipe.BOOT.name: f"{self.loop}p2"}
        pv = f"{self.loop}p3"
        if self.recipe.encrypted:
            with self.pv_file.open("wb") as plain:
                plain.truncate(self.recipe.plain_pv_mib * MIB)
            pv = stack.enter_context(self.attached(self.pv_file))
        for name, place in self.create_volumes(pv).items():
            devices[name] = stack.enter_context(self.attached_at(place))
        for volume in (recipe.BOOT, *recipe.VOLUMES):
            options = ["-q", "-U", recipe.BOOT_UUID] if volume is recipe.BOOT else ["-q"]
            self.run("chroot", str(self.rootfs), f"mkfs.{volume.fstype}", *options, devices[volume.name])
        return devices

    def create_volumes(self, device: str) -> dict[str, ByteRange]:
        """Write the volume group's metadata to `device`; where each volume lies on the disk."""
        self.lvm("pvcreate", device, "--quiet", device)
        self.lvm("vgcreate", device, "--quiet", recipe.VOLUME_GROUP, device)
        pool = self.recipe.pool
        parts = thin.parts_of(pool).all() if pool else ()
        sizes = {part.plain: part.size_mib for part in parts}
        sizes |= {volume.name: volume.size_mib for volume in self.recipe.linear_volumes}
        for name, mib in sizes.items():
            place = ["--size", f"{mib}m", "--name", name, recipe.VOLUME_GROUP]
            self.lvm("lvcreate", device, "--quiet", "--activate", "n", "--zero", "n", "--wipesignatures", "n", *place)
        fields = "lv_name,pvseg_start,pvseg_size,pe_start,vg_extent_size"
        json_bytes = ["--reportformat", "json", "--units", "b", "--nosuffix", "--options", fields]
        report = json.loads(self.lvm("pvs", device, "--segments", *json_bytes, device))
        ranges = volume_ranges(report, pv_start=self.pv_start)
        return self.with_thin_volumes(device, pool, ranges) if pool else ranges

    def with_thin_volumes(
        self, device: str, pool: recipe.ThinPool, ranges: dict[str, ByteRange]
    ) -> dict[str, ByteRange]:
        """Make a thin pool of its parts, which are plain volumes so far; where each volume lies then."""
        parts, volumes = thin.parts_of(pool), self.recipe.thin_volumes
        with self.scratch_file("thin-pool.xml") as (path, inside):
            path.write_text(thin.pool_metadata(pool, volumes), encoding="utf-8")
            with self.attached_at(ranges[parts.metadata.plain]) as metadata:
                self.run("chroot", str(self.rootfs), "thin_restore", "--input", inside, "--output", metadata)
                self.run("chroot", str(self.rootfs), "thin_check", metadata)
        with self.scratch_file(recipe.VOLUME_GROUP) as (path, inside):
            self.lvm("vgcfgbackup", device, "--quiet", "--file", inside, recipe.VOLUME_GROUP)
            backup = path.read_text(encoding="utf-8")
            path.write_text(thin.with_thin_pool(backup, pool, volumes), encoding="utf-8")
            self.lvm("vgcfgrestore", device, "--quiet", "--yes", "--force", "--file", inside, recipe.VOLUME_GROUP)
        self.lvm("lvs", device, "--all", recipe.VOLUME_GROUP)  # for the log, and to see that LVM can read it
        linear = {volume.name: ranges[volume.name] for volume in self.recipe.linear_volumes}
        return linear | thin.thin_ranges(volumes, ranges[parts.data.plain])

    def lvm(self, command: str, device: str, *arguments: str) -> str:
        """Run a command of the guest's LVM, which sees no device but `device`; its standard output."""
        options = ["--driverloaded", "n", "--config", LVM_CONFIG.format(device=device)]
        return self.run("chroot", str(self.rootfs), "lvm", command, *options, *arguments)

    @contextmanager
    def scratch_file(self, name: str) -> Iterator[tuple[Path, str]]:
        """A file for tools in the guest's tree: its path, and its path in there. It is removed afterwards."""
        path = self.rootfs / name
        try:
            yield path, f"/{name}"
        finally:
            path.unlink(missing_ok=True)

    def mount_volumes(self, stack: ExitStack, devices: dict[str, str]) -> None:
        """Mount the volumes below `target`, parents first, but for the ESP: not every kernel can."""
        for volume in sorted((recipe.BOOT, *recipe.VOLUMES), key=lambda each: each.mountpoint):
            place = self.target / volume.mountpoint.lstrip("/")
            place.mkdir(parents=True, exist_ok=True)
            self.mount(stack, place, devices[volume.name])

    def make_bootable(self, stack: ExitStack) -> None:
        """Install GRUB on the disk, with a menu that boots from the volume group."""
        self.enter_tree(stack, self.target)
        argv = ["chroot", str(self.target), "sh", "-s", self.loop, recipe.BOOT_UUID]
        self.run(*argv, stdin=grub.script(recipe.ROOT, self.recipe.firmware, bls=self.recipe.bls))

    def encrypt(self) -> None:
        """Encrypt the physical volume, as far as it is in use, and write it to the disk. The rest of it is noise."""
        self.step("encrypting the physical volume")
        os.truncate(self.pv_file, encryption.used_mib(volume.size_mib for volume in recipe.VOLUMES) * MIB)
        encrypted = self.work / "luks.raw"
        self.run(*encryption.conversion(f"{self.rootfs}{encryption.KEY_FILE}", self.pv_file, encrypted))
        place = ["bs=1M", f"seek={self.recipe.pv_start_mib}", "conv=notrunc"]
        self.run("dd", f"if={encrypted}", f"of={self.disk}", *place)

    def make_varstore(self, varstore: Path) -> None:
        """Write the variables that the firmware of a new machine has; the secret keys are in the guest's own tree."""
        firmware = self.recipe.firmware
        if firmware.own_keys:
            self.run("chroot", str(self.rootfs), "sh", stdin=KEYS_SCRIPT)
            self.run(*enrolment(self.rootfs, varstore))
        elif firmware.uefi:
            shutil.copyfile(firmware.new_varstore, varstore)

    def enter_tree(self, stack: ExitStack, tree: Path) -> None:
        """Make `tree` ready for chroot."""
        for name in ("dev", "proc", "sys"):
            self.mount(stack, tree / name, "--bind", f"/{name}")

    def mount(self, stack: ExitStack, place: Path, *what: str) -> None:
        """Mount `what` (arguments of mount) on `place` until the stack unwinds."""
        self.run("mount", *what, str(place))
        stack.callback(self.run, "umount", str(place))

    def attached_at(self, place: ByteRange) -> AbstractContextManager[str]:
        """A loop device on a part of the file that the volumes lie in."""
        return self.attached(self.pv_file, "--offset", str(place.offset), "--sizelimit", str(place.size))

    @contextmanager
    def attached(self, file: Path, *options: str) -> Iterator[str]:
        """A loop device on a file (or a part of it); losetup's options say which."""
        device = self.run("losetup", "--find", "--show", *options, str(file)).strip()
        try:
            yield device
        finally:
            # Should a mount have survived, the kernel detaches the device when that ends.
            self.run("losetup", "--detach", device)
