# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of a module that keeps something for a snapset, planned and carried out in one pass. Private."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from .._errors import CommandFailed, FilesFailed, Refused, sentence_of
from .._snapset.context import situation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ansible.module_utils.basic import AnsibleModule

    from .._snapset.context import Situation
    from .._snapset.steps import Step
    from .changes import ChangeSession

_Made = TypeVar("_Made")


class Run:
    """What is there, and what is done or, in check mode, would be done; ``title`` is what refusals are about."""

    def __init__(self, module: AnsibleModule, session: ChangeSession, title: str) -> None:
        self.name: str = module.params["name"]
        self.state: str = module.params["state"]
        self.predicts = bool(module.check_mode)
        self.warn = session.warn
        self.planned: list[dict[str, Any]] = []
        self._title = title
        self._session = session
        self.now = self.look()

    def look(self) -> Situation:
        """What is there now."""
        return situation(self._session.observe(), self.name)

    @contextmanager
    def file_errors(self) -> Iterator[None]:
        """Raise FilesFailed for whatever the operating system says of a file."""
        try:
            yield
        except OSError as error:
            told = sentence_of(error)
            raise FilesFailed(f"{told}; run this again to finish what was begun", changed=bool(self.planned)) from error

    def refuse_for(self, problems: Iterable[str]) -> None:
        """Raise Refused when there are any."""
        found = tuple(problems)
        if found:
            raise Refused(f"{self._title} cannot be {self.state}", found)

    def lvm(self, step: Step) -> None:
        """Plan a step, and carry it out. Raises CommandFailed."""
        self.planned.append(dict(step.render()))
        if self.predicts:
            return
        outcome = self._session.run(step.arguments())
        if outcome.rc != 0:
            raise CommandFailed(
                f"{step.render()['step']} failed: LVM exited with {outcome.rc} and said: {outcome.stderr.strip()}",
                cmd=list(outcome.argv),
                rc=outcome.rc,
                stderr=outcome.stderr,
                changed=len(self.planned) > 1,
            )

    def work(self, step: str, do: Callable[[], _Made], **details: Any) -> _Made | None:
        """Plan what is no LVM command, and carry it out; what it returns, nothing in check mode."""
        self.planned.append({"step": step, **details})
        return None if self.predicts else do()
