# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mutants of the health gate: its rules, its program, and the file of a baseline."""

from __future__ import annotations

from mutation.unit_table import Mutant

MUTANTS = (
    Mutant(
        "what comes and goes while it is recorded is not demanded",
        "return tuple(dict.fromkeys([*found[0], *found[1]])) if all(found) else ()",
        "return tuple(dict.fromkeys([*found[0], *found[1]])) if any(found) else ()",
    ),
    Mutant(
        "a filesystem that became read-only is a failure",
        'return ((key, value if value == "rw" else ANY),)',
        "return ((key, ANY),)",
    ),
    Mutant(
        "a host in rescue mode is not well",
        '_HEALTHY_BOOT = ("running", "degraded")',
        '_HEALTHY_BOOT = ("running", "degraded", "maintenance")',
    ),
    Mutant(
        "an open socket of all addresses is as good as one of a single address",
        "return tuple((one, ANY) for one in (key, *_wider(key)))",
        "return ((key, ANY),)",
    ),
    Mutant(
        "an IPv4 socket does not replace an IPv6 one",
        "    if protocol == version4:\n        wide.insert",
        "    if protocol:\n        wide.insert",
    ),
    Mutant(
        "a counter that stays is not a restart",
        "and int(now) > int(before)",
        "and int(now) >= int(before)",
    ),
    Mutant(
        "what was ill in either look was ill before",
        "return tuple(sorted({*first.of_probe(probe), *second.of_probe(probe)}))",
        "return tuple(sorted({*second.of_probe(probe)}))",
    ),
    Mutant(
        "an observation that is cut off is a failure",
        'whole=lines[0] == _HEADER and lines[-1] == "end"',
        "whole=lines[0] == _HEADER",
    ),
    Mutant(
        "an item of accept without an asterisk is the whole key",
        "text.startswith(one[:-1]) if one.endswith(ANY) else text == one",
        "text.startswith(one.rstrip(ANY))",
    ),
    Mutant(
        "a probe without a result is one failure",
        "        elif now.status(probe) != OK:\n            found = iter",
        "        elif now.status(probe) == NOTHING:\n            found = iter",
    ),
    Mutant(
        "a missing program of a required check is refused when it is recorded",
        'if check.level == REQUIRED and "missing" in [',
        'if check.level != REQUIRED and "missing" in [',
    ),
    Mutant(
        "the program prints every broken assertion that is required or warned of",
        "    warned) ;;\n    *) return 0 ;;",
        "    *) return 0 ;;",
    ),
    Mutant(
        "the program takes the first of two facts with a key",
        "case $seen$known in",
        "case $known in",
    ),
    Mutant(
        "assertions that are cut off are an error",
        '    echo "the assertions are incomplete" >&2\n    exit 2\n',
        "",
    ),
    Mutant(
        "a transient unit does not count",
        '[ -z "$id" ] || [ "$transient" = yes ] || {',
        '[ -z "$id" ] || {',
    ),
    Mutant(
        "a probe that writes too much has no result",
        '    [ "$(wc -c <"$out")" -le "$CAP" ] || return 4\n',
        "",
    ),
    Mutant(
        "if the output cannot be read, the probe has failed",
        '>"$out" && cat >/dev/null; } || return 5',
        '>"$out"; cat >/dev/null; } || return 5',
    ),
    Mutant(
        "what a probe has started is killed with it",
        'eval "kill -9 -\\$job_$one"',
        'eval "kill -9 \\$job_$one"',
    ),
    Mutant(
        "a probe has a time limit",
        '&& [ "$uptime" -le "$end" ]; do',
        "; do",
    ),
    Mutant(
        "ports of clients are no listeners",
        'if [ "$port" -lt "$low" ] || [ "$port" -gt "$high" ]; then',
        'if [ "$port" -le "$low" ] || [ "$port" -ge "$high" ]; then',
    ),
    Mutant(
        "an automount is not demanded",
        'case $automounts in *"$NEWLINE$mountpoint$NEWLINE"*) continue ;; esac',
        "",
    ),
    Mutant(
        "a filesystem is also read-only if only the superblock is",
        "all=$options,${rest#* }",
        "all=$options",
    ),
    Mutant(
        "routes that follow from addresses are not demanded",
        '[ $((0x$flags & 2)) != 0 ] || [ "$mask" = 00000000 ] || continue',
        "",
    ),
    Mutant(
        "what becomes ill again must be well for the whole time again",
        "        else\n            since=\n            for name in",
        "        else\n            for name in",
    ),
    Mutant(
        "a host that is starting is waited for",
        "case $found in initializing | starting | stopping) ;; *) return 1 ;; esac",
        "return 1",
    ),
    Mutant(
        "it does not sleep beyond the deadline",
        'if [ "$1" -lt "$remaining" ]; then sleep "$1"; else sleep "$remaining"; fi',
        'sleep "$1"',
    ),
    Mutant(
        "the first one of two recordings at the same time counts",
        "            return _link(new, path)\n",
        "            pass\n",
    ),
    Mutant(
        "a baseline that others can read or write is refused",
        "or status.st_mode & _OTHERS",
        "or status.st_mode & stat.S_IWOTH",
    ),
    Mutant(
        "a recording with other checks is refused",
        "    if kept.gate != request.gate:\n",
        "    if kept.gate == Gate():\n",
    ),
    Mutant(
        "check mode keeps nothing",
        "if kept is None and not module.check_mode and not write_baseline(",
        "if kept is None and not write_baseline(",
    ),
    Mutant(
        "what is well too late is not well",
        "found = (*differences(baseline, accept, *looks), *_late(run))",
        "found = differences(baseline, accept, *looks)",
    ),
    Mutant(
        "the module and the program must agree",
        "if mine != sorted(run.printed) or run.well == is_ill:",
        "if mine != sorted(run.printed):",
    ),
    Mutant(
        "a word stands for exactly one text",
        '    if data == b"-":\n        return r"\\x2d"\n',
        "",
    ),
    Mutant(
        "JUnit contains no characters that XML cannot contain",
        "return _FORBIDDEN.sub(_escaped, str(text)[:_MOST_CHARACTERS])",
        "return str(text)[:_MOST_CHARACTERS]",
    ),
    Mutant(
        "the file of a host is inside the directory",
        "quote(host, safe='', errors='surrogatepass')",
        "quote(host, safe='/', errors='surrogatepass')",
    ),
)
