# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the packages of guests come from: the mirrors that APT uses on this machine, or those in two variables."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from vm.host import KEYRING, LabError
from vm.recipe import UNSTABLE

FIELDS = ("ORIGIN", "LABEL", "REPO_URI")
MIRROR, SECURITY_MIRROR = "SAFEPOINT_MIRROR", "SAFEPOINT_SECURITY_MIRROR"


@dataclass(frozen=True)
class Mirror:
    """Base addresses of the Debian archive and of its security archive (None: not used).

    `frozen` if the mirror shows the archive of an earlier day, so that its lists are out of date.
    """

    debian: str
    security: str | None = None
    frozen: bool = False

    def lines(self, suite: str) -> str:
        """The sources.list of a guest of `suite`."""
        option = f"[signed-by={KEYRING}{' check-valid-until=no' if self.frozen else ''}]"
        stable = suite != UNSTABLE
        names = (suite, f"{suite}-updates") if stable else (suite,)
        lines = [f"deb {option} {self.debian} {name} main" for name in names]
        if self.security and stable:
            lines.append(f"deb {option} {self.security} {suite}-security main")
        return "\n".join(lines) + "\n"


def addresses(index_targets: str) -> tuple[str | None, str | None]:
    """The addresses of Debian's archive and of its security archive, from APT's lines of `ORIGIN|LABEL|REPO_URI`.

    APT knows the origin and label of an archive only after it has fetched its lists. Before that, the last part of the
    path decides.
    """
    found: dict[str, str] = {}
    for line in index_targets.splitlines():
        origin, label, uri = line.split("|", maxsplit=2)
        address = uri.rstrip("/")
        kind = label if origin else address.rpartition("/")[2]
        if origin in {"Debian", ""}:
            found.setdefault(kind.lower(), address)
    return found.get("debian"), found.get("debian-security")


def given_address(variable: str) -> str | None:
    """The address in an environment variable; None if it is not set. LabError if it is not an address."""
    address = os.environ.get(variable)
    if address and not re.fullmatch(r"[a-z]+:/\S+", address):
        raise LabError(f"{variable}: {address!r} is not an address: use for example http://MIRROR/debian")
    return address.rstrip("/") if address else None


def set_variables() -> list[str]:
    """The variables that are set, as `NAME=VALUE` for env(1): sudo removes them."""
    return [f"{name}={os.environ[name]}" for name in (MIRROR, SECURITY_MIRROR) if name in os.environ]


def host_mirror() -> Mirror:
    """The mirror for guests: from the environment variables if they are set, else from APT on this machine.

    LabError if neither names one.
    """
    debian, security, frozen = given_address(MIRROR), given_address(SECURITY_MIRROR), False
    if shutil.which("apt-get"):
        dated = output("apt-config", "shell", "DATED", "Acquire::Check-Valid-Until/b")
        frozen = "false" in dated
        if debian is None:
            wanted = "|".join(f"$({name})" for name in FIELDS)
            debian, of_apt = addresses(output("apt-get", "indextargets", "--format", wanted, "Created-By: Packages"))
            security = security or of_apt
    if debian is None:
        raise LabError(
            "no mirror of Debian is known: APT on this machine has none in its sources. "
            f"Set {MIRROR}, for example to http://MIRROR/debian, and {SECURITY_MIRROR} if you want security updates"
        )
    return Mirror(debian, security, frozen)


def output(*argv: str) -> str:
    """What a program of APT prints."""
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout
