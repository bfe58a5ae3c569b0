# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build an image: Debian on LVM, with GRUB. It is done on the host, without a virtual machine.

The host's kernel does not need device-mapper. The LVM tools write the metadata with `--driverloaded n`. Each volume,
even a thin one, is one contiguous range of the disk. So a loop device at its offset can be formatted, mounted and
filled. The tools of the guest do all of this, in its own tree with chroot: their versions fit the guest's kernel, and
the host does not need them.
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
from vm.firmware import KEYS_SCRIPT, enrolment_command
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
    """Build the image `name` and move it to its final place. Needs root and its own mount namespace.

    With a `kernel` the image is for user-mode Linux.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wanted = image.current(image.recipe_of(name).name, kernel)
    log = image.images_directory() / f"{wanted.title}.log"
    log.unlink(missing_ok=True)
    progress = Progress(log)
    with working_directory(image.images_directory() / f"{wanted.title}.partial") as work:
        Builder(progress, work, wanted).build()
        give_to_caller(work / "image", log)
        (work / "image").rename(wanted.directory)
    progress.step(f"{wanted.title} image ready")


@contextmanager
def working_directory(path: Path) -> Iterator[Path]:
    """A directory with a subdirectory `mounts` for mounts. Afterwards everything in it is unmounted and removed."""
    mounts = path / "mounts"
    remove = ["rm", "-rf", "--one-file-system", str(path)]
    for file in (DISK, PLAIN_PV):
        detach_all(path / file)  # left by a killed run
    subprocess.run(remove, check=True)
    mounts.mkdir(parents=True)
    try:
        subprocess.run(["mount", "--bind", str(mounts), str(mounts)], check=True)
        yield path
    finally:
        # Lazily: a tool that was interrupted may not have ended yet.
        subprocess.run(["umount", "--recursive", "--lazy", str(mounts)], check=False)
        subprocess.run(remove, check=False)


def detach_all(disk: Path) -> None:
    """Detach every loop device on `disk`."""
    argv = ["losetup", "--noheadings", "--output", "NAME", "--associated", str(disk)]
    found = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()
    for device in found:
        subprocess.run(["losetup", "--detach", device], check=False)


def give_to_caller(*paths: Path) -> None:
    """Give files that were made with sudo to the user who called it."""
    if "SUDO_UID" in os.environ:
        owner = f"{os.environ['SUDO_UID']}:{os.environ['SUDO_GID']}"
        subprocess.run(["chown", "--recursive", owner, *map(str, paths)], check=True)


class Builder:
    """One build, from packages to a bootable disk, in the directory `work`."""

    def __init__(self, progress: Progress, work: Path, wanted: image.Image) -> None:
        self.run = progress.run
        self.step = progress.step
        self.image = wanted
        self.recipe = image.recipe_of(wanted.name)
        self.work = work
        self.rootfs = work / "mounts" / "rootfs"
        self.target = work / "mounts" / "target"
        self.disk = work / DISK
        # The file that contains the PV, and the offset of the PV in it.
        self.pv_file, self.pv_start = self.disk, self.recipe.pv_start_mib * MIB
        if self.recipe.encrypted:
            self.pv_file, self.pv_start = work / PLAIN_PV, 0

    def build(self) -> None:
        """Build everything. The finished files are in `work`/image."""
        self.step(f"building the {self.recipe.title} image")
        self.fill_rootfs()
        result = self.work / "image"
        result.mkdir()
        self.make_varstore(result / image.VARSTORE)
        with ExitStack() as stack:
            self.step("writing partitions, VG and filesystems")
            volumes = self.create_filesystems(stack)
            if self.image.kernel:
                self.replace_kernel(self.image.kernel)
            self.mount_volumes(stack, volumes)
            self.step("copying the system")
            # No hard links: a kernel of sid has one between /boot and /usr, which are different filesystems here.
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

    def fill_rootfs(self) -> None:
        """Fill `rootfs` from the packed tree in the cache. If there is none, create it and keep it there."""
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
            give_to_caller(draft)
            image.remove_outdated_trees(self.recipe)
            draft.rename(packed)

    def install_packages(self) -> None:
        """Install packages into `rootfs`. Configuration files come first, so that package scripts use them."""
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
            "--dpkgopt=force-unsafe-io",  # after a power failure the image is built again
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.EXCLUDED_PATHS),
            "--dpkgopt=force-confold",  # keep the recipe's configuration files, which are there first
            f"--essential-hook=sync-in {staging} /",
            f'--essential-hook=chroot "$1" debconf-set-selections < {debconf}',
            self.recipe.suite,
            str(self.rootfs),
            "-",
            stdin=host_mirror().lines(self.recipe.suite),
        )
        # Copied again: during the installation the host's resolv.conf and hostname were in use.
        self.run("cp", "--recursive", f"{staging}/.", str(self.rootfs))
        with ExitStack() as stack:
            self.mount_for_chroot(stack, self.rootfs)  # without /proc systemd 262 creates no machine-id
            self.run("chroot", str(self.rootfs), "sh", stdin=recipe.FINISH_SCRIPT)

    def replace_kernel(self, kernel: Kernel) -> None:
        """Replace Debian's kernel with user-mode Linux, and build an initramfs for it."""
        self.step(f"installing user-mode Linux {kernel.release}")
        self.run("rm", "-rf", str(self.rootfs / "usr/lib/modules"))
        self.run("cp", "--recursive", f"{kernel.modules.parent}/.", str(self.rootfs / "usr/lib/modules"))
        for name, file in (("vmlinuz", kernel.program), ("config", kernel.configuration)):
            self.run("cp", str(file), str(self.rootfs / "boot" / f"{name}-{kernel.release}"))
        self.run("chroot", str(self.rootfs), "sh", "-s", kernel.release, stdin=recipe.UML_SCRIPT)

    def create_filesystems(self, stack: ExitStack) -> dict[str, str]:
        """Create partitions, the VG and the filesystems. Return the block device of each volume."""
        with self.disk.open("wb") as disk:
            disk.truncate(recipe.DISK_MIB * MIB)
        self.run("sfdisk", "--quiet", str(self.disk), stdin=recipe.partitions(self.recipe))
        self.loop = stack.enter_context(self.loop_device(self.disk, "--partscan"))
        self.run("partx", "--update", self.loop)  # for kernels without support for partition tables
        self.mount_for_chroot(stack, self.rootfs)
        devices = {recipe.BOOT.name: f"{self.loop}p2"}
        pv = f"{self.loop}p3"
        if self.recipe.encrypted:
            with self.pv_file.open("wb") as plain:
                plain.truncate(self.recipe.plain_pv_mib * MIB)
            pv = stack.enter_context(self.loop_device(self.pv_file))
        for name, place in self.create_volumes(pv).items():
            devices[name] = stack.enter_context(self.loop_device_at(place))
        for volume in (recipe.BOOT, *recipe.VOLUMES):
            options = ["-q", "-U", recipe.BOOT_UUID] if volume is recipe.BOOT else ["-q"]
            self.run("chroot", str(self.rootfs), f"mkfs.{volume.fstype}", *options, devices[volume.name])
        return devices

    def create_volumes(self, device: str) -> dict[str, ByteRange]:
        """Write the metadata of the VG to `device`. Return the range of each volume on the disk."""
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
        """Convert linear volumes into a thin pool. Return the range of each volume afterwards."""
        parts, volumes = thin.parts_of(pool), self.recipe.thin_volumes
        with self.scratch_file("thin-pool.xml") as (path, inside):
            path.write_text(thin.pool_metadata(pool, volumes), encoding="utf-8")
            with self.loop_device_at(ranges[parts.metadata.plain]) as metadata:
                self.run("chroot", str(self.rootfs), "thin_restore", "--input", inside, "--output", metadata)
                self.run("chroot", str(self.rootfs), "thin_check", metadata)
        with self.scratch_file(recipe.VOLUME_GROUP) as (path, inside):
            self.lvm("vgcfgbackup", device, "--quiet", "--file", inside, recipe.VOLUME_GROUP)
            backup = path.read_text(encoding="utf-8")
            path.write_text(thin.with_thin_pool(backup, pool, volumes), encoding="utf-8")
            self.lvm("vgcfgrestore", device, "--quiet", "--yes", "--force", "--file", inside, recipe.VOLUME_GROUP)
        self.lvm("lvs", device, "--all", recipe.VOLUME_GROUP)  # for the log, and to check that LVM can read it
        linear = {volume.name: ranges[volume.name] for volume in self.recipe.linear_volumes}
        return linear | thin.thin_ranges(volumes, ranges[parts.data.plain])

    def lvm(self, command: str, device: str, *arguments: str) -> str:
        """Run a command of the guest's LVM, which sees only `device`. Return its output."""
        options = ["--driverloaded", "n", "--config", LVM_CONFIG.format(device=device)]
        return self.run("chroot", str(self.rootfs), "lvm", command, *options, *arguments)

    @contextmanager
    def scratch_file(self, name: str) -> Iterator[tuple[Path, str]]:
        """A temporary file in the guest's tree, for tools that run there: its path, and its path in the tree."""
        path = self.rootfs / name
        try:
            yield path, f"/{name}"
        finally:
            path.unlink(missing_ok=True)

    def mount_volumes(self, stack: ExitStack, devices: dict[str, str]) -> None:
        """Mount the volumes below `target`, parents first. The ESP is not mounted: not every kernel supports vfat."""
        for volume in sorted((recipe.BOOT, *recipe.VOLUMES), key=lambda each: each.mountpoint):
            place = self.target / volume.mountpoint.lstrip("/")
            place.mkdir(parents=True, exist_ok=True)
            self.mount(stack, place, devices[volume.name])

    def make_bootable(self, stack: ExitStack) -> None:
        """Install GRUB on the disk, with a menu that boots the root volume."""
        self.mount_for_chroot(stack, self.target)
        argv = ["chroot", str(self.target), "sh", "-s", self.loop, recipe.BOOT_UUID]
        self.run(*argv, stdin=grub.script(recipe.ROOT, self.recipe.firmware, bls=self.recipe.bls))

    def encrypt(self) -> None:
        """Encrypt the used part of the PV and write it to the disk. The rest of the PV then contains random data."""
        self.step("encrypting the PV")
        os.truncate(self.pv_file, encryption.used_mib(volume.size_mib for volume in recipe.VOLUMES) * MIB)
        encrypted = self.work / "luks.raw"
        self.run(*encryption.conversion_command(f"{self.rootfs}{encryption.KEY_FILE}", self.pv_file, encrypted))
        place = ["bs=1M", f"seek={self.recipe.pv_start_mib}", "conv=notrunc"]
        self.run("dd", f"if={encrypted}", f"of={self.disk}", *place)

    def make_varstore(self, varstore: Path) -> None:
        """Write the firmware variables of a new machine. The private keys are in the guest's own tree."""
        firmware = self.recipe.firmware
        if firmware.own_keys:
            self.run("chroot", str(self.rootfs), "sh", stdin=KEYS_SCRIPT)
            self.run(*enrolment_command(self.rootfs, varstore))
        elif firmware.uefi:
            shutil.copyfile(firmware.new_varstore, varstore)

    def mount_for_chroot(self, stack: ExitStack, tree: Path) -> None:
        """Mount what programs need when they run in `tree` with chroot."""
        for name in ("dev", "proc", "sys"):
            self.mount(stack, tree / name, "--bind", f"/{name}")

    def mount(self, stack: ExitStack, place: Path, *what: str) -> None:
        """Mount `what` (arguments of mount) on `place` until the stack is closed."""
        self.run("mount", *what, str(place))
        stack.callback(self.run, "umount", str(place))

    def loop_device_at(self, place: ByteRange) -> AbstractContextManager[str]:
        """A loop device for a range of the file that contains the volumes."""
        return self.loop_device(self.pv_file, "--offset", str(place.offset), "--sizelimit", str(place.size))

    @contextmanager
    def loop_device(self, file: Path, *options: str) -> Iterator[str]:
        """A loop device for a file, or for the part of it that the options of losetup select."""
        device = self.run("losetup", "--find", "--show", *options, str(file)).strip()
        try:
            yield device
        finally:
            # If it is still mounted, the kernel detaches the device after the unmount.
            self.run("losetup", "--detach", device)
