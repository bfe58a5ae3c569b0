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
        "max_age": "7d",
        "ignore_uncovered": ["/a/"],
    }
    request = build_request(params)
    assert request.max_age is not None
    assert request.max_age.seconds == 604800
    selector = request.selector
    assert not selector.system
    assert selector.mountpoints == ("/", "/srv")
    assert selector.exclude == ("/var", "/", "vg/lv", "[SWAP]")
    assert selector.ignore_uncovered == ("/a",)


def test_lists_may_be_text() -> None:
    params = {name: argument.get("default") for name, argument in snapset.ARGUMENTS.items()}
    text = {"mountpoints": "[/, '/srv/']", "exclude": "/var, vg/lv", "ignore_uncovered": "[]", "accept_loss_of": "a, b"}
    request = build_request({**params, "name": "s", **{key: value.split(",") for key, value in text.items()}})
    assert request.selector.mountpoints == ("/", "/srv")
    assert request.selector.exclude == ("/var", "vg/lv")
    assert request.selector.ignore_uncovered == ()
    assert request.accept_loss_of == ("a", "b")
