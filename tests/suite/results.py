# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reports of jobs, and whether a job that has passed must be run again."""

from __future__ import annotations

import functools
import hashlib
import shutil
from typing import TYPE_CHECKING

from tools.paths import CACHE, ROOT
from tools.reports import count
from tools.tree import listed_files
from vm import image, uml_trial

from suite import jobs

if TYPE_CHECKING:
    from pathlib import Path

    from suite.plan import Job

# The files on which the result of a job depends. If others change, the result stays valid.
TESTED = (
    *("extensions/", "galaxy.yml", "meta/", "playbooks/", "plugins/", "roles/"),
    *("tests/controller/", "tests/demo/", "tests/guest/", "tests/power_cuts/", "tests/suite/", "tests/tools/pins/"),
    "tests/vm/",
)
KEPT = CACHE / "passed"


@functools.cache
def tested_files_digest() -> str:
    """Hexadecimal digits that change if one of the tested files changes."""
    digest = hashlib.sha256()
    for name in listed_files():
        if str(name).startswith(TESTED) and not (ROOT / name).is_symlink():
            digest.update(f"{name}\0".encode())
            digest.update(hashlib.sha256((ROOT / name).read_bytes()).digest())
    return digest.hexdigest()[:16]


@functools.cache
def image_key(name: str, machine: str) -> str:
    """A text that changes if the image changes."""
    kernel = uml_trial.usable_kernel()[0] if machine == "uml" else None
    return image.current(image.recipe_of(name).name, kernel).directory.name


def kept_reports(job: Job) -> Path:
    """The directory for the reports of a job that passes with these files and images. It may not exist."""
    images = (image_key(image, job.machine) for image in jobs.machines(job).values())
    return KEPT / "-".join([tested_files_digest(), *images]) / job.slug


def passed(folder: Path) -> bool:
    """Whether there are reports of a job that passed."""
    counts = count(folder)
    return counts.passed > 0 and counts.failed == 0


def keep(job: Job, folder: Path) -> None:
    """Keep the reports of a job that has passed. They replace those for other files."""
    place = kept_reports(job)
    for old in KEPT.glob(f"*/{job.slug}"):
        shutil.rmtree(old)
    shutil.copytree(folder, place)
