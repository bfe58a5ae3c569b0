# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module health as a whole, with the real program on this machine, or with what it would have observed."""

from __future__ import annotations

import json
import os
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from documented import argument_spec
from health_directory import gate, observed

from ansible_collections.safepoint.lvm.plugins.module_utils._health import running, store
from ansible_collections.safepoint.lvm.plugins.module_utils._health.gate import DEFAULT_LEVELS
from ansible_collections.safepoint.lvm.plugins.module_utils._module import health

if TYPE_CHECKING:
    from pathlib import Path

ALL = gate(
    *(name for name, level in DEFAULT_LEVELS.items() if level == "required"),
    warned=["time_sync"],
)
WELL = observed(["mounts / rw", "time_sync clock synchronised"], ALL)
ILL = observed(["mounts / rw", "failed_units a.service failed", "time_sync clock unsynchronised"], ALL)
NAMED = {"name": "s"}
# What can be observed on a machine without systemd.
HERE = {"ignored": ["boot", "failed_units", "restarts", "time_sync", "packages"], "retry": "1s", "settle": "0s"}
Result = dict[str, Any]


class _Ended(Exception):
    pass


class Module:
    """A stand-in for AnsibleModule that keeps the result."""

    def __init__(self, arguments: Result, *, check: bool) -> None:
        found = ArgumentSpecValidator(argument_spec("health")).validate({**NAMED, **arguments})
        assert found.error_messages == []
        self.params = found.validated_parameters
        self.check_mode = check
        self.result: Result = {"warnings": []}

    def warn(self, text: str) -> None:
        self.result["warnings"].append(text)

    def exit_json(self, **result: Any) -> None:
        self.result.update(result)
        json.dumps(self.result)
        raise _Ended

    def fail_json(self, **result: Any) -> None:
        self.exit_json(failed=True, **result)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the baselines. Everybody is root."""
    monkeypatch.setattr(store, "DIRECTORY", tmp_path / "health")
    monkeypatch.setattr(running, "RUN_DIRECTORY", str(tmp_path / "run"))
    monkeypatch.setattr(health, "os", SimpleNamespace(geteuid=lambda: 0, path=os.path))
    return tmp_path / "health"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the program observes, instead of this machine; the last one again and again."""
    found = [WELL]

    def run_program(mode: str, settings: str, assertions: str = "") -> running.Run:
        assert "PROBES=" in settings
        assert mode == ("wait" if assertions else "record")
        text = found.pop(0) if len(found) > 1 else found[0]
        printed = ["required failed_units a.service - failed", "warned time_sync clock synchronised unsynchronised"]
        lines = printed if text == ILL and mode == "wait" else []
        return running.Run(well=not lines, printed=tuple(lines), first=text, now=text)

    monkeypatch.setattr(health, "run_program", run_program)
    return found


def call(*, check: bool = False, **arguments: Any) -> Result:
    module = Module(arguments, check=check)
    with pytest.raises(_Ended):
        health.run_health(module)  # type: ignore[arg-type]
    return module.result


def recorded(**arguments: Any) -> Result:
    return call(state="recorded", **arguments)


def compared(**arguments: Any) -> Result:
    return call(state="compared", **arguments)


def test_recorded_and_compared_on_this_machine(place: Path, tmp_path: Path) -> None:
    """With the real program and the real /proc."""
    commands = [{"name": "the file", "command": f"test -e {tmp_path}/file"}]
    (tmp_path / "file").touch()
    first = recorded(**HERE, commands=commands)
    assert (first["changed"], first["health"]["not_compared"]) == (True, [])
    assert r"commands the\x20file ok" in first["health"]["facts"]
    found = compared(stable="1s", deadline="20s", **HERE)
    assert (found["changed"], found["healthy"], found.get("failed")) == (False, True, None)
    (tmp_path / "file").unlink()
    found = compared(stable="0s", deadline="1s", **HERE)
    assert (found["changed"], found["healthy"], found["failed"]) == (False, False, True)
    assert r"not as well as before the change: commands the\x20file: was ok, is failed:1." in found["msg"]
    assert found["diff"]["before"] != found["diff"]["after"]
    accepted = compared(stable="0s", deadline="1s", accept=[r"commands the\x20file"], **HERE)
    assert [one["verdict"] for one in accepted["differences"]] == ["accepted"]
    assert list((tmp_path / "run").iterdir()) == []
    assert [path.name for path in place.iterdir()] == ["s.json"]


def test_recording_twice_keeps_the_first(looks: list[str]) -> None:
    looks[:] = [WELL, ILL]
    first = recorded()
    again = recorded()
    assert (first["changed"], again["changed"]) == (True, False)
    assert again["health"] == first["health"]
    assert again["diff"]["before"] == again["diff"]["after"] == first["diff"]["after"]
    assert looks == [ILL]
    replaced = recorded(replace=True)
    assert (replaced["changed"], replaced["diff"]["before"]) == (True, first["diff"]["after"])
    assert "failed_units a.service failed" in replaced["diff"]["after"]
    assert replaced["health"]["not_compared"] == ["failed_units a.service", "time_sync clock"]


@pytest.mark.usefixtures("looks")
def test_an_old_baseline_is_kept_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded()
    assert recorded()["warnings"] == []
    now = time.time()
    for moment in (now + 2 * 86400, now - 3600):
        monkeypatch.setattr(health, "time", SimpleNamespace(time=lambda moment=moment: moment))
        result = recorded()
        assert result["changed"] is False
        (warning,) = result["warnings"]
        assert "If it is that of an earlier change, record it again with replace: true" in warning


@pytest.mark.usefixtures("looks")
def test_recording_with_other_checks_is_refused(place: Path) -> None:
    recorded()
    kept = (place / "s.json").read_bytes()
    others: list[Result] = [{"warned": []}, {"ignored": ["routes"]}, {"ports": [{"port": 22}]}]
    for other in others:
        for check in (True, False):
            result = recorded(check=check, **other)
            assert result["failed"]
            assert "there is one with other checks" in result["msg"]
            assert (result["changed"], len(result["reasons"])) == (False, 1)
    assert (place / "s.json").read_bytes() == kept


def test_another_run_may_record_meanwhile(looks: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    write = store.write_baseline

    def other_first(baseline: Any, *, replace: bool) -> bool:
        monkeypatch.setattr(health, "write_baseline", write)
        looks[:] = [WELL]
        recorded()
        return write(baseline, replace=replace)

    looks[:] = [ILL]
    monkeypatch.setattr(health, "write_baseline", other_first)
    result = recorded()
    assert (result["changed"], result["health"]["not_compared"]) == (False, [])


@pytest.mark.usefixtures("looks")
def test_check_mode_predicts(place: Path) -> None:
    predicted = recorded(check=True)
    assert not place.exists()
    real = recorded()
    for key in ("changed", "diff", "warnings"):
        assert predicted[key] == real[key]
    assert predicted["health"]["facts"] == real["health"]["facts"]
    assert recorded(check=True)["changed"] is False
    assert compared(check=True)["healthy"] is True
    assert call(check=True, state="absent")["changed"] is True
    assert (place / "s.json").exists()
    assert call(state="absent")["changed"] is True
    assert call(state="absent")["changed"] is False
    assert not (place / "s.json").exists()


def test_a_comparison_without_a_baseline() -> None:
    result = compared()
    assert result["failed"]
    assert "there is no baseline s: record one before the change" in result["msg"]
    assert "healthy" not in result
    result = compared(check=True)
    assert (result["healthy"], result["differences"], result.get("failed")) == (None, [], None)
    assert result["warnings"] == ["there is no baseline s yet, so nothing is compared"]


def test_a_host_that_is_not_well(looks: list[str]) -> None:
    recorded()
    looks[:] = [ILL]
    result = compared()
    assert result["failed"]
    assert [(one["check"], one["key"], one["verdict"]) for one in result["differences"]] == [
        ("failed_units", "a.service", "failure"),
        ("time_sync", "clock", "warning"),
    ]
    outcomes = {one["check"]: one["outcome"] for one in result["checks"]}
    assert (outcomes["failed_units"], outcomes["time_sync"], outcomes["mounts"]) == ("failed", "warned", "passed")
    assert result["warnings"] == ["time_sync clock: was synchronised, is unsynchronised"]
    assert "accept: ['failed_units a.service']" in result["msg"]


def test_a_host_that_is_not_well_for_long_enough(monkeypatch: pytest.MonkeyPatch, looks: list[str]) -> None:
    recorded()
    late = running.Run(well=False, printed=("required gate well_for 60 20",), first=looks[0], now=looks[0])
    monkeypatch.setattr(health, "run_program", lambda *_arguments: late)
    result = compared()
    assert (result["failed"], result["healthy"]) == (True, False)
    assert "gate well_for: was 60, is 20" in result["msg"]


@pytest.mark.parametrize(
    ("text", "printed", "well"),
    [
        (ILL, (), True),
        (WELL, ("required mounts / rw -",), False),
        (WELL, (), False),
        (ILL, ("required failed_units a.service - failed", "warned time_sync clock synchronised unsynchronised"), True),
    ],
)
@pytest.mark.usefixtures("looks")
def test_two_different_verdicts_are_an_error(
    text: str,
    printed: tuple[str, ...],
    well: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorded()
    wrong = running.Run(well=well, printed=printed, first=text, now=text)
    monkeypatch.setattr(health, "run_program", lambda *_arguments: wrong)
    result = compared()
    assert result["failed"]
    assert "have found different things" in result["msg"]
    assert "healthy" not in result


def test_what_is_required_must_be_possible(looks: list[str], place: Path) -> None:
    looks[:] = [observed(["mounts / rw"], ALL, ended={"packages": "missing rpm", "routes": "timeout 30"})]
    for check in (True, False):
        result = recorded(check=check)
        assert len(result["reasons"]) == 2
        assert "packages: rpm is missing: install it, or list packages in warned or ignored" in result["msg"]
    assert not place.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": "a/b"}, "name: 'a/b' is not a valid"),
        ({"stable": "soon"}, "stable: 'soon' is not a valid duration: use 0s to 1d"),
        ({"retry": "0s"}, "retry: '0s' is not a valid duration: use 1s to 1d"),
        ({"probe_timeout": "2d"}, "probe_timeout: '2d' is not a valid duration"),
        ({"deadline": "75s"}, "deadline: 75 s must be longer than settle and stable together (75 s)"),
        ({"accept": ["foo.service"]}, "accept: 'foo.service' is not a difference"),
        ({"warned": ["routes"], "ignored": ["routes"]}, "ignored: routes is in warned too"),
        ({"names": [{"name": "--help"}]}, "names: '--help' is not a host name"),
        ({"urls": [{"url": "file:///etc/shadow"}]}, "urls: 'file:///etc/shadow' is not a URL"),
        ({"urls": [{"url": "http://a b"}]}, "urls: 'http://a b' is not a URL"),
        ({"ports": [{"port": 65536}]}, "ports: 65536 is not a port"),
        ({"ports": [{"port": 0}]}, "ports: 0 is not a port"),
        ({"commands": [{"name": "", "command": "true"}]}, "commands: '' is not a name"),
        ({"commands": [{"name": "c", "command": " "}]}, "commands: the command of 'c' is empty"),
        ({"commands": [{"name": "c", "command": "a\0b"}]}, "commands: the command of 'c' is empty"),
        ({"ports": [{"port": 1}, {"port": 1, "level": "warned"}]}, "ports: tcp/1 is there twice"),
    ],
)
def test_wrong_parameters(arguments: Result, says: str, looks: list[str]) -> None:
    looks.clear()
    for state in ("recorded", "compared"):
        result = call(**{"state": state, **arguments})
        assert result["failed"]
        assert result["msg"].startswith(says)


def test_a_program_that_cannot_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(running, "find_tool", lambda _name: "/bin/false")
    result = recorded()
    assert "the health program could not run" in result["msg"]
    (tmp_path / "run").rmdir()
    (tmp_path / "run").write_text("")
    assert str(tmp_path / "run") in recorded()["msg"]


def test_others_than_root_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "os", SimpleNamespace(geteuid=lambda: 1000))
    assert "run this task with become" in recorded()["msg"]
