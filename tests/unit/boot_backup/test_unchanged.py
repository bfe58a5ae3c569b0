# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A snapset is created only if nothing has changed what boots the host since it was saved."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import backups
import boot_directory
import builders as b
import pytest
from model_lvm import ModelLvm

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup import unchanged
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup.unchanged import boot_problems
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.firmware import Firmware
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.manifest import write_manifest
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.scan import scan
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import CommandFailed, Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import Mount
from ansible_collections.safepoint.lvm.plugins.module_utils._module.apply import apply
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset import SnapsetCase
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import backups_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState

PARAMS: dict[str, Any] = {
    "name": "s",
    "id": b.SET_ID,
    "state": "present",
    "volumes": [{"vg": "vg", "lv": "root", "size": None}],
    "mountpoints": [],
    "system": False,
    "exclude": [],
    "ignore_uncovered": [],
    "max_age": None,
    "adopt": False,
    "size": "auto",
    "min_headroom": None,
    "reserve": "0%VG",
    "pool_reserve": "0%",
    "accept_loss_of": [],
    "package_timeout": 0,
}


class Saved:
    """A directory that stands for /boot, and its backup. ``reads`` is how often the backup was mounted."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.boot, self.backup, self.reads = tmp_path / "boot", tmp_path / "backup", 0
        self.boot.mkdir()
        self.backup.mkdir()
        boot_directory.fill(self.boot, boot_directory.BEFORE)
        self.firmware: dict[str, bytes] = {"BootOrder-1": b"12"}
        monkeypatch.setattr(unchanged, "read_variables", lambda _is_wanted: dict(self.firmware))
        monkeypatch.setattr(unchanged, "mounted", self._mounted)
        monkeypatch.setattr(
            unchanged,
            "scan",
            lambda _path, *, mountpoint, fstype: scan(self.boot, mountpoint=mountpoint, fstype=fstype),
        )
        tree = scan(self.boot, mountpoint="/boot", fstype="ext4")
        self.digest = write_manifest(self.backup, [tree], Firmware(dict(self.firmware)))

    @contextmanager
    def _mounted(self, _device: str) -> Iterator[Path]:
        self.reads += 1
        yield self.backup

    def host(self, *, boot: tuple[str, ...] = ("/boot",)) -> HostState:
        return backups.host(backups.backup(manifest=self.digest), boot=boot)

    def problems(self, *, boot: tuple[str, ...] = ("/boot",)) -> list[str]:
        (found,) = backups_in(self.host())
        return list(boot_problems(found, tuple(Mount(path, "/dev/vda1", "ext4", (254, 1)) for path in boot)))


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Saved:
    return Saved(tmp_path, monkeypatch)


def test_where_nothing_has_changed_the_backup_is_not_read(saved: Saved) -> None:
    assert saved.problems() == []
    assert saved.reads == 0


def test_what_has_changed_is_named(saved: Saved) -> None:
    (saved.boot / "vmlinuz-2").write_text("kernel 2")
    (saved.boot / "grub/grub.cfg").write_text("menu of 2")
    os.utime(saved.boot, ns=(5_000_000_000, 5_000_000_000))
    (problem,) = saved.problems()
    assert problem.startswith("what boots the host changed after it was saved (")
    assert "/boot/grub/grub.cfg" in problem
    assert "/boot/vmlinuz-2" in problem
    assert problem.endswith("save it again (boot_backup), then run this again")


def test_not_every_file_of_many_is_named(saved: Saved) -> None:
    boot_directory.empty(saved.boot)
    (problem,) = saved.problems()
    named, _more, count = problem.partition("(")[2].partition(")")[0].rpartition(" and ")
    assert len(named.split(", ")) == 5
    assert count == f"{len(boot_directory.BEFORE) + 1 - 5} more"


@pytest.mark.parametrize(("mode", "named"), [(0o600, "/boot/vmlinuz-1"), (None, "/boot/loader/entries/1.conf")])
def test_every_kind_of_change_counts(saved: Saved, mode: int | None, named: str) -> None:
    if mode is not None:
        (saved.boot / "vmlinuz-1").chmod(mode)
    else:
        (saved.boot / "loader/entries/1.conf").unlink()
    assert named in saved.problems()[0]


def test_an_image_of_grub_that_was_installed_again_counts(saved: Saved) -> None:
    """A restoration would leave it alone, and so would the comparison before one."""
    (saved.boot / "grub/i386-pc/core.img").write_text("another image")
    assert "/boot/grub/i386-pc/core.img" in saved.problems()[0]


def test_filesystems_and_firmware_count(saved: Saved) -> None:
    assert "(the filesystem at /boot)" in saved.problems(boot=())[0]
    assert "(the filesystem at /efi)" in saved.problems(boot=("/boot", "/efi"))[0]
    saved.firmware["BootOrder-1"] = b"21"
    assert "(the variables of the firmware)" in saved.problems()[0]


def plan_for(saved: Saved, **more: Any) -> tuple[HostState, list[str]]:
    host_state = saved.host()
    case = SnapsetCase({**PARAMS, **more})
    return host_state, [step.render()["step"] for step in case.plan(case.observe(host_state)).steps]


@pytest.fixture(autouse=True)
def _no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.safepoint.lvm.plugins.module_utils._module.snapshots.read_boot", lambda: None
    )


def test_the_check_comes_before_the_seal(saved: Saved) -> None:
    assert plan_for(saved)[1] == ["create", "check_boot", "seal"]
    assert saved.reads == 0


def test_without_a_backup_of_this_id_nothing_is_compared(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "scan", None)
    for one in (None, "f" * 32):
        assert plan_for(saved, id=one)[1] == ["create", "seal"]
    unsealed = backups.host(backups.backup(manifest=""))
    case = SnapsetCase(PARAMS)
    assert [step.render()["step"] for step in case.plan(case.observe(unsealed)).steps] == ["create", "seal"]


@pytest.mark.parametrize("state", ["present", "absent", "merged"])
def test_where_the_snapset_exists_boot_may_have_changed(
    saved: Saved, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is the change from which it protects."""
    monkeypatch.setattr(unchanged, "scan", None)
    host_state = backups.host(backups.taken(), backups.backup(manifest=saved.digest))
    case = SnapsetCase({**PARAMS, "state": state, "volumes": []} if state != "present" else PARAMS)
    assert not any(step.render()["step"] == "check_boot" for step in case.plan(case.observe(host_state)).steps)


def test_it_is_refused_before_anything_is_created(saved: Saved) -> None:
    (saved.boot / "vmlinuz-1").write_text("kernel 2")
    with pytest.raises(Refused, match=r"cannot create or keep snapset s: what boots the host .*\(/boot/vmlinuz-1\)"):
        plan_for(saved)


def test_what_changes_while_the_snapshots_are_created(saved: Saved) -> None:
    host_state = saved.host()
    case = SnapsetCase(PARAMS)
    plan = case.plan(case.observe(host_state))
    (saved.boot / "vmlinuz-1").write_text("kernel 2")
    model = ModelLvm(host_state)
    with pytest.raises(CommandFailed, match="what boots the host changed after it was saved") as caught:
        apply(plan, model, case.failure)
    assert caught.value.message.endswith("; removed again: vg/root_s")
    assert caught.value.details["changed"] is False
    assert model.observe() == host_state
