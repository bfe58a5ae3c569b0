# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The systemd unit of a rollback timer: its text. Pure; private to this collection."""

from __future__ import annotations

from .._paths import PREVIEW_MARK, RUN_DIRECTORY
from .._settings import FILESYSTEM

MOUNTPOINT = f"{RUN_DIRECTORY}/timer"
"""Where the filesystem of the timer is mounted, in a private mount namespace of the program."""


def unit(set_name: str, volume: str, device: str, uuid: str) -> str:
    """Return the text of the unit that runs the program on ``device``, which is the LV ``volume`` (VG/LV).

    It waits for nothing else, so a host whose boot hangs is rolled back too. ``uuid`` is that of the filesystem, by
    which it is found if the VG was renamed.
    """
    return f"""\
# Made by safepoint.lvm.rollback_timer, which also removes it.
[Unit]
Description=Roll back to the snapset {set_name} unless the change is confirmed
DefaultDependencies=no
# Also in emergency.target.
IgnoreOnIsolate=yes
# Do not run in a preview boot of a snapset that was taken while this timer was armed.
ConditionPathExists=!{PREVIEW_MARK}

[Service]
PrivateMounts=yes
ExecStart=/bin/sh -c '{_stub(set_name, volume, device, uuid)}'
Restart=on-failure
RestartSec=30
# Rollback is impossible.
RestartPreventExitStatus=3
# A killed LVM can leave a device suspended.
SendSIGKILL=no
OOMScoreAdjust=-900

[Install]
WantedBy=sysinit.target
"""


def _stub(set_name: str, volume: str, device: str, uuid: str) -> str:
    """Return the shell code that mounts the filesystem and starts the program."""
    # Without any $, because systemd would expand it. An initramfs may not have activated the LV: then LVM of the host
    # is asked to. It may hang, so nothing waits for it.
    mounts = (f"mount -t {FILESYSTEM} -o nosuid,nodev {one} {MOUNTPOINT}" for one in (device, f"UUID={uuid}"))
    mount = " || ".join(mounts)
    message = f"<3>safepoint.lvm: timer of {set_name}: waiting for {device}, which cannot be mounted"
    return (
        f"(umask 077; mkdir -p {MOUNTPOINT}); "
        f'{mount} || {{ echo "{message}" >/dev/kmsg; '
        f"until {mount}; do (flock -n {MOUNTPOINT} lvm lvchange --yes --activate y {volume} &); sleep 5; done; }}; "
        f"exec {MOUNTPOINT}/lib/ld --library-path {MOUNTPOINT}/lib "
        f"{MOUNTPOINT}/bin/sh {MOUNTPOINT}/go-back {MOUNTPOINT}"
    )
