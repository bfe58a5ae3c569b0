# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory of a rollback timer, in which its shell program runs as on a host.

It runs in a shell of this machine, with the tools of this machine instead of a toolbox. A host is simulated by files in
the directory: its clock, its uptime, what LVM shows. The program sleeps without waiting: `sleep` sets both clocks
forward, and carries out what is to happen meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import builders as b
import driver
from backups import ROOT, backup, host, taken

from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import Mount
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer import script
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.program.watch import FUNCTIONS, PROGRAM
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Tree

SHELLS = {"dash": ["/bin/dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}
TAGS = _tags.TimerTags(
    set_name="s", set_id=b.SET_ID, armed=b.NOW, after=1800, boots=2, vg=b.lvm_uuid("vg"), ready=True, spread=180
)
TERM = {"serial": "t1", "after": 1800, "delay": 0, "spread": 180, "boots": 2, "target": "kiosk.target", "machine": "M1"}
TICK = 300
TIMER = "vg/safepoint_timer_s"
# Called like the loader: with its own options, then the path of a program and its arguments.
_LOADER = """\
#!/bin/sh
name=${3##*/}
shift 3
[ ! -x "$0.$name" ] || exec "$0.$name" "$@"
PATH=/usr/bin:/bin exec "$name" "$@"
"""
_SLEEP = """\
#!/bin/sh
PATH=/usr/bin:/bin
cd {top} || exit
# The program waits for another process, which can be slow on a busy machine. If it hangs, the test need not wait.
case $1 in
0.1) [ -e hanging ] || sleep 0.02; exit ;;
1) [ -e hanging ] || sleep 0.1; exit ;;
esac
read -r uptime _ <uptime
read -r clock <clock
uptime=$((${{uptime%.*}} + $1))
echo "$uptime.75 9.00" >uptime
echo $((clock + $1)) >clock
for event in events/*; do
    moment=${{event#*/}}
    [ -e "$event" ] && [ "$uptime" -ge "${{moment%-*}}" ] || continue
    mv "$event" event
    . ./event
done
# Then a test waits for something that does not happen.
[ "$uptime" -lt {longest} ] || kill -9 0
"""
_DATE = """\
#!/bin/sh
read -r clock <{top}/clock
case $* in +%s) echo "$clock" ;; *-d*) echo "date $3" ;; *) echo "at-$clock" ;; esac
"""
_SYSTEMCTL = """\
#!/bin/sh
PATH=/usr/bin:/bin
cd {top} || exit
case $* in
is-active*) grep -qsx "$3" active; exit ;;
esac
echo "systemctl $*" >>calls
[ -e no-reboot ] || kill -9 0
"""
# In seconds of the simulated host.
_LONGEST = 12000
_LVM = Path(__file__).with_name("fake_lvm.py")


@dataclass
class Volume:
    """An LV as the program's report shows it. ``missing`` counts the missing PVs of its VG."""

    name: str
    uuid: str
    origin: str = ""
    merging: str = ""
    invalid: str = ""
    pool: str = ""
    moving: str = ""
    tags: str = ""
    missing: int = 0

    def line(self) -> str:
        """The line of the report."""
        vg, _slash, name = self.name.partition("/")
        path = f"/dev/mapper/{vg}-{name}"
        fields = (self.name, path, str(self.missing), self.origin, self.merging, self.invalid)
        return "|".join((b.lvm_uuid(vg), self.uuid, *fields, self.pool, self.moving, self.tags))


def volumes() -> dict[str, Volume]:
    """The LVs of the simulated host, by name."""
    snapshot, origin = taken(), ROOT
    found = (
        Volume("vg/root", origin.uuid),
        Volume(snapshot.full_name, snapshot.uuid, origin=origin.uuid),
        Volume("vg/safepoint_boot_s", backup().uuid, invalid="unknown"),
        Volume(TIMER, b.lvm_uuid(TIMER), tags=",".join((*TAGS.to_tags(), _tags.TIMER_READY))),
    )
    return {one.name: one for one in found}


@dataclass
class Timer:
    """A timer on a simulated host."""

    top: Path
    shell: str = "dash"

    def call(self, command: str) -> list[str]:
        """Run shell code with the functions of the program. Return what it printed."""
        text = f"set -- '{self.top}'\n{FUNCTIONS}\n{command}"
        argv = [*SHELLS[self.shell], "-c", text]
        # In its own session: the end of the host is the end of its processes.
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=300, cwd="/", start_new_session=True
        )
        assert "not set" not in done.stderr, done.stderr
        return done.stdout.splitlines()

    def boot(self, boot_id: str = b.BOOT, *, clock: int | None = None, uptime: int | None = None) -> int:
        """Start the program, in another boot or with other clocks if they are given, and wait until it has ended.

        Return its exit code, or -9 if the host was switched off. The clock goes on by a minute between two boots.
        """
        if boot_id != self.read("boot_id"):
            self.write("clock", f"{int(self.read('clock')) + 60 if clock is None else clock}")
            self.write("uptime", f"{20 if uptime is None else uptime}.75 9.00")
            self.write("boot_id", boot_id)
            for name in ("run/status", "run/motd.d/s"):
                (self.top / name).unlink(missing_ok=True)
        return self.start()

    def start(self) -> int:
        """Start the program once more in the same boot."""
        argv = [*SHELLS[self.shell], str(self.top / "go-back"), str(self.top)]
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=600, cwd="/", start_new_session=True
        )
        # What tools say is not the concern of a test, but that the shell understands the program.
        wrong = [line for line in done.stderr.splitlines() if "go-back: " in line and "Killed" not in line]
        assert not wrong, done.stderr
        return done.returncode

    def at(self, uptime: int, command: str) -> None:
        """Carry out a shell command when the host has been up for so many seconds."""
        count = len([*(self.top / "events").iterdir()])
        self.write(f"events/{uptime}-{count}", f"{command}\n")

    def cut_power_at(self, uptime: int) -> None:
        """Switch the host off when it has been up for so many seconds."""
        self.at(uptime, "kill -9 0")

    def show(self, *, missing: int = 0, **changes: Mapping[str, Any] | None) -> None:
        """Change what LVM shows: how many PVs are missing; and for each LV of vg what is different, or None."""
        found = volumes()
        for name, fields in changes.items():
            if fields is None:
                del found[f"vg/{name}"]
            else:
                found[f"vg/{name}"] = Volume(**{**found.get(f"vg/{name}", Volume("", "")).__dict__, **fields})
        self.write("lvs", "".join(f"  {replace(one, missing=missing).line()}\n" for one in found.values()))

    def term(self, **changes: Any) -> None:
        """Write what was requested."""
        self.write("term", script.term(**{**TERM, **changes}))

    def read(self, name: str) -> str:
        """Return the content of a file, without the last line feed; empty if it does not exist."""
        file = self.top / name
        return file.read_text().rstrip("\n") if file.exists() else ""

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        (self.top / name).write_text(text if text.endswith("\n") else f"{text}\n")

    @property
    def phase(self) -> str:
        """The phase that the program shows."""
        return self.read("run/status").split(" ")[1]

    @property
    def reason(self) -> str:
        """The reason that the program shows."""
        return self.read("run/status").partition("\n")[2]

    @property
    def now(self) -> int:
        """The uptime of the host."""
        return int(self.read("uptime").partition(".")[0])

    def fired_at(self, moment: int) -> bool:
        """Whether it has rolled the host back, as soon as the host had been up for so many seconds."""
        return self.fired and moment <= self.now < moment + TICK + 60

    @property
    def fired(self) -> bool:
        """Whether it has rolled the host back."""
        return self.calls[-1:] == ["systemctl --no-block reboot"]

    @property
    def calls(self) -> list[str]:
        """The commands that have changed something, the reboot included."""
        return self.read("calls").splitlines()

    @property
    def log(self) -> list[str]:
        """The messages in the log."""
        return [line.split(" ", 1)[1] for line in self.read("log").splitlines()]

    def replace_tool(self, name: str, text: str) -> None:
        """Use a shell script instead of a tool."""
        executable(self.top / "lib" / f"ld.{name}", f"#!/bin/sh\n{text}\n")


def make_timer(top: Path, *, shell: str = "dash", boot: bool = False, **values: Any) -> Timer:
    """Fill the directory of a timer that was armed at b.NOW, 500 s after the boot. ``values`` replace facts.

    With ``boot`` it has a backup of /boot.
    """
    for name in ("lib", "bin", "events", "run"):
        (top / name).mkdir()
    timer = Timer(top, shell)
    executable(top / "lib" / "ld", _LOADER)
    executable(top / "lib" / "ld.lvm", f'#!/bin/sh\nexec {sys.executable} -S -E {_LVM} {top} "$@"\n')
    for name, text in (("sleep", _SLEEP), ("date", _DATE)):
        executable(top / "lib" / f"ld.{name}", text.format(top=top, longest=_LONGEST))
    executable(top / "systemctl", _SYSTEMCTL.format(top=top))
    for name in ("mount", "umount", "dmsetup"):
        timer.replace_tool(name, "")
    armed_on = host(taken(), *([backup()] if boot else []), boot=("/boot",) if boot else ())
    rollback = driver.rollback_script_of(armed_on)
    places = {name: f"{top}/{name.lower()}" for name in (*script.PLACES, "STATUS", "MOTD")}
    places |= {"STATUS": f"{top}/run/status", "MOTD": f"{top}/run/motd.d/s", "LOCK": f"{top}/run/lock"}
    shown = {**places, "TICK": str(TICK), **values}
    timer.write("facts", script.facts(TAGS, rollback, armed_on) + "".join(f"{k}='{v}'\n" for k, v in shown.items()))
    timer.write("members", script.members(rollback))
    timer.write("failed", f"0 {b.BOOT}")
    timer.write("boot_id", b.BOOT)
    timer.write("clock", str(b.NOW))
    timer.write("uptime", "500.75 9.00")
    timer.write("machine", "m1")
    timer.write("cmdline", "root=/dev/vg/root ro")
    for name in ("boot", "menus", "filesystems", "mounts"):
        (top / name).write_text("")
    (top / "go-back").write_text(PROGRAM)
    (top / "backup" / "tree").mkdir(parents=True)
    (top / "backup" / "tree" / "saved").touch()
    timer.write("backup/SHA256SUMS", f"{hashlib.sha256().hexdigest()}  saved")
    timer.term()
    timer.show()
    sums = subprocess.run(["sha256sum", "facts", "members"], cwd=top, capture_output=True, text=True, check=True)
    timer.write("SHA256SUMS", sums.stdout)
    return timer


def place_timer(top: Path) -> Path:
    """Fill the directory of a timer with a backup of /boot."""
    make_timer(top, boot=True)
    return top


def list_boot(top: Path, *trees: Tree) -> None:
    """Write the files from which the program restores ``trees``, whose filesystems are mounted."""
    mounts = [Mount(tree.mountpoint, "/dev/x", tree.fstype, (254, place)) for place, tree in enumerate(trees)]
    devices = {mount.mountpoint: (mount.source, "") for mount in mounts}
    (top / "boot").write_text(script.boot_list(trees))
    (top / "menus").write_text(script.menus(trees))
    (top / "filesystems").write_text(script.filesystems(devices, mounts, trees))


def shell_of(test: str) -> str:
    """The name of the shell for a test, always the same. With TIMER_SHELL=bash in the environment it is that one."""
    names = sorted(SHELLS)
    return os.environ.get("TIMER_SHELL") or names[zlib.crc32(test.encode()) % len(names)]


def call(top: Path, command: str) -> list[str]:
    """Run shell code with the functions of the program, in the directory of a timer.

    Return what it printed, and last the reason if a function has given one.
    """
    said = f'make_scratch\n{command}\n[ ! -e "$SCRATCH/reason" ] || tool cat "$SCRATCH/reason"'
    return Timer(top, shell_of(top.parent.name)).call(said)


def executable(path: Path, text: str) -> None:
    """Write a program."""
    path.write_text(text)
    path.chmod(0o755)
