# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take over a foreign snapset, because a user says that it belongs to this host. Pure; private to this collection."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from ..._errors import Refused
from ..claims import PREFIXES
from ..foreign import foreign_parts, is_in_use, separate_foreign_tags
from ..instances import instances, lookup
from ..outcome_tags import outcomes_of
from ..steps import Retag
from ..tags import host_tags
from .losses import host_state_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..._model import HostState
    from ..claims import Claim, ClaimKind
    from ..foreign import SetPart
    from .base import Request

# The members last: as long as one of them is foreign, an interrupted run can be repeated.
_KINDS: tuple[ClaimKind, ...] = ("boot", "timer", "outcome", "member")


def plan_adoption(host_state: HostState, request: Request) -> tuple[tuple[Retag, ...], HostState]:
    """The steps that make the foreign set in ``request`` this host's own, and ``host_state`` after them.

    There are none if that is not requested, or if there is nothing to take over. Raises Refused.
    """
    parts = _candidates(host_state, request) if request.adopt else ()
    problems = [*_ambiguity_problems(parts), *(one for part in parts for one in _part_problems(host_state, part))]
    if problems:
        raise Refused(request.refusal, problems)
    claims = [claim for part in parts for claim in part.claims]
    if not claims:
        return (), host_state
    steps = tuple(step for kind in _KINDS for step in _steps(kind, claims, host_state.host.host_id))
    all_own = tuple(replace(one, tags=(*one.tags, *one.foreign_tags), foreign_tags=()) for one in host_state.volumes)
    return steps, separate_foreign_tags(host_state_after(replace(host_state, volumes=all_own), steps))


def _candidates(host_state: HostState, request: Request) -> Sequence[SetPart]:
    own = lookup(instances(host_state), request.name).current
    if own is not None and not own.members_in("lost"):
        return ()
    # If this host has a part of it, an earlier run was interrupted.
    wanted = request.set_id if own is None else own.set_id
    found = [one for one in foreign_parts(host_state, request.name) if wanted in (None, one.set_id)]
    sets = {one.set_id for one in found if one.origins}
    return [one for one in found if one.set_id in sets]


def _ambiguity_problems(parts: Sequence[SetPart]) -> Iterator[str]:
    ids = dict.fromkeys(part.set_id for part in parts)
    if len(ids) > 1:
        yield f"several other snapsets have this name (IDs {', '.join(ids)}): choose one with id"


def _part_problems(host_state: HostState, part: SetPart) -> Iterator[str]:
    if part.origins and not is_in_use(host_state, part):
        names = [origin.full_name for key in part.origins if (origin := host_state.by_key(key)) is not None]
        yield (
            f"none of its origins is active here, so another host may be using VG {', '.join(part.vgs)}: make sure "
            f"that none does, activate them (lvchange -ay {' '.join(names) or 'VG/LV'}), then run again"
        )
    recorded = {claim.origin for claim in part.claims if claim.kind == "outcome"}
    for claim in part.claims:
        if _is_hidden(claim) and claim.origin not in recorded:
            yield (
                f"somebody has requested the merge of {claim.volume.full_name} by hand, and LVM cannot change its tags "
                "until that has ended: let LVM finish it, then run again"
            )


def _is_hidden(claim: Claim) -> bool:
    # LVM hides a snapshot that is being merged, but does not report it as private.
    return claim.kind == "member" and claim.volume.merging


def _steps(kind: ClaimKind, claims: Sequence[Claim], host: str) -> Iterator[Retag]:
    mine = [claim for claim in claims if claim.kind == kind and not _is_hidden(claim)]
    if kind == "outcome":
        yield from _outcome_steps(mine, host)
    elif mine:
        prefix = f"{PREFIXES[kind]}host="
        old = sorted({tag for claim in mine for tag in claim.tags if tag.startswith(prefix)})
        yield _retag(mine, add=host_tags(PREFIXES[kind], host), delete=tuple(old))


def _outcome_steps(claims: Sequence[Claim], host: str) -> Iterator[Retag]:
    # One command gives the same tags to all its LVs, so each outcome needs its own. Usually there is only one.
    same: dict[tuple[str, ...], list[Claim]] = defaultdict(list)
    for claim in claims:
        same[claim.tags].append(claim)
    for tags, mine in same.items():
        new = tuple(replace(outcome, host=host).to_tag() for outcome in outcomes_of(tags))
        yield _retag(mine, add=new, delete=tags)


def _retag(claims: Sequence[Claim], *, add: tuple[str, ...], delete: tuple[str, ...]) -> Retag:
    names = tuple(claim.volume.full_name for claim in claims)
    return Retag(purpose="adopt", volumes=names, add=add, delete=delete)
