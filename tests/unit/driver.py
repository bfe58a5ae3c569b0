# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan and carry out, as the modules do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import builders as b

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._module.apply import apply
from ansible_collections.safepoint.lvm.plugins.module_utils._module.failure import failure_of
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.orders import Orders, orders
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import situation
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.absent import plan_absent
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import Plan, Request, find
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.merged import plan_merged
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.present import plan_present
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.result import View, view_of
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.selection import Wanted, select

if TYPE_CHECKING:
    from collections.abc import Iterable

    from model_lvm import ModelLvm

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import Picture

PLANNERS = {"present": plan_present, "merged": plan_merged, "absent": plan_absent}


def plan(picture: Picture, request: Request) -> Plan:
    return PLANNERS[request.state](picture, request)


def reasons(picture: Picture, request: Request) -> tuple[str, ...]:
    """Every reason of the refusal; none when it is not refused."""
    try:
        plan(picture, request)
    except Refused as refused:
        return refused.reasons
    return ()


def step_names(one: Plan) -> list[str]:
    return [step.render()["step"] for step in one.steps]


def argvs(one: Plan) -> list[str]:
    return [" ".join(step.arguments()) for step in one.steps]


def bring_about(model: ModelLvm, request: Request) -> Plan:
    """Do what a module does: plan, and carry out. Raises what planning and applying raise."""
    one = plan(model.observe(), request)
    if one.steps:
        carry_out(one, model)
    return one


def carry_out(one: Plan, model: ModelLvm) -> None:
    apply(one, model, failure_of)


def view(picture: Picture, request: Request) -> View:
    return view_of(picture, find(picture, request).current, name=request.name)


def shown(picture: Picture, request: Request) -> dict[str, Any]:
    """The set as check mode and the diff show it: without what differs between two runs."""
    return view(picture, request).to_prediction()


def orders_of(picture: Picture) -> Orders:
    """What a rollback timer of the set "s" is told."""
    return orders(situation(picture, "s"), plan(picture, b.request(state="merged")))


def selected(picture: Picture, request: Request) -> tuple[Wanted, ...]:
    return select(picture, request.selector).wanted


def told_truly(*, changed: bool, before: Picture, after: Picture) -> bool:
    """Whether ``changed`` is what happened; a merge that was asked for in vain may be told either way."""
    return before.volumes != after.volumes if changed else _facts(before) == _facts(after)


def _facts(picture: Picture) -> Any:
    return sorted((lv.full_name, lv.key, lv.size, lv.merging, sorted(_telling(lv.tags))) for lv in picture.volumes)


def _telling(tags: Iterable[str]) -> list[str]:
    return [tag for tag in tags if not tag.startswith("safepoint.outcome.merging=")]
