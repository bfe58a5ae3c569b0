# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine on which the lab runs: its tools, the cache directory, progress messages, and the logs of tools."""

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
# The PATH of an ordinary user lacks the directories of many tools.
os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"

# A serial console contains sequences for colours and cursor movement.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")

# The programs that the lab runs on the host, with their Debian packages. All others run in the guest's own tree.
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
# The packages that are needed to create the tree of a Debian.
BOOTSTRAP = ("mmdebstrap", "debian-archive-keyring")


# In seconds: a person who waits must see that something happens.
PROGRESS_SECONDS = 20


class LabError(Exception):
    """An error for the user. The message says what happened and what to do."""


def cache_directory() -> Path:
    """The directory with images and virtual machines: $SAFEPOINT_CACHE, or .cache in the checkout."""
    return Path(os.environ.get("SAFEPOINT_CACHE") or CHECKOUT / ".cache").resolve()


def missing_packages() -> list[str]:
    """The names of the Debian packages that the lab needs and that are not installed."""
    missing = {package for tool, package in TOOLS.items() if not shutil.which(tool)}
    missing |= {package for file, package in FILES.items() if not file.exists()}
    return sorted(missing)


def missing_among(packages: Sequence[str]) -> list[str]:
    """Those of these packages that the lab needs and that are not installed."""
    return [package for package in missing_packages() if package in packages]


def say(text: str) -> None:
    """Print a line for the user, on standard error."""
    print(text, file=sys.stderr, flush=True)


def require_tools() -> None:
    """Raise LabError if a tool of the lab is not installed."""
    if missing := missing_packages():
        raise LabError(f"not installed: {', '.join(missing)}. Run python3 tests/vm setup")


def setup() -> None:
    """Install the packages that are missing, with apt-get. If none is missing, nothing is run."""
    missing = missing_packages()
    if not missing:
        print("everything that the lab needs is installed")
        return
    install(missing)


def install(packages: Sequence[str]) -> None:
    """Install Debian packages with apt-get. LabError if that fails."""
    progress = Progress(cache_directory() / "setup.log")
    progress.step(f"installing {' '.join(packages)}")
    install = ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *packages]
    for command in (["apt-get", "update"], install):
        progress.run(*as_root(["env", "DEBIAN_FRONTEND=noninteractive", *command]))
    progress.step("installed")


def as_root(argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` as root, with sudo if this user is not root. LabError without sudo."""
    if os.geteuid() == 0:
        return list(argv)
    if not shutil.which("sudo"):
        raise LabError("this step needs root: run it as root, or install sudo")
    return ["sudo", "--", *argv]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`, which is created if needed. Wait while another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that holds {path}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def tail(path: Path, *, lines: int = 20) -> str:
    """The last `lines` lines of a log, indented, without control sequences. If it cannot be read, a note about that."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"  (no log: {error})"
    return "\n".join(f"  {line.rstrip()}" for line in CONTROL.sub("", text).splitlines()[-lines:])


@dataclass
class Progress:
    """Prints each step, with the seconds since the start. The output of tools goes to the file `log`."""

    log: Path
    started: float = field(default_factory=time.monotonic)
    now: str = ""

    def step(self, text: str) -> None:
        """Print which step begins, and write it to the log."""
        self.now = text
        self.print_line(text)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"## {text}\n")

    def print_line(self, text: str) -> None:
        """Print a line with the seconds since the start."""
        say(f"[{time.monotonic() - self.started:4.0f} s] {text}")

    def run(self, *argv: str, stdin: str = "") -> str:
        """Run a tool and return its output. LabError with the end of the log if it fails."""
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"+ {' '.join(argv)}\n")
            log.flush()
            environment = {**os.environ, "LC_ALL": "C", "LVM_SUPPRESS_FD_WARNINGS": "1"}
            with self.reported_progress():
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
    def reported_progress(self) -> Iterator[None]:
        """Print regularly that the current step is still running."""
        ended = threading.Event()

        def tick() -> None:
            while not ended.wait(PROGRESS_SECONDS):
                self.print_line(f"... still {self.now}")

        ticker = threading.Thread(target=tick, daemon=True)
        ticker.start()
        try:
            yield
        finally:
            ended.set()
            ticker.join()
