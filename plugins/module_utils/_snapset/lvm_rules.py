# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What LVM itself refuses, as rules that a plan can be checked against before anything is changed. Pure; private.

The planners have their own checks, which say more. These rules apply to every LVM step of every module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

from .checks import group_problems, kernel_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._model import HostState
    from .._steps import Step


@dataclass(frozen=True)
class LvmRule:
    """Something that LVM refuses.

    ``source`` is where LVM refuses it: files of its source, as of 2.03.31. ``problems`` returns the reasons why LVM
    would refuse a step that changes some VG.
    """

    source: str
    problems: Callable[[HostState, Step], Iterator[str]]


def _groups(host_state: HostState, step: Step) -> Iterator[str]:
    for name in step.vgs:
        group = host_state.group(name)
        if group is not None:
            yield from group_problems(group)


def _kernel(host_state: HostState, _step: Step) -> Iterator[str]:
    yield from kernel_problems(host_state)


RULES = (
    LvmRule("lib/metadata/metadata.c, vg_read and _vg_read_for_update; tools/toollib.c", _groups),
    LvmRule("lib/activate/activate.c, activation()", _kernel),
)


def lvm_problems(host_state: HostState, steps: Sequence[Step]) -> tuple[str, ...]:
    """Every reason why LVM would refuse one of ``steps``, each once."""
    found = (problem for step in steps if step.vgs for rule in RULES for problem in rule.problems(host_state, step))
    return tuple(dict.fromkeys(found))
