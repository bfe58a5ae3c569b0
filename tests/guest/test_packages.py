# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""No snapset is taken while the real dpkg works on what it would protect: thick/a is mounted at /opt."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import lvm
import pytest
import storage
from calls import absent, call, ok, present, refused, start

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from calls import Before

WORK = Path("/run/safepoint-packages")
# While it exists, the package is half installed: its preinst waits.
HOLD = WORK / "hold"
CONTROL = """Package: safepoint-test
Version: {version}
Architecture: all
Maintainer: The tests <root@localhost>
Description: nothing
"""
PREINST = f"""#!/bin/sh
touch {WORK}/begun
while [ -e {HOLD} ]; do sleep 0.1; done
"""
QUICKLY = {"package_timeout": 0}


@pytest.fixture(autouse=True)
def _opt() -> Iterator[None]:
    shutil.rmtree(WORK, ignore_errors=True)
    lvm.run("mount", "/dev/thick/a", "/opt")
    build(1)
    yield
    HOLD.unlink(missing_ok=True)
    lvm.run("umount", "/opt")
    lvm.run("dpkg", "--purge", "--force-remove-reinstreq", "safepoint-test")


def build(version: int) -> Path:
    """Build a package of that version. Return its file."""
    top = WORK / str(version)
    (top / "DEBIAN").mkdir(parents=True)
    (top / "DEBIAN/control").write_text(CONTROL.format(version=version))
    (top / "DEBIAN/preinst").write_text(PREINST)
    (top / "DEBIAN/preinst").chmod(0o755)
    lvm.run("dpkg-deb", "--build", str(top), f"{top}.deb")
    return Path(f"{top}.deb")


def begin_to_install() -> subprocess.Popen[bytes]:
    """Start dpkg. Return when it has begun to install the package, and waits."""
    HOLD.touch()
    begun = WORK / "begun"
    begun.unlink(missing_ok=True)
    process = subprocess.Popen(["dpkg", "-i", f"{WORK}/1.deb"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.05)
    return process


@contextmanager
def installing() -> Iterator[int]:
    """While dpkg installs a package. Yields its PID."""
    process = begin_to_install()
    try:
        yield process.pid
    finally:
        HOLD.unlink(missing_ok=True)
        assert process.wait() == 0


def test_while_dpkg_works() -> None:
    with installing() as pid:
        works = rf"dpkg is working \(dpkg \(PID {pid}\) holds /var/lib/dpkg/lock"
        for check in (True, False):
            refused("snapset", {**present("s", "thick/a"), **QUICKLY}, works, check=check)
        single = {"vg": "thick", "lv": "a", "snapshot": "one", **QUICKLY}
        refused("snapshot", single, works)
        # What packages do not touch is no concern of dpkg, and nobody waits for it.
        begun = time.monotonic()
        assert ok("snapset", {**present("data", "thick/b"), "package_timeout": 600})["changed"]
        assert time.monotonic() - begun < 60
        assert not ok("snapset", {**present("data", "thick/b")})["changed"]
    assert ok("snapset", {**present("s", "thick/a"), **QUICKLY})["changed"]


def test_waiting_for_dpkg() -> None:
    """Check mode waits too, otherwise the role would fail before it waits. Nobody has to wait for the host lock."""
    for check in (True, False):
        with installing():
            waiting = start("snapset", {**present("s", "thick/a"), "package_timeout": 120}, check=check)
            time.sleep(3)
            assert not ok("snapset", {**absent("other"), "lock_timeout": 0})["changed"]
        assert waiting.result()["changed"], check


def _before_the_second(action: str) -> Before:
    def before(number: int, _arguments: Sequence[str]) -> None:
        if number != 1:
            return
        if action == "works":
            begin_to_install()
        else:
            subprocess.run(["dpkg", "-i", f"{WORK}/1.deb"], stdout=subprocess.DEVNULL, check=True)

    return before


@pytest.mark.parametrize(
    ("action", "says"),
    [("works", r"dpkg is working \(dpkg \(PID"), ("worked", "dpkg installed or removed packages while")],
)
def test_dpkg_while_the_snapshots_are_created(action: str, says: str) -> None:
    """Whether it still works when the last one exists, or has ended meanwhile."""
    before = storage.visible()
    # Two origins, so that there is a moment between the creations.
    failed = start(
        "snapset", {**present("s", "thick/a", "thick/b"), **QUICKLY}, before=_before_the_second(action)
    ).result()
    assert failed.get("failed"), failed
    assert failed["changed"] is False
    assert says.replace("\\", "") in failed["msg"]
    assert "removed again: thick/a_s, thick/b_s" in failed["msg"]
    assert storage.visible() == before
    HOLD.unlink(missing_ok=True)
    while call("snapset", {**present("s", "thick/a", "thick/b"), "package_timeout": 60}, check=True).get("failed"):
        time.sleep(0.5)
    done = ok("snapset", {**present("s", "thick/a", "thick/b"), "package_timeout": 60})
    assert [step["step"] for step in done["planned"]] == ["create", "create", "check_packages", "seal"]
    assert done["taken_order"] == ["thick/a", "thick/b"]
    assert 0 < done["taken_within_ms"] < 600_000


def test_a_dpkg_that_was_killed() -> None:
    """The safe point may be wanted for the repair. So it is only said."""
    process = begin_to_install()
    process.kill()
    process.wait()
    HOLD.unlink()
    assert any(Path("/var/lib/dpkg/updates").iterdir())
    says = "dpkg was interrupted, so packages may be only half installed: type dpkg --configure -a"
    assert says in str(ok("snapset", present("s", "thick/a"), check=True)["warnings"])
    assert "warnings" not in ok("snapset", present("s", "thick/b"), check=True)
    assert says in str(ok("snapset_info", {})["warnings"])
    assert says in str(ok("snapset", present("s", "thick/a"))["warnings"])
    ok("snapset", absent("s"))
    lvm.run("dpkg", "--configure", "-a")
    assert "warnings" not in ok("snapset", present("s", "thick/a"), check=True)
