# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a module's parameters to a request, and what goes to the journal."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from ansible_collections.safepoint.lvm.plugins.module_utils._lvm import Lvm, Outcome
from ansible_collections.safepoint.lvm.plugins.module_utils._module import Session
from ansible_collections.safepoint.lvm.plugins.modules import snapset

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest
    from ansible.module_utils.basic import AnsibleModule


def _module(params: dict[str, Any], journal: list[str]) -> AnsibleModule:
    found = SimpleNamespace(
        params=params,
        check_mode=False,
        log=journal.append,
        get_bin_path=lambda name, **_options: f"/sbin/{name}",
    )
    return cast("AnsibleModule", found)


def test_paths_are_normalised() -> None:
    params = {name: argument.get("default") for name, argument in snapset.ARGUMENTS.items()}
    params |= {
        "name": "s",
        "mountpoints": ["/", "/srv/"],
        "exclude": ["/var/", "/", "vg/lv", ""],
        "ignore_uncovered": ["/a/"],
    }
    selector = snapset.build_request(_module(params, [])).selector
    assert selector.mountpoints == ("/", "/srv")
    assert selector.exclude == ("/var", "/", "vg/lv", "")
    assert selector.ignore_uncovered == ("/a",)


def test_the_journal_has_a_command_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module may be killed while LVM goes on."""
    journal: list[str] = []
    seen: list[str] = []

    def modify(_self: Lvm, arguments: Sequence[str], *, lock: int) -> Outcome:  # noqa: ARG001
        seen.extend(journal)
        return Outcome(argv=("/sbin/lvm", *arguments), rc=5, stdout="", stderr="")

    monkeypatch.setattr(Lvm, "modify", modify)
    Session(_module({}, journal)).run(("lvremove", "--yes", "vg/lv"))
    assert len(seen) == 1
    assert "lvremove --yes vg/lv" in seen[0]
    assert "exit code 5" in journal[-1]
