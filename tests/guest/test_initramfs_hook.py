# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script that stops the pollers of LVM, in the initramfs of the guest. The scenario root_rollback boots with it.

mkinitramfs needs half a minute for each initramfs, so only one test uses the real one. The other tests use the real
update-initramfs and lsinitramfs, and a stub for mkinitramfs that quickly makes an archive of the scripts only.
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


# update-initramfs calls mkinitramfs(8) with -o and a file, other options, and the version of the kernel.
QUICK_MKINITRAMFS = f"""\
#!/usr/bin/python3
import sys, time
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from initramfs import archive
time.sleep(2)
source = Path("/etc/initramfs-tools")
files = {{str(path.relative_to(source)): path.read_bytes() for path in source.glob("scripts/*/*")}}
output = Path(sys.argv[sys.argv.index("-o") + 1])
output.write_bytes(archive({{"scripts/init-bottom/udev": b"", **files}}))
"""


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Restore every initramfs and the script, with their times, because the module compares these."""
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
    """A directory at the beginning of PATH, with the stub for mkinitramfs."""
    directory = Path("/run/safepoint-guest/initramfs-tools")
    directory.mkdir(parents=True)
    write_program(directory / "mkinitramfs", QUICK_MKINITRAMFS)
    monkeypatch.setenv("PATH", f"{directory}:/usr/sbin:/usr/bin:/sbin:/bin")
    yield directory
    shutil.rmtree(directory)


def write_program(path: Path, program: str) -> None:
    path.write_text(program)
    path.chmod(0o755)


def images() -> dict[str, Path]:
    """The initramfs of each kernel."""
    kernels = [path.name.partition("-")[2] for path in BOOT.glob("vmlinuz-*")]
    return {kernel: path for kernel in kernels if (path := BOOT / f"initrd.img-{kernel}").exists()}


def kernels_with_script() -> list[str]:
    """The kernels whose initramfs contains the script."""
    name = "/".join(SCRIPT.parts[-3:])
    return sorted(kernel for kernel, path in images().items() if name in lvm.run("lsinitramfs", str(path)))


def state() -> Any:
    """Everything that the module may change."""
    scripts = sorted((path.name, path.stat().st_mode) for path in SCRIPT.parent.iterdir())
    return scripts, {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in images().values()}


def run_and_repeat(arguments: dict[str, Any]) -> dict[str, Any]:
    """Run it in check mode, for real, and both again: only the real run changes something, as predicted."""
    before = state()
    check = ok("initramfs_hook", arguments, check=True)
    assert (state(), check["commands"]) == (before, [])
    real = ok("initramfs_hook", arguments)
    for key in ("changed", "planned", "initramfs_hook", "diff"):
        assert real[key] == check[key], key
    # Files of steps come after the hook itself.
    diff = real["diff"][0] if isinstance(real["diff"], list) else real["diff"]
    after = state()
    for again in (ok("initramfs_hook", arguments), ok("initramfs_hook", arguments, check=True)):
        assert (again["changed"], again["planned"], again["commands"]) == (False, [], [])
        assert again["initramfs_hook"] == real["initramfs_hook"]
        assert again["diff"]["before"] == again["diff"]["after"] == diff["after"]
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
        assert kernels_with_script() == []
        assert ok("initramfs_hook", PRESENT)["changed"]
        assert kernels_with_script() == sorted(images())
        assert not ok("initramfs_hook", PRESENT, check=True)["changed"]

    @pytest.mark.usefixtures("tools")
    def test_install_and_remove(self) -> None:
        ok("initramfs_hook", ABSENT)
        assert kernels_with_script() == []
        made = run_and_repeat(PRESENT)
        assert made["initramfs_hook"] == {"state": "present", "path": str(SCRIPT), "kernels": sorted(images())}
        assert kernels_with_script() == sorted(images())
        assert SCRIPT.stat().st_mode & 0o7777 == 0o755
        (shown,) = (step for step in made["planned"] if step["step"] == "write_script")
        assert shown["sha256"] == hashlib.sha256(SCRIPT.read_bytes()).hexdigest()
        removed = run_and_repeat(ABSENT)
        assert removed["initramfs_hook"] == {"state": "absent", "path": str(SCRIPT), "kernels": []}
        assert (SCRIPT.exists(), kernels_with_script()) == (False, [])

    @pytest.mark.usefixtures("tools")
    def test_a_newer_initramfs_without_the_script(self) -> None:
        ok("initramfs_hook", PRESENT)
        kernel = os.uname().release
        text = SCRIPT.read_bytes()
        SCRIPT.unlink()
        subprocess.run(["update-initramfs", "-u", "-k", kernel], check=True)
        SCRIPT.write_bytes(text)
        SCRIPT.chmod(0o755)
        os.utime(SCRIPT, (0, 0))
        made = run_and_repeat(PRESENT)
        assert [(step["step"], step["kernel"]) for step in made["planned"]] == [("build_initramfs", kernel)]

    def test_a_build_that_fails(self, tools: Path) -> None:
        ok("initramfs_hook", ABSENT)
        write_program(tools / "mkinitramfs", "#!/bin/sh\necho 'no space left' >&2\nexit 1\n")
        result = call("initramfs_hook", PRESENT)
        assert (result["failed"], result["changed"]) == (True, True)
        assert "failed with exit code 1: " in result["msg"]
        assert "no space left" in result["msg"]
        assert (
            f"{SCRIPT} exists; built again for kernel none, not yet for {', '.join(sorted(images()))}" in result["msg"]
        )
        write_program(tools / "mkinitramfs", QUICK_MKINITRAMFS)
        assert ok("initramfs_hook", PRESENT)["initramfs_hook"]["kernels"] == sorted(images())

    @pytest.mark.usefixtures("tools")
    def test_boot_is_mounted_read_only(self) -> None:
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
    def test_killed_while_building(self, delay: float) -> None:
        """update-initramfs continues, and the next run of the module waits for it."""
        ok("initramfs_hook", ABSENT)
        running = start("initramfs_hook", PRESENT)
        time.sleep(delay)
        running.kill()
        result = ok("initramfs_hook", PRESENT)
        assert result["initramfs_hook"]["kernels"] == kernels_with_script() == sorted(images())
        assert subprocess.run(["pgrep", "update-initramfs"], stdout=subprocess.PIPE, check=False).stdout == b""
        assert [path.name for path in Path("/etc/initramfs-tools").glob("*.safepoint-new")] == []
