# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recipe for a console in docs/rollback.md copies what the rule for boot files restores."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from boot_directory import contents, fill

PAGE = Path(__file__).resolve().parents[3] / "docs" / "rollback.md"
SAVED = {
    "efi": None,
    "efi/EFI": None,
    "efi/EFI/x": None,
    "efi/EFI/x/shim.efi": "old",
    "efi/EFI/x/grub.cfg": "old",
    "efi/loader": None,
    "efi/loader/random-seed": "old",
    "grub": None,
    "grub/grub.cfg": "old",
    "grub/i386-pc": None,
    "grub/i386-pc/core.img": "old",
    "grub/x86_64-efi": None,
    "grub/x86_64-efi/a.mod": "old",
    "vmlinuz-1": "old",
}
SEED = {"efi/loader/random-seed"}
BIOS = {"grub/i386-pc/core.img"}
LOADERS = {"efi/EFI/x/shim.efi", "grub/x86_64-efi/a.mod"}


def _command(text: str, *more: str) -> str:
    (first,) = re.findall(r"tar -C /mnt/backup[^|]*\|\s+tar .*", text)
    return str(first).replace(" -cf", f" {' '.join(more)} -cf")


@pytest.mark.parametrize(("more", "left"), [(0, SEED), (1, SEED | BIOS), (2, SEED | LOADERS)])
def test_what_the_recipe_copies(tmp_path: Path, more: int, left: set[str]) -> None:
    text = PAGE.read_text(encoding="utf-8").partition("**Roll back by hand**")[2].partition("Then run")[0]
    recipe, _explanation = text.split("If `cmp`")
    bios, efi = (
        re.findall(r"`(--exclude=[^`]+)`", _explanation)[0],
        re.findall(r"`(--exclude='[^`]+)`", _explanation)[0],
    )
    top, boot = tmp_path / "backup", tmp_path / "boot"
    (top / "tree" / "boot").mkdir(parents=True)
    boot.mkdir()
    fill(top / "tree" / "boot", SAVED)
    fill(boot, {path: text and "new" for path, text in SAVED.items()})
    command = _command(recipe, *[[], [bios], [efi.replace("\n", " ")]][more])
    program = command.replace("/mnt/backup", str(top)).replace("/mnt/boot", str(boot))
    subprocess.run(["sh", "-ec", program], check=True, timeout=60)
    assert {path for path, text in contents(boot).items() if text == "new"} == left
