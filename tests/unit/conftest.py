# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make `ansible_collections.safepoint.lvm` importable: link the checkout under that name and look there first."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

_ROOT = Path(__file__).resolve().parents[2]
_CACHE = Path(os.environ.get("SAFEPOINT_CACHE") or _ROOT / ".cache").resolve()


def link_checkout() -> Path:
    """Return the directory that makes the checkout importable, for `sys.path`."""
    base = _CACHE / "link"
    link = base / "ansible_collections" / "safepoint" / "lvm"
    if link.resolve() != _ROOT:
        link.parent.mkdir(parents=True, exist_ok=True)
        # Several runs may do this at the same time; each makes the same link.
        fresh = link.with_name(f"lvm.{os.getpid()}")
        fresh.symlink_to(_ROOT)
        fresh.replace(link)
    return base


sys.path.insert(0, str(link_checkout()))
set_hypothesis_home_dir(_CACHE / "hypothesis")
# The machines that run the tests may be slow and busy: time is no verdict.
settings.register_profile("safepoint", parent=settings.default, deadline=None)
# For a long look at what a short one misses: HYPOTHESIS_PROFILE=deep, or pytest --hypothesis-profile deep.
settings.register_profile("deep", parent=settings.get_profile("safepoint"), max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "safepoint"))
