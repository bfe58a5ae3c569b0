# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print what Ansible sends to a host for each module of this collection, as JSON.

Usage: `python tests/unit/shipped.py PLUGINS/MODULES`, with ANSIBLE_COLLECTIONS_PATH set. For each module it prints the
names of the files below module_utils, and the number of bytes. It is a separate program because Ansible's collection
loader cannot be removed from a process.
"""

from __future__ import annotations

import base64
import io
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

from ansible.executor.module_common import modify_module
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar

_MODULE_UTILS = "ansible_collections/safepoint/lvm/plugins/module_utils/"
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\n]{1000,}")


def shipped(path: Path) -> dict[str, Any]:
    """Return what Ansible sends for the module in the file ``path``, without the empty packages that it adds."""
    built: Any = modify_module(
        module_name=f"safepoint.lvm.{path.stem}",
        module_path=str(path),
        module_args={},
        templar=Templar(loader=DataLoader()),
        task_vars={"ansible_python_interpreter": "/usr/bin/python3"},
        module_compression="ZIP_DEFLATED",
    )
    # A tuple before ansible-core 2.19.
    data = built[0] if isinstance(built, tuple) else built.b_module_data
    archive = zipfile.ZipFile(io.BytesIO(base64.b64decode(max(_BASE64.findall(data), key=len))))
    files = [one.filename for one in archive.infolist() if one.filename.startswith(_MODULE_UTILS) and one.file_size]
    return {"files": sorted(name[len(_MODULE_UTILS) :] for name in files), "bytes": len(data)}


if __name__ == "__main__":
    init_plugin_loader()
    # A module without this function is only the documentation of an action plugin. It is never sent.
    modules = [path for path in sorted(Path(sys.argv[1]).glob("*.py")) if "def main()" in path.read_text()]
    print(json.dumps({path.stem: shipped(path) for path in modules}, indent=1))
