# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the parameters of the module snapset to a request."""

from __future__ import annotations

from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset import build_request
from ansible_collections.safepoint.lvm.plugins.modules import snapset


def test_paths_are_normalised() -> None:
    params = {name: argument.get("default") for name, argument in snapset.ARGUMENTS.items()}
    params |= {
        "name": "s",
        "mountpoints": ["/", "/srv/"],
        "exclude": ["/var/", "/", "vg/lv", "[SWAP]"],
        "ignore_uncovered": ["/a/"],
    }
    selector = build_request(params).selector
    assert selector.mountpoints == ("/", "/srv")
    assert selector.exclude == ("/var", "/", "vg/lv", "[SWAP]")
    assert selector.ignore_uncovered == ("/a",)
