# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo: protects a virtual machine, breaks it so that it cannot boot, and rolls it back."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from tools.paths import CACHE, ROOT
from vm.controller import Controller

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PLAYS = ROOT / "tests" / "demo"
RESULTS = CACHE / "demo"
CONTROL = Controller(CACHE / "envs" / "main", RESULTS / "ansible", CACHE)
MACHINE = "demo"
SNAPSET = "before_upgrade"

# What a user would try. On a healthy host all commands but the last succeed; on the broken host only the last one does.
PROBES = (
    ("the kernel", "ls /boot/vmlinuz-$(uname -r)", True),
    ("the program that the kernel starts", "ls -lL /sbin/init", True),
    ("the package manager", "dpkg-query --show bash", True),
    ("the service", "systemctl is-active shop", True),
    ("the service's data", "cat </dev/tcp/127.0.0.1/8080", True),
    ("the unwanted files", "du -sh /opt/junk /var/junk", False),
)


class DemoError(Exception):
    """The demo failed; the message says why."""


class Clock:
    """The parts of the demo, and the duration of each in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str, title: str) -> Iterator[None]:
        """A numbered part of the demo; its duration is stored as `name`."""
        say(f"\n{len(self.seconds) + 1}. {title}")
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started

    def summary(self) -> str:
        """Return all times in one line."""
        return ", ".join(f"{name} {seconds:.0f}" for name, seconds in self.seconds.items())


def say(text: str) -> None:
    """Print without buffering."""
    print(text, flush=True)


def tool(directory: str, *arguments: str) -> str:
    """Run one of the tools of the tests, and return its output; DemoError if it fails."""
    command = [sys.executable, str(ROOT / "tests" / directory), *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise DemoError(f"command failed: tests/{directory} {' '.join(arguments)}\n{done.stdout}")
    return done.stdout


def prepare() -> None:
    """Prepare the demo: Ansible, the lab and its image, and a new directory for its files."""
    say("Preparing the demo; the first time this takes some minutes.")
    with ThreadPoolExecutor() as pool:
        ansible = pool.submit(tool, "tools", "setup", "main")
        tool("vm", "setup")
        tool("vm", "build", "trixie", "--machine", "qemu")
        ansible.result()
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    CONTROL.install(ROOT)


@contextmanager
def alone() -> Iterator[None]:
    """Lock the machine: two demos at a time would stop each other's. DemoError if another demo is running."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "demo.lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError("another demo is running with this cache: wait until it ends") from None
        yield


def boot() -> None:
    """Boot the machine, and write the inventory for Ansible."""
    # A killed demo may have left its machine.
    end()
    tool("vm", "up", MACHINE, "--image", "trixie", "--machine", "qemu")
    CONTROL.write_inventory(MACHINE)


def end() -> None:
    """Remove the machine, if it exists."""
    if (CACHE / "vms" / MACHINE).exists():
        tool("vm", "down", MACHINE)


def play(playbook: str, *variables: str) -> None:
    """Run a playbook on the machine and print the messages of its tasks; print the whole output if it fails."""
    arguments = [playbook, *(part for variable in variables for part in ("-e", variable))]
    if playbook.startswith("safepoint.lvm."):
        say(f"   $ ansible-playbook {' '.join(arguments)}")
    transcript: list[str] = []
    with subprocess.Popen(
        CONTROL.command("ansible-playbook", *arguments),
        env=CONTROL.variables(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for message in messages(kept(process.stdout or (), transcript)):
            say(f"     {message}")
    if process.returncode:
        say("".join(transcript))
        raise DemoError(f"playbook {playbook} failed: its output is above")


def kept(lines: Iterable[str], transcript: list[str]) -> Iterator[str]:
    """Yield the lines, and append each to `transcript`."""
    for line in lines:
        transcript.append(line)
        yield line


def messages(lines: Iterator[str]) -> Iterator[str]:
    """Yield the messages of debug tasks and rollback_wait from the output of ansible-playbook, line by line."""
    for line in lines:
        if line.startswith(f"{MACHINE}: "):
            yield line.rstrip("\n")
        if re.match(r"ok: \[.*\] => \{$", line):
            body = ["{"]
            while body[-1] != "}":
                body.append(next(lines, "}").rstrip("\n"))
            message = json.loads("".join(body))["msg"]
            yield from [message] if isinstance(message, str) else message


def probe(*, sound: bool) -> None:
    """Try what a user would try; DemoError unless the results are those of a healthy host, or of the broken one."""
    for what, command, works_when_sound in PROBES:
        remote = [sys.executable, str(ROOT / "tests" / "vm"), "run", MACHINE, "--", "bash", "-c", command]
        done = subprocess.run(remote, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        say(f"   {MACHINE}# {command}")
        for line in done.stdout.splitlines():
            say(f"     {line}")
        if (done.returncode == 0) is not (works_when_sound is sound):
            raise DemoError(f"{what}: the result is not that of a {'healthy' if sound else 'broken'} host")


def manifest(name: str) -> dict[str, str]:
    """Get the state of the host: the facts about each file, by path."""
    path = RESULTS / f"{name}.txt"
    play(str(PLAYS / "manifest.yml"), f"demo_manifest={path}")
    lines = [line.split(" ", 4) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return {line[4]: " ".join(line[:4]) for line in lines}


def compare(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Print how two states differ, and return the paths that differ."""
    gone, new = before.keys() - now.keys(), now.keys() - before.keys()
    changed = {path for path in before.keys() & now.keys() if before[path] != now[path]}
    same = len(before) - len(gone) - len(changed)
    say(f"   {len(before)} files: {same} are the same, {len(changed)} changed, {len(gone)} removed, {len(new)} new.")
    return sorted(gone | new | changed)


def show() -> None:
    """Run the parts of the demo."""
    clock = Clock()
    with clock.part("set-up", "A Debian 13 host: / and /var on LVM, GRUB, and a shop with its data on /var"):
        boot()
        play(str(PLAYS / "service.yml"))
        probe(sound=True)
    with clock.part("snapset", "Before the change: take a snapset"):
        play("safepoint.lvm.pre_upgrade", f"snapset={SNAPSET}")
        before = manifest("before")
        say(f"   Checksums, owners, modes and times of {len(before)} files are recorded.")
    with clock.part("change", "The change, which breaks the host"):
        play(str(PLAYS / "break.yml"))
        probe(sound=False)
        if not compare(before, manifest("ruined")):
            raise DemoError("the change has changed no file")
        play("safepoint.lvm.status", f"snapset={SNAPSET}")
    with clock.part("rollback", "The rollback, with a reboot, which takes a while"):
        evidence = ("rollback_fetch=/var/log/upgrade.log", f"rollback_fetch_dest={RESULTS}")
        play("safepoint.lvm.rollback", f"snapset={SNAPSET}", *evidence)
    with clock.part("proof", "The proof: the same commands again"):
        probe(sound=True)
        differing = compare(before, manifest("after"))
        if differing:
            raise DemoError(f"the rollback did not restore these files: {', '.join(differing)}")
    with clock.part("commit", "Remove the record of the rollback"):
        play("safepoint.lvm.commit", f"snapset={SNAPSET}")
        play("safepoint.lvm.status")
    say(f"\nThe host is exactly as it was before the change. Seconds: {clock.summary()}.")


def stop(_signal: int, _frame: object) -> NoReturn:
    """Stop as with Ctrl-C."""
    raise KeyboardInterrupt


def main() -> int:
    """Run the demo, and remove the machine in any case."""
    signal.signal(signal.SIGTERM, stop)
    try:
        with alone():
            prepare()
            try:
                show()
            finally:
                # A second Ctrl-C would leave the machine running.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                end()
    except DemoError as error:
        say(f"\ndemo: {error}")
        return 1
    except KeyboardInterrupt:
        say("\ndemo: interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
