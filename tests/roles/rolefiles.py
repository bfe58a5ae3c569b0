# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the YAML files of roles and playbooks: blocks, and tasks that call modules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[2]
ROLES = tuple(sorted(path.name for path in (ROOT / "roles").iterdir()))
# Actions that Ansible runs on the controller. Every other action would run on a host.
CONTROL = frozenset(
    f"ansible.builtin.{name}"
    for name in (
        *("add_host", "assert", "debug", "fail"),
        *("import_role", "import_tasks", "include_tasks"),
        *("meta", "set_fact"),
    )
)
_LISTS = ("block", "rescue", "always")


@dataclass(frozen=True)
class Guarded:
    """A block with a rescue; the names of the tasks in both that call modules; `may_fail` are tasks of the rescue."""

    keywords: dict[str, Any]
    block: tuple[str, ...]
    rescue: tuple[str, ...]
    may_fail: tuple[str, ...]


def action_of(task: dict[str, Any]) -> str:
    """The action of a task, by its full name."""
    (action,) = (key for key in task if "." in key)
    return action


def task_files(role: str) -> list[Path]:
    """The task files of a role."""
    return sorted((ROOT / "roles" / role / "tasks").glob("*.yml"))


def guarded_blocks(role: str) -> list[Guarded]:
    """Every block of a role that has a rescue."""
    return [_guarded(item, file) for file in task_files(role) for item in _blocks(_load(file)) if "rescue" in item]


def module_tasks(role: str) -> set[str]:
    """The names of the tasks of a role that call modules."""
    return {_lasting_name(task) for file in task_files(role) for task in _calling(_leaves(_load(file)))}


def _guarded(item: dict[str, Any], file: Path) -> Guarded:
    block, rescue = (list(_calling(_with_included(item[key], file))) for key in ("block", "rescue"))
    return Guarded(
        keywords=item,
        block=tuple(map(_lasting_name, block)),
        rescue=tuple(map(_lasting_name, rescue)),
        may_fail=tuple(_lasting_name(task) for task in rescue if task.get("failed_when") is not False),
    )


def _with_included(tasks: list[dict[str, Any]], file: Path) -> Iterator[dict[str, Any]]:
    for task in _leaves(tasks):
        yield task
        if action_of(task) == "ansible.builtin.import_tasks":
            included = file.with_name(task["ansible.builtin.import_tasks"])
            yield from _with_included(_load(included), included)


def _calling(tasks: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (task for task in tasks if action_of(task) not in CONTROL)


def _lasting_name(task: dict[str, Any]) -> str:
    # Without a templated part at the end.
    return str(task["name"]).partition("{{")[0]


def _load(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def _blocks(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in tasks:
        if "block" in item:
            yield item
        for key in _LISTS:
            yield from _blocks(item.get(key, []))


def _leaves(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in tasks:
        if "block" not in item:
            yield item
        for key in _LISTS:
            yield from _leaves(item.get(key, []))
