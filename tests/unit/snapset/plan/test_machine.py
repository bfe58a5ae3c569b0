# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any sequence of requests, faults and events ends as planned or changes nothing, and there is always a way out."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import administrator
import builders as b
import driver
from administrator import Administrator
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from model_lvm import FAULTS, Fault, Killed, ModelLvm

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import CommandFailed, Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import outcome_tags
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.instances import instances
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import find

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, LvKey, Volume
    from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import Plan, Request

ORIGINS = ("va/a", "va/b", "vt/t")
FOREIGN = "va/daily"
SETS = ("s", "z")
ORIGIN = st.sampled_from(ORIGINS)
CHOICES = st.sampled_from([ORIGINS, ("va/a", "vt/t"), ("va/a",), ("va/b", "vt/t")])
SIZES = st.sampled_from(["auto", "40MiB", "80MiB", "100%ORIGIN"])
FAULT = st.sampled_from([None, None, None, *FAULTS])
ACCEPTED = st.sampled_from([(), ("s",), ("z",), SETS])
PLACE = st.integers(0, 2)
COMPLETE = ("active", "partly_merged", "merge_pending", "merging", "rolled_back")


def _host() -> HostState:
    a, t = b.volume("va/a", open=True), b.thin("vt/t", open=True)
    foreign = b.thick_snapshot(a, "daily", 204 * b.MIB)
    groups = [b.group("va", free=160), b.group("vt")]
    return b.host_state([a, b.volume("va/b"), t, b.thin_pool("vt/pool"), foreign], groups=groups)


class SnapsetMachine(RuleBasedStateMachine):
    """A host with a thick origin in use, a thick one that is not, and a thin one in use; there are two set names."""

    def __init__(self) -> None:
        super().__init__()
        self.model = ModelLvm(_host())
        self.boots = 0
        # The snapshots of each instance that ever existed, by their origins.
        self.snapshots: dict[str, dict[LvKey | None, LvKey]] = defaultdict(dict)
        self.copies: list[Volume] = []

    @initialize(first=CHOICES, second=CHOICES, both=st.booleans())
    def begin(self, *, first: tuple[str, ...], second: tuple[str, ...], both: bool) -> None:
        self._make_request(b.request(*first, name="s", size="80MiB"))
        if both:
            self._make_request(b.request(*second, name="z", size="80MiB"))

    @rule(chosen=CHOICES, name=st.sampled_from(SETS), size=SIZES, fault=FAULT, place=PLACE)
    def create(self, *, chosen: tuple[str, ...], name: str, size: str, fault: Fault | None, place: int) -> None:
        self._make_request(b.request(*chosen, name=name, size=size), fault, place)

    @rule(name=st.sampled_from(SETS), accept=ACCEPTED, fault=FAULT, place=PLACE)
    def merge(self, *, name: str, accept: tuple[str, ...], fault: Fault | None, place: int) -> None:
        self._make_request(b.request(name=name, state="merged", accept_loss_of=accept), fault, place)

    @rule(name=st.sampled_from(SETS))
    def roll_back(self, *, name: str) -> None:
        """As the role rollback does it."""
        for _round in range(3):
            self._make_request(b.request(name=name, state="merged", accept_loss_of=_others(name)))
            self.model.settle()

    @rule(name=st.sampled_from(SETS), fault=FAULT, place=PLACE)
    def remove(self, *, name: str, fault: Fault | None, place: int) -> None:
        self._make_request(b.request(name=name, state="absent"), fault, place)

    def _make_request(self, request: Request, fault: Fault | None = None, place: int = 0) -> None:
        before = self.model.observe()
        self.model.faults = {} if fault is None else {len(self.model.commands) + place: fault}
        plan, error = self._tried(request)
        self.model.faults = {}
        now = self.model.observe()
        if plan is not None:
            self._is_as_planned(plan, request)
            # A merge that LVM ends because it is polled is not a change by the module.
            polled = "poll" in driver.step_names(plan)
            assert polled or driver.reports_truly(changed=plan.changes, before=before, after=now)
        elif isinstance(error, Refused):
            assert now == before
        else:
            assert fault is not None, f"the plan cannot be carried out: {error}"
            if isinstance(error, CommandFailed):
                self._is_undone(before, now, request, changed=error.details["changed"])

    def _is_undone(self, before: HostState, now: HostState, request: Request, *, changed: bool) -> None:
        assert driver.reports_truly(changed=changed, before=before, after=now)
        fresh = {instance.set_id for instance in instances(now)} - {instance.set_id for instance in instances(before)}
        assert not fresh or driver.view(now, request).state == "active", "an incomplete set is left"

    def _tried(self, request: Request) -> tuple[Plan, None] | tuple[None, Refused | CommandFailed | Killed]:
        try:
            return driver.bring_about(self.model, request), None
        except (Refused, CommandFailed, Killed) as error:
            return None, error

    def _is_as_planned(self, plan: Plan, request: Request) -> None:
        now = self.model.observe()
        assert plan.after.to_prediction() == driver.shown(now, request)
        assert plan.after.reboot_required == driver.view(now, request).reboot_required
        if request.state != "merged":
            assert driver.plan(now, request).steps == ()

    @precondition(lambda self: not self.copies)
    @rule(names=st.sampled_from([("aa", "at"), ("va2", "vt2")]))
    def attach_a_copy(self, *, names: tuple[str, str]) -> None:
        """Somebody attaches a copy of the disks, for example to get back a file."""
        self.model.host_state = b.copied(self.model.host_state, dict(zip(("va", "vt"), names)), active=False)
        self.copies = [volume for volume in self.model.host_state.volumes if volume.vg in names]

    @invariant()
    def a_copy_is_never_changed(self) -> None:
        vgs = {volume.vg for volume in self.copies}
        assert [volume for volume in self.model.host_state.volumes if volume.vg in vgs] == self.copies

    @rule(name=ORIGIN)
    def open_or_close(self, *, name: str) -> None:
        origin = self.model.get(name)
        self.model.put(origin, open=not origin.open)

    @rule(cut_off=st.booleans())
    def continue_merges(self, *, cut_off: bool) -> None:
        self.model.settle(cut_off=cut_off)

    @rule()
    def reboot(self) -> None:
        self.boots += 1
        self.model.reboot(f"boot-{self.boots}")

    @rule(name=ORIGIN, used=st.sampled_from([5, 60, 95, 101]))
    def write(self, *, name: str, used: int) -> None:
        for snapshot in self._snapshots(name):
            if (snapshot.data_percent or 0) <= used and not (used > 100 and snapshot.full_name == FOREIGN):
                self.model.write(snapshot, used)

    def _snapshots(self, name: str) -> list[Volume]:
        return list(self.model.observe().snapshots_of(self.model.get(name)))

    @rule(name=ORIGIN)
    def somebody_removes_a_member(self, *, name: str) -> None:
        if outcome_tags.outcomes_of(self.model.get(name).tags):
            # A thick member looks merged if its merge was recorded, not requested, and it was then removed by hand.
            # (The canaries of the role rollback would detect that.)
            return
        for snapshot in self._snapshots(name):
            if snapshot.full_name != FOREIGN and not snapshot.merging:
                self.model.drop(snapshot)
                return

    @rule(name=st.sampled_from(("va/a", "va/b")), renamed=st.booleans())
    def somebody_splits_a_member(self, *, name: str, renamed: bool) -> None:
        if outcome_tags.outcomes_of(self.model.get(name).tags):
            # If its merge was recorded but not requested, it looks like the store that a finished merge leaves.
            return
        for snapshot in self._snapshots(name):
            if snapshot.full_name != FOREIGN and not snapshot.merging:
                new_name = f"mine{self.boots}_{snapshot.name}" if renamed else snapshot.name
                self.model.split(snapshot, new_name)
                return

    @rule(name=ORIGIN)
    def somebody_merges_a_member(self, *, name: str) -> None:
        for snapshot in self._snapshots(name):
            if snapshot.full_name != FOREIGN:
                self.model.run(["lvconvert", "--merge", snapshot.full_name], vgs=[snapshot.vg])
                return

    @invariant()
    def origins_and_foreign_snapshots_exist(self) -> None:
        for name in (*ORIGINS, FOREIGN, "vt/pool"):
            assert self.model.get(name).uuid == b.lvm_uuid(name)

    @invariant()
    def no_rollback_is_reported_that_did_not_happen(self) -> None:
        self._check_rollbacks(self.model)

    def _check_rollbacks(self, model: ModelLvm) -> None:
        for instance in instances(model.observe()):
            snapshots = self.snapshots[instance.set_id]
            snapshots.update({m.origin_key: m.snapshot.key for m in instance.live if m.snapshot})
            for member in instance.members_in("merged", "rolled_back"):
                assert snapshots[member.origin_key] in model.merged

    @invariant()
    def no_origin_records_two_outcomes(self) -> None:
        for name in ORIGINS:
            assert len(outcome_tags.outcomes_of(self.model.get(name).tags)) <= 1

    @invariant()
    def everything_can_be_reported(self) -> None:
        assert host_info(self.model.observe(), None)["coverage"] == []

    @invariant()
    def every_suggested_way_out_is_open(self) -> None:
        host_state = self.model.observe()
        for name in SETS:
            requests = [
                b.request(*ORIGINS, name=name),
                *(b.request(name=name, state="absent", accept_loss_of=accepted) for accepted in ((), _others(name))),
                *(b.request(name=name, state="merged", accept_loss_of=accepted) for accepted in ((), SETS)),
            ]
            for request in requests:
                assert not administrator.unmentioned_problems(host_state, request)

    def teardown(self) -> None:
        """From every state, doing what the messages suggest removes each set, whichever suggestion is followed."""
        for way in administrator.WAYS:
            somebody = Administrator(self.model.copy(), way)
            for name in SETS:
                assert somebody.bring(b.request(name=name, state="absent")), "\n".join(somebody.log)
            for volume in somebody.model.observe().volumes:
                assert not _tags.membership_tags(volume.tags), volume
                assert not outcome_tags.outcomes_of(volume.tags), volume
        self._roll_back_complete_sets()

    def _roll_back_complete_sets(self) -> None:
        somebody = Administrator(self.model.copy(), "modules")
        for name in SETS:
            # The merge of one set may have to wait for that of the other.
            somebody.bring(b.request(name=name, state="merged", accept_loss_of=_others(name)))
        for name in SETS:
            request = b.request(name=name, state="merged", accept_loss_of=_others(name))
            current = find(somebody.model.observe(), request).current
            if current is not None and current.sealed and current.state in COMPLETE:
                assert somebody.bring(request), "\n".join(somebody.log)
                assert driver.view(somebody.model.observe(), request).state == "rolled_back"
            self._check_rollbacks(somebody.model)


def _others(name: str) -> tuple[str, ...]:
    return tuple(other for other in SETS if other != name)


def test_any_sequence() -> None:
    # By default the sequences are few and always the same. The profile "deep" of conftest.py looks for new ones.
    examples = settings().max_examples
    few = examples == settings.get_profile("safepoint").max_examples
    how = settings(max_examples=80 if few else examples, stateful_step_count=15, derandomize=few)
    run_state_machine_as_test(SnapsetMachine, settings=how)
