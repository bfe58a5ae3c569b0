# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The firmware of a machine: SeaBIOS, or UEFI with or without Secure Boot.

UEFI is OVMF. Its variables (boot entries, keys, revoked loaders) are in a file of the machine, the varstore, which is a
copy of the image's. That one has no boot entry for Debian. So in the first boot the firmware starts shim from the
removable path, EFI/BOOT/BOOTX64.EFI, and shim creates the entry.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vm.host import OVMF, LabError, cache_directory

if TYPE_CHECKING:
    from pathlib import Path

# The owner of the lab's keys in the firmware's lists. Any GUID is valid.
OWNER = "3b2f7a52-8f0e-4d53-9a0c-5afeb0070001"
KEYS = "/etc/secureboot"


# The EFI system partition (ESP), the first partition of the disk.
ESP_MIB = 64
ESP_UUID = "5AFE-B007"
ESP_FSTAB = f"UUID={ESP_UUID} /boot/efi vfat umask=0077 0 1"


@dataclass(frozen=True)
class Firmware:
    """A kind of firmware: the files of OVMF, and what the guest needs for it. Without files it is SeaBIOS."""

    packages: tuple[str, ...]
    grub_terminal: str
    grub_install: str
    code: str = ""
    variables: str = ""
    own_keys: bool = False

    @property
    def uefi(self) -> bool:
        """Whether it is UEFI."""
        return self.code != ""

    @property
    def secure(self) -> bool:
        """Whether it only starts programs that are signed with a known key."""
        return "secboot" in self.code

    @property
    def new_varstore(self) -> Path:
        """The variables that come with OVMF."""
        return OVMF / self.variables


# Does what grub-install does. That one needs a mounted ESP, which not every kernel supports. Variables of the shell:
# `disk`, and `boot`, the UUID of /boot. The result is what Debian creates if it also installs to the removable path.
# Only from that path shim starts its fallback, which creates the boot entry described in BOOTX64.CSV.
_UEFI_INSTALL = f"""\
mkdir -p /boot/efi /boot/grub/x86_64-efi /boot/grub/fonts
cd /usr/lib/grub/x86_64-efi
cp *.mod *.lst modinfo.sh /boot/grub/x86_64-efi
cp /usr/share/grub/unicode.pf2 /boot/grub/fonts
grub-editenv /boot/grub/grubenv create
tree=$(mktemp -d)
for place in debian/shimx64.efi BOOT/BOOTX64.EFI; do
    folder=$tree/EFI/${{place%/*}}
    mkdir -p "$folder"
    cp /usr/lib/shim/shimx64.efi.signed "$tree/EFI/$place"
    cp /usr/lib/shim/fbx64.efi.signed "$folder/fbx64.efi"
    cp /usr/lib/shim/mmx64.efi.signed "$folder/mmx64.efi"
    cp /usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed "$folder/grubx64.efi"
done
cp /usr/lib/shim/BOOTX64.CSV "$tree/EFI/debian"
cat >"$tree/EFI/debian/grub.cfg" <<END
search.fs_uuid $boot root
set prefix=(\\$root)'/grub'
configfile \\$prefix/grub.cfg
END
mkfs.vfat -F 32 -i {ESP_UUID.replace("-", "")} "${{disk}}p1"
mcopy -s -i "${{disk}}p1" "$tree/EFI" ::
rm -r "$tree"
"""

BIOS = Firmware(
    packages=("grub-pc",),
    grub_terminal='GRUB_TERMINAL="serial"\nGRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"\n',
    grub_install='grub-install --target=i386-pc "$disk"\n',
)
UEFI = Firmware(
    packages=("grub-efi-amd64", "grub-efi-amd64-signed", "shim-signed", "efibootmgr", "mtools"),
    # OVMF's console is the serial line.
    grub_terminal="GRUB_TERMINAL=console\n",
    grub_install=_UEFI_INSTALL,
    code="OVMF_CODE_4M.fd",
    variables="OVMF_VARS_4M.fd",
)
# The keys of ordinary hosts: Microsoft's. It signed Debian's shim, which contains Debian's key.
SECURE_BOOT = replace(UEFI, code="OVMF_CODE_4M.secboot.fd", variables="OVMF_VARS_4M.ms.fd")
# Only the lab's own keys. The guest has the private keys too, so a test can sign and revoke anything.
OWN_KEYS = replace(
    UEFI,
    packages=(*UEFI.packages, "shim-unsigned", "sbsigntool", "efitools", "openssl"),
    code=SECURE_BOOT.code,
    own_keys=True,
)


def arguments(firmware: Firmware, *, varstore: str) -> list[str]:
    """QEMU's options for this firmware. `varstore` is the path of its variables, escaped for QEMU."""
    if not firmware.uefi:
        return []
    argv = ["-machine", "q35"]
    if firmware.secure:
        # Only code in system management mode may write the variables. Otherwise the guest could change the keys.
        argv = ["-machine", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"]
    argv += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={OVMF / firmware.code}"]
    return [*argv, "-drive", f"if=pflash,unit=1,format=raw,file={varstore}"]


def virt_fw_vars() -> Path:
    """The program that writes keys into a varstore. It is in the environment `main`."""
    return cache_directory() / "envs" / "main" / "bin" / "virt-fw-vars"


def require(firmware: Firmware) -> None:
    """Raise LabError if a program is missing that is needed to build an image with this firmware."""
    if firmware.own_keys and not virt_fw_vars().exists():
        raise LabError(f"{virt_fw_vars()} is missing, which writes keys into the firmware's variables: run make setup")


def enrolment_command(tree: Path, varstore: Path) -> list[str]:
    """The command that writes a varstore with only the keys of the guest in `tree`."""
    argv = [str(virt_fw_vars()), "--input", str(OWN_KEYS.new_varstore), "--output", str(varstore), "--secure-boot"]
    for option, name in (("--set-pk", "PK"), ("--add-kek", "KEK"), ("--add-db", "db")):
        argv += [option, OWNER, f"{tree}{KEYS}/{name}.crt"]
    return argv


# Runs in the guest's tree before GRUB is installed, which takes shim from there. shim gets only the lab's signature:
# Microsoft's shim has several, and `sbattach --remove` removes only the first. GRUB and the kernel keep Debian's
# signature, which shim checks with the key that it contains.
KEYS_SCRIPT = f"""\
set -eu
umask 077
mkdir {KEYS}
cd {KEYS}
for name in PK KEK db; do
    openssl req -x509 -newkey rsa:2048 -noenc -days 36500 -subj "/CN=the lab, $name/" -keyout $name.key -out $name.crt
done
sbsign --key db.key --cert db.crt --output /usr/lib/shim/shimx64.efi.signed /usr/lib/shim/shimx64.efi
"""
