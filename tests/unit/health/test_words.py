# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program and the module write any bytes as the same word."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timer_directory import SHELLS

from ansible_collections.safepoint.lvm.plugins.module_utils._health.program.base import BASE
from ansible_collections.safepoint.lvm.plugins.module_utils._health.words import is_word, to_word

if TYPE_CHECKING:
    from pathlib import Path

BYTES = [bytes([number]) for number in range(1, 256)]
ODD = (b"", b"-", b"--", b"a*b", b"a b", b"\n\n", b"/srv/donn\xc3\xa9es", b"\xc3", b"\\040", b"'\"`$(reboot)", b"%s")
PATHS = {
    rb"/srv/a\040b": rb"/srv/a\x20b",
    rb"/srv/\134x": rb"/srv/\x5cx",
    rb"/srv/\011\012": rb"/srv/\x09\x0a",
    rb"/srv/\043": rb"/srv/#",
    rb"/srv/\04": rb"/srv/\x5c04",
    b"/srv/*\xff": rb"/srv/\x2a\xff",
    rb"\040-": rb"\x20-",
}


def words(tmp_path: Path, shell: str, function: str, texts: list[bytes]) -> list[str]:
    """What a function of the program makes of texts."""
    functions = BASE[BASE.index("NEWLINE=") :]
    loop = f'for one in "$@"; do {function} "$one"; printf "%s\\n" "$word"; done'
    (tmp_path / "program").write_text(f"set -uf\nexport LC_ALL=C\n{functions}\n{loop}\n")
    argv: list[str | bytes] = [*SHELLS[shell], str(tmp_path / "program"), *texts]
    return subprocess.run(argv, capture_output=True, check=True).stdout.decode("ascii").splitlines()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_program_writes_the_same_words(shell: str, tmp_path: Path) -> None:
    texts = [*BYTES, *(b"a" + byte + b"b" for byte in BYTES), *ODD]
    expected = [to_word(text.decode(errors="surrogateescape")) for text in texts]
    assert words(tmp_path, shell, "escape", texts) == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_the_program_reads_paths_of_the_kernel(shell: str, tmp_path: Path) -> None:
    assert words(tmp_path, shell, "escape_path", [*PATHS]) == [word.decode() for word in PATHS.values()]


@given(st.binary(min_size=1), st.binary(min_size=1))
def test_a_word_stands_for_exactly_one_text(one: bytes, other: bytes) -> None:
    texts = [text.decode(errors="surrogateescape") for text in (one, other)]
    found = [to_word(text) for text in texts]
    assert all(is_word(word) and word.isascii() and word != "-" for word in found)
    assert (found[0] == found[1]) == (one == other)


@pytest.mark.parametrize("text", ["", "a b", "a*", "\\x", "\\xAB", "\\040", "ä", "a\n"])
def test_what_is_not_a_word(text: str) -> None:
    assert not is_word(text)
