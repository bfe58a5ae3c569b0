# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the health program reads of the kernel: sockets, routes, mounts. Only text. Pure; private."""

from __future__ import annotations

NETWORK = r"""
# Sets `one` to `four` to the bytes of 8 hexadecimal digits.
split() {
    one=${1%??????}
    four=${1#??}
    two=${four%????}
    four=${four#??}
    three=${four%??}
    four=${four#??}
}

# Sets `address` from 8 hexadecimal digits in the byte order of the host, as /proc/net writes them.
ipv4() {
    split "$1"
    case $BYTES in
    little) address=$((0x$four)).$((0x$three)).$((0x$two)).$((0x$one)) ;;
    *) address=$((0x$one)).$((0x$two)).$((0x$three)).$((0x$four)) ;;
    esac
}

# Sets `address` from 32 hexadecimal digits. With $2 = little each group of 8 digits is in reverse order.
ipv6() {
    digits=$1
    address=
    while [ -n "$digits" ]; do
        split "${digits%"${digits#????????}"}"
        digits=${digits#????????}
        case $2 in
        little) address=$address:$(printf '%x:%x' "0x$four$three" "0x$two$one") ;;
        *) address=$address:$(printf '%x:%x' "0x$one$two" "0x$three$four") ;;
        esac
    done
    case $address in
    :0:0:0:0:0:0:0:0) address=:: ;;
    :0:0:0:0:0:0:0:1) address=::1 ;;
    *) address=${address#:} ;;
    esac
}

# Sockets that wait for anybody: TCP in the state LISTEN (0A), UDP without a peer (07). See proc_net_tcp(5).
sockets() {
    : >"$HERE/$probe.raw"
    [ -e "$NET/$1" ] || return 0
    case $1 in tcp*) state=0A ;; *) state=07 ;; esac
    capped "$HERE/$probe.raw" grep -E "^ *[0-9]+: [0-9A-F]+:$2 0+:0000 $state " "$NET/$1"
    # 1: there is none.
    case $? in 0 | 1) ;; *) return 1 ;; esac
}

probe_listeners() {
    # A file of sysctl(8) must be read at once, which `read` of some shells does not do.
    capped "$HERE/listeners.raw" cat "$PORT_RANGE" && read -r low high <"$HERE/listeners.raw" || return
    known=$NEWLINE
    for protocol in tcp tcp6 udp udp6; do
        sockets "$protocol" '[0-9A-F]{4}' || return
        while read -r _ local _; do
            port=$((0x${local##*:}))
            # The kernel gives these to whoever asks for any port, also to services: they differ at every start.
            if [ "$port" -lt "$low" ] || [ "$port" -gt "$high" ]; then
                listener "${local%:*}"
            fi
        done <"$HERE/$probe.raw"
    done
}

listener() {
    case $protocol in
    *6) ipv6 "$1" "$BYTES"; key=$protocol/[$address]:$port ;;
    *) ipv4 "$1"; key=$protocol/$address:$port ;;
    esac
    # Several sockets can share a port.
    case $known in *"$NEWLINE$key$NEWLINE"*) return ;; esac
    known=$known$key$NEWLINE
    fact listeners "$key" open
}

# $1 is tcp/443: whether something listens there, on whichever address.
check_ports() {
    for protocol in "${1%/*}" "${1%/*}6"; do
        sockets "$protocol" "$(printf %04X "${1#*/}")" || return
        [ ! -s "$HERE/$probe.raw" ] || return 0
    done
    return 1
}

# Default routes, and those with a gateway. Others follow from the addresses of the interfaces. The flags are in
# include/uapi/linux/route.h: UP 1, GATEWAY 2, REJECT 0x200; ipv6_route.h: CACHE 0x1000000.
probe_routes() {
    known=$NEWLINE
    if [ -e "$NET/route" ]; then
        capped "$HERE/routes.raw" cat "$NET/route" || return
        while read -r interface destination gateway flags _ _ _ mask _; do
            [ "$interface" != Iface ] || continue
            [ $((0x$flags & 0x201)) = 1 ] || continue
            [ $((0x$flags & 2)) != 0 ] || [ "$mask" = 00000000 ] || continue
            ipv4 "$gateway"
            via=$address
            ipv4 "$destination"
            route 4 "$address/$(ones "$mask")"
        done <"$HERE/routes.raw"
    fi
    if [ -e "$NET/ipv6_route" ]; then
        capped "$HERE/routes.raw" cat "$NET/ipv6_route" || return
        while read -r destination length _ _ gateway _ _ _ flags interface; do
            [ $((0x$flags & 0x1000201)) = 1 ] && [ "$interface" != lo ] || continue
            [ $((0x$flags & 2)) != 0 ] || [ "$length" = 00 ] || continue
            ipv6 "$gateway" big
            via=$address
            ipv6 "$destination" big
            route 6 "$address/$((0x$length))"
        done <"$HERE/routes.raw"
    fi
}

# How many bits of a mask are set.
ones() {
    bits=$((0x$1))
    count=0
    while [ "$bits" -gt 0 ]; do
        count=$((count + (bits & 1)))
        bits=$((bits >> 1))
    done
    echo "$count"
}

# The kernel lists the routes to one destination in the order of their metrics.
route() {
    case $2 in 0.0.0.0/0 | ::/0) key=$1/default ;; *) key=$1/$2 ;; esac
    case $known in *"$NEWLINE$key$NEWLINE"*) return ;; esac
    known=$known$key$NEWLINE
    fact routes "$key" "$via%$interface"
}

# Mountpoints in fstab, with slashes around each. The kernel and fstab write them in the same way.
read_fstab() {
    listed=$NEWLINE
    [ ! -e "$FSTAB" ] || while read -r device mountpoint _ options _ || [ -n "$device" ]; do
        case $device in '#'* | '') continue ;; esac
        # These are mounted only while somebody needs them.
        case ,$options, in *,noauto,* | *,x-systemd.automount,*) continue ;; esac
        [ "$mountpoint" = / ] || mountpoint=${mountpoint%/}
        listed=$listed$mountpoint$NEWLINE
    done <"$FSTAB"
}

# Whether the mount is on a disk of this host and not made for a session, a container or a package.
is_local() {
    case $source in /dev/loop* | /dev/fuse) return 1 ;; /dev/*) ;; *) return 1 ;; esac
    case $mountpoint in
    /run/* | /media/* | /tmp/* | /snap/* | /var/snap/*) return 1 ;;
    /var/lib/docker/* | /var/lib/containers/* | /var/lib/kubelet/*) return 1 ;;
    esac
}

# Mounts in fstab, and those of local disks (proc_pid_mountinfo(5)). On an automount there is one only while it is used.
probe_mounts() {
    read_fstab
    capped "$HERE/mounts.raw" cat "$MOUNTS" || return
    automounts=$NEWLINE
    known=$NEWLINE
    while read -r _ _ _ _ mountpoint options rest; do
        rest=" $rest"
        rest=${rest#* - }
        type=${rest%% *}
        rest=${rest#* }
        source=${rest%% *} all=$options,${rest#* }
        case $type in autofs) automounts=$automounts$mountpoint$NEWLINE ;; esac
        case $automounts in *"$NEWLINE$mountpoint$NEWLINE"*) continue ;; esac
        case $listed in *"$NEWLINE$mountpoint$NEWLINE"*) ;; *) is_local || continue ;; esac
        case $known in *"$NEWLINE$mountpoint$NEWLINE"*) continue ;; esac
        known=$known$mountpoint$NEWLINE
        case ,$all, in *,ro,*) mode=ro ;; *) mode=rw ;; esac
        escape_path "$mountpoint"
        key=$word
        fact mounts "$key" "$mode"
    done <"$HERE/mounts.raw"
}
""".lstrip()
