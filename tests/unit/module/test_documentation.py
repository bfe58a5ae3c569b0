# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of each module is valid YAML, and describes exactly the options that the module takes.

The static checks also read the pages, with Ansible's own tools, but they need minutes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from documented import ACTIONS, MODULES, RUNNERS, argument_spec

from ansible_collections.safepoint.lvm.plugins.doc_fragments import attributes, identity, planning, selection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
FRAGMENTS: dict[str, Any] = {
    "attributes": attributes,
    "identity": identity,
    "planning": planning,
    "selection": selection,
}
# What an argument spec and the documentation of an option both state, and its value where neither does.
STATED = {"type": "str", "required": False, "default": None, "choices": None, "elements": None}


def load(text: str) -> Any:
    """The values of a YAML text. A key that is there twice is an error; YAML would take the last one."""
    for node in nodes(yaml.compose(text)):
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _value in node.value]
            assert len(keys) == len(set(keys)), f"a key is there twice{node.start_mark}"
    return yaml.safe_load(text)


def nodes(node: Any) -> Iterator[Any]:
    """The node and all below it."""
    yield node
    children = node.value if isinstance(node, yaml.CollectionNode) else ()
    for child in children:
        for one in child if isinstance(child, tuple) else (child,):
            yield from nodes(one)


def documented_options(name: str) -> dict[str, Any]:
    """The options of a module, with those of its fragments."""
    page = load(MODULES[name].DOCUMENTATION)
    fragments = [one.removeprefix("safepoint.lvm.") for one in page["extends_documentation_fragment"]]
    parts = [page, *(load(FRAGMENTS[one].ModuleDocFragment.DOCUMENTATION) for one in fragments)]
    names = [option for part in parts for option in part.get("options") or {}]
    assert len(names) == len(set(names)), "an option is documented twice"
    return {option: about for part in parts for option, about in (part.get("options") or {}).items()}


def stated(options: Mapping[str, Any], below: str) -> dict[str, Any]:
    """Everything that is stated of each option. `below` is the key of the options of an option."""
    return {
        option: {key: about.get(key, value) for key, value in STATED.items()}
        | {"options": stated(about.get(below) or {}, below)}
        for option, about in options.items()
    }


def entries(values: Mapping[str, Any], below: str, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every entry with its path, also those in the key `below` of another one."""
    for name, about in values.items():
        yield f"{path}{name}", about
        yield from entries(about.get(below) or {}, below, f"{path}{name}.")


def is_text(value: Any) -> bool:
    """Whether a description is text. A colon makes a mapping of a sentence."""
    sentences = value if isinstance(value, list) else [value]
    return bool(sentences) and all(isinstance(sentence, str) and sentence.strip() for sentence in sentences)


def test_every_module_fragment_and_action_is_tested() -> None:
    for directory, names in (("modules", MODULES), ("doc_fragments", FRAGMENTS), ("action", {*ACTIONS, *RUNNERS})):
        assert {path.stem for path in (PLUGINS / directory).glob("*.py")} == set(names), directory
    assert {*ACTIONS, *RUNNERS} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_the_page_of_a_module_is_complete(name: str) -> None:
    page = load(MODULES[name].DOCUMENTATION)
    assert page["module"] == name
    assert all(is_text(page[key]) for key in ("short_description", "description", "version_added", "author"))
    assert all(is_text(note) for note in page.get("notes", ()))
    assert isinstance(load(MODULES[name].EXAMPLES), list)


@pytest.mark.parametrize("name", FRAGMENTS)
def test_a_fragment_describes_each_option_and_attribute(name: str) -> None:
    fragment = load(FRAGMENTS[name].ModuleDocFragment.DOCUMENTATION)
    described = [*entries(fragment["options"], "suboptions"), *entries(fragment.get("attributes", {}), "")]
    assert described
    assert [path for path, about in described if not is_text(about["description"])] == []


@pytest.mark.parametrize("name", MODULES)
def test_attributes_of_a_module_are_those_of_the_fragment(name: str) -> None:
    known = load(FRAGMENTS["attributes"].ModuleDocFragment.DOCUMENTATION)["attributes"]
    own = load(MODULES[name].DOCUMENTATION).get("attributes", {})
    assert set(own) <= set(known)
    assert [path for path, about in own.items() if not is_text(about["details"])] == []


@pytest.mark.parametrize("name", MODULES)
def test_each_option_is_described(name: str) -> None:
    options = list(entries(documented_options(name), "suboptions"))
    assert options
    assert [path for path, about in options if not is_text(about.get("description")) or "type" not in about] == []


@pytest.mark.parametrize("name", MODULES)
def test_the_documented_options_are_those_of_the_argument_spec(name: str) -> None:
    assert stated(documented_options(name), "suboptions") == stated(argument_spec(name), "options")


@pytest.mark.parametrize("name", MODULES)
def test_each_return_value_is_described(name: str) -> None:
    values = list(entries(load(MODULES[name].RETURN), "contains"))
    assert values
    for path, about in values:
        assert is_text(about["description"]), path
        assert about["returned"], path
        assert about["type"] in {"str", "bool", "int", "float", "list", "dict"}, path
        assert ("elements" in about) == (about["type"] == "list"), path
