# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record what a machine of the lab looks like: `python tests/unit/recordings/record.py MACHINE SYSTEM`.

Each situation of tests/guest/situations.py is made on MACHINE and kept here as SYSTEM-SITUATION.json, where SYSTEM is
for example debian13. test_report.py wants to know beside it, in a file with the suffix .expected.json, what is seen.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_TESTS = _HERE.parents[1]
_REMOTE = "/root/safepoint-guest"


def main() -> None:
    """Run the other half in the machine and fetch what it wrote."""
    machine, system = sys.argv[1:]
    # This brings the collection and the tests into the machine.
    bring = [sys.executable, str(_TESTS / "guest"), machine, "--", "--collect-only"]
    subprocess.run(bring, stdout=subprocess.DEVNULL, check=True)
    environment = f"PYTHONPATH={_REMOTE}:{_REMOTE}/tests"
    _vm("run", machine, "--", "env", environment, "python3", f"{_REMOTE}/tests/situations.py", f"{_REMOTE}/recordings")
    with tempfile.TemporaryDirectory() as directory:
        _vm("pull", machine, f"{_REMOTE}/recordings/", directory)
        for file in Path(directory).iterdir():
            (_HERE / f"{system}-{file.name}").write_bytes(file.read_bytes())


def _vm(*arguments: str) -> None:
    subprocess.run([sys.executable, str(_TESTS / "vm"), *arguments], check=True)


if __name__ == "__main__":
    main()
