# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The firmware of the machines of the lab. The real test is that guests boot with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from vm import firmware, host


def test_bios_needs_no_options() -> None:
    assert firmware.arguments(firmware.BIOS, varstore="/vm/varstore.fd") == []


def test_uefi_can_write_its_variables_but_not_its_code() -> None:
    assert firmware.arguments(firmware.UEFI, varstore="/vm/varstore.fd") == [
        *("-machine", "q35"),
        *("-drive", "if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd"),
        *("-drive", "if=pflash,unit=1,format=raw,file=/vm/varstore.fd"),
    ]


@pytest.mark.parametrize("one", [firmware.SECURE_BOOT, firmware.OWN_KEYS], ids=["vendor's keys", "own keys"])
def test_with_secure_boot_the_guest_cannot_write_the_keys(one: firmware.Firmware) -> None:
    line = firmware.arguments(one, varstore="/vm/varstore.fd")
    assert line[:4] == ["-machine", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"]
    assert line[5].endswith("readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.secboot.fd")


def test_own_keys_are_the_only_keys_of_the_firmware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEPOINT_CACHE", str(tmp_path))
    line = firmware.enrolment_command(Path("/tree"), Path("/image/varstore.fd"))
    assert line[0] == f"{tmp_path}/envs/main/bin/virt-fw-vars"
    assert line[line.index("--input") + 1] == "/usr/share/OVMF/OVMF_VARS_4M.fd"
    assert line[line.index("--output") + 1] == "/image/varstore.fd"
    assert "--secure-boot" in line
    files = {option: line[line.index(option) + 2] for option in ("--set-pk", "--add-kek", "--add-db")}
    keys = "/tree/etc/secureboot"
    assert files == {"--set-pk": f"{keys}/PK.crt", "--add-kek": f"{keys}/KEK.crt", "--add-db": f"{keys}/db.crt"}


def test_own_keys_need_the_main_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEPOINT_CACHE", str(tmp_path))
    firmware.require(firmware.SECURE_BOOT)  # its keys come with OVMF
    with pytest.raises(host.LabError, match="make setup"):
        firmware.require(firmware.OWN_KEYS)
    tool = tmp_path / "envs" / "main" / "bin" / "virt-fw-vars"
    tool.parent.mkdir(parents=True)
    tool.touch()
    firmware.require(firmware.OWN_KEYS)
