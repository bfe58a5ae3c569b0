# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is forbidden while merges are pending or running: hibernation, and a reboot by kexec."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest
import situations
from backups import ROOT, taken
from model_lvm import ModelLvm

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import CommandFailed, Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._host import steps
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import Shutdown

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_lvm import Fault

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState

MERGED = b.request(state="merged")
OPEN_ROOT = replace(ROOT, open=True)


def names(host_state: HostState, **shutdown: Any) -> list[str]:
    """The steps of the plan that merges the snapset of a host."""
    return driver.step_names(driver.plan(with_shutdown(host_state, Shutdown(**shutdown)), MERGED))


def with_shutdown(host_state: HostState, shutdown: Shutdown) -> HostState:
    return replace(host_state, host=replace(host_state.host, shutdown=shutdown))


def running() -> HostState:
    """A host whose running / has a snapset."""
    return b.host_state([OPEN_ROOT, taken()], mounts={"/": OPEN_ROOT})


def test_before_the_merges_of_the_running_root() -> None:
    assert names(running(), hibernation="allowed", kexec="allowed") == [
        *("forbid_hibernation", "forbid_kexec", "remember_merge", "merge"),
    ]
    assert names(running(), hibernation="forbidden") == ["remember_merge", "merge"]


def test_it_is_no_change_of_its_own() -> None:
    plan = driver.plan(with_shutdown(situations.merging(), Shutdown(hibernation="allowed")), MERGED)
    assert driver.step_names(plan)[0] == "forbid_hibernation"
    assert not plan.steps[0].changes


def test_a_kernel_that_is_loaded_for_kexec() -> None:
    with pytest.raises(Refused, match="type kexec -u, then run again"):
        names(running(), kexec="loaded")


def test_kexec_does_no_harm_to_data() -> None:
    """The origins are in use, so the host must reboot, but they are not /."""
    assert "forbid_kexec" not in names(situations.partly_requested(), kexec="allowed")
    assert "merge" in names(situations.partly_requested(), kexec="loaded")


@pytest.mark.parametrize("unfinished", [situations.pending, situations.merging])
def test_hibernation_stays_forbidden_while_something_merges(unfinished: Callable[[], HostState]) -> None:
    assert names(unfinished(), hibernation="allowed")[0] == "forbid_hibernation"
    assert "allow_hibernation" not in names(unfinished(), hibernation="forbidden")


def test_hibernation_is_allowed_again_at_the_end() -> None:
    assert names(situations.rolled_back(), hibernation="forbidden") == ["allow_hibernation"]
    assert names(situations.rolled_back(), hibernation="allowed") == []


def test_it_stays_forbidden_while_another_set_merges() -> None:
    other = b.volume("va/other")
    record = b.outcome_tag("merging", other, name="o", set_id="f" * 32)
    member = b.member(other, name="o", set_id="f" * 32, merging=True)
    mixed = situations.of(
        *(one for one in situations.rolled_back().volumes if one.name != "pool"), replace(other, tags=(record,)), member
    )
    assert names(mixed, hibernation="forbidden") == []


@pytest.mark.parametrize(("fault", "then"), [("refused", ["allowed"]), ("half", [])])
def test_a_refused_request_is_taken_back(fault: Fault, then: list[str], undone: list[str]) -> None:
    """LVM refuses the merges: then nothing is pending. If one has started, hibernation stays forbidden."""
    model = ModelLvm(situations.of(*situations.active().volumes), faults={1: fault})
    plan = driver.plan(with_shutdown(model.host_state, Shutdown(hibernation="allowed")), MERGED)
    with pytest.raises(CommandFailed):
        driver.carry_out(plan, model)
    assert undone == ["forbidden", *then]


@pytest.fixture
def undone(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was forbidden and allowed."""
    found: list[str] = []
    monkeypatch.setattr(steps, "forbid_hibernation", lambda: found.append("forbidden"))

    def allow() -> bool:
        found.append("allowed")
        return True

    monkeypatch.setattr(steps, "allow_hibernation", allow)
    return found
