# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roll back volumes that are not in use: the content is restored, and the outcome is recorded."""

from __future__ import annotations

from pathlib import Path

import lvm
import pytest
import storage
from calls import absent, four_runs, merged, ok, predicted_and_done, present, processes, rolled_back, states, verbs

FORMER = bytes(range(256)) * 4096


def write_former(origin: str) -> None:
    with storage.mounted(origin) as root:
        (root / "kept").write_bytes(FORMER)
        (root / "removed").write_text("here before")
        (root / "new").unlink(missing_ok=True)


def change(origin: str) -> None:
    with storage.mounted(origin) as root:
        (root / "kept").write_bytes(FORMER[::-1])
        (root / "removed").unlink()
        (root / "new").write_text("written later")


def check_former(root: Path) -> None:
    assert (root / "kept").read_bytes() == FORMER
    assert (root / "removed").read_text() == "here before"
    assert not (root / "new").exists()


@pytest.mark.parametrize("origin", ["thick/a", "thin/t1"])
def test_content_is_restored(origin: str) -> None:
    write_former(origin)
    ok("snapset", present("s", origin))
    thin_id = lvm.lv(f"{origin}_s", "thin_id")["thin_id"]
    change(origin)
    requested = predicted_and_done("snapset", merged("s"), commands=4)
    assert verbs(requested["commands"]) == ["lvchange", "lvconvert"]
    assert requested["changed"]
    assert not requested["reboot_required"]
    assert requested["snapset"]["state"] in ("merging", "rolled_back")
    assert requested["poll_after"] > 0
    done = rolled_back("snapset", merged("s"))
    assert verbs(done["commands"]) == ["lvchange"]
    assert done["changed"]
    assert done["poll_after"] is None
    assert done["snapset"]["rolled_back_at"]
    assert not Path(f"/dev/{origin}_s").exists()
    assert lvm.lv(origin, "thin_id")["thin_id"] == thin_id
    with storage.mounted(origin) as root:
        check_former(root)
    for check in (False, True):
        again = ok("snapset", merged("s"), check=check)
        assert (again["changed"], again["planned"], states(again)[0]) == (False, [], "rolled_back")
    assert processes(ok("snapset", merged("s"))) == 1


def test_the_outcome_of_a_rollback() -> None:
    """The origin has an outcome tag. The next creation or removal deletes it with one additional command."""
    ok("snapset", present("s", "thick/c"))
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
    (tag,) = lvm.tags("thick/c")
    assert tag.startswith("safepoint.outcome.rolled_back=s:")
    four_runs("snapset", present("s", "thick/c"), commands=1 + 3 + 1)
    assert not lvm.tags("thick/c")
    ok("snapset", absent("s"))
    lvm.run("lvchange", "-q", "--addtag", tag, "thick/c")
    four_runs("snapset", absent("s"), commands=3)
    assert not lvm.tags("thick/c")


def test_all_kinds_in_one_set() -> None:
    origins = ("thick/b", "thin/t2", "thin/z")
    before = storage.checksums(*origins)
    ok("snapset", present("s", *origins))
    for origin in origins:
        storage.write(origin, 4, at=2)
    assert storage.checksums(*origins) != before
    task = {**merged("s"), "volumes": present("", *origins)["volumes"]}
    predicted_and_done("snapset", task, commands=4)
    rolled_back("snapset", task)
    assert storage.checksums(*origins) == before
