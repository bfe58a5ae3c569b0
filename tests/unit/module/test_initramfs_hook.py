# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module initramfs_hook on a machine that is played: an initramfs there is the list of the files in it."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import modules
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host import boot
from ansible_collections.safepoint.lvm.plugins.module_utils._initramfs_hook import installed, steps
from ansible_collections.safepoint.lvm.plugins.module_utils._initramfs_hook.program import PROGRAM
from ansible_collections.safepoint.lvm.plugins.module_utils._model import Host
from ansible_collections.safepoint.lvm.plugins.module_utils._module import initramfs_hook as use_case
from ansible_collections.safepoint.lvm.plugins.module_utils._module.changes import ChangeSession
from ansible_collections.safepoint.lvm.plugins.module_utils._module.run import run_change

if TYPE_CHECKING:
    from collections.abc import Iterator

# What they print and do; `broken` is the kernel for which nothing can be built.
TOOLS = {
    "mkinitramfs": "exit 1",
    "lsinitramfs": 'cat "$1"',
    "update-initramfs": """
        echo "update-initramfs $*" >>"$HERE/said"
        [ "$3" != "$(cat "$HERE/broken")" ] || { echo "no space left" >&2; exit 3; }
        [ "$3" != "$(cat "$HERE/idle")" ] || exit 0
        echo scripts/init-bottom/udev >"$HERE/new"
        [ ! -x "$HERE/etc/scripts/local-bottom/safepoint-lvm" ] || echo scripts/local-bottom/safepoint-lvm >>"$HERE/new"
        mv "$HERE/new" "$HERE/boot/initrd.img-$3"
    """,
}
KERNELS = ("6.1", "6.2")


class Ended(Exception):
    pass


class Machine:
    """A host with two kernels, whose initramfs lacks the script, and initramfs-tools."""

    def __init__(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.here, self.boot = here, here / "boot"
        self.script = here / "etc" / "scripts" / "local-bottom" / "safepoint-lvm"
        for directory in (self.boot, here / "etc", here / "bin"):
            directory.mkdir()
        for name in ("broken", "idle", "said"):
            (here / name).touch()
        for name, text in TOOLS.items():
            (here / "bin" / name).write_text(f"#!/bin/sh\nHERE={here}\n{text}\n")
            (here / "bin" / name).chmod(0o755)
        for kernel in KERNELS:
            (self.boot / f"vmlinuz-{kernel}").touch()
            self.image(kernel).write_text("scripts/init-bottom/udev\n")
        monkeypatch.setenv("PATH", f"{here}/bin:{os.environ['PATH']}")
        for place in (installed, steps, use_case):
            monkeypatch.setattr(place, "INITRAMFS_SCRIPT", self.script)
        monkeypatch.setattr(installed, "BOOT", self.boot)
        monkeypatch.setattr(steps, "_TEMPORARY", here / "etc")
        monkeypatch.setattr(use_case, "read_host", lambda: Host(now=0, boot_id="", preview=self.preview))
        monkeypatch.setattr(ChangeSession, "locked", lambda session, _purpose: self._locked(session))
        monkeypatch.setattr("os.geteuid", lambda: 0)
        self.preview: tuple[str, str] | None = None
        self.journal: list[str] = []

    @contextmanager
    def _locked(self, session: ChangeSession) -> Iterator[None]:
        with (self.here / "lock").open("w") as lock:
            session.lock = lock.fileno()
            yield

    def image(self, kernel: str) -> Path:
        return self.boot / f"initrd.img-{kernel}"

    def run(self, state: str = "present", *, check: bool = False) -> dict[str, Any]:
        """What the module returns."""
        ended: list[dict[str, Any]] = []

        def end(**result: Any) -> None:
            ended.append(result)
            raise Ended

        module: Any = modules.module({"state": state, "lock_timeout": 0}, self.journal)
        module.check_mode, module.exit_json = check, end
        module.fail_json = lambda **result: end(failed=True, **result)
        with pytest.raises(Ended):
            run_change(module, use_case.HookCase)
        return ended[0]

    def said(self) -> list[str]:
        """What was built since the last time."""
        lines = (self.here / "said").read_text().splitlines()
        (self.here / "said").write_text("")
        return lines

    def state(self) -> dict[str, tuple[str, int]]:
        """All files that the module may change, with their times."""
        found = [path for root in (self.boot, self.here / "etc") for path in root.rglob("*") if path.is_file()]
        return {str(path): (path.read_text(), path.stat().st_mtime_ns) for path in found}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_present_and_absent_each_in_four_runs(machine: Machine) -> None:
    for state, kernels in (("present", list(KERNELS)), ("absent", [])):
        before = machine.state()
        check = machine.run(state, check=True)
        assert (machine.state(), machine.said(), check["commands"]) == (before, [], [])
        real = machine.run(state)
        assert real["commands"] == [["update-initramfs", "-u", "-k", kernel] for kernel in KERNELS]
        assert machine.said() == [f"update-initramfs -u -k {kernel}" for kernel in KERNELS]
        for key in ("changed", "planned", "initramfs_hook", "diff"):
            assert real[key] == check[key], key
        assert (real["changed"], real["initramfs_hook"]["kernels"]) == (True, kernels)
        after = machine.state()
        for again in (machine.run(state), machine.run(state, check=True)):
            assert (again["changed"], again["planned"], again["commands"]) == (False, [], [])
            assert again["initramfs_hook"] == real["initramfs_hook"]
            assert again["diff"]["before"] == again["diff"]["after"] == real["diff"][0]["after"]
        assert (machine.state(), machine.said()) == (after, [])
    assert not machine.script.exists()


def test_the_script_is_as_it_was_meant(machine: Machine) -> None:
    machine.run()
    assert machine.script.read_text() == PROGRAM
    assert PROGRAM.startswith("#!/bin/sh\n")
    assert stat.S_IMODE(machine.script.stat().st_mode) == 0o755
    assert [path.name for path in (machine.here / "etc").rglob("*") if path.is_file()] == ["safepoint-lvm"]


def test_the_journal_has_each_step_before_it_is_done(machine: Machine) -> None:
    machine.run()
    path = machine.boot / "initrd.img"
    assert [line.removeprefix("the initramfs hook: ") for line in machine.journal[1:]] == [
        word
        for kernel in KERNELS
        for word in (
            f"step build_initramfs, kernel {kernel}, path {path}-{kernel}",
            "update-initramfs ended",
        )
    ]
    assert machine.journal[0].startswith("the initramfs hook: step write_script, path ")


def test_only_an_initramfs_that_lacks_it_is_built(machine: Machine) -> None:
    machine.run()
    machine.said()
    machine.image("6.2").write_text("scripts/init-bottom/udev\n")
    machine.run()
    assert machine.said() == ["update-initramfs -u -k 6.2"]


def test_an_initramfs_that_is_older_than_the_script_has_another_one(machine: Machine) -> None:
    machine.run()
    machine.said()
    os.utime(machine.image("6.1"), ns=(0, machine.script.stat().st_mtime_ns - 1))
    machine.run()
    assert machine.said() == ["update-initramfs -u -k 6.1"]


def test_the_initramfs_of_another_tool_is_left_alone(machine: Machine) -> None:
    machine.image("6.1").write_text("usr/lib/dracut/hooks/cmdline/30-parse-lvm.sh\n")
    assert machine.run()["initramfs_hook"]["kernels"] == ["6.2"]
    assert machine.said() == ["update-initramfs -u -k 6.2"]
    # A kernel that has none boots without.
    machine.image("6.2").unlink()
    assert not machine.run()["changed"]


def test_a_host_without_initramfs_tools_needs_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "find_tool", lambda _name: None)
    result = machine.run()
    assert (result["changed"], result["initramfs_hook"]["state"]) == (False, "not_needed")
    assert not machine.script.exists()


def test_a_build_that_fails_leaves_the_rest_as_it_was_and_says_so(machine: Machine) -> None:
    (machine.here / "broken").write_text("6.2")
    result = machine.run()
    assert (result["failed"], result["changed"]) == (True, True)
    command = f"{machine.here}/bin/update-initramfs -u -k 6.2"
    assert result["msg"] == (
        f"build_initramfs failed: {command} failed with exit code 3: no space left. {machine.script} exists; built "
        "again for kernel 6.1, not yet for 6.2. Correct the cause, then run again"
    )
    (machine.here / "broken").write_text("")
    machine.said()
    assert machine.run()["initramfs_hook"]["kernels"] == list(KERNELS)
    assert machine.said() == ["update-initramfs -u -k 6.2"]


@pytest.mark.parametrize(("state", "has"), [("present", "does not contain"), ("absent", "still contains")])
def test_a_build_that_does_nothing_is_noticed(machine: Machine, state: str, has: str) -> None:
    """As with update_initramfs=no in its settings."""
    if state == "absent":
        machine.run()
    (machine.here / "idle").write_text("6.1")
    result = machine.run(state)
    assert result["failed"]
    image = machine.image("6.1")
    assert f"exited with 0, but {image} {has} safepoint-lvm, or cannot be listed: " in result["msg"]
    assert "update-initramfs -u -k 6.1" in result["msg"]


@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
def test_a_script_is_never_half_there(machine: Machine, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """Whatever is in its directory would be run by the next boot."""

    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device", "safepoint-lvm")

    with monkeypatch.context() as broken:
        if moment == "replace":
            broken.setattr(Path, "replace", fail)
        else:
            broken.setattr(os, "fchmod" if moment == "write" else "fsync", fail)
        result = machine.run()
    assert result["msg"].startswith(
        "write_script failed: safepoint-lvm: No space left on device. "
        f"{machine.script} does not exist; built again for kernel none, not yet for 6.1, 6.2"
    )
    assert result["changed"] is False
    assert list(machine.script.parent.iterdir()) == []
    assert machine.run()["changed"]
    assert [path.name for path in (machine.here / "etc").rglob("*") if path.is_file()] == ["safepoint-lvm"]


def test_a_boot_that_cannot_be_written_to_is_refused_before_anything_changes(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = os.statvfs(machine.boot)
    read_only = os.statvfs_result([*numbers[:8], numbers.f_flag | os.ST_RDONLY, numbers.f_namemax])
    monkeypatch.setattr(os, "statvfs", lambda _path: read_only)
    result = machine.run()
    assert result["reasons"] == ["/boot is mounted read-only: mount -o remount,rw /boot"]
    assert (machine.said(), machine.script.exists()) == ([], False)


def test_a_preview_boot_is_refused(machine: Machine) -> None:
    machine.preview = ("old", "0" * 32)
    assert "this is a preview boot of old" in machine.run()["msg"]
    assert not machine.script.exists()


def test_the_name_in_an_initramfs_is_that_of_the_file() -> None:
    lines = ["usr/bin/sh", "scripts/local-bottom/safepoint-lvm"]
    assert boot.ends_pollers(lines)
    assert not boot.ends_pollers(lines[:1])


def test_the_host_stays_locked_until_a_build_has_ended(machine: Machine) -> None:
    """Who kills the module does not end update-initramfs, and two of them would write the same file."""
    (machine.here / "bin" / "update-initramfs").write_text(f"#!/bin/sh\nls -l /proc/self/fd >{machine.here}/said\n")
    machine.run()
    assert any(line.endswith(f"-> {machine.here}/lock") for line in machine.said())
