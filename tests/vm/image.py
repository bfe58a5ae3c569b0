# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images in the cache, and the SSH key that all guests accept."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vm import grub, recipe, uml_kernel
from vm.firmware import require
from vm.host import LAB, LabError, as_root, cache_directory, locked, require_tools
from vm.sources import set_variables

if TYPE_CHECKING:
    from pathlib import Path

FINGERPRINT_DIGITS = 12
Machine = Literal["qemu", "uml"]
VARSTORE = "varstore.fd"


@dataclass(frozen=True)
class Image:
    """An image in the cache. It is complete if its directory exists. With a `kernel` it is for user-mode Linux."""

    name: str
    directory: Path
    kernel: uml_kernel.Kernel | None = None

    @property
    def machine(self) -> Machine:
        """The kind of machine for which it is."""
        return "uml" if self.kernel else "qemu"

    @property
    def title(self) -> str:
        """Its name in messages and file names."""
        return image_title(self.name, self.machine)

    @property
    def disk(self) -> Path:
        """The bootable disk. Guests never write to it: each has its own layer or copy."""
        return self.directory / ("disk.raw" if self.kernel else "disk.qcow2")

    @property
    def vmlinuz(self) -> Path:
        """A copy of the guest's kernel. Only images for QEMU have it."""
        return self.directory / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """A copy of the guest's initramfs. Only images for QEMU have it."""
        return self.directory / "initrd.img"

    @property
    def varstore(self) -> Path:
        """The firmware variables of a new machine. It does not exist if the firmware is a BIOS."""
        return self.directory / VARSTORE


def image_title(name: str, machine: Machine) -> str:
    """The name of an image in messages and file names."""
    return name if machine == "qemu" else f"{name}-{machine}"


def images_directory() -> Path:
    """The directory with the images and the SSH key."""
    return cache_directory() / "images"


def private_key() -> Path:
    """The private key for all guests of this cache."""
    return images_directory() / "id_ed25519"


def recipe_of(name: str) -> recipe.Recipe:
    """The recipe for the name or the alias of an image, such as trixie-thin or debian13-thin. LabError if unknown."""
    found = recipe.RECIPES.get(recipe.ALIASES.get(name, name))
    if found is None:
        raise LabError(f"unknown image {name!r}: use one of {', '.join([*recipe.RECIPES, *recipe.ALIASES])}")
    return found


def build(name: str, kernel: uml_kernel.Kernel | None = None) -> Image:
    """The image `name`: from the cache if its recipe has not changed since, otherwise built, in up to 4 minutes."""
    wanted = recipe_of(name)
    images_directory().mkdir(parents=True, exist_ok=True)
    make_key()
    image = current(wanted.name, kernel)
    with locked(images_directory() / f"{image.title}.lock"):
        if not image.directory.is_dir():
            require_tools()
            require(wanted.firmware)
            assemble_as_root(image)
            remove_outdated(image)
    return image


def make_key() -> None:
    """Create the SSH key pair of this cache if it does not exist."""
    with locked(images_directory() / "key.lock"):
        if not private_key().exists():
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(private_key())]
            subprocess.run(argv, check=True)


def public_key() -> str:
    """The public key, as a line for authorized_keys."""
    return private_key().with_suffix(".pub").read_text(encoding="utf-8")


def current(name: str, kernel: uml_kernel.Kernel | None = None) -> Image:
    """The image that fits its recipe now. Its directory exists if the image has been built."""
    files = [
        "recipe.py",
        "assembly.py",
        "ranges.py",
        "firmware.py",
        "grub.py",
        *(["thin.py"] if recipe.RECIPES[name].pool else []),
        *(["encryption.py"] if recipe.RECIPES[name].encrypted else []),
    ]
    parts = [name, public_key(), *((LAB / file).read_text(encoding="utf-8") for file in files)]
    digits = fingerprint(*parts, *([kernel.version] if kernel else []))
    return Image(name, images_directory() / f"{image_title(name, 'uml' if kernel else 'qemu')}-{digits}", kernel)


def packed_tree(wanted: recipe.Recipe) -> Path:
    """The file with the installed packages of an image. Several images share it. It exists when it is complete."""
    files = recipe.configuration(wanted, public_key=public_key())
    parts = (*wanted.packages, *recipe.EXCLUDED_PATHS, grub.DEBCONF, recipe.FINISH_SCRIPT, *files, *files.values())
    return images_directory() / f"tree-{wanted.tree}-{fingerprint(wanted.suite, *parts)}.tar"


def remove_outdated_trees(wanted: recipe.Recipe) -> None:
    """Delete older packed trees of the same kind as that of `wanted`."""
    for file in images_directory().glob(f"tree-{wanted.tree}-{'[0-9a-f]' * FINGERPRINT_DIGITS}.tar"):
        if file != packed_tree(wanted):
            file.unlink()


def fingerprint(*parts: str) -> str:
    """Hexadecimal digits that are different if one of the texts is different."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:FINGERPRINT_DIGITS]


def assemble_as_root(image: Image) -> None:
    """Build `image` in a child process, as root, in a mount namespace that ends with it."""
    argv = ["env", f"SAFEPOINT_CACHE={cache_directory()}", f"PATH={os.environ['PATH']}", *set_variables()]
    argv += ["unshare", "--mount", "--propagation", "private", sys.executable, str(LAB), "assemble", image.name]
    argv += ["--kernel", image.kernel.version] if image.kernel else []
    child = subprocess.Popen(as_root(argv))
    try:
        child.wait()
    except KeyboardInterrupt:
        child.wait()  # The terminal has interrupted the child too: let it clean up.
        raise
    if child.returncode:
        raise LabError(f"the {recipe.RECIPES[image.name].title} image was not built: see the messages above")


def remove_outdated(image: Image) -> None:
    """Delete older images of the same name, except those that a virtual machine uses."""
    records = (cache_directory() / "vms").glob("*/vm.json")
    in_use = {json.loads(record.read_text(encoding="utf-8"))["backing"] for record in records}
    for directory in images_directory().glob(f"{image.title}-{'[0-9a-f]' * FINGERPRINT_DIGITS}"):
        if directory != image.directory and str(directory) not in in_use:
            shutil.rmtree(directory)
