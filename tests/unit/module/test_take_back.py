# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan that fails half-way: what it made is taken away, the last first, and the error says what is left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import builders as b
import pytest
from model_lvm import ModelLvm

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import FilesFailed, SafepointError
from ansible_collections.safepoint.lvm.plugins.module_utils._module.apply import apply
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import CreateVolume, Retag
from ansible_collections.safepoint.lvm.plugins.module_utils._steps import CommandResult, Step, StepsPlan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, Volume
    from ansible_collections.safepoint.lvm.plugins.module_utils._steps import Runner

NO_SPACE = OSError(28, "No space left on device", "/boot/x")


@dataclass(frozen=True)
class Replaces:
    """A step that removes what was there before."""

    log: list[str] = field(compare=False)
    error: Exception | None = None
    changes = True
    vgs = ()

    def render(self) -> Mapping[str, Any]:
        return {"step": "replace"}

    def carry_out(self, _runner: Runner) -> None:
        if self.error is not None:
            raise self.error
        self.log.append("replace")


@dataclass(frozen=True)
class Makes:
    """A step that makes something, and may fail at that, or when it is undone."""

    log: list[str] = field(compare=False)
    makes: str
    error: Exception | None = None
    stuck: Exception | None = None
    changes = True
    vgs = ()

    def render(self) -> Mapping[str, Any]:
        return {"step": f"make {self.makes}"}

    def carry_out(self, _runner: Runner) -> None:
        if self.error is not None:
            raise self.error
        self.log.append(f"make {self.makes}")

    def undo(self, _runner: Runner) -> bool:
        if self.stuck is not None:
            raise self.stuck
        self.log.append(f"undo {self.makes}")
        return f"make {self.makes}" in self.log


def failed(*steps: Step, runner: Runner | None = None) -> FilesFailed:
    with pytest.raises(FilesFailed) as caught:
        apply(StepsPlan(steps, {}), runner or ModelLvm(b.host_state([])))
    return caught.value


def test_what_was_made_is_undone_from_the_last_to_the_first() -> None:
    log: list[str] = []
    error = failed(Makes(log, "a"), Makes(log, "b"), Makes(log, "c", error=NO_SPACE))
    assert log == ["make a", "make b", "undo c", "undo b", "undo a"]
    assert error.message == "/boot/x: No space left on device; removed again: b, a"
    assert error.details["changed"] is False


def test_what_cannot_be_undone_is_named_and_the_rest_is_undone() -> None:
    log: list[str] = []
    busy = OSError(16, "Device or resource busy", "b")
    error = failed(Makes(log, "a"), Makes(log, "b", stuck=busy), Replaces(log, FilesFailed("it fails")))
    assert log[-1] == "undo a"
    assert "it fails; removed again: a" in error.message
    assert error.message.endswith("b was not removed, remove it by hand: b: Device or resource busy")
    assert error.details["changed"] is True


def test_nothing_can_be_undone() -> None:
    busy = OSError(16, "Device or resource busy", "a")
    error = failed(Makes([], "a", stuck=busy), Replaces([], FilesFailed("it fails")))
    assert error.message == "it fails; a was not removed, remove it by hand: a: Device or resource busy"
    assert error.details["changed"] is True


def test_an_error_while_undoing_hides_nothing() -> None:
    def fails(*_of: object) -> SafepointError:
        raise OSError(5, "Input/output error", "/boot")

    with pytest.raises(FilesFailed) as caught:
        apply(StepsPlan((Replaces([], FilesFailed("it fails", cmd=["x"])),), {}), ModelLvm(b.host_state([])), fails)
    assert caught.value.message == "it fails; then undoing it failed: /boot: Input/output error"
    assert caught.value.details == {"cmd": ["x"], "changed": True}


def test_nothing_was_made() -> None:
    log: list[str] = []
    error = failed(Makes(log, "a", error=NO_SPACE))
    assert error.message.endswith("; nothing was created")
    assert error.details["changed"] is False


def test_what_was_replaced_is_gone() -> None:
    log: list[str] = []
    error = failed(Replaces(log), Makes(log, "a", error=NO_SPACE))
    assert error.message.endswith("what it replaces was removed before: run this again")
    assert error.details["changed"] is True


def test_what_was_done_to_what_is_gone_again_is_no_change() -> None:
    log: list[str] = []
    error = failed(Makes(log, "a"), Replaces(log), Makes(log, "b", error=NO_SPACE))
    assert error.message.endswith("; removed again: a")
    assert error.details["changed"] is False


def test_files_that_were_written_in_part_are_finished_by_another_run() -> None:
    error = failed(Replaces([], NO_SPACE))
    assert error.message == "/boot/x: No space left on device; run this again to finish"
    assert error.details["changed"] is True


class OneVolume:
    """LVM that makes and removes one auxiliary LV, and refuses to tag it."""

    lock = -1

    def __init__(self) -> None:
        self.there: list[Volume] = []
        self.verbs: list[str] = []

    def observe(self, _paths: object = ()) -> HostState:
        return b.host_state([b.volume("va/root"), *self.there])

    def note(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        """Ignore that there is no device to overwrite."""

    def run_program(self, name: str, *arguments: str) -> None:
        raise AssertionError(name, arguments)

    def run(self, arguments: Sequence[str], *, vgs: Sequence[str]) -> CommandResult:
        assert vgs == ("va",)
        self.verbs.append(arguments[0])
        refused = arguments[0] == "lvchange"
        if not refused:
            made = b.volume("va/safepoint_boot_s", tags=("safepoint.boot.set=s",))
            self.there = [made] if arguments[0] == "lvcreate" else []
        return CommandResult(("lvm", *arguments), 5 if refused else 0, "", "no" if refused else "")


def test_an_auxiliary_lv_goes_when_a_later_command_fails() -> None:
    lvm = OneVolume()
    create = CreateVolume("backup", "va", "safepoint_boot_s", 4, 16 * b.MIB, ("safepoint.boot.set=s",))
    error = failed(create, Retag(purpose="seal", volumes=("va/safepoint_boot_s",), add=("x",)), runner=lvm)
    assert (lvm.there, lvm.verbs) == ([], ["lvcreate", "lvchange", "lvremove"])
    assert error.message == ("seal failed: LVM exited with 5 and said: no; removed again: va/safepoint_boot_s")
    assert (error.details["rc"], error.details["changed"]) == (5, False)


def test_an_lv_that_others_have_made_under_that_name_stays() -> None:
    theirs = b.volume("va/safepoint_boot_s", tags=("theirs",))
    model = ModelLvm(b.host_state([theirs]))
    create = CreateVolume("backup", "va", "safepoint_boot_s", 4, 16 * b.MIB, ("safepoint.boot.set=s",))
    assert create.undo(model) is False
    assert model.commands == []
