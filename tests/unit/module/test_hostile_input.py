# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a person or a program gives to the modules: a sentence that says what is wrong, or a task that is meant so.

Each run is the module's own main() with its own argument spec, on a machine that was recorded (recorded.py). What would
be given to LVM is looked at, word by word, and goes no further: nothing here decides what LVM would do.
"""

from __future__ import annotations

import io
import json
import os
import re
import stat
import subprocess
import sys
import tarfile
import tempfile
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import builders as b
import driver
import pytest
import recorded
import strategies
import yaml
from ansible.module_utils import basic
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.sandbox import SandboxedEnvironment

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup import observe as _boot_backup
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Entry, Tree
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import CommandFailed
from ansible_collections.safepoint.lvm.plugins.module_utils._host import lock, reading
from ansible_collections.safepoint.lvm.plugins.module_utils._host.mounts import parse_fstab, parse_mountinfo
from ansible_collections.safepoint.lvm.plugins.module_utils._initramfs_hook.plan import Found
from ansible_collections.safepoint.lvm.plugins.module_utils._lvm import command as _command
from ansible_collections.safepoint.lvm.plugins.module_utils._lvm.report import report_arguments
from ansible_collections.safepoint.lvm.plugins.module_utils._model import Boot, Host, Initramfs
from ansible_collections.safepoint.lvm.plugins.module_utils._module import initramfs_hook as _initramfs_hook
from ansible_collections.safepoint.lvm.plugins.module_utils._module import run as _run
from ansible_collections.safepoint.lvm.plugins.module_utils._module import session, snapshots
from ansible_collections.safepoint.lvm.plugins.module_utils._module.argspec import list_parameter
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info
from ansible_collections.safepoint.lvm.plugins.module_utils._names import set_name_problem
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer import observe as _rollback_timer
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import LvmStep
from ansible_collections.safepoint.lvm.plugins.modules import (
    boot_backup,
    boot_entry,
    initramfs_hook,
    rollback_timer,
    snapset,
    snapset_info,
    snapshot,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState
    from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import Plan

MODULES: dict[str, Any] = {
    "boot_backup": boot_backup,
    "boot_entry": boot_entry,
    "initramfs_hook": initramfs_hook,
    "rollback_timer": rollback_timer,
    "snapset": snapset,
    "snapset_info": snapset_info,
    "snapshot": snapshot,
}
RECORDINGS = [path.stem for path in recorded.RECORDINGS]
# A host that has a whole set "s" of thick/c and thin/t2.
ORDINARY = "debian13-active"
STOPPED = "nothing goes further than this"
KERNEL = "6.12"
DRIVERS = frozenset({"dm_snapshot", "dm_thin_pool"})


# What the rollback timer finds on a host that could have one, and no timer there.
_TIMER_SURROUNDINGS: dict[str, Any] = {
    "missing_tools": lambda _names: [],
    "toolbox": set,
    "SYSTEMD": Path("/"),
    "UNITS": Path("/nowhere"),
    "is_active": lambda _name: False,
    "is_running": lambda _name: False,
}


@lru_cache
def _recording(name: str) -> dict[str, Any]:
    (path,) = (path for path in recorded.RECORDINGS if path.stem == name)
    return recorded.load(path)


@lru_cache
def _host_state(name: str) -> HostState:
    return recorded.host_state(_recording(name))


@dataclass(frozen=True)
class Run:
    """What a module printed, how often it asked LVM, and the commands that would have changed something."""

    result: dict[str, Any]
    asked: int
    commands: list[tuple[str, ...]]


def run(module: str, parameters: Mapping[str, Any], *, host: str = ORDINARY, check: bool = False) -> Run:
    """Run a module to its end as Ansible does, with any parameters, on a recorded host."""
    asked: list[Sequence[str]] = []
    commands: list[tuple[str, ...]] = []

    def report(argv: Sequence[str], **_options: Any) -> SimpleNamespace:
        assert tuple(argv[1:]) == report_arguments()
        asked.append(argv)
        recording = _recording(host)
        stdout, stderr = ("\n".join(recording[part]).encode() for part in ("report", "stderr"))
        return SimpleNamespace(returncode=recording["rc"], stdout=stdout, stderr=stderr)

    def stop(plan: Plan, *_more: object) -> None:
        commands.extend(step.arguments() for step in plan.steps if isinstance(step, LvmStep))
        raise CommandFailed(STOPPED)

    internal = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_remote_tmp": tempfile.gettempdir()}
    stdout, stderr = io.StringIO(), io.StringIO()
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(stdout))
        stack.enter_context(redirect_stderr(stderr))
        stack.enter_context(_surroundings(_host_state(host).host))
        stack.enter_context(patch.object(_command, "subprocess", SimpleNamespace(run=report, DEVNULL=-3)))
        stack.enter_context(patch.object(_run, "apply", stop))
        stack.enter_context(patch.object(_boot_backup, "scan", _small_tree))
        stack.enter_context(patch.object(_boot_backup, "missing_tools", lambda _names: []))
        stack.enter_context(patch.multiple(_rollback_timer, **_TIMER_SURROUNDINGS))
        stack.enter_context(patch.object(_initramfs_hook, "read_found", lambda: Found(builds=False)))
        arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {**parameters, **internal}}).encode()
        stack.enter_context(patch.object(basic, "_ANSIBLE_ARGS", arguments))
        # Every module ends itself; anything else that it raises ends the test.
        with pytest.raises(SystemExit):
            MODULES[module].main()
    assert not stderr.getvalue()
    result = json.loads(stdout.getvalue())
    if result.get("failed") and result["msg"] != STOPPED:
        _check_refusal(result)
    for command in commands:
        _check_command(command, _host_state(host))
    return Run(result, len(asked), commands)


def _small_tree(_place: Path, *, mountpoint: str, fstype: str) -> Tree:
    return Tree(mountpoint, fstype, {".": Entry(kind="directory"), "vmlinuz": Entry(kind="file", size=b.MIB)})


@contextmanager
def _surroundings(host: Host) -> Iterator[None]:
    """A root user's machine that boots from LVM, and has a place of its own for the lock."""
    boot = Boot(KERNEL, (Initramfs(KERNEL, "/boot/initrd", DRIVERS),))
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        for target, name, value in (
            # Only ansible-core 2.19 and newer know of profiles.
            *((basic, "_ANSIBLE_PROFILE", "legacy"), (basic, "has_journal", False)),
            (basic.AnsibleModule, "_log_to_syslog", lambda *_arguments: None),
            (basic.AnsibleModule, "get_bin_path", lambda *_arguments, **_options: "/sbin/lvm"),
            *((session, "read_host", lambda: host), (snapshots, "read_boot", lambda: boot)),
            (os, "geteuid", lambda: 0),
            *((lock, "RUN_DIRECTORY", directory), (lock, "LOCK_PATH", f"{directory}/lock")),
            (lock, "_check_owner", lambda *_arguments: None),
        ):
            stack.enter_context(patch.object(target, name, value, create=True))
        # Where action plugins are tested too, ansible-core 2.19 and newer take this process for a controller.
        if (internal := sys.modules.get("ansible.module_utils._internal")) is not None:
            stack.enter_context(patch.object(internal, "is_controller", new=False))
        yield


def _check_refusal(result: dict[str, Any]) -> None:
    assert not result.get("changed")
    assert result["msg"].strip()
    assert "Traceback" not in str(result.get("exception", ""))


# lib/misc/lvm-string.c of LVM 2.03.
LVM_NAME = re.compile(r"[A-Za-z0-9+_.][A-Za-z0-9+_.-]*")
LVM_TAG = re.compile(r"safepoint\.[A-Za-z0-9._\-+/=!:&#]+")
VERBS = {"lvcreate", "lvextend", "lvchange", "lvconvert", "lvremove"}
FLAGS = {"--yes", "--snapshot", "--merge", "--background", "--refresh"}
VALUES = {
    "--extents": re.compile("[1-9][0-9]*"),
    "--chunksize": re.compile("4096b"),
    "--name": LVM_NAME,
    "--addtag": LVM_TAG,
    "--deltag": LVM_TAG,
    "--setactivationskip": re.compile("y"),
    "--interval": re.compile("[1-9][0-9]*"),
    "--type": re.compile("linear"),
    "--wipesignatures": re.compile("y"),
    "--poll": re.compile("y"),
    "--select": re.compile(r"(\(vg_uuid=[A-Za-z0-9-]+ && lv_uuid=[A-Za-z0-9-]+\)( \|\| (?=.))?)+"),
}


def _check_command(command: tuple[str, ...], host_state: HostState) -> None:
    """Every word is a legal option, number, name or tag, or names an LV that exists or is to be made."""
    verb, *rest = command
    words = iter(rest)
    assert verb in VERBS
    options: dict[str, str] = {}
    volumes: list[str] = []
    for word in words:
        if word in VALUES:
            options[word] = next(words)
            assert VALUES[word].fullmatch(options[word]), command
        elif word not in FLAGS:
            assert not word.startswith("-"), command
            volumes.append(word)
    assert volumes
    if "--type" in options:
        # Nothing but a new LV is made in a VG.
        volumes = [f"{volumes[0]}/{options['--name']}"]
    for vg, _slash, lv in (word.partition("/") for word in volumes):
        assert LVM_NAME.fullmatch(lv), command
        group = host_state.group(vg)
        assert group is not None
        assert int(options.get("--extents", 0)) <= group.extent_count
        if verb == "lvcreate":
            assert "--type" in options or host_state.volume(vg, lv) is not None
            assert host_state.volume(vg, options["--name"]) is None
            suffix = "-cow" if "--extents" in options else ""
            assert len(f"{vg}-{options['--name']}".replace("-", "--")) - 1 + len(suffix) <= 127, command


# No infinity: ansible-core 2.19 ends with an OverflowError for one that is to be an integer (check_type_int), before
# the module is asked.
_INFINITE = re.compile(r"[\s_]*[+-]?inf(inity)?[\s_]*", re.IGNORECASE)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(lambda text: not _INFINITE.fullmatch(text))
ODD_TEXT = st.sampled_from(
    [
        *(
            "",
            " ",
            "\t",
            "\n",
            "\0",
            "new\n",
            "new\0",
            " new",
            "-",
            "-rf",
            "--yes",
            "--config",
            "@tag",
            ".",
            "..",
            "a/b",
        ),
        *("../..", "/dev/sda", "a b", "$(reboot)", "`reboot`", "; reboot", "a|b", "*", ".*", "[a-z]", "(", "\\", "%s"),
        *("{{ 7 * 7 }}", "{% raw %}", "'", '"', "ä", "\u0665", "\u202e", "\u2028", "\ufeff", "a" * 5000, "-" * 60),
        *("snapshot1", "pvmove0", "x_tdata", "None", "null", "true", "[]", "{}"),
    ]
)
ODD_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**30, 10**400, -(10**400)]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.just([]),
    st.just({}),
    st.just([[]]),
    st.just({"": None}),
)
ODD = ODD_VALUES | ODD_TEXT | TEXT
KNOWN_NAMES = st.sampled_from(
    ["s", "v", "kept", "new", "thick", "thin", "a", "b", "c", "t1", "t2", "pool", "pool_tdata"]
)
NAMES = KNOWN_NAMES | strategies.set_names | strategies.lv_names
NUMBERS = st.sampled_from(
    ["0", "1", "4096", "0.5", "5", "20", "99.99", "100", "101", "1" * 30, "1" * 6000, "1." + "1" * 6000]
)
UNITS = ["", "B", "K", "MiB", "GiB", "PiB", "%", "%VG", "%FREE", "%ORIGIN", "%USED", " MiB", "\nMiB", "E", "%PVS"]
SIZES = st.builds(str.__add__, NUMBERS, st.sampled_from(UNITS)) | st.sampled_from(
    ["auto", "AUTO", "-1", "+1", "1e9", "0x10"]
)
PATHS = st.sampled_from(
    ["/", "/var", "/var/", "//", "/home", "/boot", "/nowhere", "[SWAP]", "/var/../home", "/\0", "~", "$HOME"]
)


def one(*likely: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What somebody may give for one value: something likely more often than something odd."""
    return st.one_of(*likely, *likely, ODD)


def several(*likely: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What somebody may give for a list."""
    return st.lists(one(*likely), max_size=3) | ODD


VOLUMES = st.fixed_dictionaries({"vg": one(NAMES)}, optional={"lv": one(NAMES), "size": one(SIZES), "LV": st.just("a")})
COMMON = {
    "state": one(st.sampled_from(["present", "merged", "absent"])),
    "size": one(SIZES),
    "min_headroom": one(SIZES),
    "reserve": one(SIZES),
    "pool_reserve": one(SIZES),
    "accept_loss_of": several(NAMES),
    "lock_timeout": one(st.integers(0, 600)),
}
PARAMETERS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "snapset": {
        **COMMON,
        "name": one(NAMES),
        "volumes": st.lists(VOLUMES, max_size=3) | several(NAMES),
        "mountpoints": several(PATHS),
        "exclude": several(PATHS, st.just("thick/a")),
        "ignore_uncovered": several(PATHS),
        "system": one(st.booleans()),
        "max_age": one(st.sampled_from(["0s", "24h", "3650d", "90"])),
        "id": one(st.just("0f" * 16)),
    },
    "boot_backup": {
        "name": one(NAMES),
        "state": one(st.sampled_from(["present", "restored", "absent"])),
        "vg": one(NAMES, st.just("sysvg")),
        "lock_timeout": one(st.integers(0, 600)),
    },
    "boot_entry": {
        "name": one(NAMES, st.just("s")),
        "state": one(st.sampled_from(["present", "absent"])),
        "next_boot": one(st.booleans()),
        "kernel": one(NAMES),
        "lock_timeout": one(st.integers(0, 600)),
    },
    "initramfs_hook": {"state": one(st.sampled_from(["present", "absent"])), "lock_timeout": one(st.integers(0, 600))},
    "rollback_timer": {
        "name": one(NAMES, st.just("s")),
        "state": one(st.sampled_from(["armed", "disarmed"])),
        "after": one(st.sampled_from(["60s", "30d", "90", "2h"])),
        "failed_boots": one(st.integers(0, 99)),
        "vg": one(NAMES, st.just("sysvg")),
        "lock_timeout": one(st.integers(0, 600)),
    },
    "snapshot": {**COMMON, "vg": one(NAMES), "lv": one(NAMES), "snapshot": one(NAMES)},
    "snapset_info": {"name": one(NAMES)},
}
GOOD: dict[str, Mapping[str, Any]] = {
    "boot_backup": {"name": "new"},
    "boot_entry": {"name": "s"},
    "initramfs_hook": {},
    "rollback_timer": {"name": "s", "after": "30m"},
    "snapset": {"name": "new", "volumes": [{"vg": "thick", "lv": "a"}, {"vg": "thin", "lv": "t1"}]},
    "snapshot": {"vg": "thick", "lv": "a", "snapshot": "new"},
    "snapset_info": {},
}


@pytest.mark.parametrize("module", MODULES)
@given(data=st.data(), host=st.sampled_from(RECORDINGS), check=st.booleans())
def test_any_parameters(module: str, data: st.DataObject, host: str, check: bool) -> None:  # noqa: FBT001
    values = PARAMETERS[module]
    names = data.draw(st.lists(st.sampled_from(sorted(values)), max_size=4, unique=True))
    parameters = {**GOOD[module], **{name: data.draw(values[name]) for name in names}}
    ended = run(module, parameters, host=host, check=check)
    assert ended.asked <= 1
    assert not (check and ended.commands)


NO_SET_NAMES = (ODD_TEXT | TEXT).filter(lambda text: not re.fullmatch(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,63}", text))


def _is_set_name(text: str) -> bool:
    return set_name_problem(list_parameter(["s", text])[1]) is None


NO_NAMES = (ODD_TEXT | TEXT).filter(lambda text: not LVM_NAME.fullmatch(text) or text in (".", "..") or len(text) > 127)
# In a list blanks, brackets and quotes around an item do not count.
NO_PATHS = (ODD_TEXT | TEXT).filter(lambda text: not text.strip(" \t\r\n\f\v[]'\"").startswith(("/", "~", "$")))
NO_SIZES = st.one_of(
    ODD_TEXT.filter(lambda text: text != "new"),
    TEXT.filter(lambda text: not re.match(r"\s*[0-9]", text) and text.strip().lower() != "auto"),
    st.sampled_from(
        ["1.", ".5", "1,5", "1e9", "-1", "1 2", "1\nMiB", "1MB", "1EiB", "1%PVS", "1" * 19, "\u0661", "1%%"]
    ),
)
NO_TIMEOUTS = (
    st.integers(max_value=-1) | st.integers(min_value=7 * 86400 + 1) | st.sampled_from(["", "soon", "1.5", [], {}])
)
NO_STATES = (ODD_TEXT | TEXT).filter(lambda text: text not in ("present", "merged", "absent"))
NO_DURATIONS = (ODD_TEXT | TEXT).filter(lambda text: not re.fullmatch(r"[0-9]+[smhd]?", text)) | st.sampled_from(
    ["1.5h", "-5m", "1w", "\u0661\u0660m", "9" * 30]
)
WRONG: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "snapset": {
        "name": NO_SET_NAMES,
        "volumes: vg": NO_NAMES.map(lambda text: [{"vg": text}]),
        "volumes: lv": NO_NAMES.map(lambda text: [{"vg": "thick", "lv": text}]),
        "volumes: size": NO_SIZES.map(lambda text: [{"vg": "thick", "lv": "a", "size": text}]),
        # Of text that is no dictionary Ansible itself does not say where it stands.
        "volumes": st.sampled_from([[{"vg": "thick", "name": "a"}], [{"lv": "a"}], 5, [None], [["thick", "a"]]]),
        "mountpoints": NO_PATHS.map(lambda text: ["/", text]),
        "exclude": NO_PATHS.filter(lambda text: "/" not in text).map(lambda text: ["/var", text]),
        "ignore_uncovered": NO_PATHS.map(lambda text: ["/var", text]),
        "system": ODD_TEXT.filter(lambda text: text != "true") | st.sampled_from(["perhaps", 2, [], {}]),
        "max_age": NO_DURATIONS | st.sampled_from(["3651d", "1" * 9 + "d"]),
        "id": (ODD_TEXT | TEXT).filter(bool),
    },
    "boot_backup": {
        "name": NO_SET_NAMES,
        "state": NO_STATES.filter(lambda text: text != "restored"),
        "vg": NO_NAMES,
        "lock_timeout": NO_TIMEOUTS,
    },
    "boot_entry": {
        "name": NO_SET_NAMES,
        "state": NO_STATES,
        "next_boot": ODD_TEXT.filter(lambda text: text != "true") | st.sampled_from(["perhaps", 2, [], {}]),
        "lock_timeout": NO_TIMEOUTS,
    },
    "initramfs_hook": {"state": NO_STATES, "lock_timeout": NO_TIMEOUTS},
    "rollback_timer": {
        "name": NO_SET_NAMES,
        "state": NO_STATES,
        "after": NO_DURATIONS | st.sampled_from(["59", "59s", "31d", "0m"]),
        "failed_boots": st.integers(max_value=-1) | st.integers(min_value=100) | st.sampled_from(["", "two"]),
        "vg": NO_NAMES,
        "lock_timeout": NO_TIMEOUTS,
    },
    "snapshot": {"vg": NO_NAMES, "lv": NO_NAMES, "snapshot": NO_NAMES},
    "snapset_info": {"name": NO_SET_NAMES},
}
WRONG_COMMON: dict[str, st.SearchStrategy[Any]] = {
    "state": NO_STATES,
    "size": NO_SIZES,
    "min_headroom": NO_SIZES | st.just("100%"),
    "reserve": NO_SIZES | st.sampled_from(["auto", "101%VG", "5%", "5%FREE"]),
    "pool_reserve": NO_SIZES | st.sampled_from(["auto", "100%", "5%VG"]),
    "accept_loss_of": NO_SET_NAMES.filter(lambda text: "/" not in text and not _is_set_name(text)).map(
        lambda text: ["s", text]
    ),
    "lock_timeout": NO_TIMEOUTS,
}


def _wrong() -> list[Any]:
    return [
        pytest.param(module, name, values, id=f"{module}: {name}")
        for module, wrong in WRONG.items()
        for name, values in {**wrong, **(WRONG_COMMON if "size" in PARAMETERS[module] else {})}.items()
    ]


@pytest.mark.parametrize(("module", "name", "values"), _wrong())
@settings(max_examples=settings().max_examples // 4)
@given(data=st.data())
def test_one_wrong_value(module: str, name: str, values: st.SearchStrategy[Any], data: st.DataObject) -> None:
    """It is named, with what was expected, before LVM is asked anything."""
    parameter, _colon, part = name.partition(": ")
    ended = run(module, {**GOOD[module], parameter: data.draw(values)})
    assert ended.result["failed"]
    assert (ended.asked, ended.commands) == (0, [])
    assert {parameter, part} - {""} <= set(re.findall(r"\w+", ended.result["msg"]))
    assert re.search("expected|must b[ey] |: use |unable to convert|Unsupported|missing|LVM keeps", ended.result["msg"])


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


# The kernel and LVM take these as they are.
LINE_TEXT = st.text(st.characters(exclude_characters=" \t\n\\\0", exclude_categories=["Cs"]), min_size=1)


@given(mountpoint=LINE_TEXT.map("/{}".format), source=LINE_TEXT, options=LINE_TEXT)
def test_mountinfo_is_read_whatever_names_are_in_it(mountpoint: str, source: str, options: str) -> None:
    """The kernel writes blanks, line feeds and backslashes in another way, and all else as it is."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "mountinfo")
        line = f"90 29 253:2 / {mountpoint} rw shared:1 - fuse.x {source} {options}\n"
        file.write_bytes(f"{line}91 29 253:2 / /next rw - ext4 /dev/x rw\n".encode())
        lines = reading.read(file).split("\n")
    mounts = [*parse_mountinfo(lines, [(253, 2)])]
    assert [(mount.mountpoint, mount.source) for mount in mounts] == [(mountpoint, source), ("/next", "/dev/x")]


@given(lines=st.lists(st.lists(ODD_TEXT | TEXT, max_size=5).map("\t".join)))
def test_fstab_may_hold_anything(lines: list[str]) -> None:
    """Zeroes of a file that a power cut has left, for example."""
    entries = list(parse_fstab("\n".join(lines).split("\n")))
    assert all(entry.spec and entry.mountpoint for entry in entries)


TAG_VALUES = st.text("".join(chr(code) for code in range(33, 127)), max_size=8) | st.sampled_from(
    ["s", "1" * 32, "9999", "-1", "1" * 13, "1" * 500, "../../x", "$(reboot)", "a/b", "/snap", "s:1", "@s", ".."]
)
ORIGIN = b.volume("vg/a")
MEMBER_TAGS = st.dictionaries(
    st.sampled_from(["set", "id", "count", "origin", "taken", "pvs", "vg", "sealed"]), TAG_VALUES, max_size=2
)
OUTCOME_PARTS = st.dictionaries(st.integers(0, 6), TAG_VALUES, max_size=2)


def _with(tags: Iterable[str], values: Mapping[str, str]) -> list[str]:
    """Tags of a member, some of which somebody has written anew."""
    kept = [tag for tag in tags if tag.partition("=")[0].rpartition(".")[2] not in values]
    return [*kept, *(f"safepoint.member.{key}={value}" for key, value in values.items())]


@given(values=MEMBER_TAGS, parts=OUTCOME_PARTS, state=st.sampled_from(["present", "merged", "absent"]))
def test_tags_may_hold_anything(values: dict[str, str], parts: dict[int, str], state: Any) -> None:
    """They can be written by hand: what is none of ours is none, and what is shown is fit for the name of a file."""
    outcome = b.outcome_tag("merging", name="z", set_id="f" * 32).split(":")
    origin = replace(ORIGIN, tags=(":".join(parts.get(place, part) for place, part in enumerate(outcome)),))
    tags = _with(b.member_tags(origin), values)
    there = b.host_state([origin, b.thick_snapshot(origin, "a_s", tags=tuple(tags))])
    for shown in host_info(there, None)["snapsets"]:
        assert re.fullmatch("[A-Za-z0-9-]+", shown["id"])
        driver.reasons(there, b.request("vg/a", name=shown["name"], state=state))


ROLLBACK = yaml.safe_load((Path(__file__).resolve().parents[3] / "roles/rollback/vars/main.yml").read_text())


def _canaries(*directories: Path) -> list[str]:
    """Leave canaries as the role rollback does; where it says that it could not."""
    return _sh(ROLLBACK["_rollback_leave_canaries"], ".canary-1", *map(str, directories))


def _sh(program: str, *arguments: str, cwd: Path | None = None) -> list[str]:
    argv = ["sh", "-c", program, "sh", *arguments]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, cwd=cwd)
    return done.stdout.splitlines()


def test_canaries_follow_no_link(tmp_path: Path) -> None:
    """Who owns a filesystem's root directory could have root write elsewhere, once the name is known."""
    precious = tmp_path / "precious"
    precious.write_text("not ours")
    for name, target in (("file", precious), ("nothing", tmp_path / "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".canary-1").symlink_to(target)
    assert _canaries(tmp_path / "file", tmp_path / "nothing") == [str(tmp_path / "nothing")]
    assert precious.read_text() == "not ours"
    assert not (tmp_path / "new").exists()


def test_every_directory_gets_a_canary_or_is_told(tmp_path: Path) -> None:
    """One that is told as left, and was not, would be taken for a proof."""
    good = tmp_path / "it's a $(reboot)\tdirectory"
    good.mkdir()
    assert _canaries(tmp_path / "full", good) == [str(tmp_path / "full")]
    assert _canaries(good) == []
    assert [path.name for path in good.iterdir()] == [".canary-1"]


def test_evidence_is_for_its_owner_alone_and_follows_no_link(tmp_path: Path) -> None:
    precious, packed, copied = tmp_path / "precious", tmp_path / "packed", tmp_path / "new" / "deep" / "copied"
    precious.write_text("not ours")
    for path in (packed, copied):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(precious)
    (tmp_path / "-rf").write_text("evidence")
    wanted = ["-rf", str(tmp_path / "none"), "", str(precious)]
    assert _sh(ROLLBACK["_rollback_pack"], str(packed), *wanted, cwd=tmp_path) == [str(tmp_path / "none"), ""]
    _sh(ROLLBACK["_rollback_make_place"], str(copied.parent), str(copied))
    assert precious.read_text() == "not ours"
    for path in (packed, copied):
        assert not path.is_symlink()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(packed) as archive:
        assert archive.getnames() == ["-rf", str(precious).lstrip("/")]


@given(one_id=ODD_TEXT | TEXT)
def test_a_host_cannot_choose_where_its_evidence_goes(one_id: str) -> None:
    """What a host says about itself becomes a part of a file's name on the controller, and of no directory's."""
    environment = SandboxedEnvironment()
    environment.filters["regex_replace"] = lambda text, pattern, new: re.sub(pattern, new, text)
    variables = {"rollback_name": "s", "_rollback_before": {"id": one_id}}
    name = environment.from_string(ROLLBACK["_rollback_file"]).render(variables)
    assert re.fullmatch(r"s-[A-Za-z0-9-]*\.tar\.gz", name)
    # The other one is only compared.
    used = [name for name, text in ROLLBACK.items() if "before.id" in str(text)]
    assert used == ["_rollback_boot", "_rollback_file"]
