# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is undone when a command fails, and what the error says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import pytest
import situations
from model_lvm import Fault, ModelLvm

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import (
    CommandFailed,
    ReportFailed,
    error_text,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._module.apply import apply
from ansible_collections.safepoint.lvm.plugins.module_utils._module.failure import failure_of
from ansible_collections.safepoint.lvm.plugins.module_utils._steps import CommandResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.safepoint.lvm.plugins.module_utils._errors import SafepointError
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState

BOTH = b.request("va/a", "vt/t")
MERGED = b.request(state="merged")


def _failed(start: HostState, request: Any, faults: dict[int, Fault]) -> tuple[ModelLvm, CommandFailed]:
    model = ModelLvm(start, faults=dict(faults))
    with pytest.raises(CommandFailed) as caught:
        driver.bring_about(model, request)
    return model, caught.value


def _without_selection(command: tuple[str, ...]) -> tuple[str, ...]:
    # The UUIDs of what was just made: nobody can know them beforehand.
    place = command.index("--select")
    return (*command[:place], *command[place + 2 :])


def test_the_first_creation_is_refused() -> None:
    model, error = _failed(situations.nothing(), BOTH, {0: "refused"})
    assert len(model.commands) == 1
    assert error.details["changed"] is False
    assert error.message.startswith("create failed (vg va, origin a, snapshot a_s, kind thick")
    assert "LVM exited with 5 and said: refused by the test; nothing was created" in error.message
    assert error.details["cmd"][:2] == ["lvm", "lvcreate"]
    assert (error.details["rc"], error.details["stderr"]) == (5, "refused by the test")


def test_a_later_creation_is_refused() -> None:
    model, error = _failed(situations.nothing(), BOTH, {1: "refused"})
    assert _without_selection(model.commands[2]) == ("lvremove", "--yes", "va/a_s")
    assert model.observe() == situations.nothing()
    assert error.details["changed"] is False
    assert "removed again: va/a_s" in error.message


def test_a_creation_that_leaves_a_plain_lv() -> None:
    model, error = _failed(situations.nothing(), b.request("va/a"), {0: "half"})
    assert model.observe() == situations.nothing()
    assert "removed again: va/a_s" in error.message


def test_the_seal_is_refused() -> None:
    for fault in ("refused", "half"):
        model, _error = _failed(situations.nothing(), BOTH, {2: fault})
        assert _without_selection(model.commands[3]) == ("lvremove", "--yes", "va/a_s", "vt/t_s")
        assert model.observe() == situations.nothing()


def test_the_removal_fails_too() -> None:
    model, error = _failed(situations.nothing(), BOTH, {2: "refused", 3: "half"})
    assert error.details["changed"] is True
    assert "removed again: va/a_s; not removed, remove by hand: vt/t_s" in error.message
    assert model.get("vt/t_s").tags


def test_the_removal_fails_as_a_whole() -> None:
    """What is left was created: the error must not say the opposite."""
    model, error = _failed(situations.nothing(), BOTH, {2: "refused", 3: "refused"})
    assert error.details["changed"] is True
    assert "nothing was created" not in error.message
    assert "; not removed, remove by hand: va/a_s, vt/t_s; undoing failed too: remove: " in error.message
    assert model.get("va/a_s").tags


def test_what_others_have_is_never_removed() -> None:
    """Between the plan and the command somebody made an LV of that name."""
    model = ModelLvm(situations.nothing())
    plan = driver.plan(model.observe(), b.request("va/a"))
    theirs = b.volume("va/a_s", tags=("theirs",))
    model.host_state = replace(model.host_state, volumes=(*model.host_state.volumes, theirs))
    with pytest.raises(CommandFailed) as caught:
        driver.carry_out(plan, model)
    assert caught.value.message.endswith("nothing was created")
    assert model.get("va/a_s") == theirs
    assert len(model.commands) == 1


def test_leftovers_that_went_before_are_a_change() -> None:
    _model, error = _failed(situations.unsealed(), BOTH, {1: "refused"})
    assert error.details["changed"] is True


def test_a_merge_that_is_refused_is_forgotten() -> None:
    model, error = _failed(situations.active(), MERGED, {1: "refused"})
    assert model.observe() == situations.active()
    assert error.details["changed"] is False
    assert "refused: va/a_s, vt/t_s; started or done: none" in error.message


def test_a_merge_that_is_half_refused() -> None:
    model, error = _failed(situations.active(), MERGED, {1: "half"})
    assert error.details["changed"] is True
    assert "refused: vt/t_s; started or done: va/a_s (to continue with these, run state: merged again)" in error.message
    assert model.get("vt/t").tags == ()
    assert model.get("va/a").tags != ()
    assert driver.view(model.observe(), MERGED).state == "partly_merged"


def test_an_extension_before_a_refused_merge_is_a_change() -> None:
    request = b.request(state="merged", min_headroom="60MiB")
    _model, error = _failed(situations.active(), request, {2: "refused"})
    assert error.details["changed"] is True


@pytest.mark.parametrize(("fault", "changed", "left"), [("refused", False, "va/a_s, vt/t_s"), ("half", True, "vt/t_s")])
def test_a_removal_that_fails(fault: Fault, changed: bool, left: str) -> None:  # noqa: FBT001
    _model, error = _failed(situations.active(), b.request(state="absent"), {0: fault})
    assert error.details["changed"] is changed
    assert f"not removed: {left}" in error.message


def test_an_extension_that_fails_after_another() -> None:
    other = b.member(situations.OTHER, count=2)
    start = b.host_state([situations.A, situations.OTHER, b.member(situations.A, count=2), other])
    request = b.request("va/a=80MiB", "va/b=80MiB")
    for place, changed in ((0, False), (1, True)):
        _model, error = _failed(start, request, {place: "refused"})
        assert error.details["changed"] is changed
        assert error.message.startswith("extend failed (vg va, snapshot ")


def test_every_command_is_one_that_was_planned() -> None:
    model = ModelLvm(situations.nothing())
    plan = driver.bring_about(model, BOTH)
    assert model.commands == [step.arguments() for step in driver.commands_of(plan)]


@pytest.mark.parametrize(("fault", "back"), [("refused", True), ("half", False)])
def test_what_origins_remember_of_another_set_outlives_a_refused_merge(fault: Fault, back: bool) -> None:  # noqa: FBT001
    """Two sets of the same origins: one was rolled back, then the merge of the other is refused."""
    other = b.outcome_tag("rolled_back", name="z", set_id="f" * 32)
    origins = (replace(situations.T, tags=("somebody's",)), replace(situations.A, tags=(other,)))
    start = situations.of(*origins, situations.A_MEMBER, situations.T_MEMBER)
    model, error = _failed(start, MERGED, {1: fault})
    assert error.details["changed"] is not back
    assert model.get("vt/t").tags == ("somebody's",)
    assert (other in model.get("va/a").tags) is back
    assert (driver.view(model.observe(), b.request(name="z")).state == "rolled_back") is back


def test_a_merge_by_hand_that_is_remembered_beside_a_refused_one_is_a_change() -> None:
    by_hand = situations.without_outcomes(situations.partly_requested())
    model, error = _failed(by_hand, MERGED, {1: "refused"})
    assert model.get("va/a").tags != ()
    assert error.details["changed"] is True


def test_another_volume_of_the_same_name_stays() -> None:
    """Between a look at the host and the removal somebody may have given the name to an LV of his own."""
    model = ModelLvm(situations.active())
    plan = driver.plan(model.observe(), b.request(state="absent"))
    other = model.put(model.get("va/a_s"), uuid="another")
    apply(plan, model, failure_of)
    assert model.get("va/a_s") == other


@pytest.mark.parametrize("gone", ["va/a_s", "vt/t_s"])
def test_a_member_is_removed_before_it_is_merged(gone: str) -> None:
    """Its origin may not tell of a merge: the next run would take that for a rollback."""
    model = ModelLvm(situations.active())
    plan = driver.plan(model.observe(), MERGED)
    model.drop(model.get(gone))
    with pytest.raises(CommandFailed) as caught:
        apply(plan, model, failure_of)
    assert f"removed by somebody else: {gone}; started or done: " in caught.value.message
    assert model.get(gone.removesuffix("_s")).tags == ()
    assert driver.view(model.observe(), MERGED).state == "damaged"


def test_a_member_is_renamed_before_it_is_merged() -> None:
    model = ModelLvm(situations.active())
    plan = driver.plan(model.observe(), MERGED)
    model.put(model.get("va/a_s"), name="mine")
    with pytest.raises(CommandFailed, match="refused: va/a_s; started or done: vt/t_s"):
        apply(plan, model, failure_of)
    assert model.get("va/a").tags == ()


@dataclass
class Unreadable(ModelLvm):
    """After the command number ``after``, LVM gives only ``reports`` more reports."""

    after: int = 0
    reports: int = 0
    error: Exception = field(default_factory=lambda: ReportFailed("cannot parse LVM's report", cmd=["lvm", "report"]))

    def observe(self) -> HostState:
        if len(self.commands) > self.after:
            self.reports -= 1
            if self.reports < 0:
                raise self.error
        return super().observe()


NO_FILE = OSError(5, "Input/output error", "/etc/fstab")


@pytest.mark.parametrize("error", [ReportFailed("no report", cmd=["report"]), NO_FILE], ids=["lvm", "os"])
@pytest.mark.parametrize(
    ("start", "request_", "after", "step", "unknown"),
    [
        (situations.nothing(), BOTH, 1, "create", "va/a_s, vt/t_s"),
        (situations.nothing(), BOTH, 2, "seal", "va/a_s, vt/t_s"),
        (situations.active(), MERGED, 0, "remember_merge", "va/a, vt/t"),
        (situations.active(), MERGED, 1, "merge", "va/a_s, vt/t_s"),
        (situations.active(), b.request(state="absent"), 0, "remove", "va/a_s, vt/t_s"),
    ],
)
def test_the_report_fails_after_the_command(
    start: HostState, request_: Any, after: int, step: str, unknown: str, error: SafepointError | OSError
) -> None:
    """LVM's words stay, and what may be left is named. Nobody can say that nothing was changed."""
    model = Unreadable(start, faults={after: "refused"}, after=after, error=error)
    with pytest.raises(CommandFailed) as caught:
        driver.bring_about(model, request_)
    assert caught.value.message.startswith(f"{step} failed (")
    assert caught.value.message.endswith(
        f": LVM exited with 5 and said: refused by the test; it is not known what was done to {unknown}: look with "
        f"snapset_info, then run this again; undoing failed too: {error_text(error)}"
    )
    assert caught.value.details["changed"] is True
    assert caught.value.details["cmd"][:2] == ["lvm", model.commands[after][0]]


def test_the_report_fails_after_the_undoing() -> None:
    """LVM refuses to create, then to remove, then to report. All of that is said."""
    model = Unreadable(situations.nothing(), faults={1: "refused", 2: "refused"}, after=1, reports=2)
    with pytest.raises(CommandFailed) as caught:
        driver.bring_about(model, BOTH)
    assert caught.value.message.endswith(
        "LVM exited with 5 and said: refused by the test; it is not known what was done to va/a_s, vt/t_s: look with "
        "snapset_info, then run this again; undoing failed too: remove: LVM exited with 5 and said: refused by the "
        "test; undoing failed too: cannot parse LVM's report"
    )


def test_a_record_that_cannot_be_deleted_is_a_change() -> None:
    model, error = _failed(situations.active(), MERGED, {1: "refused", 2: "refused"})
    assert model.get("va/a").tags != ()
    assert error.details["changed"] is True
    assert "; undoing failed too: forget: LVM exited with 5 and said: refused by the test" in error.message


def test_the_only_member_is_removed_before_we_do_it() -> None:
    """Whoever removed it has changed something, and nobody else."""
    origin = b.volume("va/a")
    model = ModelLvm(b.host_state([origin, b.member(origin)]))
    plan = driver.plan(model.observe(), b.request(state="absent"))
    model.drop(model.get("va/a_s"))
    with pytest.raises(CommandFailed, match="not removed: none") as caught:
        apply(plan, model, failure_of)
    assert caught.value.details["changed"] is False


class Stuck(ModelLvm):
    """It fails because of what a killed command has left in a thin pool."""

    def run(self, arguments: Sequence[str], *, vgs: Sequence[str]) -> CommandResult:
        said = "  Before.\n  Thin pool vt-my--pool-tpool (253:4) already contain thin device with device_id 12.\n"
        outcome = super().run(arguments, vgs=vgs)
        return replace(outcome, stderr=said) if outcome.rc else outcome


@pytest.mark.parametrize("faults", [{2: "refused"}, {2: "refused", 3: "refused"}, {1: "half", 2: "refused"}], ids=str)
def test_what_to_type_when_lvm_makes_a_thin_device_again_and_again(faults: dict[int, Fault]) -> None:
    with pytest.raises(CommandFailed) as caught:
        driver.bring_about(Stuck(situations.nothing(), faults=faults), BOTH)
    assert caught.value.message.count("dmsetup message vt-my--pool-tpool 0 'delete 12'") == 1


def test_nothing_to_type_when_lvm_fails_for_another_reason() -> None:
    _model, error = _failed(situations.nothing(), BOTH, {1: "refused", 2: "refused"})
    assert "dmsetup" not in error.message


@dataclass
class Deactivating(ModelLvm):
    """A merge fails after LVM has taken the thin origin's device away."""

    obedient: bool = True

    def run(self, arguments: Sequence[str], *, vgs: Sequence[str]) -> CommandResult:
        if "--activate" in arguments:
            self.commands.append(tuple(arguments))
            if self.obedient:
                self.put(self.get("vt/t"), active=True)
            return CommandResult(tuple(arguments), 0 if self.obedient else 5, "", "" if self.obedient else "no")
        outcome = super().run(arguments, vgs=vgs)
        if arguments[0] == "lvconvert":
            self.put(self.get("vt/t"), active=False, open=None)
        return outcome


@pytest.mark.parametrize(("obedient", "how"), [(True, "was activated again"), (False, "could not be")])
def test_an_origin_that_became_inactive(how: str, *, obedient: bool) -> None:
    model = Deactivating(situations.active(), faults={1: "half"}, obedient=obedient)
    with pytest.raises(CommandFailed) as caught:
        driver.bring_about(model, MERGED)
    assert f"vt/t became inactive and {how}" in caught.value.message
    assert model.get("vt/t").active is obedient
    assert ("lvchange", "--yes", "--activate", "y", "vt/t") in model.commands


def test_an_origin_that_was_inactive_before_stays_so() -> None:
    start = situations.active()
    model = Deactivating(start, faults={1: "half"})
    model.put(model.get("vt/t"), active=False, open=None)
    with pytest.raises(CommandFailed) as caught:
        driver.bring_about(model, MERGED)
    assert "inactive" not in caught.value.message
    assert not any("--activate" in command for command in model.commands)
