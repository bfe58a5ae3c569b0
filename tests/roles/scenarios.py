# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Uses of a role in which no task fails, and what is expected if one or two tasks fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rolefiles import guarded_blocks

if TYPE_CHECKING:
    from plays import Controller, Seen

# The names of the tasks that fail: none; one; one of a block and one of its rescue; or one without a message.
Faults = tuple[str, ...]
SILENTLY = "without a message"

ID = "0f6b2f9e5d9e4f0f8a1c6e0b8f3d2a71"
CHANGED = {"changed": True}
_MEMBER = {"vg": "sysvg", "origin": "root", "kind": "thick", "size": 1073741824, "mountpoints": ["/"]}


@dataclass(frozen=True)
class Expected:
    """The calls after the failed one, and the last message of a failed task."""

    calls: tuple[str, ...]
    last: str


@dataclass(frozen=True)
class Scenario:
    """The answer of each module, by task in the order of the calls, and the answers of tasks that only a rescue calls.

    `expected` says what happens if these tasks fail. If any other task fails, nothing more is called, and its message
    is the last. `says` is the last message if no task fails. With `blocks_alone` only tasks of blocks with a rescue are
    made to fail.
    """

    title: str
    role: str
    answers: dict[str, Any]
    says: str
    in_rescue: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    check: bool = False
    expected: dict[Faults, Expected] = field(default_factory=dict)
    blocks_alone: bool = False

    def run(self, controller: Controller) -> dict[Faults, Seen]:
        """Run the playbook of the role once, on one host for each way to fail and one on which nothing fails."""
        hosts = {f"host{number}": faults for number, faults in enumerate(((), *self.ways_to_fail()))}
        seen = controller.run(
            f"safepoint.lvm.{self.role}",
            {host: self.answers_with(faults) for host, faults in hosts.items()},
            {"snapset": "s", "confirm_hosts": len(hosts), **self.variables},
            *(["--check"] if self.check else []),
        )
        return {faults: seen[host] for host, faults in hosts.items()}

    def ways_to_fail(self) -> list[Faults]:
        """Every task alone, one in a block with a rescue also without a message, and the pairs in `expected`."""
        in_blocks = [task for block in guarded_blocks(self.role) for task in block.block if task in self.answers]
        if self.blocks_alone:
            return [(task,) for task in in_blocks]
        # A task that fails in the undisturbed run is covered there, unless it can fail for another reason.
        alone = [(t,) for t, answer in self.answers.items() if "failed" not in answer or "snapset_missing" in answer]
        silent = [(task, SILENTLY) for task in in_blocks[:1]]
        return [*alone, *silent, *(faults for faults in self.expected if len(faults) > 1)]

    def answers_with(self, faults: Faults) -> dict[str, Any]:
        """The answers of a host on which these tasks fail."""
        answers = {**self.in_rescue, **self.answers}
        for task in faults:
            if task != SILENTLY:
                # Like the result of a crashed module.
                answers[task] = {"failed": True, "rc": 1, **({} if SILENTLY in faults else {"msg": reason(task)})}
        return answers

    def expects(self, faults: Faults) -> Expected:
        """What is expected if these tasks fail."""
        faults = faults[:1] if SILENTLY in faults else faults
        return self.expected.get(faults, Expected((), reason(faults[0])))


def reason(task: str) -> str:
    """The message with which a task fails. It contains text that looks like a template but must not be evaluated."""
    return f"{task}: {{{{ nothing }}}} does not work"


def snapset(state: str, **more: Any) -> dict[str, Any]:
    """A snapset of one member, as the modules return it."""
    return {"name": "s", "id": ID, "state": state, "age": 600, "members": [{**_MEMBER, "state": state}], **more}


def backup(**more: Any) -> dict[str, Any]:
    """A backup of /boot, as the modules return it."""
    return {"name": "s", "id": ID, "state": "present", "vg": "sysvg", "volume": "safepoint_boot_s", **more}


def info(*snapsets: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The result of snapset_info."""
    nothing: dict[str, Any] = {key: [] for key in ("boot_backups", "boot_entries", "rollback_timers", "foreign")}
    return {**nothing, "snapsets": list(snapsets), **more}
