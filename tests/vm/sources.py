# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where guests' packages come from: the mirrors this machine's own APT uses for Debian."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

from vm.host import KEYRING

FIELDS = ("ORIGIN", "LABEL", "REPO_URI")


@dataclass(frozen=True)
class Mirror:
    """Base addresses of the Debian archive and of its security archive (None: not used)."""

    debian: str = "http://deb.debian.org/debian"
    security: str | None = "http://deb.debian.org/debian-security"

    def lines(self, suite: str) -> str:
        """The sources.list of a guest of `suite`."""
        option = f"[signed-by={KEYRING}]"
        lines = [f"deb {option} {self.debian} {name} main" for name in (suite, f"{suite}-updates")]
        if self.security:
            lines.append(f"deb {option} {self.security} {suite}-security main")
        return "\n".join(lines) + "\n"


def mirror_of(index_targets: str) -> Mirror:
    """The Mirror named by lines of `ORIGIN|LABEL|REPO_URI`, as APT reports them; the public one if none is Debian's.

    APT knows origin and label only of archives it has fetched; before that, the last part of the path has to do.
    """
    found: dict[str, str] = {}
    for line in index_targets.splitlines():
        origin, label, uri = line.split("|", maxsplit=2)
        address = uri.rstrip("/")
        kind = label if origin else address.rpartition("/")[2]
        if origin in {"Debian", ""} and kind.lower() in {"debian", "debian-security"}:
            found.setdefault(kind.lower(), address)
    if "debian" not in found:
        return Mirror()
    return Mirror(debian=found["debian"], security=found.get("debian-security"))


def host_mirror() -> Mirror:
    """The Mirror of this machine; the public one where there is no APT."""
    if not shutil.which("apt-get"):
        return Mirror()
    wanted = "|".join(f"$({name})" for name in FIELDS)
    argv = ["apt-get", "indextargets", "--format", wanted, "Created-By: Packages"]
    return mirror_of(subprocess.run(argv, capture_output=True, text=True, check=False).stdout)
