# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a module with its own main() and argument spec, on a machine that was recorded (recorded.py).

What would be given to LVM is looked at, word by word, and goes no further: nothing here decides what LVM would do.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import tempfile
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import builders as b
import documented
import pytest
import recorded
from ansible.module_utils import basic

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup import observe as _boot_backup
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Entry, Tree
from ansible_collections.safepoint.lvm.plugins.module_utils._errors import CommandFailed
from ansible_collections.safepoint.lvm.plugins.module_utils._host import lock
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import Boot, Host, Initramfs
from ansible_collections.safepoint.lvm.plugins.module_utils._initramfs_hook.plan import Found
from ansible_collections.safepoint.lvm.plugins.module_utils._lvm import command as _command
from ansible_collections.safepoint.lvm.plugins.module_utils._lvm.report import duplicates_arguments, report_arguments
from ansible_collections.safepoint.lvm.plugins.module_utils._module import initramfs_hook as _initramfs_hook
from ansible_collections.safepoint.lvm.plugins.module_utils._module import run as _run
from ansible_collections.safepoint.lvm.plugins.module_utils._module import session, snapshots
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer import observe as _rollback_timer
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import LvmStep

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState
    from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.plan.base import Plan

# An action plugin runs on the controller.
# The module health does not look at LVM.
MODULES = {
    name: module for name, module in documented.MODULES.items() if name not in documented.ACTIONS and name != "health"
}
RECORDINGS = [path.stem for path in recorded.RECORDINGS]
# A host that has a whole set "s" of thick/c and thin/t2.
ORDINARY = "debian13-active"
# For each module, parameters of a task that is meant so on that host.
GOOD: dict[str, Mapping[str, Any]] = {
    "boot_backup": {"name": "new"},
    "boot_entry": {"name": "s"},
    "initramfs_hook": {},
    "rollback_timer": {"name": "s", "after": "30m"},
    "snapset": {"name": "new", "volumes": [{"vg": "thick", "lv": "a"}, {"vg": "thin", "lv": "t1"}]},
    "snapshot": {"vg": "thick", "lv": "a", "snapshot": "new"},
    "snapset_info": {},
}
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
    "runs": lambda _name: False,
    "read_status": lambda _name: None,
    "_default_target": lambda: "multi-user.target",
}


@lru_cache
def _recording(name: str) -> dict[str, Any]:
    (path,) = (path for path in recorded.RECORDINGS if path.stem == name)
    return recorded.load(path)


@lru_cache
def _host_state(name: str) -> HostState:
    return recorded.host_state(_recording(name))


def _answer(recording: Mapping[str, Any]) -> SimpleNamespace:
    stdout, stderr = ("\n".join(recording[part]).encode() for part in ("report", "stderr"))
    return SimpleNamespace(returncode=recording["rc"], stdout=stdout, stderr=stderr)


@dataclass(frozen=True)
class Run:
    """What a module printed, how often it read LVM's report, and the commands that would have changed something."""

    result: dict[str, Any]
    asked: int
    commands: list[tuple[str, ...]]


def run(module: str, parameters: Mapping[str, Any], *, host: str = ORDINARY, check: bool = False) -> Run:
    """Run a module to its end as Ansible does, with any parameters, on a recorded host."""
    asked: list[Sequence[str]] = []
    commands: list[tuple[str, ...]] = []

    def report(argv: Sequence[str]) -> SimpleNamespace:
        if tuple(argv[1:]) == duplicates_arguments():
            return SimpleNamespace(returncode=0, stdout=b'{"report": [{"pv": []}]}', stderr=b"")
        assert tuple(argv[1:]) == report_arguments()
        asked.append(argv)
        return _answer(_recording(host))

    def stop(plan: Plan, *_more: object) -> None:
        commands.extend(step.arguments() for step in plan.steps if isinstance(step, LvmStep))
        raise CommandFailed(STOPPED)

    internal = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_remote_tmp": tempfile.gettempdir()}
    stdout, stderr = io.StringIO(), io.StringIO()
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(stdout))
        stack.enter_context(redirect_stderr(stderr))
        stack.enter_context(_surroundings(_host_state(host).host))
        stack.enter_context(patch.object(_command, "ask", report))
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
            *((session, "read_host", lambda _paths: host), (snapshots, "read_boot", lambda: boot)),
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
