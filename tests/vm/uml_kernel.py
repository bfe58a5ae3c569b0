# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel for guests of user-mode Linux: the newest one of Debian that has passed a trial on this machine.

It comes from sid. APT fetches it into a separate root directory and checks the signatures, so this machine's sources
never contain sid. The C library that it needs is fetched too. Both are in a tree, in which the kernel is started with
chroot. (If the loader of that library starts the kernel, it uses the loader's heap as its own and does not boot.)
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
# How many days no newer version is looked for.
DAYS = 7
TUN = Path("/dev/net/tun")


@dataclass(frozen=True)
class Kernel:
    """A version in the cache. It is complete if its directory exists. `version` is that of the package."""

    version: str
    directory: Path

    @property
    def tree(self) -> Path:
        """The directory to which a guest's process is confined: the kernel, its library, and empty mount points."""
        return self.directory / "tree"

    @property
    def program(self) -> Path:
        """The kernel, which is an ordinary program."""
        return self.tree / PROGRAM

    @property
    def modules(self) -> Path:
        """Its modules, for /usr/lib/modules of a guest. The name of the directory is the kernel's release."""
        (found,) = (self.directory / "modules").iterdir()
        return found

    @property
    def release(self) -> str:
        """What `uname -r` prints in a guest."""
        return self.modules.name

    @property
    def configuration(self) -> Path:
        """The configuration with which it was built."""
        return self.directory / "config"


def uml_directory() -> Path:
    """The directory with the kernels and the results of trials."""
    return cache_directory() / "uml"


def unsupported_reason() -> str | None:
    """Why no version of user-mode Linux can run on this machine, or None."""
    if platform.machine() != "x86_64":
        return f"Debian builds it only for x86-64, and this machine is {platform.machine()}"
    if not os.access(TUN, os.R_OK | os.W_OK):
        return f"it needs {TUN}, which does not exist or cannot be opened by this user"
    if not shutil.which("apt-get") or not KEYRING.exists():
        return "APT fetches its kernel from Debian, and this machine has no APT or lacks Debian's keys"
    if os.geteuid() != 0:
        return "its guests have their own network, which needs root"
    return None


def kernel_of_version(version: str | None) -> Kernel | None:
    """The kernel of a version in the cache. None if no version is given."""
    return Kernel(version, uml_directory() / "kernels" / version) if version else None


class Verdicts:
    """The results of trials, by version and by the release of this machine's kernel. They are stored in a file."""

    def __init__(self) -> None:
        self._file = uml_directory() / "verdicts.json"
        self._known: dict[str, str] = json.loads(self._file.read_text()) if self._file.exists() else {}

    @staticmethod
    def _key(version: str) -> str:
        return f"{version} on {os.uname().release}"

    def problem_of(self, version: str) -> str | None:
        """What was wrong with a version; empty if it works. None if it was never tried on this machine."""
        return self._known.get(self._key(version))

    def store(self, version: str, problem: str) -> None:
        """Store what is wrong with a version; empty if it works."""
        self._known[self._key(version)] = problem
        self._file.write_text(json.dumps(self._known, indent=2))


def cached() -> list[Kernel]:
    """The kernels in the cache. The first one was fetched last."""
    found = [Kernel(path.name, path) for path in uml_directory().glob("kernels/*") if path.suffix != ".partial"]
    return sorted(found, key=lambda kernel: kernel.directory.stat().st_mtime, reverse=True)


def candidates() -> list[Kernel]:
    """The kernels that could be used, the newest one of the archive first. It is fetched if it is not in the cache.

    LabError if the archive cannot be read and the cache is empty.
    """
    with locked(uml_directory() / "fetch.lock"):
        known = cached()
        asked = uml_directory() / "asked"
        if known and asked.exists() and time.time() - asked.stat().st_mtime < DAYS * 86400:
            return known
        try:
            fetched = fetch(known)
        except LabError:
            if not known:
                raise
            say(f"the version of {PACKAGE} in {SUITE} cannot be read now: using the one in the cache")
            return known
        asked.touch()
        return [fetched, *(kernel for kernel in known if kernel != fetched)]


def fetch(known: list[Kernel]) -> Kernel:
    """The newest kernel of the archive; if it is in `known`, that one. LabError if APT fails."""
    archive = Archive(uml_directory() / "apt")
    archive.update()
    version = archive.version(PACKAGE)
    found = next((kernel for kernel in known if kernel.version == version), None)
    if found:
        os.utime(found.directory)
        return found
    say(f"fetching user-mode Linux {version}")
    kernel = Kernel(version, uml_directory() / "kernels" / version)
    draft = kernel.directory.with_name(f"{version}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    package, library = (archive.unpack(name, draft / name) for name in (PACKAGE, LIBRARY))
    create_files(package, library, Kernel(version, draft))
    for directory in (package, library):
        shutil.rmtree(directory)
    draft.rename(kernel.directory)
    return kernel


def create_files(package: Path, library: Path, kernel: Kernel) -> None:
    """Create the files of a kernel from its unpacked package and that of its library."""
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
    """Debian's archive of SUITE, read with a separate root directory for APT, which keeps the package lists."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for directory in ("etc/apt", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"):
            (root / directory).mkdir(parents=True, exist_ok=True)
        (root / "var/lib/dpkg/status").touch()
        source = f"deb [signed-by={KEYRING}] {host_mirror().debian} {SUITE} main\n"
        (root / "etc/apt/sources.list").write_text(source, encoding="utf-8")

    def update(self) -> None:
        """Fetch the package lists."""
        self.run("apt-get", "update")

    def version(self, package: str) -> str:
        """The newest version of a package."""
        shown = self.run("apt-cache", "show", "--no-all-versions", package)
        return next(line.partition(": ")[2] for line in shown.splitlines() if line.startswith("Version: "))

    def unpack(self, package: str, directory: Path) -> Path:
        """Fetch a package and unpack it into `directory`. Return the directory."""
        directory.mkdir()
        self.run("apt-get", "download", package, cwd=directory)
        (file,) = directory.glob("*.deb")
        subprocess.run(["dpkg-deb", "--extract", str(file), str(directory)], check=True)
        file.unlink()
        return directory

    def run(self, *argv: str, cwd: Path | None = None) -> str:
        """Run a program of APT with this root directory. Return its output. LabError with its message if it fails."""
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
