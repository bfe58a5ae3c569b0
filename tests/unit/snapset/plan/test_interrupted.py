# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every command of every plan fails in every way, and the same request is made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest
import situations
from model_lvm import FAULTS, Fault, Killed, ModelLvm

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import CommandFailed, Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.instances import instances

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState
    from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import Request, State

STATES: tuple[State, ...] = ("present", "merged", "absent")
LARGER = b.request("va/a=100MiB", "vt/t")
ACCEPTING = b.request(state="merged", accept_loss_of=("s",))


def _all_steps() -> list[tuple[str, Request, int]]:
    """All situations, all requests that are not refused in them, and all their steps."""
    found = []
    for situation, build in situations.ALL.items():
        for request in (*(b.request("va/a", "vt/t", state=state) for state in STATES), LARGER, ACCEPTING):
            if not driver.reasons(build(), request):
                steps = driver.plan(build(), request).steps
                found += [(situation, request, place) for place in range(len(steps))]
    return found


CASES = [
    pytest.param(
        situation, request, place, fault, id=f"{situation}-{request.state}-{request.size.text}-{place}-{fault}"
    )
    for situation, request, place in _all_steps()
    for fault in FAULTS
]


def _finish(model: ModelLvm, request: Request) -> dict[str, Any]:
    """Repeat the request until nothing is left to do, while LVM continues its merges. Return the set as it is then."""
    for _round in range(6):
        before = model.observe()
        driver.bring_about(model, request)
        model.settle()
        if model.observe() == before:
            return driver.shown(before, request)
    pytest.fail("it does not end")


def _ids(host_state: HostState) -> set[str]:
    return {instance.set_id for instance in instances(host_state)}


@pytest.mark.parametrize(("situation", "request_", "place", "fault"), CASES)
def test_the_same_request_again(situation: str, request_: Request, place: int, fault: Fault) -> None:
    start = situations.ALL[situation]()
    undisturbed = _finish(ModelLvm(start), request_)
    model = ModelLvm(start, faults={place: fault})
    with pytest.raises((CommandFailed, Killed)) as caught:
        driver.bring_about(model, request_)
    after = model.observe()
    if isinstance(caught.value, CommandFailed):
        assert driver.reports_truly(changed=caught.value.details["changed"], before=start, after=after)
        whole = driver.view(after, request_).state == "active"
        if request_.state == "present" and not whole:
            assert _ids(after) <= _ids(start), "something of this run is left"
    try:
        assert _finish(model, request_) == undisturbed
    except Refused as refused:
        pytest.fail(f"refused: {refused}")
    origins = {lv.uuid for lv in start.volumes if lv.name in ("a", "b", "t", "pool")}
    assert origins <= {lv.uuid for lv in model.observe().volumes}
