# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module health: record the health of the host, and compare it with what was recorded. Private.

It needs no LVM and no host lock: it changes nothing but its own file.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._durations import iso_date, parse_duration
from .._errors import FilesFailed, InvalidParameter, Refused, SafepointError, error_text
from .._health.assertions import assertions, settings
from .._health.baseline import Baseline, ill_before, recording_problems, shown_facts
from .._health.comparison import GATE, Difference, accept_problem, differences, outcomes
from .._health.gate import DEFAULT_LEVELS, IGNORED, KINDS, REQUIRED, WARNED, Gate, Times, check_of
from .._health.observation import parse_observation
from .._health.parameters import check_problem
from .._health.running import PATH, run_program
from .._health.store import path_of, read_baseline, remove_baseline, write_baseline
from .._names import set_name_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ansible.module_utils.basic import AnsibleModule

    from .._health.gate import Level
    from .._health.observation import Observation
    from .._health.running import Run

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_LONGEST = 24 * 60 * 60
# What a duration must be at least, in seconds.
_LEAST = {"settle": 0, "stable": 0, "retry": 1, "deadline": 1, "probe_timeout": 1}
_MOST_NAMED = 20
# After which time a baseline may be that of an earlier change, in seconds.
_OLD = 24 * 60 * 60
_WARNED = [probe for probe, level in DEFAULT_LEVELS.items() if level == WARNED]

Result = dict[str, Any]


def run_health(module: AnsibleModule) -> None:
    """Run the module. Ends the process."""
    if os.geteuid() != 0:
        module.fail_json(msg="the health of a host can only be observed by root: run this task with become")
    try:
        result = _run(module)
    except (SafepointError, OSError) as error:
        details = error.details if isinstance(error, SafepointError) else {}
        module.fail_json(**{"changed": False, **details, "msg": error_text(error)})
    if result.get("healthy") is False:
        module.fail_json(**result)
    module.exit_json(**result)


def _run(module: AnsibleModule) -> Result:
    request = Request(module.params)
    if request.state == "absent":
        return _remove(request.name, predicts=module.check_mode)
    if request.state == "recorded":
        return _record(module, request)
    return _compare(module, request)


class Request:
    """The parameters of the module, checked. Raises InvalidParameter."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        _check("name", set_name_problem(params["name"]))
        self.name: str = params["name"]
        self.state: str = params["state"]
        self.replace: bool = params["replace"]
        self.accept: tuple[str, ...] = tuple(params["accept"])
        for one in self.accept:
            _check("accept", accept_problem(one))
        for kind in KINDS:
            for given in params[kind]:
                _check(kind, check_problem(kind, given))
        self.gate = Gate(_levels(params), tuple(check_of(kind, one) for kind in KINDS for one in params[kind]))
        keys = [(check.kind, check.key) for check in self.gate.checks]
        for kind, key in keys:
            if keys.count((kind, key)) > 1:
                raise InvalidParameter(f"{kind}: {key} is there twice: give each check a name of its own")
        seconds = {name: _seconds(params[name], name) for name in _LEAST}
        self.times = Times(limit=seconds.pop("probe_timeout"), **seconds)
        if problem := self.times.problem():
            raise InvalidParameter(problem)


def _levels(params: Mapping[str, Any]) -> dict[str, Level]:
    both = [probe for probe in params["warned"] if probe in params["ignored"]]
    if both and params["warned"] != _WARNED:
        raise InvalidParameter(f"ignored: {', '.join(both)} is in warned too: leave it out of one of them")
    levels: dict[str, Level] = dict.fromkeys(DEFAULT_LEVELS, REQUIRED)
    levels.update(dict.fromkeys(params["warned"], WARNED))
    levels.update(dict.fromkeys(params["ignored"], IGNORED))
    return levels


def _check(parameter: str, problem: str | None) -> None:
    if problem is not None:
        raise InvalidParameter(f"{parameter}: {problem}")


def _seconds(text: str, name: str) -> int:
    found = parse_duration(text)
    if found is None or not _LEAST[name] <= found.seconds <= _LONGEST:
        raise InvalidParameter(
            f"{name}: {text!r} is not a valid duration: use {_LEAST[name]}s to 1d, for example 10s, 90s or 15m"
        )
    return found.seconds


def _remove(name: str, *, predicts: bool) -> Result:
    path = path_of(name)
    exists = os.path.lexists(path)
    if exists and not predicts:
        remove_baseline(name)
    return {"changed": exists, "health": _absent(name)}


def _absent(name: str) -> Result:
    nothing: Result = {"recorded_at": None, "boot_id": None, "not_compared": [], "facts": []}
    return {"name": name, "state": "absent", "path": str(path_of(name)), **nothing}


def _record(module: AnsibleModule, request: Request) -> Result:
    former = read_baseline(request.name)
    kept = None if request.replace else former
    baseline = kept or _observed(request)
    if kept is None and not module.check_mode and not write_baseline(baseline, replace=request.replace):
        kept = baseline = _other(request.name)
    if kept is not None:
        _check_kept(module, kept, request)
    else:
        for probe, key, why in ill_before(baseline):
            module.warn(f"{probe} {key}".rstrip() + f" is not compared later, because it is {why} before the change")
    path = str(path_of(request.name))
    before, after = ("" if one is None else _facts(one.looks[1]) for one in (kept or former, baseline))
    return {
        "changed": kept is None,
        "health": baseline.to_result(path),
        "diff": {"before_header": path, "after_header": path, "before": before, "after": after},
    }


def _facts(look: Observation) -> str:
    """The facts of a look as the diff shows them."""
    return "".join(f"{line}\n" for line in shown_facts(look))


def _check_kept(module: AnsibleModule, kept: Baseline, request: Request) -> None:
    """Warn of a baseline that may be that of an earlier change. Raises Refused if it has other checks."""
    if kept.gate != request.gate:
        raise Refused(f"cannot record the baseline {request.name}", [_other_checks(kept)])
    age = int(time.time()) - kept.recorded
    if not 0 <= age <= _OLD:
        module.warn(
            f"the baseline {kept.name} was recorded at {iso_date(kept.recorded)} and is kept. If it is that of an "
            "earlier change, record it again with replace: true"
        )


def _other_checks(baseline: Baseline) -> str:
    return (
        f"there is one with other checks, recorded at {iso_date(baseline.recorded)}. If the change has not begun, "
        "record it again with replace: true. Otherwise give the same checks as before"
    )


def _other(name: str) -> Baseline:
    """The baseline that another run has written meanwhile."""
    found = read_baseline(name)
    if found is None:
        raise FilesFailed(f"another run has written and removed the baseline {name} meanwhile: run this again")
    return found


def _observed(request: Request) -> Baseline:
    """What is seen on the host now, as a baseline. Raises Refused, FilesFailed, OSError."""
    run = run_program("record", settings(request.gate, request.times, path=PATH))
    boot = _BOOT_ID.read_text(encoding="ascii").strip()
    baseline = Baseline(request.name, int(time.time()), boot, request.gate, run.first, run.now)
    if problems := tuple(recording_problems(baseline)):
        raise Refused(f"cannot record the baseline {request.name}", problems)
    return baseline


def _compare(module: AnsibleModule, request: Request) -> Result:
    baseline = read_baseline(request.name)
    if baseline is None:
        if module.check_mode:
            module.warn(f"there is no baseline {request.name} yet, so nothing is compared")
            return {"changed": False, "healthy": None, "differences": [], "checks": [], "health": _absent(request.name)}
        raise FilesFailed(f"there is no baseline {request.name}: record one before the change, with state: recorded")
    began = time.monotonic()
    run = run_program("wait", settings(baseline.gate, request.times, path=PATH), assertions(baseline, request.accept))
    found = _differences(baseline, request.accept, run)
    bad = [one for one in found if one.verdict == "failure"]
    for one in found:
        if one.verdict == "warning":
            module.warn(str(one))
    before, after = (_facts(look) for look in (baseline.looks[1], parse_observation(run.now)))
    result: Result = {
        "changed": False,
        "healthy": not bad,
        "differences": [one.to_result() for one in found],
        "checks": outcomes(baseline, found),
        "waited": round(time.monotonic() - began),
        "health": baseline.to_result(str(path_of(request.name))),
        "diff": {"before_header": "before the change", "after_header": "now", "before": before, "after": after},
    }
    return {**result, "msg": _message(bad)} if bad else result


def _message(bad: Sequence[Difference]) -> str:
    named = "; ".join(str(one) for one in bad[:_MOST_NAMED])
    more = f"; and {len(bad) - _MOST_NAMED} more" if len(bad) > _MOST_NAMED else ""
    return (
        f"the host is not as well as before the change: {named}{more}. Correct that, roll back, or accept a difference "
        f"with accept: ['{bad[0].probe} {bad[0].key}']"
    )


def _late(run: Run) -> Iterator[Difference]:
    """Yield the difference of a host that has become well, but not for long enough. Only the program can know."""
    for line in run.printed:
        words = line.split(" ")
        if words[1:3] == [GATE, "well_for"]:
            yield Difference(GATE, "well_for", words[3], words[4], "failure")


def _differences(baseline: Baseline, accept: Sequence[str], run: Run) -> tuple[Difference, ...]:
    """The differences, which the program and this module must find independently. Raises FilesFailed."""
    looks = parse_observation(run.first), parse_observation(run.now)
    found = (*differences(baseline, accept, *looks), *_late(run))
    levels = {"failure": "required", "warning": "warned"}
    mine = sorted(
        f"{levels[one.verdict]} {one.probe} {one.key} {one.before} {one.now}" for one in found if one.verdict in levels
    )
    is_ill = any(one.verdict == "failure" for one in found)
    if mine != sorted(run.printed) or run.well == is_ill:
        raise FilesFailed(
            "the health program and the module have found different things, which is a fault of this collection: "
            f"the program {'' if run.well else 'not '}well and {sorted(run.printed)}, the module {mine}"
        )
    return found
