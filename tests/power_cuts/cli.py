# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cut the power of a virtual machine at random moments of the workflow, and check that it still ends correctly.

    python3 tests/power_cuts --count 40 --seed 1     # the cuts that are not in the table yet; can be interrupted
    python3 tests/power_cuts --shard 1/2             # the first half of them; another process can make the second
    python3 tests/power_cuts --only 7                # only this one, and without the table

The seed and the number of a cut determine its layout, moment and delay. A cut is a SIGKILL for QEMU, whose disks use
writethrough; with --machine uml for user-mode Linux, which has no GRUB. In the layout "root" the set contains / and
/var of a host that boots with its boot loader. In "data" it contains two thick volumes and a thin one on a separate
disk, and QEMU boots the kernel directly. A machine is used again for the next cut if the last one ended correctly.
This program needs the environments of `make setup`. Reports (JUnit) and logs are written to $SAFEPOINT_RESULTS.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import signal
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tools.paths import CACHE, ROOT
from tools.paths import RESULTS as ALL_RESULTS
from tools.reports import Case, write

from power_cuts import table
from power_cuts.cases import LAYOUTS, Cut, derive
from power_cuts.machine import Machine, Wrong
from power_cuts.workflow import Bench, Workflow, set_up

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = Path(os.environ.get("SAFEPOINT_RESULTS") or ALL_RESULTS / "power-cuts").resolve()
TABLE = ROOT / "tests" / "power_cuts" / "results.csv"


def say(text: str) -> None:
    """Print a message immediately, with the time."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


@dataclass(frozen=True)
class Shard:
    """A part of all cuts, chosen so that its cuts can share machines."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Parse PART/PARTS. Raises ArgumentTypeError if it is invalid."""
        with suppress(ValueError):
            number, count = map(int, text.split("/"))
            if 1 <= number <= count:
                return cls(number, count)
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid part: use PART/PARTS, as in 1/2")

    @property
    def name(self) -> str:
        """The name of its machine and its files."""
        return f"cut-{self.number}"

    def of(self, cuts: list[Cut]) -> list[Cut]:
        """This part of the cuts, in an order in which many can share a machine."""
        ordered = sorted(cuts, key=lambda cut: (cut.layout, cut.suite != "trixie", cut.number))
        first, end = (len(ordered) * place // self.count for place in (self.number - 1, self.number))
        return ordered[first:end]


class Series:
    """Cuts, one after another, on the same machine as long as it is suitable and the cuts end correctly."""

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind
        self.bench: Bench | None = None

    def run(self, cut: Cut) -> table.Row:
        """Make one cut. Return its row. Raises Wrong if the machine cannot be created."""
        bench = self.bench_for(cut)
        folder = RESULTS / f"{cut.seed}-{cut.number}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        workflow = Workflow(bench, cut, folder)
        say(f"{cut.title} begins")
        started, problem = time.monotonic(), None
        try:
            workflow.run_all()
        except Wrong as error:
            problem = str(error)
            (folder / "problem.txt").write_text(problem, encoding="utf-8")
            shutil.copy(bench.machine.console, folder / "console.log")
            self.end()
        seconds = time.monotonic() - started
        write(folder / "report.xml", cut.title, [Case(cut.title, seconds, problem)])
        say(f"{cut.title}: {problem or table.RIGHT}, {seconds:.0f} s\n    {workflow.doing} -> {workflow.found}")
        # A row has only the first line; the folder has the rest.
        return workflow.row(seconds, f"wrong: {problem.splitlines()[0]}" if problem else table.RIGHT)

    def bench_for(self, cut: Cut) -> Bench:
        """A machine for a cut: the current one if it has the same layout and release."""
        if self.bench and (self.bench.layout, self.bench.machine.suite) == (cut.layout, cut.suite):
            return self.bench
        self.end()
        say(f"preparing a machine with the layout {cut.layout} and {cut.suite}")
        machine = Machine(self.name, cut.suite, self.kind, CACHE, RESULTS / f"state-{self.name}")
        self.bench = set_up(machine, cut.layout, RESULTS / f"set-up-{self.name}-{cut.layout}-{cut.suite}")
        return self.bench

    def end(self) -> None:
        """Remove the machine, if there is one."""
        Machine(self.name, "", self.kind, CACHE, RESULTS).remove()
        self.bench = None


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Lock the machine. Raises Wrong if another run uses it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Wrong(f"another run with this cache uses {name}: wait until it has ended") from None
        yield


def wanted(options: argparse.Namespace) -> list[Cut]:
    """The cuts to make."""
    if options.only:
        return [derive(options.seed, number) for number in options.only]
    done = table.done(table.load(options.table), options.seed)
    part = options.shard.of([derive(options.seed, number) for number in range(1, options.count + 1)])
    return [cut for cut in part if cut.number not in done and options.layout in (None, cut.layout)]


def run_all(cuts: list[Cut], name: str, kind: str, into: Path | None) -> bool:
    """Make the cuts and add their rows to a table. Return whether all ended correctly. The machine is removed."""
    series, right, report = Series(name, kind), 0, RESULTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    try:
        for number, cut in enumerate(cuts, start=1):
            say(f"{number} of {len(cuts)}")
            row = series.run(cut)
            right += row.verdict == table.RIGHT
            if into:
                table.append(into, row)
    except Wrong as error:
        write(report, name, [Case("the machine", 0, str(error))])
        say(str(error))
    finally:
        # A second Ctrl-C would leave a machine running.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        series.end()
    say(f"{right} right, {len(cuts) - right} wrong or not made")
    return right == len(cuts)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--seed", type=int, default=1, help="default: 1")
    top.add_argument("--count", type=int, default=40, help="how many cuts to make; default: 40")
    top.add_argument("--layout", choices=LAYOUTS, help="only cuts of this layout")
    top.add_argument("--machine", choices=("qemu", "uml"), default="qemu", help="the kind of the machine")
    top.add_argument("--name", help="the name of the machine; default: cut- and the number of the part")
    whole = Shard(1, 1)
    top.add_argument(
        "--shard", type=Shard.parse, default=whole, metavar="PART/PARTS", help="only this part of the cuts"
    )
    top.add_argument("--only", type=int, action="append", metavar="NUMBER", help="only this cut; ignore the table")
    top.add_argument("--table", type=Path, default=TABLE, help=f"default: {TABLE.relative_to(ROOT)}")
    return top


def stop(_signal: int, _frame: object) -> NoReturn:
    """Exit as after Ctrl-C."""
    raise KeyboardInterrupt


def main() -> int:
    """Make the requested cuts. Return 0 if all of them ended correctly."""
    options = parser().parse_args()
    signal.signal(signal.SIGTERM, stop)
    try:
        name = options.name or options.shard.name
        with alone(name):
            RESULTS.mkdir(parents=True, exist_ok=True)
            into = None if options.only else options.table
            return 0 if run_all(wanted(options), name, options.machine, into) else 1
    except Wrong as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("interrupted; no machine is left")
        return 130


if __name__ == "__main__":
    sys.exit(main())
