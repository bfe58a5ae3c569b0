# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pure parts of machines with user-mode Linux: kernels, and the started commands."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from vm import guest, machines, uml, uml_kernel, uml_process, uml_trial
from vm.host import LabError

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = guest.Settings("one", "trixie", "/image", "uml", 512, "unsafe", ["disk1.raw"], 2222, kernel="7.1")


def test_disks_are_synchronous_if_power_is_cut() -> None:
    fast = uml_process.kernel_command(SETTINGS)
    honest = uml_process.kernel_command(replace(SETTINGS, cache="writethrough"))
    assert {"ubda=/machine/system.raw", "ubdb=/machine/disk1.raw"} <= set(fast)
    assert {"ubdas=/machine/system.raw", "ubdbs=/machine/disk1.raw"} <= set(honest)


def test_a_saved_machine_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_invalid_sizes_are_refused(text: str) -> None:
    with pytest.raises(LabError, match="is not a valid size of a disk"):
        uml.size_of(text)


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[uml_kernel.Kernel]:
    """Two kernels in the cache, the newer one first, on a machine that could run them."""
    monkeypatch.setenv("SAFEPOINT_CACHE", str(tmp_path))
    found = [uml_kernel.Kernel(version, tmp_path / version) for version in ("7.2", "7.1")]
    monkeypatch.setattr(uml_kernel, "unsupported_reason", lambda: None)
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
    for _time in range(2):  # The second time the verdict is known.
        kernel, problem = uml_trial.usable_kernel()
        assert (kernel and kernel.version, problem) == (version, "")
    assert seen == tried
    assert len(kernels) > 1


@pytest.mark.usefixtures("kernels")
def test_if_no_kernel_passes_the_reason_is_that_of_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uml_trial, "trial", lambda kernel: f"{kernel.version} hangs")
    assert uml_trial.usable_kernel() == (None, "version 7.2 failed its trial: 7.2 hangs")


def test_a_verdict_is_valid_for_one_host_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEPOINT_CACHE", str(tmp_path))
    (tmp_path / "uml").mkdir()
    uml_kernel.Verdicts().store("7.2", "")
    (tmp_path / "uml" / "verdicts.json").write_text(json.dumps({"7.2 on another": "no"}))
    assert uml_kernel.Verdicts().problem_of("7.2") is None


def test_without_a_tun_device_there_is_no_user_mode_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uml_kernel, "TUN", tmp_path / "tun")
    assert "tun" in (uml_kernel.unsupported_reason() or "")


def test_both_ends_of_a_connection_are_closed() -> None:
    one, near = socket.socketpair()
    far, two = socket.socketpair()
    thread = threading.Thread(target=uml_process.forward, args=(near, far))
    thread.start()
    one.sendall(b"hello")
    assert two.recv(5) == b"hello"
    one.close()
    assert two.recv(5) == b""
    thread.join()
    for end in (near, far, two):
        end.close()
