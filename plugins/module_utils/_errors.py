# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The exceptions that become error messages, one for each kind of failure. Private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class SafepointError(Exception):
    """A failure of the module: a message for the user, and details for the module's result."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class Refused(SafepointError):
    """The request is refused before anything is changed. ``reasons`` has every reason that was found."""

    def __init__(self, summary: str, reasons: Sequence[str], **details: Any) -> None:
        # One cause may block several things, but is reported once.
        self.reasons = tuple(dict.fromkeys(reasons))
        super().__init__(f"{summary}: {'; '.join(self.reasons)}", reasons=list(self.reasons), **details)


class InvalidParameter(SafepointError):
    """A parameter has an invalid value."""


class ReportFailed(SafepointError):
    """LVM gave no report, or one that cannot be parsed."""


class NoAnswer(SafepointError):
    """A program that only reads did not end in time. The message says what it waits for."""


class HostBusy(SafepointError):
    """Another process holds the host lock."""


class CommandFailed(SafepointError):
    """An LVM command that changes something failed. The details say what was undone and what is left."""


class FilesFailed(SafepointError):
    """Files or filesystems could not be changed as requested. The message says what state they are in."""


def error_text(error: SafepointError | OSError) -> str:
    """The text of an error, as the first part of a longer message."""
    return error.message if isinstance(error, SafepointError) else f"{error.filename or 'a file'}: {error.strerror}"
