# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health of a real host with systemd: what is broken after the baseline was recorded is found, and named.

The times are short, because nothing here needs long to come to rest.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lvm
import pytest
from calls import call, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

UNITS = Path("/run/systemd/system")
DIRECTORY = Path("/var/lib/safepoint.lvm/health")
TIMES = {"settle": "0s", "stable": "4s", "retry": "1s", "deadline": "120s", "probe_timeout": "60s"}
NAMES = ("sp-fails", "sp-listens", "sp-loops", "sp-failed-before")
FAILS = "[Service]\nType=oneshot\nExecStart=/bin/false\n"
LISTENS = """\
[Service]
ExecStart=/usr/bin/python3 -c "import socket, time; s = socket.create_server(('127.0.0.1', 7070)); time.sleep(1000)"
"""
LOOPS = """\
[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/sh -c 'sleep 1; exit 1'
Restart=always
RestartSec=0.5
"""


@pytest.fixture(autouse=True)
def _units() -> Iterator[None]:
    """Units that a test may use, and a host that is as before afterwards."""
    for name, text in zip(NAMES, (FAILS, LISTENS, LOOPS, FAILS)):
        (UNITS / f"{name}.service").write_text(text)
    systemctl("daemon-reload")
    yield
    for name in NAMES:
        systemctl("stop", name)
        (UNITS / f"{name}.service").unlink()
    systemctl("daemon-reload")
    systemctl("reset-failed")
    shutil.rmtree(DIRECTORY, ignore_errors=True)


def systemctl(*arguments: str) -> int:
    return subprocess.run(["systemctl", *arguments], check=False, capture_output=True).returncode


def request(state: str, **more: Any) -> dict[str, Any]:
    return {"name": "s", "state": state, **TIMES, **more}


def recorded(**more: Any) -> dict[str, Any]:
    return ok("health", request("recorded", **more))


def compared(**more: Any) -> dict[str, Any]:
    """Compare. That never changes anything."""
    result = call("health", request("compared", **more))
    assert result["changed"] is False
    return result


def failures(**more: Any) -> list[tuple[str, str, str]]:
    """What a comparison finds. What is ill now is ill in every look, so a short deadline is enough."""
    result = compared(**{"deadline": "5s", **more})
    assert (result["failed"], result["healthy"]) == (True, False)
    return [(one["check"], one["key"], one["now"]) for one in result["differences"] if one["verdict"] == "failure"]


def until_listening() -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", 7070)) == 0:
                return
        time.sleep(0.2)
    pytest.fail("nothing listens on port 7070")


def test_nothing_has_changed() -> None:
    result = recorded()
    facts = [line.rsplit(" ", 1)[0] for line in result["health"]["facts"]]
    assert {"boot system", "mounts /", "listeners tcp/0.0.0.0:22"} & set(facts) >= {"boot system", "mounts /"}
    assert (DIRECTORY / "s.json").stat().st_mode & 0o777 == 0o600
    again = recorded(replace=False)
    assert (again["changed"], again["health"]) == (False, result["health"])
    found = compared()
    assert (found["healthy"], found.get("failed")) == (True, None)
    assert found["waited"] >= 4
    assert {one["outcome"] for one in found["checks"]} <= {"passed", "not_compared"}


def test_a_unit_that_fails_afterwards_and_one_that_was_failed_before() -> None:
    assert systemctl("start", "sp-failed-before") != 0
    result = recorded()
    assert "failed_units sp-failed-before.service" in result["health"]["not_compared"]
    assert systemctl("start", "sp-fails") != 0
    assert failures() == [("failed_units", "sp-fails.service", "failed")]
    assert "failed_units sp-fails.service: was -, is failed" in compared(deadline="5s")["msg"]
    assert compared(accept=["failed_units sp-fails*"])["healthy"]
    # What is well again is no failure.
    systemctl("reset-failed")
    found = compared()
    assert found["healthy"]
    assert ("failed_units", "sp-failed-before.service", "note") in [
        (one["check"], one["key"], one["verdict"]) for one in found["differences"]
    ]


def test_a_transient_unit_does_not_count() -> None:
    recorded()
    assert subprocess.run(["systemd-run", "--unit=sp-transient", "--wait", "/bin/false"], check=False).returncode != 0
    assert systemctl("is-failed", "sp-transient.service") == 0
    assert compared()["healthy"]


def test_a_listener_that_vanishes() -> None:
    systemctl("start", "sp-listens")
    until_listening()
    port = {"ports": [{"port": 7070}]}
    assert "listeners tcp/127.0.0.1:7070 open" in recorded(**port)["health"]["facts"]
    systemctl("stop", "sp-listens")
    expected = [("listeners", "tcp/127.0.0.1:7070", "-"), ("ports", "tcp/7070", "failed:1")]
    assert failures(**port) == expected
    systemctl("start", "sp-listens")
    assert compared(**port)["healthy"]


def test_a_mount_that_vanishes_and_one_that_becomes_read_only(tmp_path: Path) -> None:
    image, place = tmp_path / "image", Path("/mnt/sp \xe4\\")
    image.write_bytes(b"")
    with image.open("r+b") as file:
        file.truncate(16 * 1024 * 1024)
    lvm.run("mkfs.ext4", "-q", str(image))
    place.mkdir(parents=True, exist_ok=True)
    fstab = Path("/etc/fstab").read_text()
    try:
        Path("/etc/fstab").write_text(fstab + f"{image} /mnt/sp\\040\xe4\\134 ext4 loop 0 0\n")
        lvm.run("mount", str(place))
        assert "mounts /mnt/sp\\x20\\xc3\\xa4\\x5c rw" in recorded()["health"]["facts"]
        lvm.run("mount", "-o", "remount,ro", str(place))
        assert failures() == [("mounts", "/mnt/sp\\x20\\xc3\\xa4\\x5c", "ro")]
        lvm.run("umount", str(place))
        assert failures() == [("mounts", "/mnt/sp\\x20\\xc3\\xa4\\x5c", "-")]
    finally:
        subprocess.run(["umount", str(place)], check=False, capture_output=True)
        Path("/etc/fstab").write_text(fstab)
        place.rmdir()


def test_a_restart_loop() -> None:
    recorded()
    systemctl("start", "sp-loops")
    found = failures(deadline="20s")
    assert [(check, key) for check, key, _now in found if check != "gate"] == [("restarts", "sp-loops.service")]
    # One that was there before is not a failure, although its counter grows.
    assert (
        "restarts sp-loops.service"
        in ok("health", request("recorded", replace=True, retry="5s"))["health"]["not_compared"]
    )
    assert compared()["healthy"]


def test_the_command_of_a_user_and_one_that_hangs() -> None:
    commands = [
        {"name": "shop", "command": "test ! -e /run/sp-ill"},
        {"name": "slow", "command": "test ! -e /run/sp-ill || sleep 1000"},
        {"name": "wanted", "command": "test ! -e /run/sp-ill", "level": "warned"},
    ]
    recorded(commands=commands)
    Path("/run/sp-ill").touch()
    try:
        began = time.monotonic()
        found = compared(probe_timeout="10s", deadline="12s")
        assert time.monotonic() - began < 60
        assert [(one["key"], one["now"], one["verdict"]) for one in found["differences"]] == [
            ("shop", "failed:1", "failure"),
            ("slow", "timeout", "failure"),
            ("wanted", "failed:1", "warning"),
        ]
        assert subprocess.run(["pgrep", "-f", "sleep 1000"], check=False, capture_output=True).stdout == b""
    finally:
        Path("/run/sp-ill").unlink()


def test_a_required_check_whose_program_is_missing_is_refused() -> None:
    result = call("health", request("recorded", commands=[{"name": "c", "command": "/no/such/program"}]))
    assert result["failed"]
    assert result["reasons"][0].startswith("commands c: a program that it needs is missing")
    assert not (DIRECTORY / "s.json").exists()


def test_a_package_that_is_half_configured() -> None:
    if not Path("/var/lib/dpkg/status").exists():
        pytest.skip("the guest has no dpkg")
    recorded()
    status = Path("/var/lib/dpkg/status")
    text = status.read_text()
    try:
        broken = re.sub(r"(?m)^(Package: grep\n(?:\S.*\n)*?Status: install ok )installed$", r"\1half-configured", text)
        assert broken != text
        status.write_text(broken)
        assert failures() == [("packages", "grep", "half-configured:ok")]
    finally:
        status.write_text(text)


def test_check_mode_predicts_and_keeps_nothing() -> None:
    predicted = ok("health", request("recorded"), check=True)
    assert not DIRECTORY.exists()
    real = recorded()
    for key in ("changed", "diff"):
        assert real[key] == predicted[key]
    assert ok("health", request("compared"), check=True)["healthy"]
    assert ok("health", request("absent"), check=True)["changed"]
    assert (DIRECTORY / "s.json").exists()
    assert ok("health", request("absent"))["changed"]
    assert not ok("health", request("absent"))["changed"]
