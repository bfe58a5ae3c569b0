# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find code in the plugins by its text, so that files can be moved and renamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Outdated(Exception):
    """The code to break does not occur exactly once. The message says how often it does."""


def broken(plugins: Path, old: str, new: str) -> tuple[Path, str]:
    """The file below `plugins` that contains `old`, and its text with `new` instead.

    Raises Outdated if `old` does not occur exactly once.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(plugins.rglob("*.py"))}
    found = [path for path, text in texts.items() for _time in range(text.count(old))]
    if len(found) != 1:
        raise Outdated(f"the plugins contain this {len(found)} times, expected once: {old.strip()!r}")
    (path,) = found
    return path, texts[path].replace(old, new)
