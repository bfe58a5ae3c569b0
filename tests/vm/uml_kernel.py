# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel of user-mode Linux guests: Debian's newest that has passed a trial on this machine.

It comes from sid through an APT root of its own, so that sid never enters this machine's sources; APT checks the
signatures. With it comes the C library that it needs: the two are a tree of their own, in which the kernel is started
by chroot. (Started by that library's loader it takes the loader's heap for its own and does not boot.)
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from vm.host import KEYRING, LabError, cache_directory, locked, say
from vm.sources import host_mirror

SUITE = "sid"
PACKAGE = "user-mode-linux"
LIBRARY = "libc6"
PROGRAM = "linux.uml"
# How long what the archive offers is taken for known.
DAYS = 7
TUN = Path("/dev/net/tun")


@dataclass(frozen=True)
class Kernel:
    """One version in the cache, complete once its directory exists. `version` is the package's."""

    version: str
    directory: Path

    @property
    def tree(self) -> Path:
        """What a guest's process is confined to: the kernel, its library, and empty directories to mount on."""
        return self.directory / "tree"

    @property
    def program(self) -> Path:
        """The kernel, an ordinary program."""
        return self.tree / PROGRAM

    @property
    def modules(self) -> Path:
        """Its modules, as they lie in /usr/lib/modules of a guest; the directory's name is the kernel's release."""
        (found,) = (self.directory / "modules").iterdir()
        return found

    @property
    def release(self) -> str:
        """What `uname -r` says in a guest."""
        return self.modules.name

    @property
    def configuration(self) -> Path:
        """The configuration that it was built with."""
        return self.directory / "config"


def place() -> Path:
    """Where kernels, and what is known of them, are kept."""
    return cache_directory() / "uml"


def why_never() -> str | None:
    """Why no user-mode Linux can run on this machine, whichever its version; None if nothing speaks against it."""
    if platform.machine() != "x86_64":
        return f"Debian builds it for x86-64, and this is {platform.machine()}"
    if not os.access(TUN, os.R_OK | os.W_OK):
        return f"it needs {TUN}, which is not there or not open to this user"
    if not shutil.which("apt-get") or not KEYRING.exists():
        return "its kernel comes by APT from Debian, and this machine has no APT with Debian's keys"
    if os.geteuid() != 0:
        return "its guests need root for a network of their own"
    return None


def of_version(version: str | None) -> Kernel | None:
    """The kernel of a version, which the cache has; None for none."""
    return Kernel(version, place() / "kernels" / version) if version else None


class Verdicts:
    """What trials have shown, by version and by the release of this machine's kernel; kept in a file."""

    def __init__(self) -> None:
        self._file = place() / "verdicts.json"
        self._known: dict[str, str] = json.loads(self._file.read_text()) if self._file.exists() else {}

    @staticmethod
    def _key(version: str) -> str:
        return f"{version} on {os.uname().release}"

    def of(self, version: str) -> str | None:
        """What was wrong with a version, empty if nothing was; None if it was never tried here."""
        return self._known.get(self._key(version))

    def keep(self, version: str, problem: str) -> None:
        """Write down what was wrong with a version; empty for nothing."""
        self._known[self._key(version)] = problem
        self._file.write_text(json.dumps(self._known, indent=2))


def cached() -> list[Kernel]:
    """The kernels in the cache, that which was fetched last first."""
    found = [Kernel(path.name, path) for path in place().glob("kernels/*") if path.suffix != ".partial"]
    return sorted(found, key=lambda kernel: kernel.directory.stat().st_mtime, reverse=True)


def candidates() -> list[Kernel]:
    """The kernels that could be used, the newest of the archive first; it is fetched if the cache lacks it.

    LabError when the archive cannot be asked and the cache has none.
    """
    with locked(place() / "fetch.lock"):
        known = cached()
        asked = place() / "asked"
        if known and asked.exists() and time.time() - asked.stat().st_mtime < DAYS * 86400:
            return known
        try:
            fetched = fetch(known)
        except LabError:
            if not known:
                raise
            say(f"{SUITE}'s {PACKAGE} cannot be looked up now; going on with that of the cache")
            return known
        asked.touch()
        return [fetched, *(kernel for kernel in known if kernel != fetched)]


def fetch(known: list[Kernel]) -> Kernel:
    """The archive's newest kernel, from the cache if it is among `known`. LabError when APT cannot get it."""
    archive = Archive(place() / "apt")
    archive.update()
    version = archive.version(PACKAGE)
    found = next((kernel for kernel in known if kernel.version == version), None)
    if found:
        os.utime(found.directory)
        return found
    say(f"fetching user-mode Linux {version}")
    kernel = Kernel(version, place() / "kernels" / version)
    draft = kernel.directory.with_name(f"{version}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    package, library = (archive.unpack(name, draft / name) for name in (PACKAGE, LIBRARY))
    lay_out(package, library, Kernel(version, draft))
    for directory in (package, library):
        shutil.rmtree(directory)
    draft.rename(kernel.directory)
    return kernel


def lay_out(package: Path, library: Path, kernel: Kernel) -> None:
    """Make the files of a kernel from its unpacked package and that of its library."""
    libraries = library / "usr" / "lib" / "x86_64-linux-gnu"
    for directory in ("dev", "lib/x86_64-linux-gnu", "lib64", "machine", "memory", "proc"):
        (kernel.tree / directory).mkdir(parents=True)
    shutil.copy2(package / "usr" / "bin" / PROGRAM, kernel.program)
    shutil.copy2(libraries / "ld-linux-x86-64.so.2", kernel.tree / "lib64")
    shutil.copy2(libraries / "libc.so.6", kernel.tree / "lib" / "x86_64-linux-gnu")
    shutil.move(package / "usr" / "lib" / "uml" / "modules", kernel.directory / "modules")
    compressed = package / "usr" / "share" / "doc" / PACKAGE / "config.gz"
    with kernel.configuration.open("wb") as target:
        subprocess.run(["gzip", "--decompress", "--stdout", str(compressed)], stdout=target, check=True)


class Archive:
    """Debian's archive of SUITE, seen through a directory that is APT's root; it keeps the lists between calls."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for directory in ("etc/apt", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"):
            (root / directory).mkdir(parents=True, exist_ok=True)
        (root / "var/lib/dpkg/status").touch()
        source = f"deb [signed-by={KEYRING}] {host_mirror().debian} {SUITE} main\n"
        (root / "etc/apt/sources.list").write_text(source, encoding="utf-8")

    def update(self) -> None:
        """Fetch the list of packages."""
        self.run("apt-get", "update")

    def version(self, package: str) -> str:
        """The newest version of a package."""
        shown = self.run("apt-cache", "show", "--no-all-versions", package)
        return next(line.partition(": ")[2] for line in shown.splitlines() if line.startswith("Version: "))

    def unpack(self, package: str, directory: Path) -> Path:
        """Fetch a package and unpack it into `directory`, which is returned."""
        directory.mkdir()
        self.run("apt-get", "download", package, cwd=directory)
        (file,) = directory.glob("*.deb")
        subprocess.run(["dpkg-deb", "--extract", str(file), str(directory)], check=True)
        file.unlink()
        return directory

    def run(self, *argv: str, cwd: Path | None = None) -> str:
        """Run a program of APT on this root; what it prints. LabError with its message when it fails."""
        options = {
            "Dir": str(self.root),
            "Dir::State::status": str(self.root / "var/lib/dpkg/status"),
            "APT::Architecture": "amd64",
            "APT::Sandbox::User": "root",
            "Acquire::Retries": "3",
        }
        words = [argv[0], *(f"-o{name}={value}" for name, value in options.items()), *argv[1:]]
        environment = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"'{' '.join(argv)}' for {SUITE} failed: {done.stderr.strip()}")
        return done.stdout
