# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run LVM and read its report. Private to this collection.

The package ``_lvm`` knows how to run LVM and what LVM prints. It must not know the purpose of an LV: no tags, no
snapsets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from .._errors import ReportFailed
from .._host.ask import ask
from .._host.reading import read
from .._paths import LVM_CONFIGURATION
from .report import duplicates_arguments, parse_duplicates, parse_report, report_arguments

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from .._model import Volume, VolumeGroup

Parsed = TypeVar("Parsed")

_THRESHOLD = "activation/thin_pool_autoextend_threshold"
_WITH_DUPLICATES = "devices/allow_changes_with_duplicate_pvs"


@dataclass(frozen=True)
class Report:
    """The VGs and LVs that LVM could read.

    ``unread`` is empty if LVM read everything. Otherwise it holds LVM's error output.
    """

    volume_groups: tuple[VolumeGroup, ...]
    volumes: tuple[Volume, ...]
    unread: str


class Lvm:
    """The LVM program at the path ``binary``. ``reads`` counts the processes that only read."""

    def __init__(self, binary: str) -> None:
        self.binary = binary
        self.reads = 0

    def report(self) -> Report:
        """Return one report of all VGs and LVs.

        VGs that LVM could not read are missing from the result; then ``unread`` says why. Raises ReportFailed if LVM
        printed no valid report, and NoAnswer if it waits for a device or a lock.
        """
        done = self._read(*report_arguments())
        errors = text_of(done.stderr).strip()
        groups, volumes = _parsed(done, parse_report)
        # The report does not show duplicate PVs, but if there are any, LVM warns (lvmcache.c).
        found = self._duplicates() if errors else {}
        groups = tuple(replace(group, duplicates=found.get(group.uuid, ())) for group in groups)
        return Report(volume_groups=groups, volumes=volumes, unread=errors if done.returncode else "")

    def creation_limit(self, profile: str) -> int:
        """The percentage of a thin pool above which LVM creates nothing in it. ``profile`` is the pool's, or empty.

        Raises ReportFailed.
        """
        return int(self._setting(_THRESHOLD, default="100", profile=profile))

    def _duplicates(self) -> dict[str, tuple[str, ...]]:
        """The devices that look like PVs and that LVM does not use, by the UUID of the VG; none if it ignores them."""
        found = _parsed(self._read(*duplicates_arguments()), parse_duplicates)
        return {} if found and self._setting(_WITH_DUPLICATES, default="0") == "1" else found

    def _setting(self, name: str, *, default: str, profile: str = "") -> str:
        """The value of a setting (lvm.conf(5)). LVM is asked only if a file of its configuration sets it."""
        if not _is_set(name.rpartition("/")[2], profile):
            return default
        of_profile = ("--metadataprofile", profile) if profile else ()
        done = self._read("lvmconfig", "--typeconfig", "full", "--valuesonly", *of_profile, name)
        value = text_of(done.stdout).strip()
        if not value.isdigit():
            raise _failed(f"lvmconfig does not print the value of {name}", done)
        return value

    def _read(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        self.reads += 1
        return ask([self.binary, *arguments])


def _parsed(done: subprocess.CompletedProcess[bytes], parse: Callable[[str], Parsed]) -> Parsed:
    """What a command printed. Raises ReportFailed, with that command and what it said, if it cannot be parsed."""
    try:
        return parse(text_of(done.stdout))
    except ReportFailed as error:
        raise _failed(error.message, done) from error


def _failed(problem: str, done: subprocess.CompletedProcess[bytes]) -> ReportFailed:
    errors = text_of(done.stderr).strip()
    details = {"cmd": done.args, "rc": done.returncode, "stderr": errors}
    return ReportFailed(f"{problem}; LVM said: {errors or 'nothing'}", **details)


def _is_set(key: str, profile: str) -> bool:
    """Whether a file of LVM's configuration may set ``key``: it is somewhere before a comment."""
    profiles = [LVM_CONFIGURATION / "profile" / f"{profile}.profile"] if profile else []
    return any(
        re.search(rf"^[^#\n]*\b{key}\b", read(file), re.MULTILINE)
        for file in (*LVM_CONFIGURATION.glob("*.conf"), *profiles)
    )


def text_of(output: bytes) -> str:
    """Decode what LVM printed.

    The name of a device can contain any bytes, so bytes that are not UTF-8 become surrogates.
    """
    return output.decode(errors="surrogateescape")
