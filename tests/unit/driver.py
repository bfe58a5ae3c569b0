# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make plans and carry them out, as the modules do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import builders as b

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._module.apply import apply
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapshots import SnapshotsCase, plan_snapshots
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.script import (
    RollbackScript,
    rollback_script,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import snapset_context
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import Plan, Request, find
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.result import View, view_of
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.selection import RequestedOrigin, select
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import LvmStep

if TYPE_CHECKING:
    from collections.abc import Iterable

    from model_lvm import ModelLvm

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState
    from ansible_collections.safepoint.lvm.plugins.module_utils._steps import Step

plan = plan_snapshots


def reasons(host_state: HostState, request: Request) -> tuple[str, ...]:
    """All reasons why the request is refused; empty if it is not."""
    try:
        plan(host_state, request)
    except Refused as refused:
        return refused.reasons
    return ()


def step_names(one: Plan) -> list[str]:
    return [step.render()["step"] for step in one.steps]


def arguments_of(step: Step) -> tuple[str, ...]:
    """The arguments of the LVM command that the step is."""
    assert isinstance(step, LvmStep)
    return step.arguments()


def argvs(one: Plan) -> list[str]:
    return [" ".join(step.arguments()) for step in commands_of(one)]


def commands_of(one: Plan) -> list[LvmStep]:
    """The steps that are LVM commands."""
    return [step for step in one.steps if isinstance(step, LvmStep)]


def bring_about(model: ModelLvm, request: Request) -> Plan:
    """Do what a module does: make a plan and carry it out. Raises what these two raise."""
    one = plan(model.observe(), request)
    if one.steps:
        carry_out(one, model)
    return one


def carry_out(one: Plan, model: ModelLvm) -> None:
    apply(one, model, SnapshotsCase.failure)


def view(host_state: HostState, request: Request) -> View:
    return view_of(host_state, find(host_state, request).current, name=request.name)


def shown(host_state: HostState, request: Request) -> dict[str, Any]:
    """The set as check mode and the diff show it, without what differs between two runs."""
    return view(host_state, request).to_prediction()


def rollback_script_of(host_state: HostState) -> RollbackScript:
    """The RollbackScript of a rollback timer for the set "s"."""
    return rollback_script(snapset_context(host_state, "s"), plan(host_state, b.request(state="merged")))


def selected(host_state: HostState, request: Request) -> tuple[RequestedOrigin, ...]:
    return select(host_state, request.selector).wanted


def reports_truly(*, changed: bool, before: HostState, after: HostState) -> bool:
    """Whether ``changed`` is correct. Both values are accepted if only the tag of a merge request was written."""
    return before.volumes != after.volumes if changed else _facts(before) == _facts(after)


def _facts(host_state: HostState) -> Any:
    return sorted(
        (lv.full_name, lv.key, lv.size, lv.merging, sorted(_relevant_tags(lv.tags))) for lv in host_state.volumes
    )


def _relevant_tags(tags: Iterable[str]) -> list[str]:
    return [tag for tag in tags if not tag.startswith("safepoint.outcome.merging=")]
