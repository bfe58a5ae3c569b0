# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script that ends LVM's pollers in the guest's own initramfs. The scenario root_rollback boots with it.

mkinitramfs takes half a minute for each initramfs, so only one test uses the real one. In the others update-initramfs
and lsinitramfs are real, and a stand-in for mkinitramfs makes an archive of the scripts alone, at once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lvm
import pytest
from calls import call, ok, start

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOT = Path("/boot")
SCRIPT = Path("/etc/initramfs-tools/scripts/local-bottom/safepoint-lvm")
BUILDS = Path("/usr/sbin/mkinitramfs").exists()
PRESENT, ABSENT = {"state": "present", "lock_timeout": 600}, {"state": "absent", "lock_timeout": 600}


# As update-initramfs calls mkinitramfs(8): the options, and the version of the kernel.
QUICK = """\
#!/bin/sh
set -e
while [ "$1" != -o ]; do shift; done
sleep 2
tree=$(mktemp --directory)
mkdir --parents "$tree/scripts/init-bottom"
touch "$tree/scripts/init-bottom/udev"
cp --recursive /etc/initramfs-tools/scripts "$tree"
cd "$tree"
find . | cpio --create --format newc --quiet >"$2"
rm --recursive "$tree"
"""


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Every initramfs and the script as they were, with their times, by which the module knows which is older."""
    kept = {path: (path.read_bytes(), path.stat()) for path in (SCRIPT, *images().values()) if path.exists()}
    yield
    for path in {SCRIPT, *images().values()} - set(kept):
        path.unlink(missing_ok=True)
    for path, (content, status) in kept.items():
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
        path.chmod(status.st_mode)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of programs that come before those of the guest: the stand-in for mkinitramfs."""
    directory = Path("/run/safepoint-guest/initramfs-tools")
    directory.mkdir(parents=True)
    put(directory / "mkinitramfs", QUICK)
    monkeypatch.setenv("PATH", f"{directory}:/usr/sbin:/usr/bin:/sbin:/bin")
    yield directory
    shutil.rmtree(directory)


def put(path: Path, program: str) -> None:
    path.write_text(program)
    path.chmod(0o755)


def images() -> dict[str, Path]:
    """The initramfs of each kernel."""
    kernels = [path.name.partition("-")[2] for path in BOOT.glob("vmlinuz-*")]
    return {kernel: path for kernel in kernels if (path := BOOT / f"initrd.img-{kernel}").exists()}


def having() -> list[str]:
    """The kernels in whose initramfs the script is."""
    name = "/".join(SCRIPT.parts[-3:])
    return sorted(kernel for kernel, path in images().items() if name in lvm.run("lsinitramfs", str(path)))


def state() -> Any:
    """All that the module may change."""
    scripts = sorted((path.name, path.stat().st_mode) for path in SCRIPT.parent.iterdir())
    return scripts, {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in images().values()}


def same_twice(arguments: dict[str, Any]) -> dict[str, Any]:
    """Run it in check mode, for real, again, and again in check mode: it does what it said, and then nothing."""
    before = state()
    check = ok("initramfs_hook", arguments, check=True)
    assert (state(), check["commands"]) == (before, [])
    real = ok("initramfs_hook", arguments)
    for key in ("changed", "planned", "initramfs_hook", "diff"):
        assert real[key] == check[key], key
    after = state()
    for again in (ok("initramfs_hook", arguments), ok("initramfs_hook", arguments, check=True)):
        assert (again["changed"], again["planned"], again["commands"]) == (False, [], [])
        assert again["initramfs_hook"] == real["initramfs_hook"]
        assert again["diff"]["before"] == again["diff"]["after"] == real["diff"]["after"]
    assert state() == after
    return real


def test_a_host_without_initramfs_tools_needs_nothing() -> None:
    if not BUILDS:
        result = ok("initramfs_hook", PRESENT)
        assert (result["changed"], result["initramfs_hook"]["state"]) == (False, "not_needed")
        assert not SCRIPT.exists()


@pytest.mark.skipif(not BUILDS, reason="the guest has no initramfs-tools")
class TestBuilds:
    def test_a_real_initramfs(self) -> None:
        if SCRIPT.exists():
            ok("initramfs_hook", ABSENT)
        assert having() == []
        assert ok("initramfs_hook", PRESENT)["changed"]
        assert having() == sorted(images())
        assert not ok("initramfs_hook", PRESENT, check=True)["changed"]

    @pytest.mark.usefixtures("tools")
    def test_the_whole_way(self) -> None:
        ok("initramfs_hook", ABSENT)
        assert having() == []
        made = same_twice(PRESENT)
        assert made["initramfs_hook"] == {"state": "present", "path": str(SCRIPT), "kernels": sorted(images())}
        assert having() == sorted(images())
        assert SCRIPT.stat().st_mode & 0o7777 == 0o755
        (shown,) = (step for step in made["planned"] if step["step"] == "write_script")
        assert shown["sha256"] == hashlib.sha256(SCRIPT.read_bytes()).hexdigest()
        removed = same_twice(ABSENT)
        assert removed["initramfs_hook"] == {"state": "absent", "path": str(SCRIPT), "kernels": []}
        assert (SCRIPT.exists(), having()) == (False, [])

    @pytest.mark.usefixtures("tools")
    def test_an_initramfs_that_was_built_without_it_and_is_younger(self) -> None:
        ok("initramfs_hook", PRESENT)
        kernel = os.uname().release
        text = SCRIPT.read_bytes()
        SCRIPT.unlink()
        subprocess.run(["update-initramfs", "-u", "-k", kernel], check=True)
        SCRIPT.write_bytes(text)
        SCRIPT.chmod(0o755)
        os.utime(SCRIPT, (0, 0))
        made = same_twice(PRESENT)
        assert [(step["step"], step["kernel"]) for step in made["planned"]] == [("build_initramfs", kernel)]

    def test_a_build_that_fails(self, tools: Path) -> None:
        ok("initramfs_hook", ABSENT)
        put(tools / "update-initramfs", "#!/bin/sh\necho 'no space left' >&2\nexit 1\n")
        result = call("initramfs_hook", PRESENT)
        assert (result["failed"], result["changed"]) == (True, True)
        assert "failed with exit code 1: no space left" in result["msg"]
        assert (
            f"{SCRIPT} exists; built again for kernel none, not yet for {', '.join(sorted(images()))}" in result["msg"]
        )
        (tools / "update-initramfs").unlink()
        assert ok("initramfs_hook", PRESENT)["initramfs_hook"]["kernels"] == sorted(images())

    @pytest.mark.usefixtures("tools")
    def test_a_boot_that_cannot_be_written_to(self) -> None:
        ok("initramfs_hook", ABSENT)
        lvm.run("mount", "-o", "remount,ro", str(BOOT))
        try:
            result = call("initramfs_hook", PRESENT)
        finally:
            lvm.run("mount", "-o", "remount,rw", str(BOOT))
        assert result["reasons"] == ["/boot is mounted read-only: mount -o remount,rw /boot"]
        assert not SCRIPT.exists()

    @pytest.mark.usefixtures("tools")
    @pytest.mark.parametrize("delay", [0.3, 2.0])
    def test_killed_while_it_builds(self, delay: float) -> None:
        """update-initramfs goes on then, and who comes next waits for it."""
        ok("initramfs_hook", ABSENT)
        running = start("initramfs_hook", PRESENT)
        time.sleep(delay)
        running.kill()
        result = ok("initramfs_hook", PRESENT)
        assert result["initramfs_hook"]["kernels"] == having() == sorted(images())
        assert subprocess.run(["pgrep", "update-initramfs"], stdout=subprocess.PIPE, check=False).stdout == b""
        assert [path.name for path in Path("/etc/initramfs-tools").glob("*.safepoint-new")] == []
