# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that comes from hosts, made visible and harmless. Pure; private to this collection."""

from __future__ import annotations

import re

_ONE_BYTE, _TWO_BYTES = 0x100, 0x10000
# Before what a spreadsheet takes for a formula, also after a separator that another program may use. See OWASP, CSV
# Injection; the last four are the wide forms of the first four.
_FORMULA = re.compile("(^|[;|])(?=[\\s\"']*[-=+@\uff1d\uff0b\uff0d\uff20]|[\\t\\r])")


def visible(text: str, most: int) -> str:
    r"""Return at most ``most`` characters of a text, with every character that cannot be seen as an escape.

    These are control characters, marks that change the direction of writing, surrogates, line separators and all blanks
    but the space: `\x1b`, `\u202e`. So the text is the same in every format, and cannot look like another one. A text
    that is too long ends with an ellipsis. Types of ansible-core that are derived from str become str.
    """
    plain = "".join(iter(text[: most + 1]))
    shown = plain if plain.isprintable() else "".join(one if one.isprintable() else _escape(one) for one in plain)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def _escape(char: str) -> str:
    code = ord(char)
    if code < _ONE_BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < _TWO_BYTES else f"\\U{code:08x}"


def harmless_cell(text: str) -> str:
    """Return a text in which no spreadsheet finds a formula, by an apostrophe before each of them.

    Also where a program takes a semicolon for the separator and begins a new cell in the middle of the text.
    """
    return _FORMULA.sub(r"\1'", text)
