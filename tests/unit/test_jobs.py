# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The jobs of the table in tests/README.md: their machines, and the ansible-core that they are run with."""

from __future__ import annotations

from suite import jobs, plan
from tools import envs
from vm.recipe import RECIPES

TABLE = plan.read(plan.README.read_text(encoding="utf-8"))
PAIR = plan.Job("controller core-2.21 bookworm", "trixie", "uml", "all", 5, None)


def test_a_job_that_names_an_image_has_a_second_machine() -> None:
    assert list(jobs.machines(PAIR).values()) == ["trixie", "bookworm"]
    alone = plan.Job("thin core-2.16", "trixie", "uml", "all", 5, None)
    assert jobs.machines(alone) == {alone.slug: "trixie"}


def test_all_machines_of_the_table_have_their_own_names_and_known_images() -> None:
    machines = [machine for job in TABLE for machine in jobs.machines(job).items()]
    assert len(dict(machines)) == len(machines)
    assert {image for _name, image in machines} <= set(RECIPES)
    # A host name has 64 characters at most.
    assert max(len(name) for name, _image in machines) <= 64


def test_a_job_names_the_core_that_it_is_run_with() -> None:
    assert jobs.home_of(PAIR).name == "core-2.21"
    known = {environment.name for environment in envs.CONTROLLERS}
    words = {word for job in TABLE for word in job.name.split() if word.startswith("core-")}
    assert words
    assert words <= known
    assert {jobs.home_of(job).name for job in TABLE if "core-" not in job.name} == {"main"}
