#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Documentation of the action plugin of this name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_report
short_description: Write the report of a fleet as HTML, JSON and CSV
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - Writes one report of many hosts on the controller, the worst hosts first. It is made from the facts
    C(safepoint_report) (M(safepoint.lvm.host_report)) and C(safepoint_outcome) of the hosts, also from a fact cache.
    Hosts that are unreachable, have failed, or of which nothing is known, are in it too.
  - This is an action plugin. It contacts no host. Run it once (C(run_once)), in a play with the strategy C(linear).
  - The HTML file needs nothing else and loads nothing. It can be sorted, filtered and printed, and is a sorted table
    where JavaScript is off.
  - In the CSV file, cells that a spreadsheet would take for a formula begin with an apostrophe.
extends_documentation_fragment:
  - safepoint.lvm.attributes
attributes:
  check_mode:
    details:
      - In check mode no file is written.
  diff_mode:
    support: none
    details:
      - A diff of two reports would be of no use.
  idempotent:
    support: none
    details:
      - Each report contains the time when it was made.
options:
  hosts:
    description: Names the hosts of the report, such as C(ansible_play_hosts_all).
    type: list
    elements: str
    required: true
  directory:
    description:
      - The directory for the files C(safepoint-report.html), C(safepoint-report.json) and C(safepoint-report.csv) on
        the controller. It is created with mode 0700 if it does not exist. A relative path is below the working
        directory of C(ansible-playbook).
      - It is refused if a symbolic link of another user, except root, is on the path to it.
      - Existing files are replaced, each at once and whole.
    type: path
    required: true
  formats:
    description: Selects the files.
    type: list
    elements: str
    choices: [html, json, csv]
    default: [html, json, csv]
  mode:
    description:
      - The mode of the files, in octal digits and in quotes; the owner can read and write. They show names of hosts,
        volumes and people.
    type: raw
    default: "0600"
  title:
    description: The title of the report.
    type: str
    default: Safe points of the fleet
  looked:
    description:
      - The name of the variable in which the task M(safepoint.lvm.host_report) was registered. Its results say which
        hosts could not be looked at in this run, and why. Without it, each host with a fact counts as looked at.
    type: str
  fail_on:
    description:
      - Which hosts RV(not_as_wanted) lists. This action does not fail because of them.
      - V(not_looked) means hosts that could not be looked at, or of which nothing is known. V(bad) and V(attention)
        mean hosts of this level, and V(attention) includes those that are V(bad). The others mean hosts with this
        outcome.
    type: list
    elements: str
    choices:
      - not_looked
      - bad
      - attention
      - unreachable
      - look_failed
      - unknown
      - failed
      - damaged
      - not_begun
      - in_progress
      - rolling_back
      - refused
      - rolled_back
      - rolled_back_by_timer
      - expired
      - patched
      - committed
      - unchanged
      - protected
      - no_snapset
    default: [not_looked]
seealso:
  - module: safepoint.lvm.host_report
"""

EXAMPLES = r"""
- name: Write the report
  safepoint.lvm.fleet_report:
    hosts: "{{ ansible_play_hosts_all }}"
    directory: /srv/reports/safepoint
    looked: look
  run_once: true
  register: report
"""

RETURN = r"""
files:
  description: The path of each file, by format.
  type: dict
  returned: success
  sample:
    html: /srv/reports/safepoint/safepoint-report.html
hosts:
  description: How many hosts are in the report.
  type: int
  returned: success
outcomes:
  description: How many hosts have each outcome, the worst first.
  type: dict
  returned: success
  sample:
    unreachable: 1
    rolled_back: 2
    patched: 197
levels:
  description: How many hosts are C(bad), need C(attention), or are C(good).
  type: dict
  returned: success
  sample:
    bad: 1
    attention: 2
    good: 197
lines:
  description: The report in at most 34 lines, and the paths of the files.
  type: list
  elements: str
  returned: success
not_as_wanted:
  description: The hosts that O(fail_on) names, each with its outcome and reason in one sentence.
  type: dict
  returned: success
  sample:
    db3: "unreachable: the host cannot be reached (no route to host)"
"""
