# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where guests' packages come from: the mirrors this machine's own APT uses for Debian, as it uses them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, replace

from vm.host import KEYRING
from vm.recipe import UNSTABLE

FIELDS = ("ORIGIN", "LABEL", "REPO_URI")


@dataclass(frozen=True)
class Mirror:
    """Base addresses of the Debian archive and of its security archive (None: not used).

    `frozen` is a mirror of an earlier day, whose lists are out of date; stable releases have no such date.
    """

    debian: str = "http://deb.debian.org/debian"
    security: str | None = "http://deb.debian.org/debian-security"
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
    dated = ["apt-config", "shell", "DATED", "Acquire::Check-Valid-Until/b"]
    frozen = "false" in subprocess.run(dated, capture_output=True, text=True, check=False).stdout
    wanted = "|".join(f"$({name})" for name in FIELDS)
    argv = ["apt-get", "indextargets", "--format", wanted, "Created-By: Packages"]
    mirror = mirror_of(subprocess.run(argv, capture_output=True, text=True, check=False).stdout)
    return replace(mirror, frozen=frozen)
