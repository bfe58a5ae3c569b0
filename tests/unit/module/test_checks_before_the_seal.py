# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must still be true when all snapshots exist. If it is not, they are removed again."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders as b
import modules
import pytest
from model_lvm import ModelLvm

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import CommandFailed, Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import PackageDatabase
from ansible_collections.safepoint.lvm.plugins.module_utils._module import packages, snapshots
from ansible_collections.safepoint.lvm.plugins.module_utils._module.apply import Done, apply
from ansible_collections.safepoint.lvm.plugins.module_utils._module.changes import ChangeSession
from ansible_collections.safepoint.lvm.plugins.module_utils._module.packages import CheckPackages, wait_for_packages
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapshots import Snapshots, SnapshotsCase

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import Plan, Request

QUIET = PackageDatabase("dpkg", "/var/lib/dpkg", version=(1, 1))
WORKING = replace(QUIET, user="apt (PID 7) holds /var/lib/dpkg/lock")
USR, OPT, SRV = b.volume("vg/usr"), b.volume("vg/opt"), b.volume("vg/srv")
HOST = b.host_state([USR, OPT, SRV], mounts={"/usr": USR, "/opt": OPT, "/srv": SRV}, packages=(QUIET,))


def planned(request: Request) -> Plan:
    return SnapshotsCase("snapset", request).plan(Snapshots(HOST, request))


def steps(request: Request) -> list[str]:
    return [step.render()["step"] for step in planned(request).steps]


def test_where_packages_are_looked_at_again() -> None:
    assert steps(b.request("vg/usr", "vg/opt")) == ["create", "create", "check_packages", "seal"]
    assert steps(b.single_request("vg/usr")) == ["create", "check_packages"]
    assert steps(b.request("vg/srv")) == ["create", "seal"]
    assert not any(step.changes for step in planned(b.request("vg/usr")).steps[1:2])


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (WORKING, r"dpkg is working \(apt \(PID 7\)"),
        (replace(QUIET, version=(1, 2)), "dpkg installed or removed packages while the snapshots were created"),
    ],
)
@pytest.mark.parametrize("request_", [b.request("vg/usr", "vg/srv"), b.single_request("vg/usr")])
def test_a_check_that_fails_leaves_nothing(
    now: PackageDatabase, says: str, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "read_database", lambda _manager, _directory: now)
    model = ModelLvm(HOST)
    plan = planned(request_)
    with pytest.raises(CommandFailed, match=says) as caught:
        apply(plan, model, SnapshotsCase.failure)
    created = [f"{step.vg}/{step.name}" for step in plan.steps if step.render()["step"] == "create"]  # type: ignore[attr-defined]
    assert f"; removed again: {', '.join(sorted(created))}" in caught.value.message
    assert caught.value.details["changed"] is False
    assert model.observe() == HOST


def test_what_cannot_be_removed_again_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "read_database", lambda _manager, _directory: WORKING)
    with pytest.raises(CommandFailed, match=r"dpkg is working.*not removed, remove by hand: vg/usr_s") as caught:
        apply(planned(b.request("vg/usr")), ModelLvm(HOST, faults={1: "refused"}), SnapshotsCase.failure)
    assert caught.value.details["changed"] is True


def test_nothing_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "read_database", lambda _manager, _directory: QUIET)
    model = ModelLvm(HOST)
    done = apply(planned(b.request("vg/usr", "vg/srv")), model, SnapshotsCase.failure)
    assert [argv[0] for argv in model.commands] == ["lvcreate", "lvcreate", "lvchange"]
    measured = SnapshotsCase("snapset", b.request("vg/usr")).measured(done)
    assert measured["taken_order"] == ["vg/srv", "vg/usr"]
    assert 0 <= measured["taken_within_ms"] < 60_000


def test_the_span_is_that_of_the_creations() -> None:
    """From the begin of the first to the end of the last, without the steps around them."""
    done = [Done(step, begun, begun + 0.25) for begun, step in enumerate(planned(b.request("vg/opt", "vg/usr")).steps)]
    case = SnapshotsCase("snapset", b.request("vg/usr"))
    assert case.measured(done) == {"taken_order": ["vg/opt", "vg/usr"], "taken_within_ms": 1250}
    assert case.measured(done[2:]) == {}
    assert SnapshotsCase("snapshot", b.single_request("vg/usr")).measured(done) == {}


def test_what_else_blocks_is_reported_together() -> None:
    request = b.request("vg/usr", "vg/missing")
    observed = replace(Snapshots(HOST, request), problems=("something else",))
    with pytest.raises(Refused) as caught:
        SnapshotsCase("snapset", request).plan(observed)
    assert len(caught.value.reasons) == 2
    assert caught.value.reasons[-1] == "something else"
    request = b.request("vg/usr")
    with pytest.raises(Refused, match="cannot create or keep snapset s: something else"):
        SnapshotsCase("snapset", request).plan(replace(Snapshots(HOST, request), problems=("something else",)))


class Clock:
    """Time that passes only while somebody sleeps. The package manager ends after ``works`` seconds."""

    def __init__(self, works: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self._works = 0.0, works
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self._sleep)
        monkeypatch.setattr(packages, "read_database", lambda _manager, _directory: self.database)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def database(self) -> PackageDatabase:
        return WORKING if self.now < self._works else QUIET


@pytest.mark.parametrize(("works", "timeout", "waited"), [(0, 60, 0), (5, 60, 5), (90, 60, 60), (5, 0, 0)])
def test_how_long_to_wait(works: int, timeout: int, waited: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(works, monkeypatch)
    wait_for_packages([WORKING], timeout)
    assert clock.now == waited


@pytest.mark.parametrize(
    ("request_", "waited"),
    [
        (b.request("vg/usr", package_timeout=9), 9),
        (b.request("vg/usr", package_timeout=0), 0),
        (b.request("vg/srv", package_timeout=9), 0),
        (b.request("vg/usr", state="absent", package_timeout=9), 0),
    ],
)
def test_when_to_wait(request_: Request, waited: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(99, monkeypatch)
    working: Any = replace(HOST, host=replace(HOST.host, packages=(WORKING,)))
    monkeypatch.setattr(snapshots, "read_host", lambda: working.host)
    session = ChangeSession(modules.module())
    monkeypatch.setattr(session, "observe", lambda _paths: working)
    SnapshotsCase("snapset", request_).prepare(session)
    assert clock.now == waited


def test_a_database_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_manager: str, _directory: str) -> PackageDatabase:
        raise OSError(5, "Input/output error", "/var/lib/dpkg/status")

    monkeypatch.setattr(packages, "read_database", fail)
    model = ModelLvm(HOST)
    with pytest.raises(CommandFailed, match="/var/lib/dpkg/status: Input/output error; removed again: vg/usr_s"):
        apply(planned(b.request("vg/usr")), model, SnapshotsCase.failure)
    assert model.observe() == HOST
    with pytest.raises(OSError, match="Input/output error"):
        CheckPackages((QUIET,)).carry_out(model)
