# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write docs/fleets.schema.json from the code: `python tests/unit/report_schema.py`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from conftest import link_checkout

ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    sys.path.insert(0, str(link_checkout()))
    from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.data import schema

    (ROOT / "docs" / "fleets.schema.json").write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")
