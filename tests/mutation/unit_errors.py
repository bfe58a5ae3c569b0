# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deliberate errors in what a module says when something fails."""

from __future__ import annotations

from mutation.unit_table import Mutant

MUTANTS = (
    Mutant(
        "LVM's words are not lost if the report fails too",
        "    except (SafepointError, OSError) as second:\n        undoing.problems",
        "    except ZeroDivisionError as second:\n        undoing.problems",
    ),
    Mutant("what nobody knows is a change", "unknown, undoing, changed=True)", "unknown, undoing, changed=False)"),
    Mutant(
        "whatever fails while undoing is said",
        '        if result.rc != 0:\n            self.problems.append(f"{step',
        '        if result.rc > 255:\n            self.problems.append(f"{step',
    ),
    Mutant("a record that stays is a change", "started_by_hand or undoing.problems", "started_by_hand or ()"),
    Mutant(
        "what is left was created",
        'report = "" if made else "; nothing was created"',
        'report = "; nothing was created"',
    ),
    Mutant("what is left was created, of any kind", "    elif started and not left:\n", "    elif started:\n"),
    Mutant(
        "an error after the last step hides no change",
        "        session.changed = any(step.changes for step in plan.steps)\n",
        "",
    ),
    Mutant(
        "an error of a file is a sentence in every module",
        "    except (SafepointError, OSError) as error:\n        common",
        "    except SafepointError as error:\n        common",
    ),
    Mutant(
        "a device may be removed while its name is read",
        "        if error.errno != errno.EIO:\n            raise\n        return b",
        "        raise\n        return b",
    ),
    Mutant(
        "a broken disk is no missing file",
        "_GONE = (errno.ENOENT, ",
        "_GONE = (errno.ENOENT, errno.EIO, ",
    ),
    Mutant("what hangs is killed with its children", "            os.killpg(", "            os.kill("),
    Mutant("what cannot be killed is not waited for", "            process.wait(_PAUSE)", "            process.wait()"),
    Mutant("a device that answers is not named", "elif state[-1] and before.get(device) == state:", "elif state[-1]:"),
    Mutant(
        "only the holder of that lock is named", 'if line[0] in waited and "->" not in line', "if line[0] in waited"
    ),
    Mutant("commands to type are quoted", '    return join(["lvchange"', '    return " ".join(["lvchange"'),
)
