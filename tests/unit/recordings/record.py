# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record what a machine of the lab looks like: `python tests/unit/recordings/record.py MACHINE FILE`.

The file is for test_report.py, which wants to know beside it, in FILE with the suffix .expected.json, what is seen.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[2]


def main() -> None:
    """Run the other half in the machine and keep what it prints."""
    machine, file = sys.argv[1:]
    sys.path.insert(0, str(_ROOT / ".cache" / "link"))
    from ansible_collections.safepoint.lvm.plugins.module_utils._report import report_arguments  # noqa: PLC0415

    script = (_HERE / "in_guest.py").read_text(encoding="utf-8")
    lab = [sys.executable, str(_ROOT / "tests" / "lab"), "run", machine, "--", "python3", "-c", script]
    done = subprocess.run([*lab, *report_arguments()], stdout=subprocess.PIPE, text=True, check=True)
    Path(file).write_text(done.stdout + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
