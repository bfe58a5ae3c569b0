# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the parameters of the module snapset to a request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from ansible_collections.safepoint.lvm.plugins.modules import snapset

if TYPE_CHECKING:
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
        "exclude": ["/var/", "/", "vg/lv", "[SWAP]"],
        "ignore_uncovered": ["/a/"],
    }
    selector = snapset.build_request(_module(params, [])).selector
    assert selector.mountpoints == ("/", "/srv")
    assert selector.exclude == ("/var", "/", "vg/lv", "[SWAP]")
    assert selector.ignore_uncovered == ("/a",)
