# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""/boot must be the same when it is saved and when the snapset is taken. A disk is mounted over that of the guest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import storage
from calls import absent, ok, present, refused, start, verbs
from mounts import BOOT, ESP, separate_boot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SAVE = {"name": "s", "vg": "other"}
REMOVE = {"name": "s", "state": "absent"}


@pytest.fixture(autouse=True)
def _boot() -> Iterator[None]:
    with separate_boot():
        (BOOT / "vmlinuz-1").write_text("kernel 1" * 100_000)
        (ESP / "boot.efi").write_text("loader 1")
        yield


def _new_kernel() -> None:
    (BOOT / "vmlinuz-2").write_text("kernel 2")


def _new_loader() -> None:
    (ESP / "boot.efi").write_text("loader 2")


def _other_owner() -> None:
    (BOOT / "vmlinuz-1").chmod(0o600)


CHANGES = [
    (_new_kernel, "/boot, /boot/vmlinuz-2"),
    (_new_loader, "/boot/efi/boot.efi"),
    (_other_owner, "/boot/vmlinuz-1"),
]


@pytest.mark.parametrize(("change", "named"), CHANGES)
def test_a_change_after_the_backup(change: Callable[[], None], named: str) -> None:
    saved = ok("boot_backup", SAVE)["boot_backup"]
    change()
    task = present("s", "thick/a", id=saved["id"])
    for check in (True, False):
        refused("snapset", task, rf"what boots the host changed after it was saved \({named}\)", check=check)
    # A module that saves it again makes the way free.
    again = ok("boot_backup", SAVE)["boot_backup"]
    assert again["id"] != saved["id"]
    assert ok("snapset", present("s", "thick/a", id=again["id"]))["snapset"]["id"] == again["id"]


@pytest.mark.parametrize(("change", "named"), CHANGES)
def test_a_change_while_the_snapshots_are_created(change: Callable[[], None], named: str) -> None:
    saved = ok("boot_backup", SAVE)["boot_backup"]
    before = storage.visible()

    def between(number: int, _arguments: Sequence[str]) -> None:
        if number == 1:
            change()

    task: dict[str, Any] = {**present("s", "thick/a", "thin/t1", id=saved["id"])}
    failed = start("snapset", task, before=between).result()
    assert failed.get("failed"), failed
    assert failed["changed"] is False
    assert f"what boots the host changed after it was saved ({named})" in failed["msg"]
    assert "removed again: thick/a_s, thin/t1_s" in failed["msg"]
    assert verbs(failed["commands"]) == ["lvcreate", "lvcreate", "lvremove"]
    assert storage.visible() == before
    # As the role does.
    assert ok("boot_backup", REMOVE)["changed"]


def test_without_a_change() -> None:
    saved = ok("boot_backup", SAVE)["boot_backup"]
    task = present("s", "thick/a", "thin/t1", id=saved["id"])
    check, real = ok("snapset", task, check=True), ok("snapset", task)
    assert [step["step"] for step in real["planned"]] == ["create", "create", "check_boot", "seal"]
    assert check["planned"] == real["planned"]
    assert real["planned"][2]["mountpoints"] == ["/boot", "/boot/efi"]
    # The change from which it protects.
    _new_kernel()
    assert not ok("snapset", task)["changed"]
    ok("snapset", absent("s"))
