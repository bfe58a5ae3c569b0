# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role health on simulated hosts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scenarios import CHANGED, Scenario

OBSERVE = "Record or compare the health of the host"
WRITE = "Write the result as JUnit XML on the controller"
STOP = "Stop if the host is not as well as before"
# What a host sends is never a template.
HOSTILE = "mounts /{{ nothing }}"


def baseline(*ill: str, state: str = "recorded") -> dict[str, Any]:
    """A baseline, as the module returns it."""
    return {"name": "s", "state": state, "path": "/s.json", "not_compared": list(ill), "facts": ["mounts / rw"]}


def difference(verdict: str, key: str = "/{{ nothing }}") -> dict[str, str]:
    """A difference, as the module returns it."""
    return {"check": "mounts", "key": key, "before": "rw", "now": "-", "verdict": verdict}


def comparison(*verdicts: str, healthy: bool | None = True) -> dict[str, Any]:
    """The result of a comparison."""
    checks = [{"check": "mounts", "key": "", "level": "required", "outcome": "passed", "differences": []}]
    found = [difference(verdict) for verdict in verdicts]
    return {"changed": False, "healthy": healthy, "differences": found, "checks": checks, "health": baseline()}


ILL = {
    **comparison("failure", healthy=False),
    "failed": True,
    "msg": f"the host is not as well: {HOSTILE}: was rw, is -",
}

RECORDED = Scenario(
    title="health recorded",
    role="health",
    variables={"health_state": "recorded"},
    answers={OBSERVE: {**CHANGED, "health": baseline(HOSTILE, "time_sync")}},
    says=f"the health of s is recorded; not compared later: {HOSTILE}, time_sync",
)
KEPT = replace(
    RECORDED,
    title="health recorded before",
    answers={OBSERVE: {"changed": False, "health": baseline()}},
    says="the health of s was recorded before",
)
PREDICTED = replace(
    RECORDED,
    title="health recorded in check mode",
    check=True,
    answers={OBSERVE: {**CHANGED, "health": baseline()}},
    says="the health of s would be recorded",
)
COMPARED = replace(
    RECORDED,
    title="health compared",
    variables={"health_state": "compared", "health_junit": "reports"},
    answers={OBSERVE: comparison("accepted", "note", "note"), WRITE: CHANGED},
    says="the host is as well as before s; 1 accepted and 2 other differences",
)
UNWRITTEN = replace(
    COMPARED,
    title="health compared without JUnit",
    variables={"health_state": "compared"},
    answers={OBSERVE: comparison()},
    says="the host is as well as before s; 0 accepted and 0 other differences",
)
NOTHING = replace(
    COMPARED,
    title="health compared in check mode without a baseline",
    check=True,
    answers={OBSERVE: {**comparison(healthy=None), "checks": [], "health": baseline(state="absent")}},
    says="there is no baseline s yet; nothing is compared",
)
REMOVED = replace(
    RECORDED,
    title="health absent",
    variables={"health_state": "absent"},
    answers={OBSERVE: {**CHANGED, "health": baseline(state="absent")}},
    says="the baseline s is removed",
)
SCENARIOS = [RECORDED, KEPT, PREDICTED, COMPARED, UNWRITTEN, NOTHING, REMOVED]
