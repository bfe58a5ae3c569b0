# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The input files of the health program: its settings, and the assertions made from a baseline. Pure; private."""

from __future__ import annotations

import shlex
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING

from .baseline import is_compared
from .comparison import is_accepted
from .rules import NEEDED, UNWANTED, demanded, known_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .baseline import Baseline
    from .gate import Gate, Level, Times

PLACES: Mapping[str, str] = MappingProxyType(
    {
        "UPTIME": "/proc/uptime",
        "NET": "/proc/net",
        "PORT_RANGE": "/proc/sys/net/ipv4/ip_local_port_range",
        "MOUNTS": "/proc/self/mountinfo",
        "FSTAB": "/etc/fstab",
        "DPKG": "/var/lib/dpkg",
    }
)
"""What the program reads of the host."""

CAP = 1024 * 1024
"""How many bytes a probe may write, or read from a tool. What writes more has no result."""


def settings(gate: Gate, times: Times, *, path: str, places: Mapping[str, str] = PLACES) -> str:
    """The settings of the program, which it sources. ``path`` is its PATH."""
    checks = gate.run_checks
    values = {
        "PATH": path,
        **places,
        "BYTES": sys.byteorder,
        "CAP": str(CAP),
        "SETTLE": str(times.settle),
        "STABLE": str(times.stable),
        "RETRY": str(times.retry),
        "DEADLINE": str(times.deadline),
        "LIMIT": str(times.limit),
        "PROBES": " ".join(gate.probes),
        "CHECKS": " ".join(str(number) for number, _check in enumerate(checks)),
    }
    for number, check in enumerate(checks):
        values |= {f"KIND_{number}": check.kind, f"KEY_{number}": check.key, f"TEXT_{number}": check.text}
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def assertions(baseline: Baseline, accept: Sequence[str] = ()) -> str:
    """What the program checks later, as lines of words. docs/health.md describes them."""
    lines = [*_known(baseline), *(f"accept {one}" for one in accept), *_asserted(baseline, accept), "end"]
    return "".join(f"{line}\n" for line in lines)


def _known(baseline: Baseline) -> Iterator[str]:
    for probe in baseline.gate.probes:
        if probe not in NEEDED:
            yield from (f"known {probe} {key}" for key in known_keys(*baseline.looks, probe))


def _asserted(baseline: Baseline, accept: Sequence[str]) -> Iterator[str]:
    looks = baseline.looks
    for probe, check, level in baseline.gate.subjects():
        if check:
            yield from _need(baseline, accept, (probe, check, level))
        elif is_compared(baseline, probe):
            yield f"ran {'accepted' if is_accepted(accept, probe, '-') else level} {probe}"
            if probe in NEEDED:
                for key in sorted(looks[1].of_probe(probe)):
                    yield from _need(baseline, accept, (probe, key, level))
            else:
                yield f"{'none' if probe in UNWANTED else 'steady'} {level} {probe}"


def _need(baseline: Baseline, accept: Sequence[str], subject: tuple[str, str, Level]) -> Iterator[str]:
    probe, key, level = subject
    first, second = baseline.looks
    pairs = demanded(first, second, probe, key)
    if pairs and not is_accepted(accept, probe, key):
        words = [word for pair in pairs for word in pair]
        yield " ".join(["need", level, probe, key, second.facts[probe, key], *words])
