# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a person gives to the modules: a sentence that says what is wrong, or a task that is meant so."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_values import PARAMETERS, SIZES
from recorded_runs import GOOD, MODULES, RECORDINGS, STOPPED, run


@pytest.mark.parametrize("module", MODULES)
@given(data=st.data(), host=st.sampled_from(RECORDINGS), check=st.booleans())
def test_any_parameters(module: str, data: st.DataObject, host: str, check: bool) -> None:  # noqa: FBT001
    values = PARAMETERS[module]
    names = data.draw(st.lists(st.sampled_from(sorted(values)), max_size=4, unique=True))
    parameters = {**GOOD[module], **{name: data.draw(values[name]) for name in names}}
    ended = run(module, parameters, host=host, check=check)
    assert ended.asked <= 1
    assert not (check and ended.commands)


@pytest.mark.parametrize("module", ["boot_backup", "rollback_timer", "snapset", "snapshot"])
def test_what_is_right_goes_on_to_lvm(module: str) -> None:
    """Otherwise the tests above would show nothing."""
    ended = run(module, GOOD[module])
    assert (ended.asked, ended.result["msg"]) == (1, STOPPED)
    assert ended.commands[0][0] == "lvcreate"


@given(name=st.text("ab-", min_size=100, max_size=130), thick=st.booleans())
def test_a_snapshot_has_a_name_that_device_mapper_holds(name: str, thick: bool) -> None:  # noqa: FBT001
    """127 bytes, in which each hyphen counts twice; a thick one has a second device, with -cow behind its name."""
    vg, lv = ("thick", "a") if thick else ("thin", "t1")
    ended = run("snapshot", {"vg": vg, "lv": lv, "snapshot": name})
    device = f"{vg}-{name.replace('-', '--')}{'-cow' * thick}"
    good = len(device) <= 127 and len(vg) + len(name) <= 124 and not name.startswith("-")
    assert bool(ended.commands) is good
    if not good:
        assert re.search("is too long|is not an LV name|is reserved by LVM", ended.result["msg"])


@given(name=st.builds("x{}{}".format, st.integers(0, 63).map("-".__mul__), st.text("ab-_")).map(lambda text: text[:64]))
def test_every_snapset_name_makes_names_that_device_mapper_holds(name: str) -> None:
    volumes = [{"vg": "thick", "lv": "b"}, {"vg": "thin", "lv": "t1"}]
    assert run("snapset", {"name": name, "volumes": volumes}).commands


@given(size=SIZES, reserve=SIZES)
def test_no_size_is_given_to_lvm_that_it_would_change(size: str, reserve: str) -> None:
    """No less than LVM takes, no more than it would cut off, never more than is free."""
    ended = run("snapshot", {**GOOD["snapshot"], "size": size, "reserve": reserve})
    if ended.commands:
        (command,) = ended.commands
        assert 1 <= int(command[command.index("--extents") + 1]) <= 11
    else:
        said = "is not a valid size|would leave no space|is too much|too small|too little space|not mounted"
        assert re.search(said, ended.result["msg"])


def test_an_empty_path_is_not_the_root_directory() -> None:
    """Text from a variable that is empty is a list with one empty path."""
    for given_paths in ("", [""], ["/home", ""]):
        assert (
            "mountpoints: '' is not a mountpoint"
            in run("snapset", {"name": "new", "mountpoints": given_paths}).result["msg"]
        )


@pytest.mark.parametrize("state", ["merged", "absent"])
def test_nothing_can_be_left_out_of_a_whole_set(state: str) -> None:
    ended = run("snapset", {"name": "s", "state": state, "exclude": ["thick/c"]})
    assert ended.result["msg"].startswith("exclude: ")
    assert run("snapset", {"name": "s", "state": state}).commands
