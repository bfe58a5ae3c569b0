# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the shell programs that are part of Python or YAML files to files, for the static check `shell`.

`python tests/unit/shell_programs.py DIRECTORY`, with the collection on Python's path. Each program gets a directory
with the files that it reads. The program itself is executable.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import builders as b
import driver
import yaml
from cpio import members

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.entries import InitramfsKind, PreviewMount
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.image import preview_image
from ansible_collections.safepoint.lvm.plugins.module_utils._health.assertions import settings
from ansible_collections.safepoint.lvm.plugins.module_utils._health.gate import Check, Gate, Times
from ansible_collections.safepoint.lvm.plugins.module_utils._health.program.main import PROGRAM as HEALTH
from ansible_collections.safepoint.lvm.plugins.module_utils._initramfs_hook.program import PROGRAM as HOOK
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer import script
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.program.watch import PROGRAM
from ansible_collections.safepoint.lvm.plugins.module_utils._rollback_timer.unit import unit
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLES = Path(__file__).resolve().parents[2] / "roles"
ROOT, VAR = b.volume("vg/root"), b.thin("vg/var")
TIMER = _tags.TimerTags(set_name="s", set_id=b.SET_ID, armed=b.NOW, after=1800, boots=2, vg=b.lvm_uuid("vg"))
BACKUP = _tags.BootTags(set_name="s", set_id=b.SET_ID, taken=b.NOW, manifest="f" * 64)
IMAGES: dict[InitramfsKind, str] = {"initramfs-tools": "scripts", "dracut": "var/lib/dracut/hooks"}
# In the argument list of a task: the name of a variable that contains a program.
_GIVEN_TO_SH = re.compile(r"""\bsh'?, '?-c'?, "?(?:\{\{ )?(\w+)""")


def timers() -> Iterator[tuple[str, str, bool]]:
    """Yield each file of a rollback timer: its path, its content, and whether it is a program."""
    saved = b.volume("vg/safepoint_boot_s", tags=(*BACKUP.to_tags(), _tags.boot_seal(BACKUP.manifest)))
    taken = [ROOT, VAR, b.thin_pool(), b.member(ROOT, count=2), b.member(VAR, count=2)]
    for name, volumes, mounts in (
        ("timer", taken, {"/": ROOT}),
        ("timer-with-boot", [*taken, saved], {"/": ROOT, "/boot": saved}),
    ):
        host_state = b.host_state(volumes, mounts=mounts)
        found = driver.rollback_script_of(host_state)
        yield f"{name}/go-back", PROGRAM, True
        yield f"{name}/facts", script.facts(TIMER, found, host_state), False
    text = unit("s", "vg/safepoint_timer_s", "/dev/mapper/vg-safepoint_timer_s", b.BOOT)
    (stub,) = re.findall("ExecStart=/bin/sh -c '(.*)'", text)
    yield "timer-unit/stub", stub, True


def previews() -> Iterator[tuple[str, str, bool]]:
    """Yield the programs in the small initramfs of a preview boot, for each kind of initramfs."""
    mounts = [PreviewMount("/", "ext4", ROOT, b.member(ROOT)), PreviewMount("/var", "xfs", VAR, b.member(VAR))]
    for kind, scripts in IMAGES.items():
        image = preview_image(kind, scripts, preview_mounts=mounts, name="s", set_id=b.SET_ID, services="ssh")
        for path, (_mode, text) in members(image).items():
            if text and not path.endswith((".list", ".set", ".target", ".units")):
                yield f"preview-{kind}/{path}", text, True


def hooks() -> Iterator[tuple[str, str, bool]]:
    """Yield the script that the module initramfs_hook puts into an initramfs."""
    yield "initramfs-hook/safepoint-lvm", HOOK, True


def health() -> Iterator[tuple[str, str, bool]]:
    """Yield the program of the module health, and its settings."""
    gate = Gate(checks=(Check("commands", "it", "echo 'it'", "required"),))
    yield "health/program", HEALTH, True
    yield "health/settings", settings(gate, Times(15, 60, 10, 600, 30), path="/usr/bin:/bin"), False


def roles() -> Iterator[tuple[str, str, bool]]:
    """Yield the programs that tasks of roles run in a shell. Jinja expressions are replaced by the word true."""
    for role in sorted(path for path in ROLES.iterdir() if path.is_dir()):
        variables = yaml.safe_load((role / "vars" / "main.yml").read_text(encoding="utf-8"))
        for file in sorted((role / "tasks").glob("*.yml")):
            text = file.read_text(encoding="utf-8")
            found = {name: variables[name] for name in _GIVEN_TO_SH.findall(text)}
            found.update(
                {f"{file.stem}-{place}": task for place, task in enumerate(_shell_tasks(yaml.safe_load(text)))}
            )
            for name, program in found.items():
                yield f"role-{role.name}/{name}", re.sub(r"\{\{.*?\}\}", "true", program), True


def _shell_tasks(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        given = node.get("ansible.builtin.shell")
        if given is not None:
            yield given["cmd"]
        for inner in node.values():
            yield from _shell_tasks(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _shell_tasks(inner)


def main() -> None:
    """Write all programs below the directory given as the only argument."""
    directory = Path(sys.argv[1])
    for path, text, is_program in (*timers(), *previews(), *hooks(), *health(), *roles()):
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(0o755 if is_program else 0o644)


if __name__ == "__main__":
    main()
