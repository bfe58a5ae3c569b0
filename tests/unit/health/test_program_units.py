# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the health program makes of what systemd, the package manager and the clock say. And probes that do not end."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from health_directory import gate

from ansible_collections.safepoint.lvm.plugins.module_utils._health.gate import Check, Times

if TYPE_CHECKING:
    from health_directory import Health

FAILED = """\
Id=foo.service
Transient=no

Transient=yes
Id=run-u12.service

Id=dev-disk-by\\x2dlabel-a.swap
Transient=no"""
RESTARTS = """\
Id=calm.service
NRestarts=0
Transient=no

NRestarts=12
Id=loop.service
Transient=no

Id=run-u1.service
NRestarts=3
Transient=yes

Id=old.service
NRestarts=[not set]
Transient=no"""
TRACKING = """\
Reference ID    : C0000201 (192.0.2.1)
Stratum         : 3
Leap status     : {}"""
DPKG = """\
installed|ok|bash
config-files|ok|gone
not-installed|ok|never
half-configured|ok|openssh-server
installed|reinstreq|libc6:amd64
unpacked|ok|a"""
RPM = """\
Unsatisfied dependencies for foo-bar-1.2-3.el9.x86_64:
\tlibx.so.1 is needed by (installed) foo-bar-1.2-3.el9.x86_64
Unsatisfied dependencies for foo-bar-1.2-4.el9.x86_64:
.......T.  c /etc/x"""


@pytest.mark.parametrize(("state", "code"), [("running", 0), ("degraded", 1), ("starting", 1), ("maintenance", 1)])
def test_the_state_of_the_host(state: str, code: int, health: Health) -> None:
    health.tool("systemctl", f'[ "$1" = is-system-running ] && echo {state}; exit {code}')
    # A host that is starting is waited for until the deadline.
    health.times = Times(settle=0, stable=60, retry=10, deadline=20, limit=30)
    assert health.facts("boot") == {"system": state}


def test_a_systemctl_without_an_answer_has_failed(health: Health) -> None:
    health.tool("systemctl", "exit 1")
    assert health.look(gate("boot", "failed_units", "restarts")).ended == {
        "boot": ("failed", "1"),
        "failed_units": ("failed", "1"),
        "restarts": ("failed", "1"),
    }


def test_failed_units_without_transient_ones(health: Health) -> None:
    listed = (
        "foo.service loaded failed failed Foo\nrun-u12.service not-found failed failed -\n"
        "\u25cf dev-disk-by\\x2dlabel-a.swap loaded failed failed A swap"
    )
    health.write("listed", listed)
    health.write("shown", FAILED)
    health.tool(
        "systemctl",
        """case $* in
        "list-units --state=failed --plain --no-legend --full") cat $TOP/listed ;;
        "show --property=Id --property=Transient -- foo.service run-u12.service "*a.swap) cat $TOP/shown ;;
        *) exit 1 ;;
        esac""",
    )
    expected = {"foo.service": "failed", r"dev-disk-by\x5cx2dlabel-a.swap": "failed"}
    assert health.facts("failed_units") == expected


def test_units_that_were_restarted(health: Health) -> None:
    health.shows("systemctl", RESTARTS)
    assert health.facts("restarts") == {"loop.service": "12"}


@pytest.mark.parametrize("probe", ["failed_units", "restarts"])
def test_no_unit(probe: str, health: Health) -> None:
    health.shows("systemctl", "")
    assert health.facts(probe) == {}


@pytest.mark.parametrize(
    ("says", "value"),
    [("Normal", "synchronised"), ("Insert second", "synchronised"), ("Not synchronised", "unsynchronised")],
)
def test_chrony_is_asked_first(says: str, value: str, health: Health) -> None:
    health.shows("chronyc", TRACKING.format(says))
    health.shows("timedatectl", "no" if value == "synchronised" else "yes")
    assert health.facts("time_sync") == {"clock": value}


@pytest.mark.parametrize(("says", "value"), [("yes", "synchronised"), ("no", "unsynchronised")])
def test_a_host_whose_chronyd_does_not_run(says: str, value: str, health: Health) -> None:
    health.tool("chronyc", "echo '506 Cannot talk to daemon'; exit 1")
    health.shows("timedatectl", says)
    assert health.facts("time_sync") == {"clock": value}


def test_packages_of_dpkg(health: Health) -> None:
    health.write("dpkg/status", "Package: bash")
    health.shows("dpkg-query", DPKG)
    broken = {"openssh-server": "half-configured:ok", "libc6:amd64": "installed:reinstreq", "a": "unpacked:ok"}
    assert health.facts("packages") == broken
    health.write("dpkg/updates/0003", "")
    assert health.facts("packages") == {**broken, "dpkg": "interrupted"}


def test_packages_of_rpm(health: Health) -> None:
    """Also where dpkg is installed, but has no packages."""
    health.tool("dpkg-query", "exit 1")
    health.write("verify.shows", RPM)
    health.tool("rpm", 'case $* in "-qa "*) echo bash ;; *--all*) cat "$TOP/verify.shows"; exit 1 ;; esac')
    assert health.facts("packages") == {"foo-bar": "unsatisfied"}


@pytest.mark.parametrize("failing", ["-qa", "--verify"])
def test_a_package_database_that_cannot_be_read(failing: str, health: Health) -> None:
    health.tool("rpm", f'[ "$1" != {failing} ] || exit 2')
    assert health.look(gate("packages")).ended == {"packages": ("failed", "2" if failing == "-qa" else "1")}


def test_a_program_is_missing(health: Health) -> None:
    for name in ("cat", "cp", "grep", "head", "rm", "setsid", "wc"):
        health.tool(name, f'PATH=/usr/bin:/bin exec {name} "$@"')
    one = gate("failed_units", "time_sync", "packages", checks=[Check("names", "h", "h", "required")])
    done = health.run(one, "record", path=f"{health.top}/bin")
    assert done.returncode == 0, done
    lines = (health.top / "here" / "now").read_text().splitlines()
    assert lines[1:-1] == [
        "probe failed_units missing systemctl",
        r"probe time_sync missing chronyc\x20or\x20timedatectl",
        r"probe packages missing dpkg-query\x20or\x20rpm",
        "fact names h missing",
    ]
    (health.top / "bin" / "grep").unlink()
    done = health.run(one, "record", path=f"{health.top}/bin")
    assert (done.returncode, done.stdout) == (2, "the program grep is missing\n")


def test_a_probe_that_hangs_is_killed_with_its_children(health: Health) -> None:
    health.tool("systemctl", "sleep 1000 & echo $! >$TOP/child; wait")
    # The real one: a stub ends at once.
    health.tool("sleep", 'case $1 in 1000) exec /bin/sleep 1000 ;; *) . "$TOP/bin/quick" ;; esac')
    health.write(
        "bin/quick", "read -r uptime _ <$TOP/uptime; echo $((${uptime%.*} + 1)).5 >$TOP/uptime; /bin/sleep 0.02"
    )
    health.shows("timedatectl", "yes")
    began = time.monotonic()
    found = health.look(gate("failed_units", "time_sync"))
    assert found.ended == {"failed_units": ("timeout", "30"), "time_sync": ("ok", "-")}
    assert time.monotonic() - began < 60
    child = (health.top / "child").read_text().strip()
    deadline = time.monotonic() + 10
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(pid: str) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_tool_that_never_stops_writing_is_cut_off(health: Health) -> None:
    health.tool(
        "systemctl", "i=0; while [ $i -lt 40000 ]; do echo 'Id=an-unit-with-a-long-name.service'; i=$((i+1)); done"
    )
    assert health.look(gate("failed_units")).ended == {"failed_units": ("too_much", "1048576")}


def test_a_broken_tool_of_the_program_is_not_a_healthy_host(health: Health) -> None:
    """Without `head` nothing would be read, and no failed unit found."""
    health.shows("systemctl", "")
    health.tool("head", "exit 1")
    assert health.look(gate("failed_units")).status("failed_units") == "failed"
