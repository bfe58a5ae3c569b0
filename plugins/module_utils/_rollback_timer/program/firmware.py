# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the program of a rollback timer treats the variables of UEFI firmware: only shell text. Pure; private.

``_boot_files.firmware`` does the same for the module.
"""

from __future__ import annotations

FIRMWARE = r"""
# Whether the firmware may refuse to start the saved boot loaders.
may_refuse() {
    [ -e "$EFIVARS/$SECURE_BOOT" ] || return
    ! has_checksum "$EFIVARS/$SECURE_BOOT" "$SECURE_BOOT_OFF" || return
    for variable in $REVOCATIONS; do
        is_same_variable "$variable" || return 0
    done
    return 1
}

is_same_variable() {
    saved=$HERE/backup/firmware/$1
    [ -e "$saved" ] || [ -e "$EFIVARS/$1" ] || return 0
    [ -e "$saved" ] && [ -e "$EFIVARS/$1" ] || return
    sum=$(tool sha256sum <"$saved")
    has_checksum "$EFIVARS/$1" "${sum%% *}"
}

# efivarfs accepts a variable only in a single write. The order of the entries comes last.
restore_variables() {
    for file in "$HERE"/backup/firmware/Boot????-* "$HERE"/backup/firmware/BootOrder-*; do
        name=${file##*/}
        [ ! -f "$file" ] || [ ! -d "$EFIVARS" ] || is_same_variable "$name" || tool cat "$file" >"$EFIVARS/$name" ||
            say "cannot restore the boot entry $name of the firmware"
    done
}
""".lstrip()
