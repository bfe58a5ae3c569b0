# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the tests of this directory inside a virtual machine of the lab, on real LVM.

    python tests/guest NAME                             # everything
    python tests/guest NAME -- test_merge.py -k thin    # arguments after -- are passed to pytest
    python tests/guest NAME -- --faults 8 --seed 3      # only a sample of the tests in faults/

NAME is a running machine (see tests/vm). The modules use the ansible-core of the Python that runs this program. The
output of pytest is shown immediately, and its exit code becomes the exit code of this program.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

TESTS = Path(__file__).resolve().parent
CHECKOUT = TESTS.parents[1]
# The parts of ansible-core that a module needs. Ansible itself sends even fewer.
ANSIBLE_PARTS = ("__init__.py", "release.py", "module_utils", "_vendor")
REMOTE = "/root/safepoint-guest"
REPORT = f"{REMOTE}/junit.xml"
PYTEST = (
    *("env", f"PYTHONPATH={REMOTE}:{REMOTE}/tests", "python3", "-u", "-m", "pytest"),
    *("-v", "-ra", "-p", "no:cacheprovider", "-W", "error", "--import-mode=importlib", "--strict-markers"),
    *("--durations=10", "--tb=short", f"--rootdir={REMOTE}/tests", f"--junitxml={REPORT}", "-o", "junit_family=xunit2"),
)


def main() -> int:
    """Push, run, fetch the report. Return the exit code of pytest, or of the lab, which has printed its error."""
    options, for_pytest = _arguments(sys.argv[1:])
    with tempfile.TemporaryDirectory() as staging:
        stage(Path(staging), options.plugins)
        if code := lab("push", options.name, f"{staging}/", REMOTE).returncode:
            return code
    if code := lab("run", options.name, "--", "rm", "-f", REPORT).returncode:
        return code
    files = [word for word in for_pytest if word.startswith(("test_", "faults"))]
    chosen = [f"{REMOTE}/tests/{word}" if word in files else word for word in for_pytest]
    where = [] if files else [f"{REMOTE}/tests"]
    code = lab("run", options.name, "--", *PYTEST, *where, *chosen).returncode
    if options.junitxml is not None:
        options.junitxml.parent.mkdir(parents=True, exist_ok=True)
        fetched = lab("pull", options.name, REPORT, str(options.junitxml)).returncode
        code = code or fetched
    return code


def _arguments(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the options of this program and the arguments for pytest."""
    # Split here: argparse considers a list of positionals empty if options stand between NAME and the list.
    cut = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(
        prog="python tests/guest",
        usage="%(prog)s [-h] [--junitxml PATH] [--plugins DIR] NAME [-- PYTEST-ARGUMENT ...]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="a running machine of the lab")
    parser.add_argument("--junitxml", type=Path, metavar="PATH", help="where to save the report of pytest")
    parser.add_argument(
        "--plugins",
        type=Path,
        metavar="DIR",
        default=CHECKOUT / "plugins",
        help="test these plugins instead of those in the checkout",
    )
    return parser.parse_args(words[:cut]), words[cut + 1 :]


def stage(directory: Path, plugins: Path) -> None:
    """Copy into ``directory`` what a guest needs: a part of ansible-core, the collection, the tests."""
    spec = find_spec("ansible")
    if spec is None or spec.origin is None:
        sys.exit("tests/guest: this Python has no ansible-core: use a Python that has it")
    unwanted = shutil.ignore_patterns("__pycache__", "powershell", "csharp")
    for part in ANSIBLE_PARTS:
        source, target = Path(spec.origin).parent / part, directory / "ansible" / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=unwanted)
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(source, target)
    collection = directory / "ansible_collections" / "safepoint" / "lvm"
    shutil.copytree(plugins, collection / "plugins", ignore=unwanted)
    shutil.copytree(TESTS, directory / "tests", ignore=unwanted)


def lab(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command of the lab. Its output is not captured."""
    return subprocess.run([sys.executable, str(CHECKOUT / "tests" / "vm"), *arguments], check=False)


if __name__ == "__main__":
    sys.exit(main())
