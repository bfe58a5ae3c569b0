# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the health program makes of what the kernel shows: sockets, routes, mounts. And the checks of users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from health_directory import TCP_HEAD, gate

from ansible_collections.safepoint.lvm.plugins.module_utils._health.gate import Check

if TYPE_CHECKING:
    from health_directory import Health

LISTEN, OPEN, ESTABLISHED = "0A", "07", "01"
HERE6 = "00000000000000000000000001000000"
ALL6 = "0" * 32
# 2001:db8::a. All are in little-endian words.
OTHER6 = "B80D012000000000000000000A000000"
ROUTES = """\
Iface	Destination	Gateway	Flags	RefCnt	Use	Metric	Mask	MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	100	00000000	0	0	0
eth1	00000000	010300C0	0003	0	0	200	00000000	0	0	0
eth0	0000000A	FE0200C0	0003	0	0	0	000000FF	0	0	0
eth0	000200C0	00000000	0001	0	0	100	00FFFFFF	0	0	0
lo	0000000B	00000000	0201	0	0	0	000000FF	0	0	0"""
PPP = "ppp0	00000000	00000000	0001	0	0	0	00000000	0	0	0"
ROUTES6 = f"""\
{ALL6} 00 {ALL6} 00 fe800000000000000000000000000001 00000400 1 0 00450003     eth0
20010db8000100000000000000000000 30 {ALL6} 00 20010db8000000000000000000000002 400 1 0 00000003     eth0
20010db8000000000000000000000000 40 {ALL6} 00 {ALL6} 00000100 1 0 00000001     eth0
20010db8000000000000000000000009 80 {ALL6} 00 20010db8000000000000000000000002 0 1 0 01000003     eth0
{ALL6} 00 {ALL6} 00 {ALL6} ffffffff 1 0 00200200       lo"""
FSTAB = r"""
# a comment
UUID=1234 / ext4 defaults 0 1
server:/export /net/a\040b/ nfs _netdev 0 0
/dev/vg/x /later ext4 noauto 0 0
LABEL=boot /boot ext4 x-systemd.automount,noatime 0 0
/dev/vg/swap none swap sw 0 0
UUID=5 /mnt/last ext4"""
MOUNTS = r"""
21 28 0:19 / /sys rw,nosuid shared:7 - sysfs sysfs rw
28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw,errors=remount-ro
30 28 0:30 / /net/a\040b rw master:1 - nfs4 server:/export rw,vers=4.2
31 28 0:31 / /net/b rw - nfs4 server:/b rw
32 28 254:3 / /srv/x\134y\011z rw shared:3 - xfs /dev/mapper/vg-srv ro
33 28 254:4 / /data ro shared:3 - xfs /dev/mapper/vg-data rw
34 28 0:34 / /boot rw - autofs systemd-1 rw,fd=48
35 34 8:1 / /boot rw - ext4 /dev/sda1 rw
36 28 0:36 / /run/user/0 rw - tmpfs tmpfs rw
37 36 8:17 / /run/media/root/stick rw - vfat /dev/sdb1 rw
38 28 7:0 / /snap/core/1 ro - squashfs /dev/loop0 ro
39 28 254:5 / /var/lib/docker/volumes/x rw - ext4 /dev/mapper/vg-docker rw
40 28 254:6 / /mnt/last rw - ext4 /dev/mapper/vg-last rw
41 40 254:7 / /mnt/last ro - ext4 /dev/mapper/vg-over ro"""


def socket(local: str, state: str, remote: str = "00000000:0000") -> str:
    return f"   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0"


def sockets(*lines: str) -> str:
    return "\n".join([TCP_HEAD, *lines])


def test_listeners(health: Health) -> None:
    health.write(
        "net/tcp",
        sockets(
            socket("00000000:0016", LISTEN),
            socket("00000000:0016", LISTEN),
            socket("3500007F:0035", LISTEN),
            socket("020200C0:01BB", LISTEN),
            socket("020200C0:0016", ESTABLISHED, "030200C0:C001"),
        ),
    )
    zero6 = f"{ALL6}:0000"
    health.write(
        "net/tcp6",
        sockets(*(socket(f"{address}:0050", LISTEN, zero6) for address in (ALL6, HERE6, OTHER6))),
    )
    health.write(
        "net/udp",
        sockets(socket("00000000:0044", OPEN), socket("020200C0:0045", ESTABLISHED, "030200C0:0035")),
    )
    expected = {
        *("tcp/0.0.0.0:22", "tcp/127.0.0.53:53", "tcp/192.0.2.2:443", "udp/0.0.0.0:68"),
        *("tcp6/[::]:80", "tcp6/[::1]:80", "tcp6/[2001:db8:0:0:0:0:0:a]:80"),
    }
    assert health.facts("listeners") == dict.fromkeys(expected, "open")


def test_ports_that_the_kernel_gives_to_clients_are_no_listeners(health: Health) -> None:
    health.write("port_range", "40000\t50000")
    ports = (39999, 40000, 45000, 50000, 50001)
    health.write("net/udp", sockets(*(socket(f"00000000:{port:04X}", OPEN) for port in ports)))
    health.write("net/tcp", sockets(*(socket(f"00000000:{port:04X}", LISTEN) for port in ports)))
    expected = [f"{protocol}/0.0.0.0:{port}" for protocol in ("tcp", "udp") for port in (39999, 50001)]
    assert [*health.facts("listeners")] == expected


def test_routes(health: Health) -> None:
    health.write("net/route", ROUTES)
    health.write("net/ipv6_route", ROUTES6)
    assert health.facts("routes") == {
        "4/default": "192.0.2.1%eth0",
        "4/10.0.0.0/8": "192.0.2.254%eth0",
        "6/default": "fe80:0:0:0:0:0:0:1%eth0",
        "6/2001:db8:1:0:0:0:0:0/48": "2001:db8:0:0:0:0:0:2%eth0",
    }


def test_a_default_route_without_a_gateway(health: Health) -> None:
    health.write("net/route", f"{ROUTES.splitlines()[0]}\n{PPP}")
    assert health.facts("routes") == {"4/default": "0.0.0.0%ppp0"}


def test_mounts(health: Health) -> None:
    health.write("fstab", FSTAB)
    health.write("mounts", MOUNTS.lstrip())
    assert health.facts("mounts") == {
        "/": "rw",
        r"/net/a\x20b": "rw",
        r"/srv/x\x5cy\x09z": "ro",
        "/data": "ro",
        "/mnt/last": "rw",
    }


def test_a_mountpoint_that_is_no_text(health: Health) -> None:
    health.write("mounts", "1 1 254:0 / /srv/\udcff*\u00e9 rw - ext4 /dev/sda1 rw")
    assert health.facts("mounts") == {r"/srv/\xff\x2a\xc3\xa9": "rw"}


def test_checks_of_users(health: Health) -> None:
    health.write("net/tcp", sockets(socket("020200C0:01BB", LISTEN), socket("020200C0:0016", ESTABLISHED)))
    health.write("net/udp6", sockets(socket(f"{ALL6}:0035", OPEN, f"{ALL6}:0000")))
    health.tool("getent", '[ "$*" = "ahosts good" ] || exit 2')
    health.tool("curl", 'echo "$*" >$TOP/curl.called; exit 22')
    odd = "exit $(echo 3 |\n sed 's/3/4/') # it's `odd` \\ \udcff"
    found = [
        Check("names", "good", "good", "required"),
        Check("names", "bad", "bad", "warned"),
        Check("commands", r"o\x20k", 'test "$PWD" = / && test -z "$(cat)"', "required"),
        Check("commands", "odd", odd, "required"),
        Check("commands", "none", "there-is-no-such-program", "required"),
        Check("urls", "u", "https://h/$(reboot)?a='b'&c", "required"),
        Check("ports", "tcp/443", "tcp/443", "required"),
        Check("ports", "tcp/22", "tcp/22", "required"),
        Check("ports", "udp/53", "udp/53", "required"),
    ]
    facts = health.look(gate(checks=found)).facts
    assert facts == {
        ("names", "good"): "ok",
        ("names", "bad"): "failed:2",
        ("commands", r"o\x20k"): "ok",
        ("commands", "odd"): "failed:4",
        ("commands", "none"): "missing",
        ("urls", "u"): "failed:22",
        ("ports", "tcp/443"): "ok",
        ("ports", "tcp/22"): "failed:1",
        ("ports", "udp/53"): "ok",
    }
    assert (health.top / "curl.called").read_text().endswith("--url https://h/$(reboot)?a='b'&c\n")


def test_a_command_that_hangs_does_not_delay_the_others(health: Health) -> None:
    found = [
        Check("commands", "hangs", "exec /bin/sleep 1000", "required"),
        Check("commands", "ok", "true", "required"),
    ]
    facts = health.look(gate(checks=found)).facts
    assert facts == {("commands", "hangs"): "timeout", ("commands", "ok"): "ok"}


def test_the_kernel_of_this_machine_is_understood(health: Health) -> None:
    """The real files of /proc, whatever is in them."""
    for name in ("tcp", "tcp6", "udp", "udp6", "route", "ipv6_route"):
        (health.top / "net" / name).unlink(missing_ok=True)
        (health.top / "net" / name).symlink_to(f"/proc/net/{name}")
    (health.top / "mounts").unlink()
    (health.top / "mounts").symlink_to("/proc/self/mountinfo")
    found = health.look(gate("listeners", "mounts", "routes"))
    assert set(found.ended.values()) == {("ok", "-")}
