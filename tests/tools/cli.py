# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of the tools for tests: `python3 tests/tools COMMAND`, as in the Makefile."""

from __future__ import annotations

import argparse
import ctypes
import functools
import shutil
import signal
import sys
from typing import TYPE_CHECKING, Callable

from tools import envs, stages
from tools.gates import GATES
from tools.paths import CACHE, RESULTS, ToolError, may_delete_cache
from tools.stages import Stage
from tools.tree import build_artefact

if TYPE_CHECKING:
    from collections.abc import Collection


# From <linux/prctl.h>.
PR_SET_PDEATHSIG = 1


def _setup(options: argparse.Namespace) -> bool:
    wanted = tuple(one for one in envs.ALL if not options.names or one.name in options.names)
    return stages.set_up(wanted)


def _lint(options: argparse.Namespace) -> bool:
    return stages.set_up((envs.MAIN, envs.IMPORTER)) and stages.lint(RESULTS / "lint", options.names)


def _unit(_options: argparse.Namespace) -> bool:
    return stages.set_up(envs.UNIT) and stages.unit(RESULTS / "unit")


def _roles(_options: argparse.Namespace) -> bool:
    return stages.set_up((envs.MAIN, *envs.CONTROLLERS)) and stages.roles(RESULTS / "roles")


def _browser(_options: argparse.Namespace) -> bool:
    return stages.set_up((envs.MAIN,)) and stages.browser(RESULTS / "browser")


def _test(options: argparse.Namespace) -> bool:
    guests = functools.partial(stages.guests, arguments=("--series", "all") if options.all else ())
    return stages.run_stages(
        [
            Stage("lint", stages.lint),
            Stage("unit", stages.unit),
            Stage("roles", stages.roles),
            Stage("browser", stages.browser),
            Stage("guests", guests),
        ]
    )


def _faults(_options: argparse.Namespace) -> bool:
    return stages.set_up((envs.MAIN,)) and stages.faults()


def _build(_options: argparse.Namespace) -> bool:
    ready = stages.set_up((envs.MAIN,))
    if ready:
        print(build_artefact())
    return ready


def _clean(_options: argparse.Namespace) -> bool:
    if not CACHE.exists():
        return True
    if not may_delete_cache():
        raise ToolError(f"{CACHE} (SAFEPOINT_CACHE) was not created by these tests: delete it yourself")
    shutil.rmtree(CACHE)
    return True


def _one_of(known: Collection[str]) -> Callable[[str], str]:
    # `choices` of argparse would refuse an empty list of names.
    def checked(name: str) -> str:
        if name not in known:
            raise argparse.ArgumentTypeError(f"invalid name {name!r}: use one of {', '.join(known)}")
        return name

    return checked


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/tools", description="Environments, checks and tests of safepoint.lvm.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    setup = commands.add_parser("setup", help="build the Python environments")
    setup.add_argument("names", nargs="*", metavar="ENVIRONMENT", type=_one_of([one.name for one in envs.ALL]))
    setup.set_defaults(run=_setup)
    lint = commands.add_parser("lint", help="run all static checks, or only those that are named")
    lint.add_argument("names", nargs="*", metavar="CHECK", type=_one_of(GATES), help=", ".join(GATES))
    lint.set_defaults(run=_lint)
    commands.add_parser("unit", help="run the unit tests with every ansible-core").set_defaults(run=_unit)
    commands.add_parser("roles", help="run the tests of the roles with every ansible-core").set_defaults(run=_roles)
    browser = commands.add_parser("browser", help="run the tests of the report's page in Chromium")
    browser.set_defaults(run=_browser)
    test = commands.add_parser("test", help="run everything and print the counts")
    test.add_argument("--all", action="store_true", help="run also the jobs of the series `all`")
    test.set_defaults(run=_test)
    commands.add_parser("faults", help="break hosts on purpose; continues an interrupted run").set_defaults(run=_faults)
    commands.add_parser("build", help="build the artefact and print its path").set_defaults(run=_build)
    commands.add_parser("clean", help="delete the cache directory").set_defaults(run=_clean)
    return parser


def main() -> int:
    """Run one command. If the tools themselves fail, they print one message on standard error."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # If make is killed, this program ends too.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    try:
        return 0 if options.run(options) else 1
    except ToolError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
