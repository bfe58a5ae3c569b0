# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The path of the checkout, and of everything that is created from it."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PINS = Path(__file__).resolve().parent / "pins"
CACHE = Path(os.environ.get("SAFEPOINT_CACHE") or ROOT / ".cache").resolve()
ENVS = CACHE / "envs"
RESULTS = CACHE / "results"

_TAG = CACHE / "CACHEDIR.TAG"
_SIGNATURE = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by the tests of safepoint.lvm; safe to delete.\n"


class ToolError(Exception):
    """An error for the user. The message says what was wanted, what is wrong, and what to do."""


def prepare_cache() -> None:
    """Create the cache directory and mark it as a cache. Backup programs respect the mark; `clean` requires it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if not _TAG.exists():
        _TAG.write_text(_SIGNATURE)


def may_delete_cache() -> bool:
    """Whether the cache directory may be deleted: it is the checkout's own, or has the mark of `prepare_cache`."""
    return CACHE == ROOT / ".cache" or (_TAG.is_file() and _TAG.read_text() == _SIGNATURE)
