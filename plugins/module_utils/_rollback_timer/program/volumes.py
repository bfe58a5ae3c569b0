# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the program of a rollback timer learns from LVM: only shell text. Pure; private to this collection.

The VGs and LVs are known by their UUIDs, because names can change. What has been done is read from the tags of the
origins, as by the modules.
"""

from __future__ import annotations

VOLUMES = r"""
volumes=/dev/null
tries=0
hung=
hung_ours=

# Which devices LVM looks at, and with which settings: those of the arming; those that the host has now, because a PV
# may have been added to its devices file; every device. If one of these has hung, only the PVs of the arming.
choose_way() {
    export LVM_SYSTEM_DIR="$HERE/lvm"
    config=$CONFIG
    case $1 in
    host) LVM_SYSTEM_DIR=/etc/lvm ;;
    every) config="$CONFIG $EVERY_DEVICE" ;;
    ours) config="$CONFIG $OUR_DEVICES" ;;
    esac
}

# Becomes LVM, so that `bounded` kills LVM itself. A report can be killed.
list_volumes() {
    columns=vg_uuid,lv_uuid,lv_full_name,lv_dm_path,vg_missing_pv_count,origin_uuid,lv_merging,lv_snapshot_invalid
    exec "$HERE/lib/ld" --library-path "$HERE/lib" "$HERE/bin/lvm" lvs --config "$config" \
        --all --noheadings --separator '|' --select "$SELECTION" \
        --options "$columns,pool_lv,lv_allocation_locked,lv_tags" \
        >"$volumes" 2>"$volumes.errors"
}

# Lists the volumes in a way. Returns 124 if LVM hangs. If it hangs since the last time and cannot be killed, it is
# not started again: such processes would fill the memory.
ask_lvm() {
    former=$hung
    [ "$1" != ours ] || former=$hung_ours
    [ -z "$former" ] || ! is_child "$former" || return 124
    choose_way "$1"
    # A process that hangs may still write to the former file.
    tries=$((tries + 1))
    volumes=$SCRATCH/volumes$tries
    bounded "$LOOK_LIMIT" list_volumes
    code=$?
    [ "$code" = 124 ] || job=''
    case $1 in ours) hung_ours=$job ;; *) hung=$job ;; esac
    return "$code"
}

# Lists the volumes in the first way in which LVM shows every VG with all its PVs. If there is none, `reason` says why.
look() {
    why='' stuck=''
    for way in armed host every ours; do
        case $way:$stuck in ours: | host:yes | every:yes) continue ;; esac
        ask_lvm "$way"
        if [ $? = 124 ]; then
            stuck=yes reason="LVM has not answered within $LOOK_LIMIT s"
        else
            ! is_complete || return 0
        fi
        why=${why:-$reason}
    done
    hangs=${stuck:-$hangs} reason=$why
    return 1
}

is_complete() {
    for group in $GROUPS_NEEDED; do
        found=
        while IFS='|' read -r vg _ name _ missing _; do
            [ "${vg##* }" != "$group" ] || found=$missing known=${name%/*}
        done <"$volumes"
        case $found in
        0) ;;
        '') no_volumes; return 1 ;;
        *) reason="PVs of VG $known are missing: $found"; return 1 ;;
        esac
    done
}

no_volumes() {
    if [ "$code" = 0 ]; then
        reason="LVM does not show the VG with the UUID $group"
    else
        read -r error <"$volumes.errors" || error="nothing"
        reason="LVM ended with $code and said: $error"
    fi
}

# Reads what LVM shows of the LV with the UUIDs $1 (VG/LV). Returns 1 if it shows none.
find_volume() {
    while IFS='|' read -r vg lv name path missing origin merging invalid pool moving tags; do
        [ "${vg##* }/$lv" != "$1" ] || return 0
    done <"$volumes"
    return 1
}

# Returns 0 if the rollback can begin, 1 if it must wait, 3 if it is not possible any more, 4 if it has begun, 5 if an
# earlier boot has requested everything, 6 if the timer has fired.
judge() {
    lost='' begun='' unmerged='' requested_now=''
    judge_timer || return
    while read -r kind snapshot base; do
        judge_member || return
    done <"$HERE/members"
    if [ -z "$begun" ]; then
        [ -z "$lost" ] || { reason=$lost; return 3; }
        return 0
    fi
    [ -z "$unmerged$requested_now" ] || return 4
    return 5
}

# If LVM does not show the LV of the timer, its files decide.
judge_timer() {
    while IFS='|' read -r vg _ _ _ _ _ _ _ _ _ tags; do
        [ "${vg##* }" = "$TIMER_GROUP" ] || continue
        case ",$tags," in
        *",safepoint.timer.set=$NAME,"*)
            case ",$tags," in *,safepoint.timer.fired=*) return 6 ;; esac
            case ",$tags," in *",safepoint.timer.id=$ID,"*) ;; *) reason="its LV has lost its tags"; return 3 ;; esac
            ;;
        esac
    done <"$volumes"
}

judge_member() {
    group=${snapshot%/*}
    find_volume "$group/$base" || { lost="the origin with the UUID $base is gone"; return 0; }
    origin_name=$name
    judge_outcomes || return
    judge_siblings || return
    if ! find_volume "$snapshot"; then
        case $recorded in
        '') lost="the snapshot of $origin_name is gone" ;;
        *) begun=yes ;;
        esac
    elif [ -n "$merging" ]; then
        begun=yes
    elif [ "$origin" != "$base" ]; then
        lost="$name is no longer a snapshot of $origin_name"
    else
        judge_move && judge_validity
        return
    fi
    [ "$recorded" != now ] || requested_now=yes
}

# As _snapset.checks: LVM merges no LV that pvmove has locked. It would merge a thin one while its pool is moved, but
# stop other LVs.
judge_move() {
    moved=
    [ -z "$moving" ] || moved=$name
    while IFS='|' read -r vg _ part _ _ _ _ _ _ moving _; do
        [ "${vg##* }" = "$group" ] && [ -n "$pool$moving" ] || continue
        case $moving:${part##*/} in
        ?*:"$pool"_tdata* | ?*:"$pool"_tmeta*) moved="thin pool ${part%/*}/$pool" ;;
        esac
    done <"$volumes"
    [ -n "$moved" ] || return 0
    reason="pvmove moves $moved"
    return 1
}

# LVM would merge an invalid snapshot that is not active.
judge_validity() {
    case $kind:$invalid in
    thin:* | thick:) unmerged=yes ;;
    "thick:snapshot invalid") lost="$name has overflowed" ;;
    *)
        reason="$name is not active, so it is unknown whether it is valid"
        [ -z "$may_change" ] ||
            bounded "$CHANGE_LIMIT" tool lvm lvchange --config "$config" --yes --activate y "$origin_name"
        return 1
        ;;
    esac
}

# What the origin records: about this snapset, or about another one that the host was rolled back to since.
judge_outcomes() {
    recorded=
    rest=$tags,
    while [ -n "$rest" ]; do
        tag=${rest%%,*}
        rest=${rest#*,}
        case $tag in
        "safepoint.outcome.merging=$NAME:$ID:"*":$boot_id:"*) recorded=now ;;
        safepoint.outcome.*="$NAME:$ID:"*) recorded=earlier ;;
        safepoint.outcome.*)
            case " $KNOWN_OUTCOMES " in
            *" $tag "*) ;;
            *) reason="$origin_name was rolled back to another snapset since: $tag"; return 3 ;;
            esac
            ;;
        esac
    done
}

# LVM merges one snapshot at a time into an origin.
judge_siblings() {
    while IFS='|' read -r vg lv name _ _ origin merging _; do
        if [ "${vg##* }/$origin" = "$group/$base" ] && [ -n "$merging" ] && [ "${vg##* }/$lv" != "$snapshot" ]; then
            reason="another snapshot of $origin_name is being merged: $name"
            return 1
        fi
    done <"$volumes"
}
""".lstrip()
