# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

r"""Words: how observations and assertions write any bytes. Pure; private to this collection.

A word consists of visible ASCII characters, except the backslash and the asterisk. Every other byte is written as
``\xNN``. A hyphen alone means "nothing". The function ``escape`` of the health program writes the same words.
"""

from __future__ import annotations

import re

NOTHING = "-"
_FIRST, _LAST = b"!~"
_WORD = re.compile(r"(?:[!-)+-\[\]-~]|\\x[0-9a-f]{2})+")


def to_word(text: str) -> str:
    """A text as one word. Bytes that are not UTF-8 are surrogates in ``text``."""
    data = text.encode(errors="surrogateescape")
    if data == b"-":
        return r"\x2d"
    return "".join(chr(byte) if _is_plain(byte) else f"\\x{byte:02x}" for byte in data) or NOTHING


def _is_plain(byte: int) -> bool:
    return _FIRST <= byte <= _LAST and byte not in b"\\*"


def is_word(text: str) -> bool:
    """Whether ``text`` is a word."""
    return _WORD.fullmatch(text) is not None
