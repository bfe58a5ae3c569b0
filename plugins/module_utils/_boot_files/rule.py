# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rule for boot files: what is saved, restored, removed and left alone, and in which order. Pure; private.

docs/boot.md describes it. The module boot_backup and the shell program of a rollback timer both follow this file. Names
are compared without regard to case: vfat does so, and no boot loader tells two files apart by case.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from .._paths import BOOT_MOUNTPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .tree import Tree

FIRMWARE = "firmware"
"""The part that consists of what the UEFI firmware starts, and of the GRUB modules that belong to it."""

_MENUS = (
    *(f"{grub}/{name}" for grub in ("grub", "grub2") for name in ("grub.cfg", "custom.cfg", "user.cfg", "grubenv")),
    *("loader/*.conf", "loader/entries/*.conf", "loader/entries.srel"),
    *(f"{directory}/*.{ending}" for directory in ("extlinux", "syslinux") for ending in ("cfg", "conf")),
    *("EFI/*.cfg", "EFI/*/*.cfg", "EFI/*/*/*.cfg", "EFI/*/grubenv"),
    # A unified kernel image is an entry by itself: systemd-boot(7) boots the newest.
    "EFI/Linux/*.efi",
)
_LAST_OF_MENU = "grub.cfg"
# systemd-boot replaces the seed at every boot, because it must not be used twice (systemd-boot(7)).
_LEFT_OUT = "loader/random-seed"
# Files that fit only an image outside of all filesystems: in boot sectors (GRUB for BIOS, syslinux) or in a PReP
# partition. Its installer writes it together with a copy, here the second value, from which a new one is recognized.
_PARTS = (
    (re.compile(r"(grub2?/i386-pc)/.+", re.IGNORECASE), r"\1/core.img"),
    (re.compile(r"(grub2?/powerpc-ieee1275)/.+", re.IGNORECASE), r"\1/core.elf"),
    (re.compile(r"((?:(?:ext|sys)linux/)?)(?:ldlinux\.sys|[^/]+\.c32)", re.IGNORECASE), r"\1ldlinux.sys"),
)
_FIRMWARE = re.compile(r"grub2?/[^/]+-efi/.+|(?!EFI/Linux/).*\.efi", re.IGNORECASE)
_BELOW_EFI = re.compile(r"EFI/.+", re.IGNORECASE)
_KERNELS = re.compile(
    r"(.*/)?(vmlinu[xz]|initrd|initramfs|Image|linux$)[^/]*|kernel[^/]*\.img|EFI/Linux/.+\.efi", re.IGNORECASE
)


def _pattern(glob: str) -> str:
    # As a shell does: * matches no slash, and no dot at the beginning of a name.
    return "/".join(
        ("(?!\\.)" if name.startswith("*") else "") + re.escape(name).replace("\\*", "[^/]*")
        for name in glob.split("/")
    )


_MENU = re.compile("|".join(map(_pattern, _MENUS)), re.IGNORECASE)


def is_menu(path: str) -> bool:
    """Whether a boot loader reads from this file what it can boot, or what it must boot next."""
    return _MENU.fullmatch(path) is not None


def menu_globs(tree: Tree) -> list[tuple[str, str]]:
    """The files for which ``is_menu``, as patterns: below the mountpoint, and absolute in any case for a shell."""
    return [(glob, tree.absolute("".join(map(_any_case, glob)))) for glob in _MENUS]


def _any_case(character: str) -> str:
    return f"[{character.lower()}{character.upper()}]" if character.isalpha() else character


def is_left_out(path: str) -> bool:
    """Whether a file is neither saved nor restored nor removed."""
    return path.lower() == _LEFT_OUT


def part_of(path: str) -> str:
    """What a file must be restored together with: FIRMWARE, the path of the copy of an image, or "" for nothing."""
    for pattern, image in _PARTS:
        match = pattern.fullmatch(path)
        if match:
            return match.expand(image)
    return FIRMWARE if _FIRMWARE.fullmatch(path) and not is_menu(path) else ""


def parts_left_alone(saved: Tree, present: Tree, *, refused: bool) -> frozenset[str]:
    """The parts that stay as they are.

    An image was installed again if its copy is another one now. With ``refused`` the firmware may refuse to start the
    saved files of the part FIRMWARE.
    """
    images = {part_of(path) for path in present.entries} - {"", FIRMWARE}
    new = {path for path in images if path in present.entries and _content(present, path) != _content(saved, path)}
    return frozenset(new | ({FIRMWARE} if refused else set()))


def _content(tree: Tree, path: str) -> tuple[object, ...] | None:
    return tree.entries[path].content if path in tree.entries else None


def is_left_alone(path: str, parts: frozenset[str], *, added: bool) -> bool:
    """Whether a file stays as it is because of the ``parts`` that do; ``added`` if it is not in the backup.

    If the firmware may refuse the saved loaders, the present ones need also what the change has added beside them.
    """
    beside = added and FIRMWARE in parts and _BELOW_EFI.fullmatch(path) is not None and not _is_image(path)
    return beside or part_of(path) in parts - {""}


def _is_image(path: str) -> bool:
    return path.lower().startswith("efi/linux/")


def boot_safe_order(paths: Iterable[str]) -> list[str]:
    """Sort paths so that the host can boot at every moment while they are written: the boot menu comes last."""
    return sorted(paths, key=lambda path: (phase(path), path))


def phase(path: str) -> tuple[bool, bool, bool]:
    """When a file is restored: at first kernels and others, then what the firmware needs, then menus, then grub.cfg."""
    return is_menu(path), path.endswith(_LAST_OF_MENU), part_of(path) == FIRMWARE


def is_indispensable(tree: Tree) -> bool:
    """Whether the host cannot roll back unless this filesystem is restored: it has kernels, not only boot loaders."""
    return tree.mountpoint == BOOT_MOUNTPOINTS[0] or any(map(_KERNELS.fullmatch, tree.entries))


def spelled_as(tree: Tree, other: Tree) -> Tree:
    """``tree`` with the names of ``other``, where vfat takes both for the same file.

    FAT keeps the case of a name, but a file is found by any. A name that is used again keeps the case of the old file.
    """
    if tree.has_metadata:
        return tree
    known = {path.lower(): path for path in other.entries}
    entries = {}
    for path, entry in tree.entries.items():
        parent, slash, name = path.rpartition("/")
        spelled = known.get(path.lower(), f"{known.get(parent.lower(), parent)}{slash}{name}")
        known.setdefault(path.lower(), spelled)
        entries[spelled] = entry
    return replace(tree, entries=entries)
