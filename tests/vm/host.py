# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine the lab runs on: its tools, its cache directory, progress on the terminal and tool output in a log."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LAB = Path(__file__).resolve().parent
CHECKOUT = LAB.parents[1]
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
OVMF = Path("/usr/share/OVMF")
# An ordinary user's PATH lacks the directories of half the tools.
os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"

# Serial consoles move the cursor and colour their words.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")

# What the lab runs on the host, and the Debian package of each. Everything else runs in the guest's own tree.
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "sfdisk": "fdisk",
    "losetup": "mount",
    "unshare": "util-linux",
    "ssh": "openssh-client",
    "rsync": "rsync",
}
FILES = {KEYRING: "debian-archive-keyring", OVMF / "OVMF_CODE_4M.fd": "ovmf"}
# What makes the tree of a Debian.
BOOTSTRAP = ("mmdebstrap", "debian-archive-keyring")


# A person who waits wants to see that something goes on.
SAY_EVERY = 20


class LabError(Exception):
    """Something the user has to know: the message says what happened and what to do."""


def cache_directory() -> Path:
    """Where images and virtual machines are kept: $SAFEPOINT_CACHE, or .cache in the checkout."""
    return Path(os.environ.get("SAFEPOINT_CACHE") or CHECKOUT / ".cache").resolve()


def missing_packages() -> list[str]:
    """Names of the Debian packages that have to be installed before the lab can work."""
    missing = {package for tool, package in TOOLS.items() if not shutil.which(tool)}
    missing |= {package for file, package in FILES.items() if not file.exists()}
    return sorted(missing)


def missing_of(packages: Sequence[str]) -> list[str]:
    """Those of these packages of the lab that have to be installed."""
    return [package for package in missing_packages() if package in packages]


def say(text: str) -> None:
    """Tell the person at the keyboard something, on standard error."""
    print(text, file=sys.stderr, flush=True)


def require_tools() -> None:
    """Raise LabError unless every tool of the lab is installed."""
    if missing := missing_packages():
        raise LabError(f"not installed: {', '.join(missing)}. Run: python3 tests/vm setup")


def setup() -> None:
    """Install the packages that are missing, with apt-get; call nothing when none is."""
    missing = missing_packages()
    if not missing:
        print("everything the lab needs is installed")
        return
    install(missing)


def install(packages: Sequence[str]) -> None:
    """Install Debian packages with apt-get."""
    progress = Progress(cache_directory() / "setup.log")
    progress.step(f"installing {' '.join(packages)}")
    install = ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *packages]
    for command in (["apt-get", "update"], install):
        progress.run(*as_root(["env", "DEBIAN_FRONTEND=noninteractive", *command]))
    progress.step("installed")


def as_root(argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` as root: itself for root, through sudo for others."""
    if os.geteuid() == 0:
        return list(argv)
    if not shutil.which("sudo"):
        raise LabError("this step needs root: run the lab as root, or install sudo")
    return ["sudo", "--", *argv]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` (created if need be); wait for whoever holds it now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that holds {path}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def tail(path: Path, *, lines: int = 20) -> str:
    """The last `lines` lines of a log file, indented and without control sequences; a note if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"  (no log: {error})"
    return "\n".join(f"  {line.rstrip()}" for line in CONTROL.sub("", text).splitlines()[-lines:])


@dataclass
class Progress:
    """Steps on standard error with the seconds since the start; the output of tools in the file `log`."""

    log: Path
    started: float = field(default_factory=time.monotonic)
    now: str = ""

    def step(self, text: str) -> None:
        """Say what begins now."""
        self.now = text
        self.tell(text)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"## {text}\n")

    def tell(self, text: str) -> None:
        """Print with the seconds since the start."""
        say(f"[{time.monotonic() - self.started:4.0f} s] {text}")

    def run(self, *argv: str, stdin: str = "") -> str:
        """Run a tool and return its standard output; LabError with the end of the log when it fails."""
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"+ {' '.join(argv)}\n")
            log.flush()
            environment = {**os.environ, "LC_ALL": "C", "LVM_SUPPRESS_FD_WARNINGS": "1"}
            with self.going_on():
                done = subprocess.run(
                    argv, input=stdin, stdout=subprocess.PIPE, stderr=log, text=True, check=False, env=environment
                )
            log.write(done.stdout)
        if done.returncode:
            raise LabError(
                f"'{argv[0]}' failed with exit code {done.returncode}; the end of {self.log}:\n{tail(self.log)}"
            )
        return done.stdout

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Say now and then that a step goes on."""
        ended = threading.Event()

        def tick() -> None:
            while not ended.wait(SAY_EVERY):
                self.tell(f"... still {self.now}")

        ticker = threading.Thread(target=tick, daemon=True)
        ticker.start()
        try:
            yield
        finally:
            ended.set()
            ticker.join()
