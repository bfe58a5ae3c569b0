# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of the VM lab that work on values alone. Its real test is that guests boot."""

from __future__ import annotations

import importlib
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

# The lab is a program: its files import each other by bare names.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
assembly, guest, host, image, recipe, sources, ssh = map(
    importlib.import_module, ("assembly", "guest", "host", "image", "recipe", "sources", "ssh")
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAFEPOINT_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("targets", "debian", "security"),
    [
        pytest.param(
            "Docker|Docker|https://apt.example/linux/debian/\n"
            "Debian|Debian|http://mirror.example/debian/\n"
            "Debian|Debian-Security|http://mirror.example/security/\n"
            "Debian|Debian|http://second.example/debian/\n",
            "http://mirror.example/debian",
            "http://mirror.example/security",
            id="by origin, the first of each, and nobody else's",
        ),
        pytest.param(
            "||http://mirror.example/tool/\n||http://mirror.example/debian\n||http://mirror.example/debian-security\n",
            "http://mirror.example/debian",
            "http://mirror.example/debian-security",
            id="by path before APT has fetched anything",
        ),
        pytest.param(
            "Debian|Debian|http://mirror.example/d\n", "http://mirror.example/d", None, id="no security archive"
        ),
        pytest.param("", "http://deb.debian.org/debian", "http://deb.debian.org/debian-security", id="no APT"),
    ],
)
def test_mirrors(targets: str, debian: str, security: str | None) -> None:
    assert sources.mirror_of(targets) == sources.Mirror(debian=debian, security=security)


def test_sources_of_a_guest() -> None:
    mirror = sources.Mirror(debian="http://m.example/debian", security="http://m.example/security")
    signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert mirror.lines("trixie").splitlines() == [
        f"deb {signed} http://m.example/debian trixie main",
        f"deb {signed} http://m.example/debian trixie-updates main",
        f"deb {signed} http://m.example/security trixie-security main",
    ]
    assert "security" not in sources.Mirror(security=None).lines("trixie")


def segment(name: str, start: int, size: int) -> dict[str, str]:
    values = {"pvseg_start": start, "pvseg_size": size, "pe_start": 1048576, "vg_extent_size": 4194304}
    return {"lv_name": name, **{field: str(value) for field, value in values.items()}}


def test_places_of_volumes_on_the_disk() -> None:
    report = {"report": [{"pvseg": [segment("root", 0, 384), segment("var", 384, 128), segment("", 512, 843)]}]}
    assert assembly.volume_ranges(report, pv_start=402 * 1024**2) == {
        "root": assembly.ByteRange(offset=(402 + 1) * 1024**2, size=1536 * 1024**2),
        "var": assembly.ByteRange(offset=(402 + 1 + 1536) * 1024**2, size=512 * 1024**2),
    }


def test_a_volume_in_two_pieces_is_refused() -> None:
    report = {"report": [{"pvseg": [segment("root", 0, 10), segment("var", 10, 1), segment("root", 11, 5)]}]}
    with pytest.raises(host.LabError, match="root"):
        assembly.volume_ranges(report, pv_start=0)


def test_partitions_follow_each_other_and_half_of_the_volume_group_is_free() -> None:
    lines = [line for line in recipe.PARTITIONS.splitlines() if line.startswith("start=")]
    fields = [dict(field.split("=") for field in line.split(", ")) for line in lines]
    assert int(fields[0]["start"]) + int(fields[0]["size"]) == int(fields[1]["start"])
    assert int(fields[1]["start"]) + int(fields[1]["size"]) == int(fields[2]["start"]) == recipe.PV_START_MIB * 2048
    used = sum(volume.size_mib for volume in recipe.VOLUMES)
    assert used < (recipe.DISK_MIB - recipe.PV_START_MIB) / 2


def test_fstab_names_logical_volumes_and_the_uuid_of_boot() -> None:
    rows = {line.split()[1]: line.split()[0] for line in recipe.fstab(boot_uuid="1234").splitlines()}
    assert rows == {
        "/": "/dev/mapper/sysvg-root",
        "/var": "/dev/mapper/sysvg-var",
        "/home": "/dev/mapper/sysvg-home",
        "/boot": "UUID=1234",
    }


def test_suites_have_two_names() -> None:
    assert [image.suite_of(name) for name in ("debian12", "bookworm", "debian13")] == ["bookworm", "bookworm", "trixie"]
    with pytest.raises(host.LabError, match="'sid'"):
        image.suite_of("sid")


def test_an_image_is_known_by_recipe_suite_and_key(cache: Path) -> None:
    (cache / "images").mkdir()
    key = cache / "images" / "id_ed25519.pub"
    key.write_text("one")
    first = image.current("trixie")
    assert first == image.current("trixie")
    assert first.directory != image.current("bookworm").directory
    key.write_text("two")
    assert first != image.current("trixie")


def test_outdated_images_go_unless_a_machine_needs_them(cache: Path) -> None:
    images = {name: cache / "images" / name for name in ("trixie-new", "trixie-used", "trixie-old", "bookworm-old")}
    for directory in images.values():
        directory.mkdir(parents=True)
    record = cache / "vms" / "one" / "vm.json"
    record.parent.mkdir(parents=True)
    record.write_text(f'{{"backing": "{images["trixie-used"]}"}}')
    image.remove_outdated(image.Image("trixie", images["trixie-new"]))
    assert sorted(path.name for path in (cache / "images").iterdir()) == ["bookworm-old", "trixie-new", "trixie-used"]


def test_a_command_reaches_the_guest_argument_by_argument() -> None:
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
        "ansible_python_interpreter": "/usr/bin/python3",
    }


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a/b", "..", "a" * 64])
def test_names_that_are_no_host_names_are_refused(name: str) -> None:
    with pytest.raises(host.LabError, match="no name for a machine"):
        guest.directory_of(name)


def machine(cache: Path) -> Any:
    directory = cache / "vms" / "one"
    directory.mkdir(parents=True)
    settings = guest.Settings(
        name="one",
        suite="trixie",
        backing="/image",
        accelerator="tcg",
        memory_mib=1024,
        cache="writethrough",
        disks=["disk1.raw"],
        port=2222,
    )
    return guest.Guest(directory, settings)


def test_a_machine_is_found_as_it_was_saved(cache: Path) -> None:
    one = machine(cache)
    one.save()
    assert guest.Guest.find("one") == one
    assert guest.all_guests() == [one]
    with pytest.raises(host.LabError, match="no virtual machine 'two'"):
        guest.Guest.find("two")


def test_a_process_number_in_other_hands_is_not_the_machine(cache: Path) -> None:
    one = machine(cache)
    assert not one.running()
    one.pidfile.write_text(f"{os.getpid()}\n")
    assert not one.running()
    one.cut()  # would end this test


def test_without_grub_the_kernel_gets_the_same_command_line(cache: Path) -> None:
    one = machine(cache)
    assert "-kernel" not in one.command_line()
    one.settings = replace(one.settings, direct_kernel=True)
    line = one.command_line()
    assert line[line.index("-kernel") + 1] == str(one.directory / "vmlinuz")
    assert line[line.index("-initrd") + 1] == str(one.directory / "initrd.img")
    words = line[line.index("-append") + 1].split()
    assert {"root=/dev/mapper/sysvg-root", "console=ttyS0,115200"} <= set(words)


def test_qemu_listens_on_the_loopback_only_and_keeps_the_cache_mode(cache: Path) -> None:
    line = machine(cache).command_line()
    assert "user,id=net,hostfwd=tcp:127.0.0.1:2222-:22" in line
    drives = [word for word in line if word.startswith("if=none")]
    assert drives[0].endswith(f"file={cache}/vms/one/system.qcow2")
    assert drives[1].endswith(f"file={cache}/vms/one/disk1.raw")
    assert all("cache=writethrough," in drive for drive in drives)
