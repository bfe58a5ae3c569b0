# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps that keep a host with pending merges from any boot but an ordinary one. Private to this collection.

After hibernation the initramfs activates the origins, which starts the merges, and then the old kernel continues with
what it knew of their filesystems. A kernel that is started by kexec is one of the change, without the modules on /.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._paths import KEXEC_DISABLED, KEXEC_LIMIT, NO_HIBERNATION
from .._settings import NO_HIBERNATION_TEXT
from .._steps import HostStep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._steps import Runner


class _UntilReboot(HostStep):
    """It belongs to the merges, and ends at the next boot, so it does not count as a change."""

    changes = False


@dataclass(frozen=True)
class ForbidHibernation(_UntilReboot):
    """Make systemd refuse to hibernate until the next boot."""

    makes = "the file that forbids hibernation"

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "forbid_hibernation"}

    def carry_out(self, _runner: Runner) -> None:
        """Forbid it. Raises OSError."""
        forbid_hibernation()

    def undo(self, _runner: Runner) -> bool:
        """Allow it again; whether it was forbidden. Raises OSError."""
        return allow_hibernation()


@dataclass(frozen=True)
class AllowHibernation(_UntilReboot):
    """Let systemd hibernate again."""

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "allow_hibernation"}

    def carry_out(self, _runner: Runner) -> None:
        """Allow it. Raises OSError."""
        allow_hibernation()


@dataclass(frozen=True)
class ForbidKexec(_UntilReboot):
    """Let nobody load a kernel that the next reboot would start directly."""

    def render(self) -> Mapping[str, Any]:
        """The step for the result ``planned``."""
        return {"step": "forbid_kexec"}

    def carry_out(self, _runner: Runner) -> None:
        """Forbid it. Raises OSError."""
        forbid_kexec()


def forbid_hibernation() -> None:
    """Make systemd refuse to hibernate until the next boot. Raises OSError."""
    NO_HIBERNATION.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    NO_HIBERNATION.write_text(NO_HIBERNATION_TEXT, encoding="ascii")
    NO_HIBERNATION.chmod(0o644)


def allow_hibernation() -> bool:
    """Undo ``forbid_hibernation``. Return whether it was forbidden. Raises OSError."""
    if not NO_HIBERNATION.exists():
        return False
    NO_HIBERNATION.unlink()
    return True


def forbid_kexec() -> None:
    """Let nobody load a kernel for the next reboot. Only a reboot undoes this. Raises OSError."""
    if KEXEC_LIMIT.exists():
        KEXEC_LIMIT.write_text("0", encoding="ascii")
    else:
        KEXEC_DISABLED.write_text("1", encoding="ascii")
