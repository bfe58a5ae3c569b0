# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated administrator who does exactly what error messages say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, cast

import driver

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import Refused
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.selection import NOTHING_CHOSEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_lvm import ModelLvm

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState
    from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import Request, State

Way = Literal["modules", "commands", "reboot"]
WAYS: tuple[Way, ...] = ("modules", "commands", "reboot")
_NAMED = re.compile(r"state: (merged|absent)(?: and accept_loss_of: \[(\S+)\])?")
_COMMAND = re.compile(r"\blv(?:change|remove) [^;(,)]*[^;(,) ]")
_LISTED = re.compile(r"list (\S+) in accept_loss_of")
_ROUNDS = 12


def named_requests(request: Request, reasons: tuple[str, ...]) -> Iterator[Request]:
    """Yield the requests that the refusal of ``request`` suggests."""
    for state, accepted in _NAMED.findall("; ".join(reasons)):
        accept_loss_of = tuple(dict.fromkeys((*request.accept_loss_of, *([accepted] if accepted else []))))
        suggested = cast("State", state)
        yield replace(request, state=suggested, selector=NOTHING_CHOSEN, accept_loss_of=accept_loss_of)


def unmentioned_problems(host_state: HostState, request: Request) -> list[str]:
    """Return what prevents a request suggested by the refusal of ``request``, if the refusal does not mention it."""
    reasons = driver.reasons(host_state, request)
    return [
        f"{request.state} suggests {other.state} ({reasons}), which is refused: {reason}"
        for other in named_requests(request, reasons)
        for reason in driver.reasons(host_state, other)
        if reason not in reasons
    ]


@dataclass
class Administrator:
    """Brings ``model`` to a requested state. If a message offers several ways, the kind ``prefers`` is taken."""

    model: ModelLvm
    prefers: Way
    log: list[str] = field(default_factory=list)

    def bring(self, request: Request, *, depth: int = 0) -> bool:
        """Repeat the request and follow the messages; whether the requested state is reached."""
        for _round in range(_ROUNDS):
            self.log.append(f"state: {request.state} {request.accept_loss_of}")
            try:
                plan = driver.bring_about(self.model, request)
            except Refused as refused:
                if depth > 2:
                    return False
                request = self._follow(request, refused, depth)
                continue
            self.model.settle()
            if request.state == "absent" or plan.after.state == "rolled_back":
                return True
            if plan.after.reboot_required:
                self._reboot()
        return False

    def _follow(self, request: Request, refused: Refused, depth: int) -> Request:
        """Do what the refusal says, and return the next request."""
        accepted = list(request.accept_loss_of)
        for reason in refused.reasons:
            self.log.append(reason)
            accepted += _LISTED.findall(reason)
            if self._does(request, self._chosen(reason), accepted, depth):
                break
        return replace(request, accept_loss_of=tuple(dict.fromkeys(accepted)))

    def _chosen(self, reason: str) -> str:
        ways = reason.split(", or ")
        by_kind = {
            "modules": [way for way in ways if _NAMED.search(way)],
            "commands": [way for way in ways if _COMMAND.search(way)],
            "reboot": [way for way in ways if "reboot" in way],
        }
        return next((found[0] for found in (by_kind[self.prefers], *by_kind.values()) if found), reason)

    def _does(self, request: Request, way: str, accepted: list[str], depth: int) -> bool:
        """Follow one message; whether it brought about another state, so that the other messages are outdated."""
        for other in named_requests(request, (way,)):
            accepted += other.accept_loss_of
            if other.state != request.state:
                self.bring(other, depth=depth + 1)
                return True
            return False
        if "too little space" in way:
            groups = tuple(replace(group, free_extents=1000) for group in self.model.host_state.volume_groups)
            self.model.host_state = replace(self.model.host_state, volume_groups=groups)
        if "reboot" in way and (self.prefers == "reboot" or "unmount" not in way):
            self._reboot()
        self._type(way)
        self.model.settle()
        return False

    def _type(self, way: str) -> None:
        for command in _COMMAND.findall(way):
            words = command.split()
            volume = self.model.get(words[-1])
            if "unmount" in way and self.prefers != "reboot" and volume.open:
                self.model.put(volume, open=False)
            outcome = self.model.run(words, vgs=[volume.vg])
            self.log.append(f"{command}: {outcome.rc}")
            assert outcome.rc == 0, f"{command}: {outcome.stderr}"

    def _reboot(self) -> None:
        self.log.append("reboot")
        self.model.reboot(f"{self.model.host_state.host.boot_id}+")
