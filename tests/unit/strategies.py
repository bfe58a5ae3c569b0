# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hypothesis strategies for values that LVM and this collection accept."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.module_utils._names import lv_name_problem

_WORD = string.ascii_letters + string.digits + "_."
# Pieces that make reserved names and long device names more likely.
_PIECES = st.sampled_from(["-", "_t", "-t", "meta", "snapshot", "_pm", "spare", "--------", "a" * 20]) | st.text(
    _WORD + "-", min_size=1, max_size=12
)

set_names = st.builds(lambda parts: "".join(parts)[:64].lstrip("-") or "x", st.lists(_PIECES, max_size=6))
lv_names = st.builds(
    lambda parts: "".join(parts)[:110].lstrip("-"), st.lists(_PIECES | st.just("+"), min_size=1, max_size=8)
).filter(lambda name: lv_name_problem(name) is None)
lv_uuids = st.text(string.ascii_letters + string.digits, min_size=32, max_size=32).map(
    lambda text: "-".join((text[:6], text[6:10], text[10:14], text[14:18], text[18:22], text[22:26], text[26:]))
)
# Until the end of the year 9999.
seconds = st.integers(0, 253402300799)
counts = st.integers(1, 999)
