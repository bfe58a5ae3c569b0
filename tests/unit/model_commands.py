# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that the model of LVM understands, and its error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_WITH_VALUE = (
    "--select",
    "--extents",
    "--chunksize",
    "--name",
    "--addtag",
    "--deltag",
    "--setactivationskip",
    "--interval",
    "--poll",
)


class CommandError(Exception):
    """LVM exits with code 5 and this message."""


@dataclass(frozen=True)
class Command:
    name: str
    operands: tuple[str, ...]
    options: Mapping[str, tuple[str, ...]]

    def one(self, option: str) -> str:
        (value,) = self.options[option]
        return value

    def all(self, option: str) -> tuple[str, ...]:
        return self.options.get(option, ())


def parse(arguments: Sequence[str]) -> Command:
    options: dict[str, tuple[str, ...]] = {}
    operands: list[str] = []
    words = iter(arguments[1:])
    for word in words:
        if word in ("-an", "-ay"):
            options["--activate"] = (word[2:],)
        elif word.startswith("--"):
            options[word] = (*options.get(word, ()), *([next(words)] if word in _WITH_VALUE else []))
        else:
            operands.append(word)
    return Command(name=arguments[0], operands=tuple(operands), options=options)


def error_of(act: Callable[[str], None], name: str) -> str:
    try:
        act(name)
    except CommandError as error:
        return str(error)
    return ""
