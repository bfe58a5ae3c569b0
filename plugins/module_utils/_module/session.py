# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way of every module: lock, observe, plan, apply, result. Private to this collection."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from .apply import apply
from .._snapset.copies import set_apart
from .._errors import (
    CommandFailed,
    InvalidParameter,
    Refused,
    SafepointError,
)
from .._host.facts import LVM_ARCHIVE, read_boot, read_host
from .._host.lock import host_lock
from .._lvm.command import Lvm, Outcome
from .._model import Picture
from .._names import is_full_name, set_name_problem
from .._snapset.plan.base import Plan, Request, State, find
from .._snapset.plan.absent import plan_absent
from .._snapset.plan.merged import plan_merged
from .._snapset.plan.present import plan_present, takes_root
from .._snapset.checks import udev_problems
from .._snapset.sizes import Size, Unit, parse_size
from .._snapset.result import View, view_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ansible.module_utils.basic import AnsibleModule

    from .._snapset.state import SetState

PLANNERS: Mapping[State, Callable[[Picture, Request], Plan]] = {
    "present": plan_present,
    "merged": plan_merged,
    "absent": plan_absent,
}

_ENDS: Mapping[State, tuple[SetState, ...]] = {
    "present": ("active",),
    "merged": ("merge_pending", "merging", "rolled_back"),
    "absent": ("absent",),
}

COMMON_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "merged", "absent"], "default": "present"},
    "size": {"type": "str", "default": "auto"},
    "min_headroom": {"type": "str"},
    "reserve": {"type": "str", "default": "5%VG"},
    "pool_reserve": {"type": "str", "default": "20%"},
    "accept_loss_of": {"type": "list", "elements": "str", "default": []},
    "lock_timeout": {"type": "int", "default": 60},
}
_LONGEST_TIMEOUT = 7 * 24 * 60 * 60


class Session:
    """One run of a module on one host: LVM, the host around it, and what was done to them."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._lock = -1
        self._archive = True
        self.subject = ""
        self.lvm = Lvm(module.get_bin_path("lvm", required=True, opt_dirs=["/usr/sbin", "/sbin"]))

    def warn(self, text: str) -> None:
        """Tell the user something besides the result."""
        self._module.warn(_printable(text))

    def end(self, **result: Any) -> NoReturn:
        """End the module with ``result``."""
        self._module.exit_json(**_printable(result))

    @contextmanager
    def locked(self, purpose: str) -> Iterator[None]:
        """Hold the host lock, unless in check mode, which changes nothing and waits for nobody."""
        timeout = self._module.params["lock_timeout"]
        if not 0 <= timeout <= _LONGEST_TIMEOUT:
            check("lock_timeout", f"out of range: expected 0 to {_LONGEST_TIMEOUT} seconds")
        if self._module.check_mode:
            yield
            return
        with host_lock(purpose, timeout=timeout) as descriptor:
            self._lock = descriptor
            yield

    def observe(self) -> Picture:
        """What is there now."""
        report, host = self.lvm.report(), read_host()
        self._archive = host.can_archive
        return set_apart(
            Picture(
                host=host,
                volume_groups=report.volume_groups,
                volumes=report.volumes,
                unread=report.unread,
            )
        )

    def apply(self, plan: Plan, request: Request) -> Picture:
        """Carry out ``plan``; each command goes to the journal with the set and its id."""
        self.subject = f"{request.title} {plan.taking.set_id if plan.taking else '(new)'}"
        return apply(plan, self)

    def run(self, arguments: Sequence[str]) -> Outcome:
        """Run one modifying LVM command; the journal has it before it begins, whatever becomes of this process."""
        self._module.log(f"{self.subject}: lvm {' '.join(arguments)}")
        outcome = self.lvm.modify(arguments, lock=self._lock, archive=self._archive)
        self._module.log(f"{self.subject}: lvm {arguments[0]} ended with exit code {outcome.rc}")
        return outcome


_SIZE_UNITS: Mapping[str, tuple[Unit, ...]] = {
    "size": ("auto", "bytes", "ORIGIN", "USED", "FREE", "VG"),
    "min_headroom": ("bytes", "PERCENT"),
    "reserve": ("bytes", "VG"),
    "pool_reserve": ("bytes", "PERCENT"),
}


def check(parameter: str, problem: str | None) -> None:
    """Raise InvalidParameter with the ``problem`` of a ``parameter``, if it has one."""
    if problem is not None:
        raise InvalidParameter(f"{parameter}: {problem}")


def size_parameter(text: str | None, name: str, *, within: str = "") -> Size | None:
    """The value of the size parameter ``name`` with the units that it takes, or None when it was not given.

    ``within`` is what precedes the name in messages. Raises InvalidParameter for anything that is no such size.
    """
    return None if text is None else parse_size(text, parameter=within + name, units=_SIZE_UNITS[name])


def request_parameters(params: Mapping[str, Any]) -> dict[str, Any]:
    """What the parameters in ``COMMON_ARGUMENTS`` give for a Request, by its field names.

    Raises InvalidParameter for what none of them can be.
    """
    for name in params["accept_loss_of"]:
        if set_name_problem(name) is not None and not is_full_name(name):
            check("accept_loss_of", f"{name!r} is neither the name of a snapset nor a snapshot: expected NAME or VG/LV")
    sizes = {name: size_parameter(params[name], name) for name in _SIZE_UNITS}
    return {**sizes, "state": params["state"], "accept_loss_of": tuple(params["accept_loss_of"])}


def run_info(module: AnsibleModule, tell: Callable[[Picture, str | None], Mapping[str, Any]]) -> None:
    """End the module with what ``tell`` makes of the host as it is and of a name; its ``warnings`` are told as such."""
    with open_session(module) as session:
        name = module.params["name"]
        check("name", None if name is None else set_name_problem(name))
        result = dict(tell(session.observe(), name))
        for warning in result.pop("warnings"):
            session.warn(warning)
        session.end(changed=False, commands=session.lvm.commands, **result)


def run_state(module: AnsibleModule, key: str, build: Callable[[AnsibleModule], Request]) -> None:
    """Bring the host to what the module's parameters ask for; ``key`` is the result's name for the set.

    Ends the module, with exit_json or fail_json.
    """
    with open_session(module) as session:
        request = build(module)
        with session.locked(f"{request.title}, state {request.state}"):
            result = _bring_about(module, session, request)
        session.end(**{key: result.pop("view"), **result})


@contextmanager
def open_session(module: AnsibleModule) -> Iterator[Session]:
    """A session whose errors end the module with a sentence; the only place where that is done."""
    if os.geteuid() != 0:
        module.fail_json(msg="LVM needs root: run this task with become")
    session = Session(module)
    try:
        yield session
    except SafepointError as error:
        commands = [] if module.check_mode else session.lvm.commands
        module.fail_json(**_printable({"changed": False, "commands": commands, **error.details, "msg": error.message}))


def _printable(value: Any) -> Any:
    r"""``value`` with each byte that is no UTF-8 written as ``\xNN``.

    Ansible 2.19 and newer let a task fail for one in its result, older ones for one in a warning, whatever was done.
    """
    if isinstance(value, str):
        return value.encode(errors="surrogateescape").decode(errors="backslashreplace")
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, (list, tuple)) else value


def _bring_about(module: AnsibleModule, session: Session, request: Request) -> dict[str, Any]:
    before = session.observe()
    if request.state == "present" and takes_root(before, request):
        before = replace(before, host=replace(before.host, boot=read_boot()))
    plan = PLANNERS[request.state](before, request)
    if plan.steps and (problems := tuple(udev_problems(before.host))):
        raise Refused(f"{request.title} cannot be {request.state}", problems)
    for warning in (*plan.warnings, *_no_archive(before, plan)):
        session.warn(warning)
    now = before if module.check_mode or not plan.steps else session.apply(plan, request)
    if now is not before:
        _check_done(before, now, request)
    view = plan.after if module.check_mode else _view(now, request)
    if not module.check_mode:
        _check_begun(plan, now, request)
    return {
        "changed": plan.changes,
        "reboot_required": view.reboot_required,
        "poll_after": view.poll_after,
        "planned": [dict(step.render()) for step in plan.steps],
        "commands": [] if module.check_mode else session.lvm.commands,
        "diff": {"before": _view(before, request).to_prediction(), "after": view.to_prediction()},
        "view": view.to_prediction() if module.check_mode else view.to_result(now.host.now),
    }


def _no_archive(picture: Picture, plan: Plan) -> Iterator[str]:
    # A full or broken filesystem is what people want to come back from.
    if plan.steps and not picture.host.can_archive:
        yield f"{LVM_ARCHIVE} has hardly any room or is read-only: LVM archives no metadata of what is changed here"


def _view(picture: Picture, request: Request) -> View:
    return view_of(picture, find(picture, request).current, name=request.name)


def _check_done(before: Picture, now: Picture, request: Request) -> None:
    """Fail when no command failed, and the host is not as it was to be all the same."""
    try:
        state = _view(now, request).state
    except Refused as refused:
        told = refused.message
    else:
        if state in _ENDS[request.state]:
            return
        told = f"{request.title} is {state}"
    raise CommandFailed(
        f"every command succeeded, and yet {told}: somebody else changed LVs at the same time; look with snapset_info, "
        "then run again",
        changed=_lasting(before) != _lasting(now),
    )


def _lasting(picture: Picture) -> set[tuple[object, ...]]:
    """What LVM's metadata say of the LVs, without what changes by itself."""
    return {(volume.key, volume.name, volume.size, volume.tags, volume.merging) for volume in picture.volumes}


def _check_begun(plan: Plan, now: Picture, request: Request) -> None:
    """Fail when a merge that should have begun at the last boot is still pending after LVM was asked to look."""
    current = find(now, request).current if plan.must_start else None
    waiting = current.those("merge_pending") if current else ()
    stuck = [member.label for member in waiting if member.origin_key in plan.must_start]
    if stuck:
        raise CommandFailed(
            f"the merge of {', '.join(stuck)} was requested before the last boot and has still not begun: "
            "its origin was activated without it; look into the journal for LVM's reason (journalctl -b -g lvm)",
            changed=plan.changes,
        )
