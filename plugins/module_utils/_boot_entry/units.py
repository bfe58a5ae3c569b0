# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which units systemd starts in a preview boot. Pure; private to this collection."""

from __future__ import annotations

from typing import Literal

Services = Literal["none", "ssh", "all"]
"""What a preview boot starts: nothing but a console, also the network and SSH, or all that the snapset starts."""

TARGET = "safepoint-preview.target"
# Services have DefaultDependencies, so each of them needs sysinit.target only (systemd.service(5)). basic.target is
# left out: it starts the sockets and timers of other services. Users can log in when /run/nologin is removed, which is
# what systemd-user-sessions.service does.
_TARGET_TEXT = """\
# Made for this boot by safepoint.lvm.boot_entry.
[Unit]
Description=Preview boot of a snapset
Documentation=https://github.com/safepoint-lvm/safepoint.lvm/blob/main/docs/boot.md
Requires=sysinit.target
After=sysinit.target
Wants=getty.target systemd-user-sessions.service systemd-logind.service dbus.socket
AllowIsolate=yes
"""
# They would start the services of users that have lingering enabled (loginctl(1)). logind goes on without it.
_OF_USERS = ("user@.service",)
# What configures the network. udev, or a service that waits for the network, can start these too.
_NETWORK = (
    "networking.service",
    "ifup@.service",
    "NetworkManager.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "network.service",
    "wicked.service",
    "wickedd.service",
    "dhcpcd.service",
    "connman.service",
)
# SSH, what it needs, and the firewall.
_WITH_SSH = (
    *("ssh.service", "ssh.socket", "sshd.service", "sshd.socket"),
    *("systemd-resolved.service", "sssd.service"),
    *("nftables.service", "firewalld.service", "ufw.service", "iptables.service", "ip6tables.service"),
    *("netfilter-persistent.service", "shorewall.service", "shorewall6.service"),
)


def unit_files(services: Services) -> dict[str, str]:
    """Return the files for the program of a preview boot: the target, and a list; none if everything starts.

    A line of the list is ``mask UNIT``, or ``want UNIT``: that one starts if it is enabled in the snapset.
    """
    if services == "all":
        return {}
    masked = [*_OF_USERS, *(_NETWORK if services == "none" else ())]
    wanted = [*_NETWORK, *_WITH_SSH] if services == "ssh" else []
    lines = [*(f"mask {one}\n" for one in masked), *(f"want {one}\n" for one in wanted)]
    return {"safepoint-look.target": _TARGET_TEXT, "safepoint-look.units": "".join(lines)}
