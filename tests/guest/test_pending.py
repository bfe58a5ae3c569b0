# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A merge that is pending because its origin is in use: what is refused, how it starts, is cancelled, or is lost."""

from __future__ import annotations

import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import lvm
import pytest
import storage
from calls import (
    absent,
    call,
    four_runs,
    merged,
    ok,
    predicted_and_done,
    present,
    refused,
    rolled_back,
    states,
    verbs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def in_use(name: str) -> Iterator[Path]:
    """Mount an LV, and delete the file that a failed test may have left in it."""
    with storage.mounted(name) as root:
        (root / "later").unlink(missing_ok=True)
        yield root


def test_pending_then_closed() -> None:
    origins = ("thick/a", "thin/t1")
    with in_use("thick/a") as thick, in_use("thin/t1") as thin:
        ok("snapset", present("s", *origins))
        for root in (thick, thin):
            (root / "later").write_text("x")
        requested = predicted_and_done("snapset", merged("s"), commands=4)
        assert requested["reboot_required"]
        assert requested["poll_after"] is None
        assert states(requested) == ("merge_pending", ["merge_pending"] * 2)
        for check in (False, True):
            again = ok("snapset", merged("s"), check=check)
            assert (again["changed"], again["reboot_required"], again["planned"]) == (False, True, [])
        assert len(again["commands"]) == 0
        refused("snapset", present("s", *origins), "being rolled back")
        refused("snapset", absent("s"), "thick/a_s waits .*lvremove thick/a_s", "thin/t1_s waits")
        refused("snapset", present("n", *origins), "thick/a_s will be merged", "thin/t1_s will be merged")
        for root in (thick, thin):
            lvm.run("umount", str(root))
        started = predicted_and_done("snapset", merged("s"), commands=3)
        assert verbs(started["commands"]) == ["lvchange"]
        assert started["changed"]
        assert not started["reboot_required"]
        done = rolled_back("snapset", merged("s"))
        assert states(done) == ("rolled_back", ["rolled_back"] * 2)
    for origin in origins:
        with storage.mounted(origin) as root:
            assert not (root / "later").exists()


def test_cancelling_as_suggested() -> None:
    with in_use("thick/a") as root:
        ok("snapset", present("s", "thick/a"))
        (root / "later").write_text("x")
        ok("snapset", merged("s"))
        message = call("snapset", absent("s"))["msg"]
        lvm.run("umount", str(root))
    run_suggested_commands(message)
    with storage.mounted("thick/a") as root:
        assert (root / "later").exists()
        (root / "later").unlink()
    # The content was not restored, so the module must not report a rollback.
    claimed = call("snapset", merged("s"))
    assert claimed.get("failed"), claimed["snapset"]
    ok("snapset", absent("s"))
    assert not lvm.tags("thick/a")


def test_continuing_without_a_lost_member() -> None:
    """The merge of one member is cancelled while the merge of the other is pending, and LVM cannot cancel that."""
    origins = ("thick/a", "thin/t1")
    with in_use("thick/a") as thick, in_use("thin/t1") as thin:
        ok("snapset", present("s", *origins))
        for root in (thick, thin):
            (root / "later").write_text("x")
        ok("snapset", merged("s"))
        message = call("snapset", absent("s"))["msg"]
        lvm.run("umount", str(thick))
        run_suggested_commands(message)
        refused("snapset", merged("s"), "1 of its 2 members are missing", r"accept_loss_of: \[s\]")
        refused("snapset", absent("s"), r"thin/t1_s waits .*accept_loss_of: \[s\]")
        accepting = {**merged("s"), "accept_loss_of": ["s"]}
        continued = predicted_and_done("snapset", accepting, commands=3)
        assert states(continued) == ("merge_pending", ["merge_pending"])
        lvm.run("umount", str(thin))
    done = rolled_back("snapset", merged("s"))
    assert states(done) == ("rolled_back", ["rolled_back"])
    with storage.mounted("thin/t1") as root:
        assert not (root / "later").exists()
    with storage.mounted("thick/a") as root:
        assert (root / "later").exists()
        (root / "later").unlink()
    ok("snapset", absent("s"))
    assert not lvm.tags("thick/a") | lvm.tags("thin/t1")


def test_requested_before_the_last_boot() -> None:
    with storage.mounted("thick/a"):
        ok("snapset", present("s", "thick/a"))
        ok("snapset", merged("s"))
        (tag,) = lvm.tags("thick/a")
        earlier = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "01234567-89ab-cdef-0123-456789abcdef", tag)
        assert earlier != tag
        lvm.run("lvchange", "--deltag", tag, "--addtag", earlier, "thick/a")
        stuck = call("snapset", merged("s"))
        assert stuck.get("failed")
        assert "before the last boot" in stuck["msg"]
        assert verbs(stuck["commands"]) == ["lvchange"]


def test_overflowed_while_pending() -> None:
    with in_use("thick/a") as root:
        ok("snapset", present("s", "thick/a", size="8MiB"))
        ok("snapset", merged("s"))
        (root / "large").write_bytes(bytes(range(256)) * 4096 * 12)
        lvm.run("sync", "-f", str(root))
        refused("snapset", present("s", "thick/a"), "overflowed")
        refused("snapset", merged("s"), "thick/a_s overflowed while its merge was pending", "rollback is lost")
        refused("snapset", absent("s"), "thick/a_s overflowed", "next activated")
        (root / "large").unlink()
    lvm.run("lvchange", "-an", "thick/a")
    lvm.run("lvchange", "-ay", "thick/a")
    refused("snapset", merged("s"), "rollback is lost")
    four_runs("snapset", absent("s"), commands=4)
    assert lvm.names("thick") == {"a", "a_x", "b", "c"}
    assert not lvm.tags("thick/a")
    refused("snapset", merged("s"), "it does not exist")


@pytest.mark.parametrize("remembered", [True, False], ids=["interrupted", "by hand"])
def test_partly_merged(remembered: bool) -> None:  # noqa: FBT001
    """Only one of two merges is requested: after an interruption, or by lvconvert typed by hand."""
    with in_use("thick/a") as root:
        ok("snapset", present("s", "thick/a", "thin/t2"))
        (root / "later").write_text("x")
        before = lvm.tags("thin/t2_s")
        if remembered:
            ok("snapset", merged("s"))
            # As if the command had been killed between the two: the thin member exists with its former name and tags.
            lvm.run("lvcreate", "-q", "-s", "-n", "t2_s", *tag_options(before), "thin/t2")
        else:
            lvm.run("lvconvert", "--merge", "thick/a_s")
        assert states({"snapset": ok("snapset_info", {"name": "s"})["snapsets"][0]})[0] == "partly_merged"
        refused("snapset", present("s", "thick/a", "thin/t2"), "being rolled back")
        refused("snapset", absent("s"), "partly rolled back")
        continued = predicted_and_done("snapset", merged("s"), commands=4)
        assert continued["reboot_required"]
        lvm.run("umount", str(root))
    rolled_back("snapset", merged("s"))
    with storage.mounted("thick/a") as root:
        assert not (root / "later").exists()


def tag_options(tags: set[str]) -> list[str]:
    return [word for tag in sorted(tags) for word in ("--addtag", tag)]


def run_suggested_commands(message: str) -> None:
    """Run every LVM command that a message suggests, in order."""
    for command in re.findall(r"\b(lv(?:change|remove) [^;(,]*[^;(, ])", message):
        lvm.run(*command.replace("lvremove", "lvremove -y").split())


def hibernation() -> str:
    """What systemd says about hibernating now. A guest of user-mode Linux cannot do it in any case."""
    done = subprocess.run(
        ["/usr/lib/systemd/systemd-sleep", "hibernate"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    return done.stderr


def test_no_hibernation_while_a_merge_is_pending() -> None:
    with in_use("thick/a") as root:
        ok("snapset", present("s", "thick/a"))
        assert "disabled by configuration" not in hibernation()
        requested = predicted_and_done("snapset", merged("s"), commands=4)
        assert requested["planned"][0] == {"step": "forbid_hibernation"}
        assert "disabled by configuration" in hibernation()
        lvm.run("umount", str(root))
        rolled_back("snapset", merged("s"))
    assert "disabled by configuration" not in hibernation()
    ok("snapset", absent("s"))
