# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of a module on one host, and how it ends. Private to this collection.

The package ``_module`` knows Ansible, and the order in which each module does its work. It must not know how a part of
that work is done.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from .._errors import InvalidParameter, SafepointError, error_text
from .._host.facts import read_host
from .._lvm.command import Lvm
from .._model import HostState
from .._snapset.foreign import own_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible.module_utils.basic import AnsibleModule

_LONGEST_TIMEOUT = 7 * 24 * 60 * 60


class Session:
    """One run of a module on one host.

    ``commands`` are the commands that change the host, in order. ``changed`` is whether the run has changed the host;
    an error that knows it better says so itself.
    """

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self.commands: list[list[str]] = []
        self.changed = False
        self.lvm = Lvm(module.get_bin_path("lvm", required=True, opt_dirs=["/usr/sbin", "/sbin"]))

    def warn(self, text: str) -> None:
        """Show a warning to the user."""
        self._module.warn(_printable(text))

    def end(self, **result: Any) -> NoReturn:
        """End the module with ``result``."""
        self._module.exit_json(**_printable(result))

    def observe(self, paths: Sequence[str] = ()) -> HostState:
        """The state of the host now; ``paths`` are what the plan depends on. Raises ReportFailed."""
        report = self.lvm.report()
        return own_state(
            HostState(
                host=read_host(paths),
                volume_groups=report.volume_groups,
                volumes=report.volumes,
                unread=report.unread,
            )
        )


AnySession = TypeVar("AnySession", bound=Session)


@contextmanager
def open_session(module: AnsibleModule, kind: type[AnySession]) -> Iterator[AnySession]:
    """A session of class ``kind``. Here, and only here, an error ends the module with its message."""
    if os.geteuid() != 0:
        module.fail_json(msg="LVM needs root: run this task with become")
    session = kind(module)
    try:
        yield session
    except (SafepointError, OSError) as error:
        common = {"changed": session.changed, "commands": session.commands, "reads": session.lvm.reads}
        details = error.details if isinstance(error, SafepointError) else {}
        module.fail_json(**_printable({**common, **details, "msg": error_text(error)}))


def check(parameter: str, problem: str | None) -> None:
    """Raise InvalidParameter if a ``parameter`` has a ``problem``."""
    if problem is not None:
        raise InvalidParameter(f"{parameter}: {problem}")


def timeout_problem(seconds: int) -> str | None:
    """Why a parameter cannot have this number of seconds to wait, or None if it can."""
    is_valid = 0 <= seconds <= _LONGEST_TIMEOUT
    return None if is_valid else f"{seconds} is out of range: use 0 to {_LONGEST_TIMEOUT} seconds"


def _printable(value: Any) -> Any:
    r"""``value`` with each byte that is not UTF-8 written as ``\xNN``.

    Ansible 2.19 and newer let a task fail for one in its result, older ones for one in a warning, whatever was done.
    """
    if isinstance(value, str):
        return value.encode(errors="surrogateescape").decode(errors="backslashreplace")
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, (list, tuple)) else value
