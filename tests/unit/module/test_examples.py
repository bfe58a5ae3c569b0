# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation shows can be run as it stands there.

Every task in a module's EXAMPLES or in a play on a page in docs, and every role in a play of a README, has arguments
that its argument spec takes, and values that the module can read. Every playbook that a README runs exists, and so does
each variable that it is given.
Nothing is run: whether the examples do what they say is for the tests on real LVM.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from documented import MODULES, argument_spec

ROOT = Path(__file__).resolve().parents[3]
COLLECTION = "safepoint.lvm."
READMES = ("README.md", *sorted(str(file.relative_to(ROOT)) for file in ROOT.glob("roles/*/README.md")))
PAGES = tuple(sorted(str(file.relative_to(ROOT)) for file in ROOT.glob("docs/*.md")))
# What the playbooks take themselves.
OF_PLAYBOOKS = {"snapset", "target", "confirm_hosts", "rollback_serial", "report_directory", "report_gather"}
# Playbooks without a role of their name.
ALONE = ("status", "report")


def _examples() -> list[Any]:
    return [
        pytest.param(key.removeprefix(COLLECTION), arguments or {}, id=f"{name}: {task['name']}")
        for name, module in MODULES.items()
        for task in yaml.safe_load(module.EXAMPLES)
        for key, arguments in task.items()
        if key.startswith(COLLECTION)
    ] + [
        pytest.param(key.removeprefix(COLLECTION), arguments, id=f"{page}: {task['name']}")
        for page in PAGES
        for block in _blocks(page, "yaml")
        for play in yaml.safe_load(block)
        for task in play.get("tasks", ())
        for key, arguments in task.items()
        if key.startswith(COLLECTION)
    ]


def _plays() -> list[Any]:
    return [
        pytest.param(play, id=f"{readme}: {play['name']}")
        for readme in READMES
        for block in _blocks(readme, "yaml")
        for play in yaml.safe_load(block)
    ]


def _commands() -> list[Any]:
    # Those in blocks, and those in the comment at the head of each playbook.
    blocks = [(readme, block) for readme in READMES for block in _blocks(readme, "console")]
    blocks += [(f"playbooks/{file.name}", file.read_text()) for file in sorted(ROOT.glob("playbooks/*.yml"))]
    lines = [(where, line) for where, block in blocks for line in block.splitlines()]
    return [pytest.param(line, id=f"{where}: {line}") for where, line in lines if "ansible-playbook " in line]


def _blocks(readme: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / readme).read_text(), re.DOTALL | re.MULTILINE)


def _options(role: str) -> dict[str, Any]:
    specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())
    return cast("dict[str, Any]", specs["argument_specs"]["main"]["options"])


def _used_roles(play: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    listed = [(item["role"], item.get("vars", {})) for item in play.get("roles", ())]
    tasks = [(task[key], task) for task in play.get("tasks", ()) for key in task if key.endswith("_role")]
    return listed + [(role["name"], task.get("vars", {})) for role, task in tasks]


def _variables(text: str) -> list[str]:
    return re.findall(r"-e (\w+)=", text)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_examples_of_itself(name: str) -> None:
    tasks = yaml.safe_load(MODULES[name].EXAMPLES)
    assert any(COLLECTION + name in task for task in tasks)


@pytest.mark.parametrize(("name", "arguments"), _examples())
def test_modules_take_the_arguments_of_their_examples(name: str, arguments: dict[str, Any]) -> None:
    module = MODULES[name]
    # What a variable has, only a run would know.
    known = {key: value for key, value in arguments.items() if "{{" not in str(value)}
    spec = {
        key: {**about, "required": False} if key not in known else about for key, about in argument_spec(name).items()
    }
    assert arguments.keys() <= spec.keys()
    missing = {key for key, about in argument_spec(name).items() if about.get("required")} - arguments.keys()
    result = ArgumentSpecValidator(spec).validate(known)
    assert (missing, result.error_messages) == (set(), [])
    parse = getattr(module, "SnapsetCase", None) or getattr(module, "build_request", None)
    if parse is not None:
        parse(result.validated_parameters)


@pytest.mark.parametrize("play", _plays())
def test_roles_take_the_variables_of_the_plays_in_readmes(play: dict[str, Any]) -> None:
    used = _used_roles(play)
    assert play["hosts"]
    assert used
    for role, variables in used:
        assert role.startswith(COLLECTION)
        assert ArgumentSpecValidator(_options(role.removeprefix(COLLECTION))).validate(variables).error_messages == []


@pytest.mark.parametrize("line", _commands())
def test_playbooks_take_the_variables_of_the_commands_in_readmes(line: str) -> None:
    playbook = line.split(f" {COLLECTION}")[1].split(maxsplit=1)[0]
    assert (ROOT / "playbooks" / f"{playbook}.yml").is_file()
    role = {} if playbook in ALONE else _options(playbook)
    assert set(_variables(line)) <= OF_PLAYBOOKS | set(role)


@pytest.mark.parametrize("readme", READMES)
def test_variables_that_readmes_mention_exist(readme: str) -> None:
    every = {option for role in ("pre_upgrade", "rollback", "commit", "health") for option in _options(role)}
    assert set(_variables((ROOT / readme).read_text())) <= OF_PLAYBOOKS | every
