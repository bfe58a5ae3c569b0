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

import recipe
from host import LAB, LabError, as_root, cache_directory, locked, require_tools

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Image:
    """A golden image in the cache, complete once its directory exists."""

    suite: str
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


def images_directory() -> Path:
    """Where images, and the SSH key they all trust, are kept."""
    return cache_directory() / "images"


def private_key() -> Path:
    """The key that opens every guest of this cache."""
    return images_directory() / "id_ed25519"


def suite_of(name: str) -> str:
    """The suite a user means by `name`: bookworm, trixie, debian12 or debian13."""
    suite = recipe.ALIASES.get(name, name)
    if suite not in recipe.SUITES:
        raise LabError(f"unknown image {name!r}: expected one of {', '.join([*recipe.SUITES, *recipe.ALIASES])}")
    return suite


def build(name: str) -> Image:
    """The Image of a suite: from the cache if its recipe has not changed, else built now (two to four minutes)."""
    suite = suite_of(name)
    images_directory().mkdir(parents=True, exist_ok=True)
    with locked(images_directory() / f"{suite}.lock"):
        make_key()
        image = current(suite)
        if not image.directory.is_dir():
            require_tools()
            assemble_apart(image)
            remove_outdated(image)
    return image


def make_key() -> None:
    """Create the SSH key pair of this cache unless it exists."""
    with locked(images_directory() / "key.lock"):
        if not private_key().exists():
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(private_key())]
            subprocess.run(argv, check=True)


def current(suite: str) -> Image:
    """The Image that fits the recipe as it is now; its directory exists if it has been built."""
    return Image(suite, images_directory() / f"{suite}-{fingerprint(suite)}")


def fingerprint(suite: str) -> str:
    """Twelve hexadecimal digits that change with anything that shapes an image."""
    parts = [suite.encode(), private_key().with_suffix(".pub").read_bytes()]
    parts += [(LAB / name).read_bytes() for name in ("recipe.py", "assembly.py")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def assemble_apart(image: Image) -> None:
    """Build `image` in a child process: as root, and in a mount namespace that takes every mount with it."""
    argv = ["env", f"SAFEPOINT_CACHE={cache_directory()}", f"PATH={os.environ['PATH']}"]
    argv += ["unshare", "--mount", "--propagation", "private", sys.executable, str(LAB), "assemble", image.suite]
    child = subprocess.Popen(as_root(argv))
    try:
        child.wait()
    except KeyboardInterrupt:
        child.wait()  # The terminal has told the child, too: let it clean up.
        raise
    if child.returncode:
        raise LabError(f"the {recipe.SUITES[image.suite]} image was not built; see above")


def remove_outdated(image: Image) -> None:
    """Delete the images of the same suite that `image` replaces, but for those under a virtual machine's overlay."""
    records = (cache_directory() / "vms").glob("*/vm.json")
    in_use = {json.loads(record.read_text(encoding="utf-8"))["backing"] for record in records}
    for directory in images_directory().glob(f"{image.suite}-*"):
        if directory != image.directory and str(directory) not in in_use:
            shutil.rmtree(directory)
