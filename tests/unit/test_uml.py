# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of user-mode Linux's machines that work on values alone: overlays, kernels, what is started."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from vm import cow, guest, machines, uml, uml_kernel, uml_process, uml_trial
from vm.host import LabError
from vm.ranges import ByteRange

if TYPE_CHECKING:
    from pathlib import Path

SECTOR = 512
DISK = 8 * 1024 * 1024
# As the kernel writes it: the bitmap behind the header, the sectors behind the bitmap, both from a multiple of 4096 on.
BITMAP, DATA = 8192, 12288


def overlay(path: Path, sectors: dict[int, bytes]) -> Path:
    """An overlay with these sectors."""
    content = bytearray(DATA + DISK)
    content[: cow.HEADER.size] = cow.HEADER.pack(cow.MAGIC, 3, 0, DISK, SECTOR, 4096, 0, b"/image/disk.raw")
    for sector, data in sectors.items():
        content[BITMAP + sector // 8] |= 1 << sector % 8
        content[DATA + sector * SECTOR : DATA + sector * SECTOR + len(data)] = data
    path.write_bytes(content)
    return path


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    path = tmp_path / "disk.raw"
    path.write_bytes(b"o" * DISK)
    return path


def test_what_the_guest_wrote_lies_over_the_image(tmp_path: Path, golden: Path) -> None:
    written = {8: b"1" * SECTOR, 9: b"2" * SECTOR, 11: b"\0" * SECTOR, 20: b"x" * SECTOR}
    file = overlay(tmp_path / "system.cow", written)
    cow.extract(file, golden, ByteRange(9 * SECTOR, 8 * SECTOR), tmp_path / "out")
    expected = b"2" * SECTOR + b"o" * SECTOR + b"\0" * SECTOR + b"o" * 5 * SECTOR
    assert (tmp_path / "out").read_bytes() == expected


def test_neighbouring_sectors_are_one_piece(tmp_path: Path) -> None:
    file = overlay(tmp_path / "system.cow", dict.fromkeys((7, 8, 9, 12), b""))
    with file.open("rb") as handle:
        pieces = cow.Overlay.of(file).written(handle, ByteRange(0, DISK))
    assert pieces == [ByteRange(7 * SECTOR, 3 * SECTOR), ByteRange(12 * SECTOR, SECTOR)]


def test_before_the_first_start_there_is_the_image_alone(tmp_path: Path, golden: Path) -> None:
    cow.extract(tmp_path / "system.cow", golden, ByteRange(SECTOR, 4096), tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"o" * 4096


@pytest.mark.parametrize("content", [b"", b"OOOM", cow.HEADER.pack(cow.MAGIC, 2, 0, DISK, SECTOR, 4096, 0, b"")])
def test_what_is_no_overlay_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(LabError, match="no overlay of user-mode Linux"):
        cow.Overlay.of(tmp_path / "file")


SETTINGS = guest.Settings("one", "trixie", "/image", "uml", 512, "unsafe", ["disk1.raw"], 2222, kernel="7.1")


def test_disks_are_synchronous_where_power_is_cut() -> None:
    fast = uml_process.kernel_command(SETTINGS)
    honest = uml_process.kernel_command(replace(SETTINGS, cache="writethrough"))
    assert {"ubda=/machine/system.cow,/image/disk.raw", "ubdb=/machine/disk1.raw"} <= set(fast)
    assert {"ubdas=/machine/system.cow,/image/disk.raw", "ubdbs=/machine/disk1.raw"} <= set(honest)


def test_a_machine_of_user_mode_linux_is_found_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEPOINT_CACHE", str(tmp_path))
    directory = tmp_path / "vms" / "one"
    directory.mkdir(parents=True)
    machine = uml.UmlGuest(directory, SETTINGS)
    machine.save()
    assert machines.find("one") == machine
    assert not machine.running()


@pytest.mark.parametrize(("text", "size"), [("2G", 2 * 1024**3), ("100M", 100 * 1024**2), ("512", 512)])
def test_sizes_of_disks(text: str, size: int) -> None:
    assert uml.size_of(text) == size


@pytest.mark.parametrize("text", ["", "2T", "G", "-1M", "1.5G"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(LabError, match="is no size of a disk"):
        uml.size_of(text)


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[uml_kernel.Kernel]:
    """Two kernels in the cache, the newer one first, on a machine that could run them."""
    monkeypatch.setenv("SAFEPOINT_CACHE", str(tmp_path))
    found = [uml_kernel.Kernel(version, tmp_path / version) for version in ("7.2", "7.1")]
    monkeypatch.setattr(uml_kernel, "why_never", lambda: None)
    monkeypatch.setattr(uml_kernel, "candidates", lambda: found)
    return found


@pytest.mark.parametrize(
    ("verdicts", "version", "tried"),
    [
        pytest.param({"7.2": "", "7.1": ""}, "7.2", ["7.2"], id="the newest"),
        pytest.param({"7.2": "it hangs", "7.1": ""}, "7.1", ["7.2", "7.1"], id="the last good one"),
    ],
)
def test_the_newest_kernel_that_passes_its_trial(
    kernels: list[uml_kernel.Kernel],
    monkeypatch: pytest.MonkeyPatch,
    verdicts: dict[str, str],
    version: str,
    tried: list[str],
) -> None:
    seen: list[str] = []

    def trial(kernel: uml_kernel.Kernel) -> str:
        seen.append(kernel.version)
        return verdicts[kernel.version]

    monkeypatch.setattr(uml_trial, "trial", trial)
    for _time in range(2):  # The second time it is known.
        kernel, problem = uml_trial.usable_kernel()
        assert (kernel and kernel.version, problem) == (version, "")
    assert seen == tried
    assert len(kernels) > 1


@pytest.mark.usefixtures("kernels")
def test_when_no_kernel_passes_the_reason_is_that_of_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uml_trial, "trial", lambda kernel: f"{kernel.version} hangs")
    assert uml_trial.usable_kernel() == (None, "version 7.2 failed its trial: 7.2 hangs")


def test_a_verdict_holds_for_one_kernel_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEPOINT_CACHE", str(tmp_path))
    (tmp_path / "uml").mkdir()
    uml_kernel.Verdicts().keep("7.2", "")
    (tmp_path / "uml" / "verdicts.json").write_text(json.dumps({"7.2 on another": "no"}))
    assert uml_kernel.Verdicts().of("7.2") is None


def test_without_a_tun_device_there_is_no_user_mode_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uml_kernel, "TUN", tmp_path / "tun")
    assert "tun" in (uml_kernel.why_never() or "")


def test_a_connection_ends_at_both_ends() -> None:
    one, near = socket.socketpair()
    far, two = socket.socketpair()
    thread = threading.Thread(target=uml_process.pump, args=(near, far))
    thread.start()
    one.sendall(b"hello")
    assert two.recv(5) == b"hello"
    one.close()
    assert two.recv(5) == b""
    thread.join()
    for end in (near, far, two):
        end.close()
