# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users hear of a host that needs a person to boot: a warning, or a refusal if nobody may be there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import builders as b
import driver
import pytest
from backups import ROOT, taken

from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import Lock
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.locks import passphrase_problems, reboot_warnings

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState

KEY = Lock("pv", "key")
UNKNOWN = Lock("pv", "unknown", "/etc/crypttab has tpm2-device=auto")
PERSON = Lock("pv", "person", "/etc/crypttab has no key file for it")


def host(*locks: Lock) -> HostState:
    one = b.host_state([ROOT, taken()], mounts={"/": ROOT})
    return replace(one, host=replace(one.host, locks=locks))


@pytest.mark.parametrize(("locks", "problems", "warnings"), [([KEY], 0, 0), ([UNKNOWN], 0, 1), ([PERSON, KEY], 1, 1)])
def test_problems_and_warnings(locks: list[Lock], problems: int, warnings: int) -> None:
    one = host(*locks)
    assert (len([*passphrase_problems(one)]), len(reboot_warnings(one))) == (problems, warnings)


@pytest.mark.parametrize("lock", [UNKNOWN, PERSON])
def test_a_rollback_is_predicted_with_a_warning(lock: Lock) -> None:
    (warning,) = driver.plan(host(lock), b.request(state="merged")).warnings
    assert lock.reason in warning
