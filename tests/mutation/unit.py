# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Break the planner in many small ways, and check that the unit tests detect each of them.

Run it with a Python that has pytest and Hypothesis: `python tests/mutation unit [WORD]`. With a WORD it tries only the
mutants whose promise contains it. The exit code is 1 if a mutant survives, or if its code no longer exists.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutation import (
    unit_errors,
    unit_filesystems,
    unit_health,
    unit_hosts,
    unit_roles,
    unit_table,
    unit_taking,
    unit_timer,
)
from mutation.code import Outdated, broken
from mutation.unit_table import Mutant

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("plugins", "tests/unit", "pyproject.toml")
# The tests of the planner. The first ones detect most mutants in the shortest time.
TESTS = (
    *(f"snapset/plan/test_{name}.py" for name in ("table", "refusals", "host_refusals", "pool_refusals", "present")),
    *(f"snapset/plan/test_{name}.py" for name in ("merged", "merge_losses", "single")),
    *(f"snapset/test_{name}.py" for name in ("selection", "state", "allocation", "result")),
    *(f"snapset/test_{name}.py" for name in ("coverage", "filesystems", "content")),
    *(f"host/test_{name}.py" for name in ("table", "mounts", "references", "facts", "ask")),
    *("module/test_apply.py", "module/test_snapset_info.py", "test_names.py"),
    *("snapset/test_foreign.py", "snapset/test_hypervisor.py", "snapset/plan/test_adoption.py"),
    *("snapset/test_tags.py", "snapset/test_sizes.py", "snapset/plan/test_interrupted.py", "snapset/test_copies.py"),
    *("host/test_lock.py", "lvm/test_report.py", "module/test_run.py", "module/test_snapset.py"),
    *("module/test_argspec.py", "module/test_checks_before_the_seal.py"),
    *("snapset/test_packages.py", "snapset/test_warnings.py", "host/test_packages.py"),
    *("module/test_session.py", "module/test_take_back.py", "lvm/test_command.py"),
    *("boot_files", "boot_backup", "boot_entry", "rollback_timer", "initramfs_hook", "module/test_initramfs_hook.py"),
    *("health", "module/test_health.py", "action/test_junit.py"),
)
PYTEST = ("-m", "pytest", "--exitfirst", "--quiet", *(f"tests/unit/{name}" for name in TESTS))
AT_ONCE = 2
MUTANTS = (
    *unit_table.MUTANTS,
    *unit_roles.MUTANTS,
    *unit_hosts.MUTANTS,
    *unit_filesystems.MUTANTS,
    *unit_taking.MUTANTS,
    *unit_timer.MUTANTS,
    *unit_errors.MUTANTS,
    *unit_health.MUTANTS,
)
_NOTHING = Mutant(promise="the tests pass when nothing is broken", old="", new="")


def main() -> int:
    """Run the tests on the unchanged code, then on every mutant."""
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    wanted = [mutant for mutant in MUTANTS if word in mutant.promise]
    status, output = _tested(_NOTHING)
    if status:
        print(output)
        print("The unit tests fail without a mutant: fix that first.")
        return 1
    with ThreadPoolExecutor(AT_ONCE) as pool:
        killed = list(pool.map(_try, wanted))
    print(f"{killed.count(True)} of {len(killed)} mutants killed")
    return 0 if all(killed) else 1


def _try(mutant: Mutant) -> bool:
    started = time.monotonic()
    try:
        # 1: tests failed; 2: a test could not be collected.
        killed = _tested(mutant)[0] in (1, 2)
        verdict = "killed" if killed else "SURVIVED"
    except Outdated as error:
        killed, verdict = False, f"OUTDATED ({error})"
    print(f"{verdict:8} {mutant.promise} ({time.monotonic() - started:.0f} s)", flush=True)
    return killed


def _tested(mutant: Mutant) -> tuple[int, str]:
    """The exit code and the output of pytest on a copy of the checkout with the mutant. Raises Outdated."""
    with tempfile.TemporaryDirectory(prefix="mutant.") as directory:
        copy = Path(directory)
        for name in COPIED:
            _copy(ROOT / name, copy / name)
        if mutant.old:
            source, text = broken(copy / "plugins", mutant.old, mutant.new)
            source.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, *PYTEST],
            cwd=copy,
            env={**os.environ, "SAFEPOINT_CACHE": str(copy / ".cache"), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    return done.returncode, done.stdout


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


if __name__ == "__main__":
    sys.exit(main())
