# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One power cut: the prepared machine, and the workflow that is interrupted by the cut. The program is cli.py."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from power_cuts import checks, table
from power_cuts.cases import MOMENTS, Cut, Layout
from power_cuts.machine import Machine, Running, Wrong, as_json, finish, last_output, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

SNAPSET = "before_change"
MOUNTPOINTS: dict[Layout, tuple[str, ...]] = {"data": ("/srv/one", "/srv/two", "/srv/thin"), "root": ("/", "/var")}
INITRAMFS_SCRIPT = "/etc/initramfs-tools/scripts/local-bottom/safepoint-lvm"
# How long the playbook commit takes in software emulation on an idle machine.
COMMIT_SECONDS = 12
# The states of a set for which a rollback must be refused.
NO_ROLLBACK = ("absent", "incomplete", "damaged")
# The states of a member whose filesystem must have the content from before the snapset.
RESTORED = ("merging", "merge_pending", "rolled_back")
# A step may fail once, for example a rollback that needs a second reboot.
RUNS_ALLOWED = 2
CREATE_VOLUMES = """
disk=/dev/disk/by-id/virtio-disk1
[ -e "$disk" ] || disk=/dev/ubdb
vgcreate --quiet data "$disk"
lvcreate --quiet --yes --size 256M --name one data
lvcreate --quiet --yes --size 320M --name two data
lvcreate --quiet --yes --type thin-pool --size 800M --name pool data
lvcreate --quiet --yes --virtualsize 256M --thinpool pool --name thin data
for volume in "one ext4" "two xfs" "thin ext4"; do
    set -- $volume
    mkfs.$2 -q /dev/data/$1
    mkdir /srv/$1
    echo "/dev/mapper/data-$1 /srv/$1 $2 defaults 0 0" >>/etc/fstab
done
systemctl daemon-reload
mount --all
sync
"""


@dataclass(frozen=True)
class Bench:
    """A machine that is ready for a cut, and its clean state."""

    machine: Machine
    layout: Layout
    clean: dict[str, Any]
    # How slow it is: 1 is software emulation on an idle machine.
    slowness: float

    @property
    def directories(self) -> list[str]:
        """The directories with the files, one on the filesystem of each member."""
        return [str(Path(mountpoint) / "cuts") for mountpoint in MOUNTPOINTS[self.layout]]


@dataclass
class Workflow:
    """The workflow with one cut, and everything it has recorded."""

    bench: Bench
    cut: Cut
    folder: Path
    before: checks.Sums = field(default_factory=dict)
    changes: checks.Changes = field(default_factory=dict)
    delay: float = 0
    doing: str = ""
    found: str = ""
    runs: list[str] = field(default_factory=list)
    end: str = ""

    @property
    def machine(self) -> Machine:
        """The machine."""
        return self.bench.machine

    def run_all(self) -> None:
        """Run the whole workflow. Raises Wrong if anything is not as it must be."""
        self.before = self.machine.inside("write", *self.bench.directories)
        if self.cut.moment == "preparing":
            self.machine.shell(f"rm -f {INITRAMFS_SCRIPT}; sync")
        moment = MOMENTS[self.cut.moment]
        steps = ("pre_upgrade", "change", self.cut.ending)
        for step in steps:
            if step == self.cut.ending and not self.cut.mounted:
                self.machine.shell(f"umount {' '.join(MOUNTPOINTS[self.cut.layout])}")
            if step != moment.step:
                self.run(step)
                continue
            self.run_until_the_cut(step)
            self.machine.boot()
            self.check_after_boot()
            # The step change is not repeated: its finished changes exist, or are rolled back.
            if step != "change":
                self.run(step, attempts=RUNS_ALLOWED)
            if self.cut.moment == "preparing":
                self.machine.shell(f"lsinitramfs /boot/initrd.img-* | grep {Path(INITRAMFS_SCRIPT).name}")
        self.conclude()

    def run(self, step: str, attempts: int = 1) -> None:
        """Run a step to its end. Raises Wrong if all attempts fail."""
        for attempt in range(1, attempts + 1):
            self.runs.append(step)
            with self.started(step) as running:
                try:
                    finish(running)
                except Wrong:
                    if attempt == attempts:
                        raise
                else:
                    break
                finally:
                    self.note_changes(step, running)
        if step == "pre_upgrade":
            found = self.machine.snapset(SNAPSET)["state"]
            if found != "active":
                raise Wrong(f"pre_upgrade succeeded, but the set is {found}")

    @contextmanager
    def started(self, step: str) -> Iterator[Running]:
        """Start a step. It is ended afterwards."""
        log = self.folder / f"{len(self.runs)}-{step}.log"
        variables = {"snapset": SNAPSET}
        if step == "change":
            with self.machine.changing(self.bench.directories, log) as running:
                yield running
            return
        if step == "pre_upgrade":
            variables["pre_upgrade_mountpoints"] = ",".join(MOUNTPOINTS[self.cut.layout])
        with self.machine.playing(step, variables, log) as running:
            yield running

    def run_until_the_cut(self, step: str) -> None:
        """Run a step, and cut the power at the moment of this cut."""
        moment = MOMENTS[self.cut.moment]
        self.delay = self.cut.fraction * moment.seconds * self.bench.slowness
        offset = self.machine.console.stat().st_size
        self.runs.append(f"{step} (cut)")
        with self.started(step) as running:
            if moment.console:
                wait_for(moment.after, self.machine.console, running, offset=offset)
            else:
                wait_for(moment.after, running.log, running)
            time.sleep(self.delay)
            code = running.process.poll()
            self.machine.cut()
            self.note_changes(step, running)
            self.doing = last_output(running, self.machine.console, offset, code)
        if code:
            raise Wrong(f"the step failed before the cut: {running.log.name}\n{running.tail()}")

    def note_changes(self, step: str, running: Running) -> None:
        """Record which changes are known to be on the disk."""
        if step == "change":
            # The last line can be incomplete.
            self.changes = dict(as_json(line) for line in running.text().splitlines() if line.endswith("]"))

    def check_after_boot(self) -> None:
        """Check the host after the boot that follows the cut."""
        host, snapset = self.machine.inside("observe"), self.machine.snapset(SNAPSET)
        state = snapset["state"]
        members = ", ".join(f"{one['origin']} {one['state']}" for one in snapset["members"])
        self.found = f"{state}: {members}" if members else state
        if state not in MOMENTS[self.cut.moment].found:
            raise Wrong(f"not an allowed state after the cut: {self.found}")
        problems = checks.host_problems(host) + checks.snapset_problems(snapset, host, len(self.bench.directories))
        require_none(problems + self.content_problems(snapset))
        if state in NO_ROLLBACK and self.machine.module("snapset", "--check", "-a", f"name={SNAPSET} state=merged")[0]:
            raise Wrong(f"a rollback of a set that is {state} is not refused")

    def content_problems(self, snapset: dict[str, Any]) -> list[str]:
        """What is wrong with the files after the boot: those of a merging member must be old, all others new."""
        now = self.machine.inside("read", *self.bench.directories)
        restored = [path for one in snapset["members"] if one["state"] in RESTORED for path in one["mountpoints"]]
        problems = []
        for mountpoint, directory in zip(MOUNTPOINTS[self.cut.layout], self.bench.directories):
            before, present = checks.below(directory, self.before), checks.below(directory, now)
            if mountpoint in restored:
                problems += checks.restored_problems(before, present)
            else:
                problems += checks.kept_problems(before, checks.below(directory, self.changes), present)
        return problems

    def conclude(self) -> None:
        """Check the result of the workflow, remove the outcome, and check that the host is clean."""
        self.end = self.machine.snapset(SNAPSET)["state"]
        if self.end != ("rolled_back" if self.cut.ending == "rollback" else "absent"):
            raise Wrong(f"at the end the set is {self.end}")
        self.machine.shell("mount --all")
        now = self.machine.inside("read", *self.bench.directories)
        if self.cut.ending == "rollback":
            require_none(checks.restored_problems(self.before, now))
            self.run("commit")
        else:
            require_none(checks.kept_problems(self.before, self.changes, now))
        host = self.machine.inside("observe")
        require_none(checks.host_problems(host) + checks.leftover_problems(host, self.bench.clean))

    def row(self, seconds: float, verdict: str) -> table.Row:
        """The row of the cut in the table."""
        return table.Row(
            seed=str(self.cut.seed),
            number=str(self.cut.number),
            suite=self.cut.suite,
            layout=self.cut.layout,
            moment=self.cut.moment,
            volumes="mounted" if self.cut.mounted else "closed",
            delay=f"{self.delay:.1f}",
            doing=self.doing,
            found=self.found,
            runs=", ".join(self.runs),
            end=self.end,
            seconds=f"{seconds:.0f}",
            verdict=verdict,
        )


def require_none(problems: list[str]) -> None:
    """Raises Wrong if there are problems."""
    if problems:
        raise Wrong("; ".join(problems))


def set_up(machine: Machine, layout: Layout, logs: Path) -> Bench:
    """Create a machine for cuts of a layout, and run pre_upgrade and commit on it once.

    The role pre_upgrade prepares the initramfs. If QEMU boots the kernel directly, this initramfs is copied out of it.
    """
    direct = layout == "data" and machine.kind == "qemu"
    options = ["--disk", "3G"] if layout == "data" else []
    machine.create(*options, *(["--direct-kernel"] if direct else []))
    if layout == "data":
        machine.shell(CREATE_VOLUMES)
    variables = {"snapset": SNAPSET, "pre_upgrade_mountpoints": ",".join(MOUNTPOINTS[layout])}
    for playbook in ("pre_upgrade", "commit"):
        started = time.monotonic()
        with machine.playing(playbook, variables, logs / f"{playbook}.log") as running:
            finish(running)
    slowness = (time.monotonic() - started) / COMMIT_SECONDS
    if direct:
        machine.shell("cp /boot/initrd.img-* /run/initrd.img")
        machine.pull("/run/initrd.img", machine.directory / "initrd.img")
        machine.shell("sync")
        machine.cut()
        machine.boot()
    clean = machine.inside("observe")
    require_none(checks.host_problems(clean))
    return Bench(machine, layout, clean, slowness)
