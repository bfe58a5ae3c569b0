# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machines of the VM lab and the images that it keeps, as far as no guest boots."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from vm import guest, host, image, machines, qemu, ssh


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAFEPOINT_CACHE", str(tmp_path))
    return tmp_path


def test_an_image_is_identified_by_recipe_suite_and_key(cache: Path) -> None:
    (cache / "images").mkdir()
    key = cache / "images" / "id_ed25519.pub"
    key.write_text("one")
    first = image.current("trixie")
    assert first == image.current("trixie")
    assert first.directory != image.current("bookworm").directory
    key.write_text("two")
    assert first != image.current("trixie")


def test_outdated_images_are_removed_unless_a_machine_needs_them(cache: Path) -> None:
    new, used, old = (digit * image.FINGERPRINT_DIGITS for digit in "0a9")
    kept = [f"bookworm-{old}", f"trixie-{new}", f"trixie-{used}", f"trixie-thin-{old}", "trixie.log"]
    images = {name: cache / "images" / name for name in (*kept, f"trixie-{old}")}
    for directory in images.values():
        directory.mkdir(parents=True)
    record = cache / "vms" / "one" / "vm.json"
    record.parent.mkdir(parents=True)
    record.write_text(f'{{"backing": "{images[f"trixie-{used}"]}"}}')
    image.remove_outdated(image.Image("trixie", images[f"trixie-{new}"]))
    assert sorted(path.name for path in (cache / "images").iterdir()) == kept


def test_a_command_reaches_the_guest_unchanged() -> None:
    argv = ["sh", "-c", "echo $HOME; 'quoted'", ""]
    line = ssh.Access("one", 2222, Path("/key")).command(argv)
    assert shlex.split(line[-1]) == argv
    assert line[:3] == ["ssh", "-F", "none"]
    assert line[line.index("-p") + 1] == "2222"


def test_inventory() -> None:
    text = ssh.inventory([ssh.Access("one", 2201, Path("/it's here/key")), ssh.Access("two", 2202, Path("/key"))])
    hosts = yaml.safe_load(text)["all"]["hosts"]
    assert list(hosts) == ["one", "two"]
    assert hosts["one"].pop("ansible_ssh_common_args").startswith("-F none -oStrictHostKeyChecking=no ")
    assert hosts["one"] == {
        "ansible_host": "127.0.0.1",
        "ansible_port": 2201,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": "/it's here/key",
    }


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a/b", "..", "a" * 64])
def test_invalid_machine_names_are_refused(name: str) -> None:
    with pytest.raises(host.LabError, match="is not a valid name of a machine"):
        guest.directory_of(name)


def machine(cache: Path, image_name: str = "trixie") -> Any:
    directory = cache / "vms" / "one"
    directory.mkdir(parents=True)
    settings = guest.Settings(
        name="one",
        suite=image_name,
        backing="/image",
        accelerator="tcg",
        memory_mib=1024,
        cache="writethrough",
        disks=["disk1.raw"],
        port=2222,
    )
    return qemu.QemuGuest(directory, settings)


@pytest.mark.parametrize("booted", [True, False])
def test_the_log_of_the_console_outlives_the_machine(cache: Path, *, booted: bool) -> None:
    one = machine(cache)
    if booted:
        one.serial_log.write_text("panic")
    one.remove()
    assert not one.directory.exists()
    kept = [(path.name, path.read_text()) for path in (cache / "consoles").glob("*")]
    assert kept == ([("one.log", "panic")] if booted else [])


def test_a_machine_is_found_as_it_was_saved(cache: Path) -> None:
    one = machine(cache)
    one.save()
    assert machines.find("one") == one
    assert machines.all_guests() == [one]
    with pytest.raises(host.LabError, match="no virtual machine 'two'"):
        machines.find("two")


def test_a_pid_of_another_process_is_not_the_machine(cache: Path) -> None:
    one = machine(cache)
    assert not one.running()
    one.pidfile.write_text(f"{os.getpid()}\n")
    assert not one.running()
    one.cut()  # would end this test


def test_without_grub_the_command_line_of_the_kernel_is_the_same(cache: Path) -> None:
    one = machine(cache)
    assert "-kernel" not in one.command_line()
    one.settings = replace(one.settings, direct_kernel=True)
    line = one.command_line()
    assert line[line.index("-kernel") + 1] == str(one.directory / "vmlinuz")
    assert line[line.index("-initrd") + 1] == str(one.directory / "initrd.img")
    words = line[line.index("-append") + 1].split()
    assert {"root=/dev/mapper/sysvg-root", "console=ttyS0,115200"} <= set(words)


def test_qemu_listens_only_on_loopback_and_uses_the_cache_mode(cache: Path) -> None:
    line = machine(cache).command_line()
    assert "user,id=net,hostfwd=tcp:127.0.0.1:2222-:22" in line
    drives = [word for word in line if word.startswith("if=none")]
    assert drives[0].endswith(f"file={cache}/vms/one/system.qcow2")
    assert drives[1].endswith(f"file={cache}/vms/one/disk1.raw")
    assert all("cache=writethrough," in drive for drive in drives)


def test_a_machine_with_uefi_has_its_own_variables(cache: Path) -> None:
    assert (
        f"if=pflash,unit=1,format=raw,file={cache}/vms/one/varstore.fd" in machine(cache, "trixie-uefi").command_line()
    )
