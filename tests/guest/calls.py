# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Call the modules of the collection, and check the rules that every call must follow.

Each call is a forked child of this process, in which Ansible and the modules are already loaded: starting Python
takes seconds in an emulated machine.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import re
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import lvm
import storage
from ansible.module_utils import basic

Arguments = Mapping[str, Any]
Before = Callable[[int, Sequence[str]], None]
Result = dict[str, Any]

_MODULES = {
    name: importlib.import_module(f"ansible_collections.safepoint.lvm.plugins.modules.{name}")
    for name in (
        *("boot_backup", "boot_entry", "health", "initramfs_hook", "rollback_timer"),
        *("snapset", "snapshot", "snapset_info"),
    )
}
_CHANGES: Any = importlib.import_module("ansible_collections.safepoint.lvm.plugins.module_utils._module.changes")


@dataclass(frozen=True)
class Running:
    """A module that was started and may still be running."""

    pid: int
    stdout: IO[bytes]
    stderr: IO[bytes]

    def kill(self) -> None:
        """Kill the module, as a lost connection or the kernel would."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        """Wait for a module that ends without a result. Return its exit code, or the negative number of its signal."""
        with self.stdout, self.stderr:
            return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def result(self) -> Result:
        """Wait until the module has ended, and return its result."""
        os.waitpid(self.pid, 0)
        with self.stdout, self.stderr:
            self.stdout.seek(0)
            self.stderr.seek(0)
            printed, errors = self.stdout.read().decode(), self.stderr.read().decode()
        assert not errors, errors
        result: Result = json.loads(printed)
        result.pop("invocation", None)
        return result


def start(
    module: str,
    arguments: Arguments,
    *,
    check: bool = False,
    env: Mapping[str, str] | None = None,
    before: Before | None = None,
) -> Running:
    """Start a module with ``arguments``, in check mode or not, with ``env`` added to its environment.

    ``before`` is called in the process of the module immediately before each modifying command, with the number of the
    command, counted from 0, and its arguments.
    """
    # In memory: a test may have filled the root filesystem, and on Debian 12 /tmp is part of it.
    stdout = tempfile.TemporaryFile(dir=storage.BASE)  # noqa: SIM115
    stderr = tempfile.TemporaryFile(dir=storage.BASE)  # noqa: SIM115
    pid = os.fork()
    if pid == 0:
        if before is not None:
            _watch(before)
        _be_module(module, arguments, check=check, env=env or {}, output=(stdout.fileno(), stderr.fileno()))
    return Running(pid, stdout, stderr)


def _watch(before: Before) -> None:
    run, numbers = _CHANGES.ChangeSession.run, itertools.count()

    def watched(session: object, arguments: Sequence[str], **more: Any) -> Any:
        before(next(numbers), arguments)
        return run(session, arguments, **more)

    _CHANGES.ChangeSession.run = watched


def _be_module(
    module: str, arguments: Arguments, *, check: bool, env: Mapping[str, str], output: tuple[int, int]
) -> None:
    code = 1
    try:
        for target, source in enumerate(output, start=1):
            os.dup2(source, target)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        os.environ.update(env)
        internal = {
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            "_ansible_remote_tmp": "/tmp",
            "_ansible_module_name": f"safepoint.lvm.{module}",
        }
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, **internal}}).encode()
        # Only ansible-core 2.19 and later have profiles.
        basic._ANSIBLE_PROFILE = "legacy"
        _MODULES[module].main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        # Whatever happens, this child must not continue to run the tests.
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def call(module: str, arguments: Arguments, *, check: bool = False, env: Mapping[str, str] | None = None) -> Result:
    """Run a module and return its result, whether it succeeds or fails."""
    return start(module, arguments, check=check, env=env).result()


def ok(module: str, arguments: Arguments, *, check: bool = False, env: Mapping[str, str] | None = None) -> Result:
    """Run a module that must succeed."""
    result = call(module, arguments, check=check, env=env)
    assert "failed" not in result, result["msg"]
    return result


def refused(module: str, arguments: Arguments, *patterns: str, check: bool = False, reads: int = 1) -> Result:
    """Run a module that must refuse. ``reads`` is how many LVM processes it may need if LVM does not warn.

    It must change nothing, and its message must match every pattern.
    """
    before = storage.seqnos()
    result = call(module, arguments, check=check)
    assert storage.seqnos() == before
    assert result.get("failed"), f"not refused: {result}"
    assert result["changed"] is False
    assert [pattern for pattern in patterns if not re.search(pattern, result["msg"])] == [], result["msg"]
    assert "Traceback" not in str(result)
    assert result["commands"] == []
    # LVM is asked only if it matters.
    assert result["reads"] <= reads or result["reads"] <= reads * lvm.processes_per_report()
    return result


@dataclass(frozen=True)
class Runs:
    """The results of four runs of one task: in check mode, for real, for real again, in check mode again."""

    check: Result
    real: Result
    again: Result
    again_check: Result


def four_runs(module: str, arguments: Arguments, *, commands: int, changed: bool = True) -> Runs:
    """Run a task four times. Check its prediction, its idempotence and how many LVM processes it uses."""
    check = predicted(module, arguments)
    real = fulfilled(module, arguments, check, commands=commands)
    assert real["changed"] is changed
    after = storage.seqnos()
    again = ok(module, arguments)
    again_check = ok(module, arguments, check=True)
    for result in (again, again_check):
        assert result["changed"] is False
        assert result["planned"] == []
        assert result["diff"]["before"] == result["diff"]["after"] == real["diff"]["after"]
    nothing_done: tuple[list[str], int] = ([], lvm.processes_per_report())
    assert (again["commands"], again["reads"]) == (again_check["commands"], again_check["reads"]) == nothing_done
    assert storage.seqnos() == after
    return Runs(check, real, again, again_check)


def predicted(module: str, arguments: Arguments) -> Result:
    """Run a task in check mode, which must change nothing. Return the prediction."""
    before = storage.seqnos()
    check = ok(module, arguments, check=True)
    assert check["commands"] == []
    assert storage.seqnos() == before
    return check


def fulfilled(module: str, arguments: Arguments, check: Result, *, commands: int) -> Result:
    """Run a task for real, compare it with the result of check mode, and return the result."""
    real = ok(module, arguments)
    for key in ("changed", "reboot_required", "planned", "diff"):
        assert real[key] == check[key], key
    assert processes(real) == commands, "\n".join(map(str, real["commands"]))
    assert all(argv[0].endswith("/lvm") for argv in real["commands"])
    return real


def predicted_and_done(module: str, arguments: Arguments, *, commands: int) -> Result:
    """Run a task in check mode and for real. For tasks that do something else when they are repeated."""
    return fulfilled(module, arguments, predicted(module, arguments), commands=commands)


def volumes(*names: str) -> list[dict[str, str]]:
    """The value of the parameter ``volumes`` for LVs given as VG/LV."""
    return [dict(zip(("vg", "lv"), name.split("/"))) for name in names]


def present(name: str, *origins: str, **more: Any) -> Arguments:
    """The parameters that create a set of ``origins`` (VG/LV)."""
    return {"name": name, "volumes": volumes(*origins), **more}


def merged(name: str, **more: Any) -> Arguments:
    """The parameters that merge a set."""
    return {"name": name, "state": "merged", **more}


def absent(name: str, **more: Any) -> Arguments:
    """The parameters that remove a set."""
    return {"name": name, "state": "absent", **more}


def rolled_back(module: str, arguments: Arguments, key: str = "snapset", seconds: int = 300) -> Result:
    """Repeat the task of a started merge until it has ended, as the role does. Return the last result."""
    end = time.monotonic() + seconds
    while True:
        result = ok(module, arguments)
        if result[key]["state"] == "rolled_back":
            return result
        # After an unmount udev opens the origin for a moment. LVM does not start the merge then, and it stays pending.
        assert result[key]["state"] in ("merging", "merge_pending"), result[key]
        assert not result["reboot_required"], result[key]
        assert processes(result) == (2 if result["planned"] else 1) + len(result["planned"]), result["commands"]
        assert result["poll_after"] > 0
        assert time.monotonic() < end, f"still merging after {seconds} s: {result[key]}"
        time.sleep(1)


def states(result: Result, key: str = "snapset") -> tuple[str, list[str]]:
    """The state of the set in a result, and the states of its members in order."""
    return result[key]["state"], [member["state"] for member in result[key]["members"]]


def snapset_states() -> dict[str, str]:
    """The state of each set on the host, by its name."""
    return {one["name"]: one["state"] for one in ok("snapset_info", {})["snapsets"]}


def processes(result: Result) -> int:
    """How many LVM processes a run has used, with one process for each look at the host."""
    return len(result["commands"]) + int(result["reads"]) // lvm.processes_per_report()


def verbs(commands: Sequence[Sequence[str]]) -> list[str]:
    """The names of the modifying LVM commands, in order."""
    return [argv[1] for argv in commands]
