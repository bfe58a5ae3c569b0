# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The exceptions that reach a user, one for each layer. Private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class SafepointError(Exception):
    """An end of the run that a user has to read: a message, and details for the module's result."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class Refused(SafepointError):
    """The plan is refused before anything is touched; ``reasons`` holds every cause that was found."""

    def __init__(self, summary: str, reasons: Sequence[str]) -> None:
        # One cause may stand in the way of several things.
        self.reasons = tuple(dict.fromkeys(reasons))
        super().__init__(f"{summary}: {'; '.join(self.reasons)}", reasons=list(self.reasons))


class InvalidParameter(SafepointError):
    """A parameter has a value that cannot be understood."""


class ReportFailed(SafepointError):
    """LVM's report could not be had or understood."""


class HostBusy(SafepointError):
    """The host lock is held by somebody else."""


class CommandFailed(SafepointError):
    """A modifying LVM command failed; the details say what was undone and what is left."""


class FilesFailed(SafepointError):
    """Files or filesystems could not be brought to what was asked for; the message says how they are now."""


def sentence_of(error: SafepointError | OSError) -> str:
    """What an error says, for a message that goes on with what was done about it."""
    return error.message if isinstance(error, SafepointError) else f"{error.filename or 'a file'}: {error.strerror}"
