# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the health program writes facts, and how it limits tools: only text. Pure; private to this collection.

The package ``_health.program`` knows the shell program that observes a host and judges what it has observed. It must
not know how its input files are made, or anything of Python: it is text only.
"""

from __future__ import annotations

BASE = r"""
# Observes the health of this host, and judges it against assertions. docs/health.md describes what it reads and
# writes. Arguments: a directory with the file `settings`, and what to do.
set -uf
HERE=$2
PROGRAM=$1
. "$HERE/settings"
export LC_ALL=C PATH
NEWLINE='
'
BLANKS=$(printf ' \t')$NEWLINE
BACKSLASH=$(printf "\\134")

# What the program itself needs. Without one of these no result would mean anything.
check_tools() {
    for name in cat cp grep head rm setsid sleep wc; do
        command -v "$name" >/dev/null || { echo "the program $name is missing"; exit 2; }
    done
}

read_uptime() {
    read -r uptime _ <"$UPTIME"
    uptime=${uptime%%.*}
}

is_number() {
    case $1 in '' | *[!0-9]* | ???????????*) return 1 ;; esac
}

# Adds a byte to `word`, by its number.
add_byte() {
    word=$word$BACKSLASH$(printf 'x%02x' "$(($1 & 255))")
}

# Sets `word` to a text as one word: all but visible ASCII characters, and the backslash and the asterisk, become \xNN.
# A hyphen alone means "nothing".
escape() {
    case $1 in
    '' | -) word=; [ -z "$1" ] || add_byte 45 ;;
    *[!!-~]* | *"$BACKSLASH"* | *'*'*) escape_slowly "$1" ;;
    *) word=$1 ;;
    esac
    word=${word:--}
}

escape_slowly() {
    word=
    rest=$1
    while [ -n "$rest" ]; do
        char=${rest%"${rest#?}"}
        rest=${rest#?}
        case $char in
        [!!-~] | "$BACKSLASH" | '*') add_byte "$(printf %d "'$char")" ;;
        *) word=$word$char ;;
        esac
    done
}

# As escape, for a path as the kernel and fstab write it: \NNN is a byte, in octal digits.
escape_path() {
    path=$1
    done=
    case $path in
    *"$BACKSLASH"[0-3][0-7][0-7]*) ;;
    *) escape "$path"; return ;;
    esac
    while :; do
        case $path in
        *"$BACKSLASH"[0-3][0-7][0-7]*) ;;
        *) break ;;
        esac
        before=${path%%"$BACKSLASH"[0-3][0-7][0-7]*}
        after=${path#"$before$BACKSLASH"}
        escape_slowly "$before"
        done=$done$word
        digits=${after%"${after#???}"}
        path=${after#???}
        word=
        case $digits in
        043) word='#' ;;
        *) add_byte "0$digits" ;;
        esac
        done=$done$word
    done
    escape_slowly "$path"
    word=$done$word
}

# Writes a fact: the probe, a key that is already one word, and a value.
fact() {
    escape "$3"
    printf 'fact %s %s %s\n' "$1" "$2" "$word"
}

has() {
    command -v "$1" >/dev/null
}

# Ends a probe, because the host has none of the programs that it could use.
missing() {
    printf '%s\n' "$1" >"$HERE/$probe.why"
    return 3
}

# Runs a command. Its output goes to the file $1, but not more than the cap. Returns its exit code; 4 if it wrote more.
capped() {
    out=$1
    shift
    rm -f "$out" "$out.code"
    { ("$@"); echo "$?" >"$out.code"; } | { head -c "$((CAP + 1))" >"$out" && cat >/dev/null; } || return 5
    read -r code <"$out.code" || return 5
    [ "$code" = 0 ] || return "$code"
    [ "$(wc -c <"$out")" -le "$CAP" ] || return 4
}
""".lstrip()
