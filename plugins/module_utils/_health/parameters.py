# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a check of the user must look like. Pure; private to this collection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .gate import Kind

# What getent(1) takes: a host name or an address, no option.
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,253}")
# Visible ASCII (RFC 3986).
_URL = re.compile(r"https?://[!-~]+")
_HIGHEST_PORT = 65535
_LONGEST_NAME = 200
# The kernel takes no longer argument of a program (MAX_ARG_STRLEN).
_LONGEST_COMMAND = 100_000


def check_problem(kind: Kind, given: Mapping[str, Any]) -> str | None:
    """Why a check of that kind cannot be carried out; None if it can."""
    if kind == "ports":
        if not 1 <= given["port"] <= _HIGHEST_PORT:
            return f"{given['port']} is not a port: use 1 to {_HIGHEST_PORT}"
    elif kind == "urls":
        if not _URL.fullmatch(given["url"]):
            return f"{given['url']!r} is not a URL: use http:// or https:// and visible ASCII characters"
    elif kind == "names":
        if not _HOST.fullmatch(given["name"]):
            return f"{given['name']!r} is not a host name"
    elif not 1 <= len(given["name"]) <= _LONGEST_NAME:
        return f"{given['name'][:40]!r} is not a name for a command: use 1 to {_LONGEST_NAME} characters"
    elif not given["command"].strip() or "\0" in given["command"] or len(given["command"]) > _LONGEST_COMMAND:
        return f"the command of {given['name']!r} is empty, too long, or contains a NUL byte"
    return None
