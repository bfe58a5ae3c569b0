# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The canaries and the evidence of the role rollback, where a host would have them written elsewhere."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from jinja2.sandbox import SandboxedEnvironment
from odd_values import ODD_TEXT, TEXT

ROLLBACK = yaml.safe_load((Path(__file__).resolve().parents[2] / "roles/rollback/vars/main.yml").read_text())


def _canaries(*directories: Path) -> list[str]:
    """Leave canaries as the role rollback does; where it says that it could not."""
    return _sh(ROLLBACK["_rollback_leave_canaries"], ".canary-1", *map(str, directories))


def _sh(program: str, *arguments: str, cwd: Path | None = None) -> list[str]:
    argv = ["sh", "-c", program, "sh", *arguments]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, cwd=cwd)
    return done.stdout.splitlines()


def test_canaries_follow_no_link(tmp_path: Path) -> None:
    """Who owns a filesystem's root directory could have root write elsewhere, once the name is known."""
    precious = tmp_path / "precious"
    precious.write_text("not ours")
    for name, target in (("file", precious), ("nothing", tmp_path / "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".canary-1").symlink_to(target)
    assert _canaries(tmp_path / "file", tmp_path / "nothing") == [str(tmp_path / "nothing")]
    assert precious.read_text() == "not ours"
    assert not (tmp_path / "new").exists()


def test_every_directory_gets_a_canary_or_is_told(tmp_path: Path) -> None:
    """One that is told as left, and was not, would be taken for a proof."""
    good = tmp_path / "it's a $(reboot)\tdirectory"
    good.mkdir()
    assert _canaries(tmp_path / "full", good) == [str(tmp_path / "full")]
    assert _canaries(good) == []
    assert [path.name for path in good.iterdir()] == [".canary-1"]


def test_evidence_is_for_its_owner_alone_and_follows_no_link(tmp_path: Path) -> None:
    precious, packed, copied = tmp_path / "precious", tmp_path / "packed", tmp_path / "new" / "deep" / "copied"
    precious.write_text("not ours")
    for path in (packed, copied):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(precious)
    (tmp_path / "-rf").write_text("evidence")
    wanted = ["-rf", str(tmp_path / "none"), "", str(precious)]
    assert _sh(ROLLBACK["_rollback_pack"], str(packed), *wanted, cwd=tmp_path) == [str(tmp_path / "none"), ""]
    assert _sh(ROLLBACK["_rollback_make_place"], str(copied.parent), str(copied)) == []
    assert precious.read_text() == "not ours"
    for path in (packed, copied):
        assert not path.is_symlink()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(packed) as archive:
        assert archive.getnames() == ["-rf", str(precious).lstrip("/")]


@given(one_id=ODD_TEXT | TEXT)
def test_a_host_cannot_choose_where_its_evidence_goes(one_id: str) -> None:
    """What a host says about itself becomes a part of a file's name on the controller, and of no directory's."""
    environment = SandboxedEnvironment()
    environment.filters["regex_replace"] = lambda text, pattern, new: re.sub(pattern, new, text)
    variables = {"rollback_name": "s", "_rollback_before": {"id": one_id}}
    name = environment.from_string(ROLLBACK["_rollback_file"]).render(variables)
    assert re.fullmatch(r"s-[A-Za-z0-9-]{0,32}\.tar\.gz", name)
    # The other one is only compared.
    used = [name for name, text in ROLLBACK.items() if "before.id" in str(text)]
    assert used == ["_rollback_boot", "_rollback_file"]
    host = environment.from_string(ROLLBACK["_rollback_host"]).render({"inventory_hostname": one_id})
    assert re.fullmatch(r"[A-Za-z0-9._-]*", host)
    assert [name for name, text in ROLLBACK.items() if "inventory_hostname" in str(text)] == ["_rollback_host"]


def test_evidence_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "df").write_text("#!/bin/sh\necho Avail; echo 4096\n")
    (tmp_path / "df").chmod(0o755)
    (tmp_path / "log").write_bytes(bytes(3 << 20))
    argv = ["sh", "-c", ROLLBACK["_rollback_pack"], "sh", str(tmp_path / "packed"), str(tmp_path / "log")]
    env = {"PATH": f"{tmp_path}:{os.defpath}"}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 3
    assert done.stderr.startswith(f"rollback_fetch has 3 MiB, but {tmp_path} has room for 2 MiB: fetch less")
    assert not (tmp_path / "packed").exists()
    (tmp_path / "log").write_bytes(bytes(1 << 20))
    assert subprocess.run(argv, capture_output=True, check=False, env=env).returncode == 0


def test_a_place_that_cannot_be_created_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (problem,) = _sh(ROLLBACK["_rollback_make_place"], str(tmp_path / "file"), str(tmp_path / "file" / "a"))
    assert str(tmp_path / "file") in problem
    (tmp_path / "directory" / "a").mkdir(parents=True)
    (problem,) = _sh(ROLLBACK["_rollback_make_place"], str(tmp_path / "directory"), str(tmp_path / "directory" / "a"))
    assert "directory/a" in problem


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to somebody else")
def test_evidence_does_not_go_to_a_directory_of_somebody_else(tmp_path: Path) -> None:
    place = tmp_path / "evidence"
    place.mkdir()
    os.chown(place, 65534, 65534)
    argv = ["sh", "-c", ROLLBACK["_rollback_make_place"], "sh", str(place), str(place / "a")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, list(place.iterdir())) == (0, [])
    assert done.stdout == f"{place} belongs to somebody else\n"
