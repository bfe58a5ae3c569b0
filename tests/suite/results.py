# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reports of jobs, and whether a job that has passed need not be run again."""

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

# What a job on a guest is made of: anything else may change without making its result void.
TESTED = (
    *("extensions/", "galaxy.yml", "meta/", "playbooks/", "plugins/", "roles/"),
    *("tests/controller/", "tests/demo/", "tests/guest/", "tests/power_cuts/", "tests/suite/", "tests/tools/pins/"),
    "tests/vm/",
)
KEPT = CACHE / "passed"


@functools.cache
def tree() -> str:
    """Hexadecimal digits that change with any file that a job is made of."""
    digest = hashlib.sha256()
    for name in listed_files():
        if str(name).startswith(TESTED) and not (ROOT / name).is_symlink():
            digest.update(f"{name}\0".encode())
            digest.update(hashlib.sha256((ROOT / name).read_bytes()).digest())
    return digest.hexdigest()[:16]


@functools.cache
def image_key(name: str, machine: str) -> str:
    """What changes when the image of a job does."""
    kernel = uml_trial.usable_kernel()[0] if machine == "uml" else None
    return image.current(image.recipe_of(name).name, kernel).directory.name


def passed_before(job: Job) -> Path:
    """Where the reports of a job are kept that has passed with this tree and image; the directory may not exist."""
    images = (image_key(image, job.machine) for image in jobs.machines(job).values())
    return KEPT / "-".join([tree(), *images]) / job.slug


def passed(folder: Path) -> bool:
    """Whether there are reports of a job that went well."""
    counts = count(folder)
    return counts.passed > 0 and counts.failed == 0


def keep(job: Job, folder: Path) -> None:
    """Keep the reports of a job that has passed, in the place of those of other trees."""
    place = passed_before(job)
    for old in KEPT.glob(f"*/{job.slug}"):
        shutil.rmtree(old)
    shutil.copytree(folder, place)
