#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Record the health of a host before a change, and compare it afterwards."""

from __future__ import annotations

DOCUMENTATION = r"""
module: health
short_description: Record the health of a host before a change, and compare it afterwards
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - With O(state=recorded) it observes the host and keeps what it sees as a baseline. With O(state=compared) it waits
    until the host has started and come to rest, and fails if the host is not as well as in the baseline.
  - It looks at failed units, restarts of units, listening sockets, mounts, routes, time synchronization and the package
    database, and carries out the checks that you add in O(names), O(commands), O(urls) and O(ports).
  - What was ill before the change is not a failure afterwards.
  - It needs no LVM. It changes nothing on the host but its own file.
extends_documentation_fragment:
  - safepoint.lvm.attributes
attributes:
  check_mode:
    details:
      - In check mode it observes the host too, which includes the checks that you add, but keeps nothing.
      - A comparison without a baseline then compares nothing and warns, because recording it would have been predicted.
  diff_mode:
    details:
      - It shows what is recorded, or what was recorded and what is there now.
requirements:
  - systemd, and coreutils, util-linux and grep, or busybox, on the managed host
options:
  name:
    description: Names the baseline, by the rules for names of snapsets. Usually the name of the snapset.
    type: str
    required: true
  state:
    description:
      - V(recorded) records a baseline. One that exists stays as it is, so that a run that was interrupted and is
        started again still compares with the state before the change. It is refused if the existing one has other
        checks.
      - V(compared) compares the host with the baseline, with the checks that were recorded. It fails if the
        host is not as well as before.
      - V(absent) removes the baseline.
    type: str
    choices: [recorded, compared, absent]
    required: true
  replace:
    description: With O(state=recorded), records a new baseline even if there is one.
    type: bool
    default: false
  warned:
    description:
      - What is observed but only warned of. A difference in everything else makes the comparison fail, and a recording
        is refused if an observation is not possible, for example because a program is missing.
      - V(boot) - the host has started, and is not in rescue or emergency mode.
      - V(failed_units) - no unit has failed. Transient units do not count.
      - V(restarts) - systemd does not restart a service again and again.
      - V(listeners) - the TCP and UDP sockets that were open for requests are open. Ports that the kernel gives to
        clients do not count.
      - V(mounts) - the filesystems in fstab and on local disks are mounted, and none has become read-only.
      - V(routes) - the default routes, and those with a gateway, exist.
      - V(time_sync) - the clock is synchronized. After a boot that takes minutes, and depends on other hosts.
      - V(packages) - the package database is readable, and no package in it is broken.
    type: list
    elements: str
    choices: [boot, failed_units, restarts, listeners, mounts, routes, time_sync, packages]
    default: [time_sync]
  ignored:
    description: What is not observed at all.
    type: list
    elements: str
    choices: [boot, failed_units, restarts, listeners, mounts, routes, time_sync, packages]
    default: []
  names:
    description: Host names that must be resolved.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The host name.
        type: str
        required: true
      level:
        description: What a failure means.
        type: str
        choices: [required, warned]
        default: required
  commands:
    description:
      - Commands that must exit with 0. They run as root, in a shell, without input and output, each in a process group
        that is killed when O(probe_timeout) is over.
      - They must change nothing, because they run many times, and in check mode too.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: A name for the command. Differences show it.
        type: str
        required: true
      command:
        description: The command for C(sh -c).
        type: str
        required: true
      level:
        description: What a failure means.
        type: str
        choices: [required, warned]
        default: required
  urls:
    description: URLs that must answer with a success, by C(curl) or C(wget) on the host.
    type: list
    elements: dict
    default: []
    suboptions:
      url:
        description: The URL.
        type: str
        required: true
      level:
        description: What a failure means.
        type: str
        choices: [required, warned]
        default: required
  ports:
    description: Ports on which something must listen on this host, on whichever address.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: The number of the port.
        type: int
        required: true
      protocol:
        description: The protocol.
        type: str
        choices: [tcp, udp]
        default: tcp
      level:
        description: What a failure means.
        type: str
        choices: [required, warned]
        default: required
  accept:
    description:
      - Differences that are accepted, in the form in which a comparison shows them, the check and the key, for example
        V(failed_units foo.service). An asterisk at the end stands for any characters.
    type: list
    elements: str
    default: []
  settle:
    description: How long to wait after the host has started, before the first look.
    type: str
    default: 15s
  stable:
    description: How long the host must stay well.
    type: str
    default: 60s
  retry:
    description: How long to wait between two looks. A recording has two, too.
    type: str
    default: 10s
  deadline:
    description: How long it may take in all until the host has been well for O(stable).
    type: str
    default: 10m
  probe_timeout:
    description: How long one observation, and one of the checks that you add, may take.
    type: str
    default: 30s
notes:
  - The baseline is kept in C(/var/lib/safepoint.lvm/health), readable only for root, because it contains O(commands).
  - The times are numbers of seconds, or numbers with V(s), V(m), V(h) or V(d).
seealso:
  - module: safepoint.lvm.health_junit
  - module: safepoint.lvm.snapset
"""

EXAMPLES = r"""
- name: Record the health of the host before the change
  safepoint.lvm.health:
    name: patch_2026_11
    state: recorded
    urls:
      - url: https://localhost/health
    commands:
      - name: database
        command: runuser -u postgres -- psql -c 'select 1'

- name: Compare after the change
  safepoint.lvm.health:
    name: patch_2026_11
    state: compared

- name: Compare, and accept what the change was meant to change
  safepoint.lvm.health:
    name: patch_2026_11
    state: compared
    accept:
      - listeners tcp/0.0.0.0:8080
      - failed_units man-db*
    deadline: 20m

- name: Record a new baseline for the next change
  safepoint.lvm.health:
    name: patch_2026_11
    state: recorded
    replace: true
    warned: [time_sync, routes]
"""

RETURN = r"""
health:
  description: The baseline after the run. In check mode, as it would be.
  type: dict
  returned: success, or when the host is not as well as before
  sample:
    name: patch_2026_11
    state: recorded
    path: /var/lib/safepoint.lvm/health/patch_2026_11.json
    recorded_at: "2026-11-23T14:00:00+00:00"
    boot_id: 0a1b2c3d-0000-4000-8000-000000000000
    not_compared: [failed_units old.service]
    facts: [listeners tcp/0.0.0.0:22 open, mounts / rw]
  contains:
    state:
      description: C(recorded) or C(absent). Without a baseline the other values are null or empty.
      type: str
      returned: always
    not_compared:
      description: What was ill when it was recorded, or could not be observed, and is therefore not compared.
      type: list
      elements: str
      returned: always
    facts:
      description:
        - What was observed, each as one line with the check, the key and the value. Bytes that are not visible ASCII
          characters are shown as C(\\xNN).
      type: list
      elements: str
      returned: always
healthy:
  description: Whether the host is as well as before. Null in check mode without a baseline.
  type: bool
  returned: with O(state=compared), unless no comparison was possible
differences:
  description: Everything that differs from the baseline. A hyphen is the value of what is not there.
  type: list
  elements: dict
  returned: with O(state=compared), unless no comparison was possible
  sample:
    - check: listeners
      key: tcp/0.0.0.0:443
      before: open
      now: "-"
      verdict: failure
  contains:
    check:
      description: What was observed, such as C(failed_units), or C(gate) for the comparison itself.
      type: str
      returned: always
    verdict:
      description: C(failure), C(warning), C(accepted), or C(note) for what has changed but is not worse.
      type: str
      returned: always
checks:
  description: The outcome of each kind of observation, and of each check that you have added.
  type: list
  elements: dict
  returned: with O(state=compared), unless no comparison was possible
  sample:
    - check: listeners
      key: ""
      level: required
      outcome: failed
      differences: ["listeners tcp/0.0.0.0:443: was open, is -"]
  contains:
    outcome:
      description: C(passed), C(failed), C(warned), or C(not_compared) if it was ill or not possible before the change.
      type: str
      returned: always
    differences:
      description: What differs there, apart from notes.
      type: list
      elements: str
      returned: always
waited:
  description: How many seconds the comparison took.
  type: int
  returned: with O(state=compared), unless no comparison was possible
reasons:
  description: Every reason why the request was refused. Nothing has been changed then.
  type: list
  elements: str
  returned: when the request is refused
"""

from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.safepoint.lvm.plugins.module_utils._health.gate import DEFAULT_LEVELS
from ansible_collections.safepoint.lvm.plugins.module_utils._module.health import run_health

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROBES = {"type": "list", "elements": "str", "choices": list(DEFAULT_LEVELS)}
_LEVEL = {"type": "str", "choices": ["required", "warned"], "default": "required"}
_TEXT = {"type": "str", "required": True}
_PORT = {"type": "int", "required": True}
_PROTOCOL = {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"}
_CHECKS = {"type": "list", "elements": "dict", "default": []}

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["recorded", "compared", "absent"], "required": True},
    "replace": {"type": "bool", "default": False},
    "warned": {**_PROBES, "default": [name for name, level in DEFAULT_LEVELS.items() if level == "warned"]},
    "ignored": {**_PROBES, "default": []},
    "names": {**_CHECKS, "options": {"name": _TEXT, "level": _LEVEL}},
    "commands": {**_CHECKS, "options": {"name": _TEXT, "command": _TEXT, "level": _LEVEL}},
    "urls": {**_CHECKS, "options": {"url": _TEXT, "level": _LEVEL}},
    "ports": {**_CHECKS, "options": {"port": _PORT, "protocol": _PROTOCOL, "level": _LEVEL}},
    "accept": {"type": "list", "elements": "str", "default": []},
    "settle": {"type": "str", "default": "15s"},
    "stable": {"type": "str", "default": "60s"},
    "retry": {"type": "str", "default": "10s"},
    "deadline": {"type": "str", "default": "10m"},
    "probe_timeout": {"type": "str", "default": "30s"},
}


def main() -> None:
    """Run the module."""
    run_health(AnsibleModule(argument_spec=dict(ARGUMENTS), supports_check_mode=True))


if __name__ == "__main__":
    main()
