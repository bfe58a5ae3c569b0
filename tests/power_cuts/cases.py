# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cuts: each is derived from a seed and a number, independently of the others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

Layout = Literal["data", "root"]
Step = Literal["pre_upgrade", "change", "rollback", "commit"]
LAYOUTS: tuple[Layout, ...] = ("data", "root")
# Three of ten cuts are on the root filesystem.
ROOT_DIGITS = (3, 6, 9)
# Every fourth cut of a layout uses the older release.
SUITES = ("trixie", "trixie", "trixie", "bookworm")

ACTIVE = frozenset({"active"})
ROLLING_BACK = frozenset({"merging", "merge_pending", "rolled_back"})


@dataclass(frozen=True)
class Moment:
    """When the power fails: in which step, how long after which output, and which states are allowed afterwards.

    `after` is a regular expression for the output of the step, or with `console` for the serial console of the guest,
    since the beginning of the step. `seconds` is the longest delay after it, in software emulation on an idle machine.
    `found` are the states that the set may have after the next boot.
    """

    step: Step
    after: str
    seconds: float
    found: frozenset[str]
    console: bool = False
    layouts: tuple[Layout, ...] = LAYOUTS
    # How often the volumes of the layout "data" are unmounted, and so rolled back without a reboot (0 to 1).
    closed: float = 0


def _task(role: str, name: str) -> str:
    return rf"TASK \[safepoint\.lvm\.{role} : {name}"


_WAIT = _task("rollback", "Reboot if needed and wait for the merges")
MOMENTS = {
    "preparing": Moment(
        "pre_upgrade",
        _task("pre_upgrade", "Prepare the initramfs"),
        90,
        frozenset({"absent"}),
        layouts=("root",),
    ),
    # Do not change these names: they decide which moment belongs to which number.
    "taking": Moment(
        "pre_upgrade", _task("pre_upgrade", r"Take the snapset\]"), 15, frozenset({"absent", "incomplete"}) | ACTIVE
    ),
    "changing": Moment("change", r"\[", 15, ACTIVE),
    "requesting": Moment(
        "rollback", _task("rollback", "Request the merges"), 12, ACTIVE | ROLLING_BACK | {"partly_merged"}, closed=0.5
    ),
    "rebooting": Moment("rollback", _WAIT, 20, ROLLING_BACK),
    "in the initramfs": Moment("rollback", "Loading, please wait", 15, ROLLING_BACK, console=True),
    "merging": Moment("rollback", r"Welcome to .*Debian", 30, ROLLING_BACK, console=True),
    "merging closed": Moment("rollback", _WAIT, 15, ROLLING_BACK, layouts=("data",), closed=1),
    # A message of rollback_wait, after the reboot if there was one.
    "concluding": Moment("rollback", "waiting for the merges", 15, ROLLING_BACK, closed=0.5),
    "committing": Moment(
        "commit",
        _task("commit", "Remove the snapset"),
        12,
        frozenset({"absent", "damaged", "incomplete"}) | ACTIVE,
    ),
}


@dataclass(frozen=True)
class Cut:
    """One power cut."""

    seed: int
    number: int
    layout: Layout
    suite: str
    moment: str
    # The delay as a fraction of the longest delay.
    fraction: float
    # The last step of the workflow, and whether the volumes are mounted when it starts.
    ending: Step
    mounted: bool

    @property
    def title(self) -> str:
        """Its name in messages and reports."""
        return f"cut {self.seed}-{self.number}, {self.layout}, {self.suite}, {self.moment}"


def layout_of(number: int) -> Layout:
    """The layout of the cut with this number."""
    return "root" if number % 10 in ROOT_DIGITS else "data"


def chance(*parts: object) -> float:
    """A number from 0 up to 1 that depends only on the parts, with every Python."""
    digest = hashlib.sha256(" ".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def derive(seed: int, number: int) -> Cut:
    """The cut with this number, counted from 1. The moments come in rounds, each round in another order."""
    layout = layout_of(number)
    names = [name for name, moment in MOMENTS.items() if layout in moment.layouts]
    earlier = sum(layout_of(other) == layout for other in range(1, number))
    lap, position = divmod(earlier, len(names))
    name = sorted(names, key=lambda each: chance(seed, layout, lap, each))[position]
    moment = MOMENTS[name]
    either: tuple[Step, ...] = ("commit", "rollback") if moment.step in ("pre_upgrade", "change") else (moment.step,)
    closed = layout == "data" and chance(seed, number, "closed") < moment.closed
    return Cut(
        seed=seed,
        number=number,
        layout=layout,
        suite=SUITES[(earlier + lap) % len(SUITES)],
        moment=name,
        fraction=chance(seed, number, "delay"),
        ending=either[int(chance(seed, number, "ending") * len(either))],
        mounted=not closed,
    )
