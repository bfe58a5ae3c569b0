#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Documentation of the action plugin of this name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: health_junit
short_description: Write the result of a health comparison as JUnit XML on the controller
version_added: 0.1.0
author:
  - The safepoint.lvm contributors (@safepoint-lvm)
description:
  - Writes one file for each host, with a test suite for the host and a test case for each check.
  - This is an action plugin. It runs on the controller, as the user who runs Ansible, and does not connect to the host.
  - The file is replaced at once, and is readable only for its owner.
extends_documentation_fragment:
  - safepoint.lvm.attributes
attributes:
  diff_mode:
    support: none
    details:
      - The differences are in the file.
options:
  result:
    description: The result of M(safepoint.lvm.health) with O(safepoint.lvm.health#module:state=compared).
    type: dict
    required: true
  directory:
    description:
      - The directory on the controller. It is created if it does not exist. A relative path counts
        from the directory in which Ansible was started.
      - The file is named after the host. Characters that a file name should not have are written as C(%NN).
    type: path
    required: true
seealso:
  - module: safepoint.lvm.health
"""

EXAMPLES = r"""
- name: Compare after the change
  safepoint.lvm.health:
    name: patch_2026_11
    state: compared
  register: comparison
  ignore_errors: true

- name: Keep the result for the CI server
  safepoint.lvm.health_junit:
    result: "{{ comparison }}"
    directory: reports
"""

RETURN = r"""
path:
  description: The file that was written. In check mode, the file that would be written.
  type: str
  returned: success
  sample: /home/admin/plays/reports/web1.example.com.xml
"""
