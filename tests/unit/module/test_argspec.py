# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the values of parameters mean that several modules have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import InvalidParameter
from ansible_collections.safepoint.lvm.plugins.module_utils._module.argspec import duration_parameter, list_parameter


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("/", ("/",)),
        ("/,/var", ("/", "/var")),
        ("/, /var ", ("/", "/var")),
        ("[/, /var]", ("/", "/var")),
        (" [ '/', \"/a b\" ] ", ("/", "/a b")),
        ("['/']", ("/",)),
        ("[]", ()),
        ("[ ]", ()),
        ("[SWAP]", ("[SWAP]",)),
        ("/, [SWAP]", ("/", "[SWAP]")),
        ("[SWAP], /", ("[SWAP]", "/")),
        ("[[SWAP], /]", ("[SWAP]", "/")),
        ("[/, [SWAP]]", ("/", "[SWAP]")),
        ("it's,'", ("it's", "'")),
        ("'a\"", ("'a\"",)),
        # Text from a variable that is empty: what is not meant is not guessed.
        ("", ("",)),
        ("/,", ("/", "")),
    ],
)
def test_lists_that_come_as_text(text: str, items: tuple[str, ...]) -> None:
    """Ansible has cut it at its commas before a module sees it."""
    assert list_parameter(text.split(",")) == items


@given(st.lists(st.from_regex(r"\A(/[^\s]*|[A-Za-z0-9+_.][A-Za-z0-9+_.-]*/[a-z]+|\[SWAP\])\Z"), max_size=4))
def test_lists_that_come_as_lists_stay_what_they_are(items: list[str]) -> None:
    assert list_parameter(items) == tuple(items)


def test_no_list() -> None:
    assert list_parameter([]) == ()


def test_durations_have_limits() -> None:
    assert duration_parameter("24h", "max_age", least="0s", most="30d").seconds == 86400
    for text in ("31d", "soon"):
        with pytest.raises(InvalidParameter) as caught:
            duration_parameter(text, "max_age", least="0s", most="30d")
        told = "is not a valid duration: use 0s to 30d, for example 90s, 30m, 12h or 7d"
        assert caught.value.message == f"max_age: {text!r} {told}"
