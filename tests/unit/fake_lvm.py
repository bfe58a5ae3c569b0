# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""LVM for the program of a rollback timer in unit tests: `fake_lvm.py DIRECTORY COMMAND [OPTION...]`.

It shows the lines of DIRECTORY/lvs, and changes them as LVM would: a merge is pending when it is requested, tags are
added and deleted. Each command that changes something is added to DIRECTORY/calls. If there is a file with the name of
the command, its first line is the exit code, and the rest is what LVM says. There is another file for the command with
--test, which changes nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

NAME, MERGING, INVALID, TAGS = 2, 6, 7, 10


def main() -> int:
    """Carry out one command. Return its exit code."""
    top, command, words = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    test = "--test" in words
    fault = top / f"fault-{command}{'-test' if test else ''}"
    if fault.exists():
        code, _line_feed, message = fault.read_text().partition("\n")
        sys.stderr.write(message)
        return int(code)
    lines = [line.split("|") for line in (top / "lvs").read_text().splitlines()]
    if test:
        return 0
    if command == "lvs":
        print("\n".join("|".join(line) for line in lines))
        return 0
    with (top / "calls").open("a") as calls:
        print(command, *_shown(words), file=calls)
    for line in lines:
        if "--activate" in words and line[INVALID] == "unknown":
            line[INVALID] = ""
        if line[NAME] in words:
            _change(line, command, words)
    (top / "lvs").write_text("".join("|".join(line) + "\n" for line in lines))
    return 0


def _change(line: list[str], command: str, words: list[str]) -> None:
    if command == "lvconvert":
        line[MERGING] = "merging"
    tags = [tag for tag in line[TAGS].split(",") if tag and tag not in _values(words, "--deltag")]
    line[TAGS] = ",".join([*tags, *_values(words, "--addtag")])


def _values(words: list[str], option: str) -> list[str]:
    return [value for name, value in zip(words, words[1:]) if name == option]


def _shown(words: list[str]) -> list[str]:
    """The words without the settings."""
    place = words.index("--config")
    return [*words[:place], *words[place + 2 :]]


if __name__ == "__main__":
    sys.exit(main())
