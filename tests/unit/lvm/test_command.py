# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running LVM and decoding what it prints."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._errors import ReportFailed
from ansible_collections.safepoint.lvm.plugins.module_utils._lvm import command
from ansible_collections.safepoint.lvm.plugins.module_utils._lvm.command import Lvm, Report
from ansible_collections.safepoint.lvm.plugins.module_utils._model import VolumeGroup

if TYPE_CHECKING:
    from pathlib import Path


def test_the_bytes_of_a_report_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Line ends are not normalized, and bytes that are not UTF-8 become surrogates."""
    printed = SimpleNamespace(args=["lvm"], stdout=b"a\xff\r\n", stderr=b" \xff\n", returncode=5)
    monkeypatch.setattr(command, "ask", lambda _argv: printed)
    monkeypatch.setattr(command, "parse_report", lambda text: ((), (text,)))
    monkeypatch.setattr(command, "parse_duplicates", lambda _text: {})
    text: Any = ("a\udcff\r\n",)
    assert Lvm("lvm").report() == Report((), text, "\udcff")


DUPLICATES = '{"report": [{"pv": [{"vg_uuid":"u1", "pv_name":"/dev/a\\x20b"}, {"vg_uuid":"u1", "pv_name":"/dev/c"}]}]}'


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """The command lines of LVM processes. The report has the VG u1; LVM warns, and knows two duplicate PVs."""
    lines: list[list[str]] = []
    printed = {"fullreport": "the report", "pvs": DUPLICATES, "lvmconfig": " 1\n"}

    def run(argv: list[str]) -> SimpleNamespace:
        lines.append(argv)
        return SimpleNamespace(args=argv, stdout=printed[argv[1]].encode(), stderr=b"WARNING", returncode=0)

    group = VolumeGroup(name="vg", uuid="u1", extent_size=1, extent_count=1, free_extents=1)
    monkeypatch.setattr(command, "ask", run)
    monkeypatch.setattr(command, "parse_report", lambda _text: ((group,), ()))
    monkeypatch.setattr(command, "LVM_CONFIGURATION", tmp_path)
    return lines


def test_duplicates_are_asked_for_if_lvm_warns(asked: list[list[str]]) -> None:
    lvm = Lvm("lvm")
    (group,) = lvm.report().volume_groups
    assert group.duplicates == ("/dev/a\\x20b", "/dev/c")
    assert [argv[1] for argv in asked] == ["fullreport", "pvs"]
    assert lvm.reads == 2


def test_the_error_names_the_command_that_printed_nonsense(
    asked: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_text: str) -> None:
        raise ReportFailed("cannot parse LVM's report")

    monkeypatch.setattr(command, "parse_duplicates", fail)
    with pytest.raises(ReportFailed, match=r"^cannot parse LVM's report; LVM said: WARNING$") as caught:
        Lvm("lvm").report()
    assert caught.value.details["cmd"] == asked[-1]
    assert asked[-1][1] == "pvs"


def test_duplicates_that_lvm_may_ignore(asked: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "lvmlocal.conf").write_text("devices {\n\tallow_changes_with_duplicate_pvs = 1\n}\n")
    (group,) = Lvm("lvm").report().volume_groups
    assert group.duplicates == ()
    assert asked[-1][1:] == [
        *("lvmconfig", "--typeconfig", "full", "--valuesonly", "devices/allow_changes_with_duplicate_pvs")
    ]


def test_without_a_warning_one_process_is_enough(asked: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    def run(argv: list[str]) -> SimpleNamespace:
        asked.append(argv)
        return SimpleNamespace(args=argv, stdout=b"", stderr=b"", returncode=0)

    monkeypatch.setattr(command, "ask", run)
    (group,) = Lvm("lvm").report().volume_groups
    assert (group.duplicates, len(asked)) == ((), 1)


THRESHOLD = "thin_pool_autoextend_threshold = 70"


@pytest.mark.parametrize(
    ("files", "profile", "limit", "options"),
    [
        ({}, "", 100, None),
        ({"lvm.conf": f"activation {{\n\t# {THRESHOLD}\n}}\n"}, "", 100, None),
        ({"lvm.conf": "activation/thin_pool_autoextend_thresholds = 70\n"}, "", 100, None),
        ({"lvm.conf": f"activation {{\n\t{THRESHOLD} # too low?\n}}\n"}, "", 1, []),
        ({"lvm_tag.conf": f"activation {{ {THRESHOLD} }}"}, "", 1, []),
        ({"profile/mine.profile": THRESHOLD}, "", 100, None),
        ({"profile/mine.profile": THRESHOLD}, "other", 100, None),
        ({"profile/mine.profile": THRESHOLD}, "mine", 1, ["--metadataprofile", "mine"]),
    ],
)
def test_the_limit_of_a_pool(
    asked: list[list[str]], tmp_path: Path, files: dict[str, str], profile: str, limit: int, options: list[str] | None
) -> None:
    """LVM is asked only if a file of its configuration sets the threshold. It prints 1 here."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert Lvm("lvm").creation_limit(profile) == limit
    words = ["lvm", "lvmconfig", "--typeconfig", "full", "--valuesonly"]
    assert asked == ([] if options is None else [[*words, *options, "activation/thin_pool_autoextend_threshold"]])


def test_a_limit_that_lvm_does_not_print(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "lvm.conf").write_text(THRESHOLD)
    failed = SimpleNamespace(args=["lvm"], stdout=b"", stderr=b" broken\n", returncode=5)
    monkeypatch.setattr(command, "ask", lambda _argv: failed)
    monkeypatch.setattr(command, "LVM_CONFIGURATION", tmp_path)
    with pytest.raises(ReportFailed, match=r"does not print the value of activation/.*; LVM said: broken"):
        Lvm("lvm").creation_limit("")
