# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Python each environment of the tests uses, and what happens if there is none for a controller."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools import debian, envs, stages
from tools.pythons import Python
from tools.reports import Counts, count

CORE_216, _CORE_219, CORE_221 = envs.CONTROLLERS
OWN = Python((3, 11, 2), Path("/usr/bin/python3.11"), has_venv=True)
OTHER = Python((3, 13, 5), Path("/usr/bin/python3.13"), has_venv=True, prefix=("enter", "--"))


@pytest.fixture
def debian12(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine that has only the Python of Debian 12, and can create another Debian."""
    monkeypatch.setattr(envs, "find_all", lambda: (OWN,))
    monkeypatch.setattr(debian, "suite_for", lambda minors: "trixie" if 13 in minors else None)
    monkeypatch.setattr(debian, "find", lambda _suite: None)
    return monkeypatch


@pytest.mark.parametrize(("minors", "suite"), [((14, 13, 12), "trixie"), ((10, 11, 12), "bookworm"), ((9,), None)])
def test_which_debian_has_such_a_python(
    minors: tuple[int, ...], suite: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")
    assert debian.suite_for(minors) == suite
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda program: None if program == "sudo" else f"/usr/bin/{program}")
    assert debian.suite_for(minors) is None


@pytest.mark.usefixtures("debian12")
def test_a_controller_uses_a_python_of_this_machine_if_possible() -> None:
    assert envs.choose_python(CORE_216) == OWN
    assert CORE_216.command("python", "-V") == [CORE_216.tool("python"), "-V"]


def test_otherwise_a_controller_uses_the_python_of_another_debian(debian12: pytest.MonkeyPatch) -> None:
    assert envs.choose_python(CORE_221) is None
    assert envs.unavailable_reason(CORE_221) is None
    debian12.setattr(debian, "find", lambda _suite: OTHER)
    assert envs.choose_python(CORE_221) == OTHER
    assert CORE_221.command("python", "-V") == ["enter", "--", CORE_221.tool("python"), "-V"]


@pytest.mark.usefixtures("debian12")
def test_only_controllers_use_another_debian() -> None:
    assert envs.unavailable_reason(envs.FLOOR) == f"{envs.FLOOR.title}: not run, because this machine has no Python 3.9"


def test_a_controller_that_was_not_run_is_a_failure(debian12: pytest.MonkeyPatch, tmp_path: Path) -> None:
    debian12.setattr(debian, "suite_for", lambda _minors: None)
    debian12.setattr(envs, "find_all", lambda: ())
    assert not stages.roles(tmp_path)
    assert count(tmp_path) == Counts(failed=len(envs.CONTROLLERS))
