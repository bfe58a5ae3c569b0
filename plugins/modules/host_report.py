#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Documentation of the action plugin of this name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_report
short_description: Make the fact of a host for the report of a fleet
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - Runs M(safepoint.lvm.snapset_info) and keeps what M(safepoint.lvm.fleet_report) needs in the fact
    C(safepoint_report). With a fact cache, later runs can make the report without contacting the host.
  - This is an action plugin. It checks on the controller what the host sends. A value of a wrong type is left out and
    noted, long texts and lists are cut, and characters that cannot be seen are replaced by escapes such as C(\x1b).
    A fact has at most about 24,000 characters of texts and numbers; that of a usual host has a thousand.
  - Nothing that a host sends is evaluated as a template.
extends_documentation_fragment:
  - safepoint.lvm.attributes
attributes:
  check_mode:
    details:
      - This action changes nothing on the host.
  diff_mode:
    support: N/A
    details:
      - This action changes nothing on the host.
options:
  info:
    description:
      - A result of M(safepoint.lvm.snapset_info) of this host. With it the host is not contacted.
    type: dict
seealso:
  - module: safepoint.lvm.fleet_report
  - module: safepoint.lvm.snapset_info
"""

EXAMPLES = r"""
- name: Look at the host for the report
  safepoint.lvm.host_report:
  register: look
  ignore_errors: true
  ignore_unreachable: true
"""

RETURN = r"""
ansible_facts:
  description: The fact of the host.
  type: dict
  returned: success
  contains:
    safepoint_report:
      description:
        - What is known of the host. The page C(docs/fleets.md) of this collection describes it, and
          C(docs/fleets.schema.json) is its JSON Schema.
      type: dict
      returned: success
      contains:
        schema:
          description: The version of the schema, which is 1. It grows if a field changes its meaning.
          type: int
          returned: always
        looked_at:
          description: When the controller looked at the host (ISO 8601, UTC).
          type: str
          returned: always
"""
