# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The side of the controller: guests of the lab, and two ways to call a module on them as in the tasks of users.

    python3 tests/vm up web1 --image trixie
    .cache/envs/main/bin/python -m pytest tests/controller --guest web1

Only `call` uses pytest-ansible, and it needs only the code below the comment "pytest-ansible" in this file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import pytest

# Before they are imported for the first time.
pytest.register_assert_rewrite("outcomes")

import machinery  # noqa: E402
from tools.paths import CACHE, ROOT  # noqa: E402
from vm.controller import Controller  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outcomes import Results


def controller() -> Controller:
    """The Ansible of this Python, with the collection that the suite has installed, or with the checkout."""
    given = os.environ.get("SAFEPOINT_STATE")
    control = Controller(Path(sys.prefix), Path(given or CACHE / "state" / "controller"), CACHE)
    if not given:
        control.install(ROOT)
    return control


CONTROL = controller()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--guest", action="append", default=[], metavar="NAME", help="a running machine of the lab")


@pytest.fixture(scope="session")
def guests(pytestconfig: pytest.Config) -> Iterator[list[str]]:
    """The names of the guests, which have a user for `sudo` and are in the inventory."""
    names: list[str] = pytestconfig.getoption("--guest")
    if not names:
        raise pytest.UsageError("no guest given: use --guest NAME with a running machine of the lab (tests/vm)")
    machinery.each(names, machinery.MAKE_USER)
    CONTROL.inventory.parent.mkdir(parents=True, exist_ok=True)
    CONTROL.inventory.write_text(json.dumps(machinery.inventory(names)), encoding="utf-8")
    yield names
    machinery.each(names, machinery.REMOVE_USER)


@pytest.fixture(scope="session")
def made(guests: list[str]) -> Iterator[list[str]]:
    """For each guest, the state of the volumes that all tests use, directly after their creation."""
    machinery.each(guests, machinery.REMOVE_VOLUMES + machinery.MAKE_VOLUMES)
    yield machinery.each(guests, machinery.SHOW_VOLUMES)
    machinery.each(guests, machinery.REMOVE_VOLUMES)


@pytest.fixture(autouse=True)
def _clean(guests: list[str], made: list[str]) -> Iterator[None]:
    yield
    # Creating them again takes seconds, and most tests leave them as they were.
    if machinery.each(guests, machinery.SHOW_VOLUMES) != made:
        machinery.each(guests, machinery.REMOVE_VOLUMES + machinery.MAKE_VOLUMES)


def in_order(results: Results, guests: list[str]) -> Results:
    """The results in the order of the guests; Ansible returns them in the order in which hosts finish."""
    return dict(sorted(results.items(), key=lambda item: guests.index(item[0].rpartition("-")[0])))


@pytest.fixture
def play(guests: list[str], tmp_path: Path) -> Callable[..., Results]:
    """Run a task with ansible-playbook, with options of that and keywords of the task; return the results by host."""

    def run(hosts: str, module: str, arguments: dict[str, Any], *options: str, **keywords: Any) -> Results:
        task = {"name": "Call", module: arguments, "register": "result", **keywords}
        keep = {"content": "{{ result | to_json }}", "dest": f"{tmp_path}/{{{{ inventory_hostname }}}}"}
        write = {"name": "Keep the result", "ansible.builtin.copy": keep, "delegate_to": "localhost"}
        # The second task must always run for real, without output, and without becoming root here.
        here = {"check_mode": False, "diff": False, "become": False}
        book = tmp_path / "play.yml"
        plays = [{"name": "Call", "hosts": hosts, "tasks": [task, {**write, **here}]}]
        book.write_text(json.dumps(plays), encoding="utf-8")
        argv = CONTROL.command("ansible-playbook", str(book), *options)
        done = subprocess.run(argv, env=CONTROL.variables(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        book.unlink()
        results = {file.name: json.loads(file.read_text(encoding="utf-8")) for file in tmp_path.iterdir()}
        for name in results:
            (tmp_path / name).unlink()
        return in_order(results, guests)

    return run


# pytest-ansible
#
# It reads the configuration of Ansible when it is imported, which is after this module has been executed. It gets the
# path of the collections from the environment; otherwise it would create links in the checkout.
os.environ.update(CONTROL.variables(), ANSIBLE_COLLECTIONS_PATH=str(CONTROL.collections))
pytest_plugins = ["pytest_ansible.plugin"]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.option.ansible_unit_inject_only = True


@pytest.fixture
def call(guests: list[str], ansible_adhoc: Callable[..., Any]) -> Callable[..., Results]:
    """Call a module on hosts of the inventory with its arguments; return the results by host, including failed ones."""

    def run(hosts: str, module: str, **arguments: Any) -> Results:
        with warnings.catch_warnings():
            # At each call it warns that it will be retired, and makes Ansible set up its loader again.
            warnings.simplefilter("ignore")
            found = ansible_adhoc(inventory=str(CONTROL.inventory))[hosts]
            return in_order(getattr(found, module)(**arguments).contacted, guests)

    return run
