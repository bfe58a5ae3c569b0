# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the health program judges an observation by assertions: only text. Pure; private to this collection."""

from __future__ import annotations

JUDGE = r"""
# Sets `found` to what follows the words $2 in the first line of the text $1 that begins with them. If there is none, it
# becomes a hyphen, and this returns 1.
look_up() {
    found=-
    result=1
    IFS=$NEWLINE
    for line in $1; do
        case $line in "$2 "*) found=${line#"$2 "} result=0; break ;; esac
    done
    IFS=$BLANKS
    return "$result"
}

# Whether the difference in the probe $1 at the key $2 is accepted.
is_accepted() {
    result=1
    IFS=$NEWLINE
    for one in $accepted; do
        case $one in
        *'*') case "$1 $2" in "${one%?}"*) result=0 ;; esac ;;
        "$1 $2") result=0 ;;
        esac
    done
    IFS=$BLANKS
    return "$result"
}

# Reports a difference: level, probe, key, before, now.
differs() {
    case $1 in
    required) ill=yes ;;
    warned) ;;
    *) return 0 ;;
    esac
    printf '%s %s %s %s %s\n' "$@"
}

# The probe must have ended. If it has not, none of its facts says anything.
judge_ran() {
    look_up "$now" "probe $2"
    [ "$found" != "ok -" ] || return 0
    broken="$broken$2 "
    differs "$1" "$2" - ok "${found%% *}"
}

# One of the following pairs of key and value must be a fact; an asterisk stands for every value.
judge_need() {
    level=$1 probe=$2 words="$3 "
    next_word
    key=$word
    next_word
    before=$word
    while [ -n "$words" ]; do
        next_word
        other=$word
        next_word
        if look_up "$now" "fact $probe $other"; then
            case $word in '*' | "$found") return 0 ;; esac
        fi
    done
    look_up "$now" "fact $probe $key"
    differs "$level" "$probe" "$key" "$before" "$found"
}

next_word() {
    word=${words%% *}
    words=${words#* }
}

# Calls the function $1 for each fact of the probe $3, with the level $2, unless it was so before or is accepted.
each_new() {
    seen=$NEWLINE
    while read -r what probe key value; do
        [ "$what $probe" = "fact $3" ] || continue
        # Of two facts with the same key the first one counts.
        case $seen$known in *"$NEWLINE$probe $key$NEWLINE"*) continue ;; esac
        seen=$seen$probe\ $key$NEWLINE
        is_accepted "$probe" "$key" || "$1" "$2"
    done <"$present"
}

unwanted() {
    differs "$1" "$probe" "$key" - "$value"
}

grown() {
    look_up "$first" "fact $probe $key" || found=0
    is_number "$found" && is_number "$value" && [ "$value" -gt "$found" ] || return 0
    differs "$1" "$probe" "$key" "$found" "$value"
}

# Judges the observation in the file $2, after that in $1, by the assertions. Prints each difference.
judge() {
    first=$(cat "$1")
    now=$(cat "$2")
    present=$2
    ill='' broken=' ' known=$NEWLINE accepted=
    case $NEWLINE$now in *"${NEWLINE}end") ;; *) differs required gate observation whole cut_off; return 1 ;; esac
    while read -r kind level probe rest; do
        case $broken in *" $probe "*) continue ;; esac
        case $kind in
        known) known=$known$level\ $probe$NEWLINE ;;
        accept) accepted=$accepted$level\ $probe$NEWLINE ;;
        ran) judge_ran "$level" "$probe" ;;
        need) judge_need "$level" "$probe" "$rest" ;;
        none) each_new unwanted "$level" "$probe" ;;
        steady) each_new grown "$level" "$probe" ;;
        end) [ -z "$ill" ]; return ;;
        *) echo "not an assertion: $kind" >&2; exit 2 ;;
        esac
    done <"$HERE/assertions"
    echo "the assertions are incomplete" >&2
    exit 2
}
""".lstrip()
