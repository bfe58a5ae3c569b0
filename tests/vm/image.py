# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Golden images in the cache, and the SSH key that all of them trust."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vm import recipe
from vm.firmware import require
from vm.host import LAB, LabError, as_root, cache_directory, locked, require_tools

if TYPE_CHECKING:
    from pathlib import Path

FINGERPRINT_DIGITS = 12
VARSTORE = "varstore.fd"


@dataclass(frozen=True)
class Image:
    """A golden image in the cache, complete once its directory exists."""

    name: str
    directory: Path

    @property
    def disk(self) -> Path:
        """The bootable disk, qcow2: only ever a backing file."""
        return self.directory / "disk.qcow2"

    @property
    def kernel(self) -> Path:
        """A copy of the guest's kernel."""
        return self.directory / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """A copy of the guest's initramfs."""
        return self.directory / "initrd.img"

    @property
    def varstore(self) -> Path:
        """The firmware's variables of a new machine; there are none where the firmware is a BIOS."""
        return self.directory / VARSTORE


def images_directory() -> Path:
    """Where images, and the SSH key they all trust, are kept."""
    return cache_directory() / "images"


def private_key() -> Path:
    """The key that opens every guest of this cache."""
    return images_directory() / "id_ed25519"


def recipe_of(name: str) -> recipe.Recipe:
    """The recipe a user means by `name`, which is that of an image or its alias: trixie-thin, debian13-thin."""
    found = recipe.RECIPES.get(recipe.ALIASES.get(name, name))
    if found is None:
        raise LabError(f"unknown image {name!r}: expected one of {', '.join([*recipe.RECIPES, *recipe.ALIASES])}")
    return found


def build(name: str) -> Image:
    """The Image of that name: from the cache if its recipe has not changed, else built now (one to four minutes)."""
    wanted = recipe_of(name)
    images_directory().mkdir(parents=True, exist_ok=True)
    with locked(images_directory() / f"{wanted.name}.lock"):
        make_key()
        image = current(wanted.name)
        if not image.directory.is_dir():
            require_tools()
            require(wanted.firmware)
            assemble_apart(image)
            remove_outdated(image)
    return image


def make_key() -> None:
    """Create the SSH key pair of this cache unless it exists."""
    with locked(images_directory() / "key.lock"):
        if not private_key().exists():
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(private_key())]
            subprocess.run(argv, check=True)


def current(name: str) -> Image:
    """The Image that fits its recipe as it is now; its directory exists if it has been built."""
    return Image(name, images_directory() / f"{name}-{fingerprint(name)}")


def fingerprint(name: str) -> str:
    """Hexadecimal digits that change with anything that shapes an image."""
    files = ["recipe.py", "assembly.py", "ranges.py", "firmware.py"]
    files += ["thin.py"] if recipe.RECIPES[name].pool else []
    parts = [name.encode(), private_key().with_suffix(".pub").read_bytes()]
    parts += [(LAB / file).read_bytes() for file in files]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:FINGERPRINT_DIGITS]


def assemble_apart(image: Image) -> None:
    """Build `image` in a child process: as root, and in a mount namespace that takes every mount with it."""
    argv = ["env", f"SAFEPOINT_CACHE={cache_directory()}", f"PATH={os.environ['PATH']}"]
    argv += ["unshare", "--mount", "--propagation", "private", sys.executable, str(LAB), "assemble", image.name]
    child = subprocess.Popen(as_root(argv))
    try:
        child.wait()
    except KeyboardInterrupt:
        child.wait()  # The terminal has told the child, too: let it clean up.
        raise
    if child.returncode:
        raise LabError(f"the {recipe.RECIPES[image.name].title} image was not built; see above")


def remove_outdated(image: Image) -> None:
    """Delete the images of the same name that `image` replaces, but for those under a virtual machine's overlay."""
    records = (cache_directory() / "vms").glob("*/vm.json")
    in_use = {json.loads(record.read_text(encoding="utf-8"))["backing"] for record in records}
    for directory in images_directory().glob(f"{image.name}-{'[0-9a-f]' * FINGERPRINT_DIGITS}"):
        if directory != image.directory and str(directory) not in in_use:
            shutil.rmtree(directory)
