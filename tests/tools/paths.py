# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the checkout is, and where everything that is made from it goes."""

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
    """A sentence for the person at the keyboard: what was wanted, what is wrong, what to do."""


def prepare_cache() -> None:
    """Make the cache directory and mark it as one (backup programs honour the mark, `clean` asks for it)."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if not _TAG.exists():
        _TAG.write_text(_SIGNATURE)


def is_ours_to_delete() -> bool:
    """Tell whether the cache directory is the checkout's own, or carries the mark of `prepare_cache`."""
    return CACHE == ROOT / ".cache" or (_TAG.is_file() and _TAG.read_text() == _SIGNATURE)
