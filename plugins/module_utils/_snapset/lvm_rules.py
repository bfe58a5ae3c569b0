# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What LVM itself refuses, as rules that a plan is checked against before anything is changed. Pure; private.

The planners have their own checks, which can say more. These rules apply to the LVM commands of every module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

from .checks import exported_problems, partial_problems
from .steps import CreateSnapshot, CreateVolume, Extend, LvmStep, Merge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._model import HostState, VolumeGroup
    from .._steps import Step


@dataclass(frozen=True)
class LvmRule:
    """Something that LVM refuses for some kinds of steps, because of the VG that they change.

    ``source`` is where LVM refuses it: files of its source, as of 2.03.31. ``problems`` returns the reasons.
    """

    source: str
    steps: tuple[type[LvmStep], ...]
    problems: Callable[[VolumeGroup], Iterator[str]]


RULES = (
    LvmRule("lib/metadata/metadata.c, vg_read: volume group is exported", (LvmStep,), exported_problems),
    # lvremove and lvchange set handles_missing_pvs: they also work if a PV is missing.
    LvmRule(
        "lib/metadata/metadata.c, vg_write: physical volumes are missing",
        (CreateSnapshot, CreateVolume, Extend, Merge),
        partial_problems,
    ),
)


def lvm_problems(host_state: HostState, steps: Sequence[Step]) -> tuple[str, ...]:
    """Every reason why LVM would refuse one of ``steps``, each once."""
    found = (
        problem
        for rule in RULES
        for step in steps
        if isinstance(step, rule.steps)
        for name in step.vgs
        if (group := host_state.group(name)) is not None
        for problem in rule.problems(group)
    )
    return tuple(dict.fromkeys(found))
