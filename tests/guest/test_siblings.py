# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other snapshots of the same origin that a merge would damage: refused unless the user accepts their loss."""

from __future__ import annotations

import lvm
import storage
from calls import absent, merged, ok, present, refused, rolled_back, states


def test_a_thick_sibling_that_would_overflow() -> None:
    ok("snapset", present("older", "thick/b", size="12MiB"))
    storage.write("thick/b", 7)
    ok("snapset", present("younger", "thick/b"))
    storage.write("thick/b", 4.5, at=20)
    assert ok("snapset", merged("older"), check=True)["changed"], "the younger snapshot cannot overflow"
    refused("snapset", merged("younger"), r"into thick/b_older \(older\), .* would overflow")
    refused("snapset", merged("younger", accept_loss_of=["other"]), "thick/b_older")
    ok("snapset", merged("younger", accept_loss_of=["older"]))
    rolled_back("snapset", merged("younger"))
    ok("snapset", absent("older"))


def test_a_thin_sibling_that_would_be_detached() -> None:
    for name in ("older", "younger"):
        ok("snapset", present(name, "thin/t2"))
    lvm.run("lvcreate", "-q", "-s", "-n", "by_hand", "thin/t2")
    refused("snapset", merged("older"), r"thin/t2_younger \(younger\)", r"thin/by_hand \(thin/by_hand\)")
    refused("snapset", merged("older", accept_loss_of=["younger"]), "thin/by_hand")
    ok("snapset", merged("older", accept_loss_of=["younger", "thin/by_hand"]))
    rolled_back("snapset", merged("older"))
    (younger,) = ok("snapset_info", {"name": "younger"})["snapsets"]
    assert states({"snapset": younger}) == ("damaged", ["detached"])
    refused("snapset", merged("younger"), "thin/t2_younger is no longer a snapshot of its recorded origin")
    ok("snapset", absent("younger"))
    assert lvm.names("thin") == {"pool", "t1", "t2", "z", "by_hand"}
