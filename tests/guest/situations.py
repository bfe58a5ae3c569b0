# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of tests/unit/recordings/record.py that runs in the guest: create each situation and record it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lvm
import storage
import test_groups
import test_interrupted
import test_merging
import test_origins
from calls import merged, ok, present, rolled_back

from ansible_collections.safepoint.lvm.plugins.module_utils._lvm.report import report_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def active() -> Iterator[None]:
    """An active set with a thick and a thin member."""
    ok("snapset", present("s", "thick/c", "thin/t2"))
    yield


@contextmanager
def interrupted() -> Iterator[None]:
    """A creation that was killed between the two commits of a thick member."""
    test_interrupted.leave_leftovers()
    yield


@contextmanager
def unsuitable() -> Iterator[None]:
    """LVs of all kinds that cannot be an origin."""
    with test_origins.odd_group(), test_origins.every_problem():
        yield


@contextmanager
def merging_group() -> Iterator[test_merging.Disk]:
    """The VG slow, with a merge that has not ended when it is removed."""
    with test_merging.slow_group() as disk:
        yield disk
    # During a merge LVM of Debian 13 gives it the table "error", on no disk, so it is not removed with the disks.
    if Path("/dev/mapper/slow-o_s").exists():
        lvm.run("dmsetup", "remove", "slow-o_s")


@contextmanager
def rolling_back() -> Iterator[None]:
    """Merges in every state except failed, and a store that overflowed."""
    with merging_group() as disk, storage.mounted("thick/a"), storage.mounted("thin/t1"):
        ok("snapset", present("r", "thick/c"))
        ok("snapset", merged("r"))
        rolled_back("snapset", merged("r"))
        ok("snapset", present("v", "thick/b", "thin/t2", size="8MiB"))
        storage.write("thick/b", 12)
        ok("snapset", present("s", "slow/o", "thick/a", "thin/t1"))
        storage.write("slow/o", 18)
        disk.delay(300)
        ok("snapset", merged("s"))
        disk.delay(2000)
        yield


@contextmanager
def merge_failed() -> Iterator[None]:
    """A merge that failed halfway."""
    with merging_group() as disk:
        ok("snapset", present("s", "slow/o"))
        storage.write("slow/o", 18)
        disk.delay(300)
        ok("snapset", merged("s"))
        disk.fail()
        test_merging.wait_for_failure()
        yield


SITUATIONS = {
    "active": active,
    "interrupted": interrupted,
    "odd": unsuitable,
    "partial": test_groups.unusable_groups,
    "merge-failed": merge_failed,
    "going-back": rolling_back,
}


def main() -> None:
    """Record each situation in its own file in the directory given as the only argument."""
    directory = Path(sys.argv[1])
    directory.mkdir(exist_ok=True)
    with ExitStack() as stack:
        storage.set_up()
        stack.callback(storage.tear_down)
        keeper = storage.Keeper()
        for name, situation in SITUATIONS.items():
            with situation():
                (directory / f"{name}.json").write_text(json.dumps(_recording(), indent=1) + "\n", encoding="utf-8")
            keeper.restore()


def _recording() -> dict[str, Any]:
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(["lvm", *report_arguments()], capture_output=True, text=True, env=environment, check=False)
    release = dict(line.split("=", 1) for line in _lines("/etc/os-release") if "=" in line)
    return {
        "system": release["PRETTY_NAME"].strip('"'),
        "kernel": os.uname().release,
        "rc": done.returncode,
        "stderr": done.stderr.splitlines(),
        "report": done.stdout.splitlines(),
        "boot_id": _first(Path("/proc/sys/kernel/random/boot_id")),
        "mountinfo": _lines("/proc/self/mountinfo"),
        "swaps": _lines("/proc/swaps"),
        "fstab": _lines("/etc/fstab"),
        "cmdline": _first(Path("/proc/cmdline")),
        "devices": [_device(entry) for entry in sorted(Path("/sys/class/block").iterdir()) if _first(entry / "dev")],
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def _first(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def _device(entry: Path) -> dict[str, Any]:
    return {
        "name": entry.name,
        "dev": _first(entry / "dev"),
        "dm_name": _first(entry / "dm" / "name"),
        "dm_uuid": _first(entry / "dm" / "uuid"),
        "slaves": sorted(_first(slave / "dev") for slave in (entry / "slaves").glob("*")),
    }


if __name__ == "__main__":
    main()
