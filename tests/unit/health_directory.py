# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory in which the health program runs as on a host, and observations and baselines to compare.

It runs in a shell of this machine. What it reads of a host is in files below the directory, and what it asks are stubs.
The program sleeps without waiting: `sleep` sets the uptime forward, and carries out what is to happen meanwhile.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from timer_directory import SHELLS

from ansible_collections.safepoint.lvm.plugins.module_utils._health.assertions import PLACES, assertions, settings
from ansible_collections.safepoint.lvm.plugins.module_utils._health.baseline import Baseline
from ansible_collections.safepoint.lvm.plugins.module_utils._health.gate import DEFAULT_LEVELS, Gate, Times
from ansible_collections.safepoint.lvm.plugins.module_utils._health.observation import Observation, parse_observation
from ansible_collections.safepoint.lvm.plugins.module_utils._health.program.main import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from ansible_collections.safepoint.lvm.plugins.module_utils._health.gate import Check, Level

TIMES = Times(settle=0, stable=60, retry=10, deadline=600, limit=30)
TCP_HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
_SLEEP = """\
#!/bin/sh
PATH=/usr/bin:/bin
cd {top} || exit
# The program waits for a probe. Those that hang need not be waited for.
case $1 in
0.1) sleep 0.02; exit ;;
1) [ -e patient ] || sleep 0.02 ;;
esac
read -r uptime _ <uptime
uptime=$((${{uptime%.*}} + $1))
echo "$uptime.75 9.00" >uptime
for event in events/*; do
    moment=${{event#*/}}
    [ -e "$event" ] && [ "$uptime" -ge "${{moment%-*}}" ] || continue
    mv "$event" event
    . ./event
done
"""


def gate(*probes: str, checks: Sequence[Check] = (), warned: Sequence[str] = ()) -> Gate:
    """A gate that looks at ``probes``, and warns of those in ``warned``."""
    levels: dict[str, Level] = dict.fromkeys(DEFAULT_LEVELS, "ignored")
    levels.update(dict.fromkeys(probes, "required"))
    levels.update(dict.fromkeys(warned, "warned"))
    return Gate(levels, tuple(checks))


def observed(facts: Iterable[str], one: Gate, *, ended: Mapping[str, str] | None = None, end: str = "end") -> str:
    """The text of an observation. ``ended`` are the probes that have not ended well, with status and detail."""
    how = dict.fromkeys(one.probes, "ok -") | dict(ended or {})
    lines = [*(f"fact {fact}" for fact in facts), *(f"probe {probe} {status}" for probe, status in how.items())]
    return "\n".join(["safepoint-health 1", *lines, end]) + "\n"


def baseline(one: Gate, first: str, second: str | None = None) -> Baseline:
    """The baseline of two looks, or of one look twice."""
    return Baseline("s", 1800000000, "boot", one, first, first if second is None else second)


@dataclass
class Health:
    """The directory, and the words that run a shell."""

    top: Path
    shell: str
    times: Times = TIMES

    def __post_init__(self) -> None:
        for name in ("here", "bin", "events", "net", "dpkg/updates"):
            (self.top / name).mkdir(parents=True)
        self.write("uptime", "500.00 9.00")
        self.write("port_range", "32768\t60999")
        self.write("net/tcp", TCP_HEAD)
        self.write("mounts", "")
        self.write("fstab", "")
        self.write("here/program", PROGRAM)
        self.tool("sh", f'exec {" ".join(SHELLS[self.shell])} "$@"')
        self.write("bin/sleep", _SLEEP.format(top=self.top))
        (self.top / "bin" / "sleep").chmod(0o755)

    def write(self, name: str, text: str) -> None:
        """Write a file below the directory."""
        (self.top / name).write_text(text + "\n", errors="surrogateescape")

    def tool(self, name: str, program: str) -> None:
        """Make a stub for a program of the host. ``$TOP`` is the directory."""
        self.write(f"bin/{name}", f"#!/bin/sh\nTOP={self.top}\n{program}")
        (self.top / "bin" / name).chmod(0o755)

    def shows(self, name: str, text: str) -> None:
        """Make a stub for a program that prints a text."""
        self.write(f"{name}.shows", text)
        self.tool(name, f"cat '{self.top}/{name}.shows'")

    def at(self, uptime: int, program: str) -> None:
        """Run shell commands when the host has this uptime. They run in the directory."""
        number = len(list((self.top / "events").iterdir()))
        self.write(f"events/{uptime}-{number}", program)

    @property
    def uptime(self) -> int:
        """The uptime of the host."""
        return int((self.top / "uptime").read_text().partition(".")[0])

    def run(self, one: Gate, *words: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run the program with ``words`` as its last arguments."""
        here, program = str(self.top / "here"), str(self.top / "here" / "program")
        names = ("UPTIME", "uptime"), ("NET", "net"), ("PORT_RANGE", "port_range"), ("MOUNTS", "mounts")
        places = {key: str(self.top / name) for key, name in (*names, ("FSTAB", "fstab"), ("DPKG", "dpkg"))}
        assert places.keys() == PLACES.keys()
        found = settings(one, self.times, path=path or f"{self.top}/bin:/usr/bin:/bin", places=places)
        # As of a host with this byte order, whatever that of this machine is.
        self.write("here/settings", found.replace("BYTES=big", "BYTES=little"))
        argv = [*SHELLS[self.shell], program, program, here, *words]
        return subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)

    def look(self, one: Gate) -> Observation:
        """What the program observes."""
        done = self.run(one, "record")
        assert done.returncode == 0, done
        found = parse_observation((self.top / "here" / "now").read_text(encoding="ascii"))
        assert found.whole
        return found

    def facts(self, probe: str) -> dict[str, str]:
        """The facts of one probe, which must end well."""
        found = self.look(gate(probe))
        assert found.ended == {probe: ("ok", "-")}
        return found.of_probe(probe)

    def wait(self, before: Baseline, *accept: str) -> tuple[bool, list[str]]:
        """Let the program wait until the host is well. Return whether it is, and the differences."""
        self.write("here/assertions", assertions(before, accept).rstrip("\n"))
        done = self.run(before.gate, "wait")
        assert done.returncode in (0, 1), done
        return done.returncode == 0, done.stdout.splitlines()

    def judge(self, before: Baseline, accept: Sequence[str], first: str, now: str) -> tuple[bool, list[str]]:
        """Let the program judge two observations."""
        self.write("here/assertions", assertions(before, accept).rstrip("\n"))
        for name, text in (("first", first), ("now", now)):
            (self.top / "here" / name).write_text(text)
        files = [str(self.top / "here" / name) for name in ("first", "now")]
        done = self.run(before.gate, "judge", *files)
        assert done.returncode in (0, 1), done
        return done.returncode == 0, done.stdout.splitlines()
