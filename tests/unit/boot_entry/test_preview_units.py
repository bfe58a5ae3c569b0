# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd starts and mounts in a preview boot: the files that the program writes, in two shells."""

from __future__ import annotations

import subprocess
from pathlib import Path

import builders as b
import pytest
from cpio import members

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.image import preview_image
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.units import TARGET, Services

SHELLS = {"sh": ["sh"], "busybox": ["busybox", "sh"]}
MOUNTS = {
    "etc/systemd/system/srv-data.mount": "[Mount]\nWhat=/dev/raw/data\nWhere=/srv/data\nOptions=noatime,uid=5\n",
    "etc/systemd/system/mnt-nfs.mount": "[Mount]\nWhat = filer:/export\nWhere=/mnt/nfs\nType=nfs",
    "usr/lib/systemd/system/a\\x2db.mount": "[Mount]\nWhat=UUID=1-2\nOptions=a\\040b\n",
    "usr/lib/systemd/system/dev-mqueue.mount": "[Mount]\nWhat=mqueue\nWhere=/dev/mqueue\nOptions=nosuid\n",
}
CONTROL = "run/systemd/system.control"


@pytest.fixture(params=SHELLS, name="shell")
def _shell(request: pytest.FixtureRequest) -> list[str]:
    return SHELLS[request.param]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory for the initramfs, and in it the root filesystem of a host with systemd."""
    for name, text in {**MOUNTS, "etc/systemd/system/x.swap": "", "usr/lib/systemd/systemd": ""}.items():
        file = tmp_path / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def enable(place: Path, target: str, *units: str) -> None:
    """Enable units as systemctl does: by links that lead nowhere in an initramfs."""
    for unit in units:
        link = place / f"root/etc/systemd/system/{target}.target.wants/{unit}"
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(f"/usr/lib/systemd/system/{unit}")


def run(place: Path, shell: list[str], function: str, services: Services = "none") -> int:
    image = preview_image("dracut", "hooks", preview_mounts=[], name="s", set_id=b.SET_ID, services=services)
    for name, (_mode, text) in members(image).items():
        if text and "/" not in name:
            (place / name).write_text(text)
    argv = [*shell, str(place / "safepoint-look"), function, str(place / "root")]
    env = {"PATH": "/usr/bin:/bin", "SAFEPOINT_LOOK": str(place)}
    return subprocess.run(argv, env=env, check=False).returncode


def files(place: Path) -> dict[str, str | None]:
    """What is in the directory for units, with None for a masked unit."""
    home = place / CONTROL
    found: dict[str, str | None] = {}
    for path in sorted(home.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(home))] = None
            assert path.readlink() == Path("/dev/null")
        elif path.is_file():
            found[str(path.relative_to(home))] = path.read_text()
    return found


def test_mount_units_are_read_only_and_swap_is_not_used(place: Path, shell: list[str]) -> None:
    assert run(place, shell, "limit_mounts") == 0
    assert files(place) == {
        "a\\x2db.mount.d/zz-safepoint.conf": "[Mount]\nOptions=a\\040b,ro\n",
        "mnt-nfs.mount.d/zz-safepoint.conf": "[Mount]\nOptions=defaults,ro\n",
        "srv-data.mount.d/zz-safepoint.conf": "[Mount]\nOptions=noatime,uid=5,ro\n",
        "x.swap": None,
    }


def test_by_default_no_network_can_start(place: Path, shell: list[str]) -> None:
    enable(place, "multi-user", "ssh.service", "postgresql.service", "NetworkManager.service")
    assert run(place, shell, "limit_units") == 0
    found = files(place)
    text = found.pop(TARGET)
    assert text is not None
    (wants,) = (line for line in text.splitlines() if line.startswith("Wants="))
    assert wants == "Wants=getty.target systemd-user-sessions.service systemd-logind.service dbus.socket"
    assert "Requires=sysinit.target\n" in text
    assert set(found.values()) == {None}
    assert {"user@.service", "ifup@.service", "NetworkManager.service", "networking.service"} <= set(found)
    assert "ssh.service" not in found


def test_with_ssh_only_what_is_enabled_starts(place: Path, shell: list[str]) -> None:
    enable(place, "multi-user", "ssh.service", "postgresql.service", "networking.service")
    enable(place, "sysinit", "nftables.service")
    enable(place, "sockets", "docker.socket")
    assert run(place, shell, "limit_units", "ssh") == 0
    found = files(place)
    text = found.pop(TARGET)
    assert text is not None
    started = [line.partition("=")[2] for line in text.splitlines() if line.startswith("Wants=")]
    assert started[1:] == ["networking.service", "ssh.service", "nftables.service"]
    assert found == {"user@.service": None}


def test_all_services_are_those_of_a_normal_boot(place: Path, shell: list[str]) -> None:
    assert run(place, shell, "limit_units", "all") == 0
    assert files(place) == {}


@pytest.mark.parametrize(("services", "fails"), [("none", True), ("ssh", True), ("all", False)])
def test_without_systemd_nothing_could_be_limited(
    place: Path,
    shell: list[str],
    services: Services,
    fails: bool,  # noqa: FBT001
) -> None:
    (place / "root/usr/lib/systemd/systemd").unlink()
    assert (run(place, shell, "limit_units", services) != 0) is fails
