# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mutants of what must not happen while a snapset is taken, and of what is said then."""

from __future__ import annotations

from mutation.unit_table import Mutant

MUTANTS = (
    Mutant(
        "no snapshot is taken while a package manager works",
        "    yield from package_problems(package_databases(host_state, origins))\n",
        "",
    ),
    Mutant(
        "only what packages are installed to is concerned",
        "if any(_lie_on(host_state, origins, path) for path in",
        "if True or any(_lie_on(host_state, origins, path) for path in",
    ),
    Mutant(
        "a package database of its own is concerned too",
        "for path in (*SYSTEM_MOUNTPOINTS, database.directory))",
        "for path in SYSTEM_MOUNTPOINTS)",
    ),
    Mutant("a lock for reading is no run of a package manager", "fcntl.F_RDLCK, os", "fcntl.F_WRLCK, os"),
    Mutant(
        "a run of a package manager that began and ended meanwhile is noticed",
        "            if old.version != new.version\n",
        "            if False\n",
    ),
    Mutant(
        "an interrupted dpkg is reported when nobody works any more",
        "        if one.cure and not one.user:\n",
        "        if one.cure:\n",
    ),
    Mutant(
        "waiting ends",
        "while any(one.user for one in _now(databases)) and time.monotonic() < end:",
        "while any(one.user for one in _now(databases)) and time.monotonic() < end + 5:",
    ),
    Mutant(
        "the checks come before the seal",
        "replace(plan, steps=(*plan.steps[:end], *checks, *plan.steps[end:]))",
        "replace(plan, steps=(*plan.steps, *checks))",
    ),
    Mutant(
        "a check that fails removes the snapshots",
        "            return _undo_checked(error, creations, done, undoing)\n",
        "            return take_back(plan, step, error, done, runner)\n",
    ),
    Mutant(
        "the span ends with the last creation",
        "created[-1][0].ended - created[0][0].begun",
        "created[-1][0].begun - created[0][0].begun",
    ),
    Mutant(
        "a change of /boot before the snapshots is refused",
        "        return replace(observed, problems=tuple(boot_problems(backup, self._boot(host_state))))\n",
        "        return observed\n",
    ),
    Mutant(
        "a change of /boot while the snapshots are created is noticed",
        "            yield CheckBoot(backup, self._boot(observed.host_state))\n",
        "            pass\n",
    ),
    Mutant(
        "an image of a boot loader that was installed again is a change",
        "*found.altered, *found.extra, *found.untouched)\n        yield",
        "*found.altered, *found.extra)\n        yield",
    ),
    Mutant(
        "the variables of the firmware count",
        "    if saved.firmware != firmware:\n",
        "    if False:\n",
    ),
    Mutant(
        "where the snapset exists, /boot may have changed",
        "if request.set_id is None or not origins_to_take(host_state, request):",
        "if request.set_id is None:",
    ),
    Mutant(
        "a program that uses an origin is reported",
        "        if origin.open and not host_state.mounts_of(origin) and not (device and device.holders):\n",
        "        if origin.open and not (device and device.holders):\n",
    ),
    Mutant("os-prober does not see thin snapshots", "origin in roots and not origin.is_thin", "origin in roots"),
)
