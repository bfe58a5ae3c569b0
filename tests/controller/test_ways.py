# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How calls reach hosts: as which user, with pipelining or files, several hosts at once, different releases."""

from __future__ import annotations

from typing import Any, Callable

import machinery
import pytest
from outcomes import Results, ok

Call = Callable[..., Results]
SET: dict[str, Any] = {"name": "s", "volumes": [{"vg": "calls", "lv": "thick"}]}
# Without pipelining Ansible writes a module to a file of the user before it runs it.
WITNESS = "id -un; echo ${SUDO_USER:-nobody}; ls -d ~root/.ansible/tmp/*/Ansi* ~deploy/.ansible/tmp/*/Ansi* | wc -l"


@pytest.mark.parametrize("way", machinery.WAYS)
def test_the_ways_are_what_they_are_called(call: Call, guests: list[str], way: str) -> None:
    results = call(way, "ansible.builtin.shell", cmd=WITNESS)
    user, _underscore, how = way.partition("_")
    wanted = ["root", {"root": "nobody", "sudo": machinery.USER}[user], "1" if how else "0"]
    assert [result["stdout_lines"] for result in results.values()] == [wanted] * len(guests)


def test_a_user_without_become_is_refused(call: Call, guests: list[str]) -> None:
    results = call("user", "safepoint.lvm.snapset", **SET)
    assert [bool(result.get("failed")) for result in results.values()] == [True] * len(guests)
    assert all("root" in result["msg"] for result in results.values()), results


def test_every_host_tells_why_it_refuses(call: Call, guests: list[str]) -> None:
    results = call("sudo", "safepoint.lvm.snapset", name="s", volumes=[{"vg": "calls", "lv": "nothing"}])
    assert list(results) == [f"{guest}-sudo" for guest in guests]
    for result in results.values():
        assert (result["failed"], result["commands"]) == (True, [])
        assert any("calls/nothing" in reason for reason in result["reasons"]), result


def test_hosts_that_differ(call: Call, guests: list[str]) -> None:
    if len(guests) == 1:
        pytest.skip("needs two guests")
    ready, *others = guests
    ok(call(f"{ready}-sudo", "safepoint.lvm.snapset", **SET), changed=True)
    results = call("sudo", "safepoint.lvm.snapset", **SET)
    changes = {name: result["changed"] for name, result in results.items()}
    assert changes == {f"{ready}-sudo": False, **{f"{other}-sudo": True for other in others}}
    ids = {result["snapset"]["id"] for result in results.values()}
    assert len(ids) == len(guests)


def test_releases_tell_the_same(call: Call, guests: list[str]) -> None:
    releases = set(machinery.each(guests, ". /etc/os-release; echo $VERSION_ID"))
    if len(releases) == 1:
        pytest.skip("needs guests of two releases")
    results = ok(call("root", "safepoint.lvm.snapset", **SET), changed=True)
    assert [result["planned"] for result in results] == [results[0]["planned"]] * len(guests)
    assert [sorted(result) for result in results] == [sorted(results[0])] * len(guests)
    assert [sorted(result["snapset"]) for result in results] == [sorted(results[0]["snapset"])] * len(guests)
