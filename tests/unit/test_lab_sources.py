# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mirrors from which the lab installs packages."""

from __future__ import annotations

from pathlib import Path

import pytest
from vm import host, image, sources


@pytest.mark.parametrize(
    ("targets", "debian", "security"),
    [
        pytest.param(
            "Docker|Docker|https://apt.example/linux/debian/\n"
            "Debian|Debian|http://mirror.example/debian/\n"
            "Debian|Debian-Security|http://mirror.example/security/\n"
            "Debian|Debian|http://second.example/debian/\n",
            "http://mirror.example/debian",
            "http://mirror.example/security",
            id="by origin, the first of each",
        ),
        pytest.param(
            "||http://mirror.example/tool/\n||http://mirror.example/debian\n||http://mirror.example/debian-security\n",
            "http://mirror.example/debian",
            "http://mirror.example/debian-security",
            id="by path, before APT has fetched anything",
        ),
        pytest.param(
            "Debian|Debian|http://mirror.example/d\n", "http://mirror.example/d", None, id="no security archive"
        ),
        pytest.param("Ubuntu|Ubuntu|http://mirror.example/ubuntu/\n", None, None, id="another distribution"),
        pytest.param("", None, None, id="no sources"),
    ],
)
def test_mirrors_of_apt(targets: str, debian: str | None, security: str | None) -> None:
    assert sources.addresses(targets) == (debian, security)


class Apt:
    """What this machine has: without `targets` no APT."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.targets: str | None = None
        self.dated = ""
        for variable in (sources.MIRROR, sources.SECURITY_MIRROR):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setattr("shutil.which", lambda _program: None if self.targets is None else "/usr/bin/apt-get")
        monkeypatch.setattr(sources, "output", self.output)

    def output(self, program: str, *_arguments: str) -> str:
        return self.dated if program == "apt-config" else self.targets or ""


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch) -> Apt:
    return Apt(monkeypatch)


@pytest.mark.parametrize("targets", [None, "", "Ubuntu|Ubuntu|http://mirror.example/ubuntu\n"])
def test_without_a_mirror_the_error_says_what_to_set(apt: Apt, targets: str | None) -> None:
    apt.targets = targets
    with pytest.raises(host.LabError, match=r"no mirror of Debian is known.* Set SAFEPOINT_MIRROR, for example"):
        sources.host_mirror()


def test_the_mirror_of_this_machine(apt: Apt) -> None:
    apt.targets = "Debian|Debian|http://m.example/d\nDebian|Debian-Security|http://m.example/s\n"
    assert sources.host_mirror() == sources.Mirror("http://m.example/d", "http://m.example/s")
    apt.dated = "DATED='false'\n"
    assert sources.host_mirror().frozen


def test_a_variable_wins_over_apt(apt: Apt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEPOINT_MIRROR", "http://own.example/debian/")
    assert sources.host_mirror() == sources.Mirror("http://own.example/debian")
    apt.targets = "Debian|Debian|http://m.example/d\nDebian|Debian-Security|http://m.example/s\n"
    assert sources.host_mirror() == sources.Mirror("http://own.example/debian")
    monkeypatch.setenv("SAFEPOINT_SECURITY_MIRROR", "http://own.example/security")
    assert sources.host_mirror() == sources.Mirror("http://own.example/debian", "http://own.example/security")


@pytest.mark.usefixtures("apt")
@pytest.mark.parametrize("value", ["own.example", "http://own.example/a b", "http://own.example\ndeb"])
def test_an_address_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SAFEPOINT_MIRROR", value)
    with pytest.raises(host.LabError, match=r"SAFEPOINT_MIRROR: .* is not an address: use for example"):
        sources.host_mirror()


def test_mirrors_in_variables_reach_the_process_that_builds_as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEPOINT_MIRROR", "http://own.example/debian")
    monkeypatch.delenv("SAFEPOINT_SECURITY_MIRROR", raising=False)
    started: list[list[str]] = []

    class Child:
        returncode = 0

        def __init__(self, argv: list[str]) -> None:
            started.append(argv)

        def wait(self) -> None:
            pass

    monkeypatch.setattr("subprocess.Popen", Child)
    image.assemble_as_root(image.Image("trixie", Path("/nowhere")))
    variables = started[0][started[0].index("env") + 1 : started[0].index("unshare")]
    assert [text for text in variables if "MIRROR" in text] == ["SAFEPOINT_MIRROR=http://own.example/debian"]


def test_sources_of_a_guest() -> None:
    mirror = sources.Mirror(debian="http://m.example/debian", security="http://m.example/security")
    signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert mirror.lines("trixie").splitlines() == [
        f"deb {signed} http://m.example/debian trixie main",
        f"deb {signed} http://m.example/debian trixie-updates main",
        f"deb {signed} http://m.example/security trixie-security main",
    ]
    assert "security" not in sources.Mirror("http://m.example/debian").lines("trixie")


def test_sources_of_unstable() -> None:
    mirror = sources.Mirror(debian="http://m.example/debian", frozen=True)
    signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg check-valid-until=no]"
    assert mirror.lines("sid") == f"deb {signed} http://m.example/debian sid main\n"
