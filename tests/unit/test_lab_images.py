# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content of the lab's images: partitions, volumes and thin pools."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from vm import encryption, firmware, grub, host, image, ranges, recipe, thin


def segment(name: str, start: int, size: int) -> dict[str, str]:
    values = {"pvseg_start": start, "pvseg_size": size, "pe_start": 1048576, "vg_extent_size": 4194304}
    return {"lv_name": name, **{field: str(value) for field, value in values.items()}}


def test_positions_of_volumes_on_the_disk() -> None:
    report = {"report": [{"pvseg": [segment("root", 0, 384), segment("var", 384, 128), segment("", 512, 843)]}]}
    assert ranges.volume_ranges(report, pv_start=402 * 1024**2) == {
        "root": ranges.ByteRange(offset=(402 + 1) * 1024**2, size=1536 * 1024**2),
        "var": ranges.ByteRange(offset=(402 + 1 + 1536) * 1024**2, size=512 * 1024**2),
    }


def test_a_volume_in_two_pieces_is_refused() -> None:
    report = {"report": [{"pvseg": [segment("root", 0, 10), segment("var", 10, 1), segment("root", 11, 5)]}]}
    with pytest.raises(host.LabError, match="root"):
        ranges.volume_ranges(report, pv_start=0)


@pytest.mark.parametrize(("name", "first"), [("trixie", ("21686148", 1)), ("trixie-uefi", ("C12A7328", 64))])
def test_partitions_are_contiguous_and_half_of_the_volume_group_is_free(name: str, first: tuple[str, int]) -> None:
    one = image.recipe_of(name)
    lines = [line for line in recipe.partitions(one).splitlines() if line.startswith("start=")]
    fields = [dict(field.split("=") for field in line.split(", ")) for line in lines]
    assert (fields[0]["type"].partition("-")[0], int(fields[0]["size"]) / 2048) == first
    assert int(fields[0]["start"]) + int(fields[0]["size"]) == int(fields[1]["start"])
    assert int(fields[1]["start"]) + int(fields[1]["size"]) == int(fields[2]["start"]) == one.pv_start_mib * 2048
    used = sum(volume.size_mib for volume in recipe.VOLUMES)
    assert used < (recipe.DISK_MIB - one.pv_start_mib) / 2


@pytest.mark.parametrize(("name", "more"), [("trixie", {}), ("trixie-uefi", {"/boot/efi": "UUID=5AFE-B007"})])
def test_fstab_names_logical_volumes_and_the_uuids_of_partitions(name: str, more: dict[str, str]) -> None:
    lines = recipe.fstab(image.recipe_of(name)).splitlines()
    assert {line.split()[1]: line.split()[0] for line in lines} == {
        "/": "/dev/mapper/sysvg-root",
        "/var": "/dev/mapper/sysvg-var",
        "/home": "/dev/mapper/sysvg-home",
        "/boot": "UUID=6f3b1a52-9d0c-4c57-8a55-0c1d6a3d5e71",
        **more,
    }


@pytest.mark.parametrize(
    ("name", "image_name"),
    [
        ("bookworm", "bookworm"),
        ("debian12", "bookworm"),
        ("debian13", "trixie"),
        ("trixie-thin", "trixie-thin"),
        ("debian13-thin", "trixie-thin"),
        ("debian12-dracut", "bookworm-dracut"),
        ("debian13-uefi", "trixie-uefi"),
    ],
)
def test_images_have_two_names(name: str, image_name: str) -> None:
    assert image.recipe_of(name).name == image_name


def test_the_error_for_an_unknown_image_lists_all_images() -> None:
    with pytest.raises(host.LabError, match=r"'woody'.*trixie-thin.*sid.*debian12-dracut"):
        image.recipe_of("woody")


def test_each_suite_has_the_same_images() -> None:
    *each, unstable, of_files = recipe.RECIPES.values()
    rest = [(one.title.partition(",")[2], one.pool, one.initramfs, one.firmware, one.encrypted) for one in each]
    assert (
        rest[:7]
        == rest[7:]
        == [
            ("", None, "initramfs-tools", firmware.BIOS, False),
            (" thin root", recipe.THIN_ROOT, "initramfs-tools", firmware.BIOS, False),
            (" dracut", None, "dracut", firmware.BIOS, False),
            (" UEFI", None, "initramfs-tools", firmware.UEFI, False),
            (" Secure Boot", None, "initramfs-tools", firmware.SECURE_BOOT, False),
            (" Secure Boot with own keys", None, "initramfs-tools", firmware.OWN_KEYS, False),
            (" encrypted", None, "initramfs-tools", firmware.BIOS, True),
        ]
    )
    assert replace(unstable, name="trixie", suite="trixie", title=each[7].title) == each[7]
    assert replace(of_files, name=unstable.name, title=unstable.title, bls=False) == unstable


def test_an_encrypted_image_has_its_key_in_the_initramfs_and_space_for_the_header() -> None:
    one, plain = image.recipe_of("trixie-luks"), image.recipe_of("trixie")
    files, key = recipe.configuration(one, public_key="key"), encryption.KEY_FILE
    assert files[key] == encryption.KEY
    assert files["/etc/crypttab"] == f"lvm_crypt PARTLABEL=lvm {key} luks,initramfs\n"
    assert files["/etc/cryptsetup-initramfs/conf-hook"] == f"KEYFILE_PATTERN={key}\n"
    assert 'name="lvm"' in recipe.partitions(one)
    assert one.tree != plain.tree
    assert set(one.packages) - set(plain.packages) == {"cryptsetup-initramfs"}
    assert not files.keys() & {key, "/etc/crypttab"} & recipe.configuration(plain, public_key="key").keys()
    # Before the volume there is the header, after it the second partition table.
    assert one.pv_start_mib + encryption.HEADER_MIB + one.plain_pv_mib < recipe.DISK_MIB
    assert encryption.used_mib(volume.size_mib for volume in recipe.VOLUMES) < one.plain_pv_mib / 2


def test_a_menu_with_bls_files_has_the_same_options() -> None:
    plain, files = (grub.script(recipe.ROOT, firmware.BIOS, bls=bls) for bls in (False, True))
    options = f"'options {grub.command_line(recipe.ROOT)}'"
    assert options in files
    assert options not in plain
    assert grub.command_line(recipe.ROOT).startswith("root=/dev/mapper/sysvg-root ro console=ttyS0")


def test_encryption_reads_the_key_from_a_file() -> None:
    argv = encryption.conversion_command("/tree/key", Path("plain"), Path("encrypted"))
    assert argv[-2:] == ["plain", "encrypted"]
    assert "secret,id=key,file=/tree/key" in argv
    assert "key-secret=key,iter-time=10" in argv


def test_an_image_has_one_initramfs_builder_and_only_its_settings() -> None:
    for name, wanted, other in (
        ("trixie", "initramfs-tools", "dracut"),
        ("trixie-dracut", "dracut", "initramfs-tools"),
    ):
        one = image.recipe_of(name)
        paths = recipe.configuration(one, public_key="key")
        assert wanted in one.packages
        assert other not in one.packages
        assert any(path.startswith(f"/etc/{wanted}") for path in paths)
        assert not any(path.startswith(f"/etc/{other}") for path in paths)


def test_a_volume_is_linear_or_thin() -> None:
    for one in recipe.RECIPES.values():
        assert {*one.linear_volumes, *one.thin_volumes} == {*recipe.VOLUMES}
    assert [volume.name for volume in image.recipe_of("trixie-thin").thin_volumes] == ["root", "var"]
    assert image.recipe_of("trixie").thin_volumes == ()


def test_the_thin_pool_and_the_volume_group_have_space_for_snapshots() -> None:
    one = image.recipe_of("trixie-thin")
    assert one.pool is not None
    provisioned = sum(volume.size_mib for volume in one.thin_volumes)
    assert provisioned * 1.5 < one.pool.data_mib
    used = sum(part.size_mib for part in thin.parts_of(one.pool).all())
    used += sum(volume.size_mib for volume in one.linear_volumes)
    assert used + 1024 < recipe.DISK_MIB - one.pv_start_mib


POOL = recipe.ThinPool("pool", 16, 4, ("one", "two"))
THIN_VOLUMES = (recipe.Volume("one", 8, "ext4", "/"), recipe.Volume("two", 4, "xfs", "/two"))


def test_thin_volumes_are_contiguous_in_the_data_of_their_pool() -> None:
    data = ranges.ByteRange(offset=1000 * ranges.MIB, size=16 * ranges.MIB)
    assert thin.thin_ranges(THIN_VOLUMES, data) == {
        "one": ranges.ByteRange(offset=1000 * ranges.MIB, size=8 * ranges.MIB),
        "two": ranges.ByteRange(offset=1008 * ranges.MIB, size=4 * ranges.MIB),
    }
    with pytest.raises(host.LabError, match="larger than their pool"):
        thin.thin_ranges(THIN_VOLUMES, replace(data, size=11 * ranges.MIB))


def test_the_pool_maps_the_blocks_of_its_volumes() -> None:
    root = ET.fromstring(thin.pool_metadata(POOL, THIN_VOLUMES))  # noqa: S314
    expected = {"transaction": "2", "data_block_size": "128", "nr_data_blocks": "256"}
    assert root.attrib.items() >= expected.items()
    devices = [(each.get("dev_id"), each.get("mapped_blocks"), each.get("transaction")) for each in root]
    assert devices == [("1", "128", "0"), ("2", "64", "1")]
    (first,), (second,) = root
    assert first.attrib == {"origin_begin": "0", "data_begin": "0", "length": "128", "time": "0"}
    assert second.attrib == {"origin_begin": "0", "data_begin": "128", "length": "64", "time": "0"}


def backup(*names: str) -> str:
    volumes = "".join(
        f'\t\t{name} {{\n\t\t\tid = "{name}-id"\n\t\t\tstatus = ["READ", "WRITE", "VISIBLE"]\n\t\t}}\n'
        for name in names
    )
    return f"sysvg {{\n\n\tlogical_volumes {{\n\n{volumes}\t}}\n}}\n"


def test_plain_volumes_become_the_hidden_parts_of_a_pool() -> None:
    text = thin.with_thin_pool(backup("pool-data", "pool-metadata", "pool-spare", "home"), POOL, THIN_VOLUMES)
    found = re.findall(r'(\w+) \{\s+id = "([^"]+)"\s+status = \[(.*)\]', text)
    assert {name: status for name, _id, status in found} == {
        "pool": '"READ", "WRITE", "VISIBLE"',
        "one": '"READ", "WRITE", "VISIBLE"',
        "two": '"READ", "WRITE", "VISIBLE"',
        "pool_tdata": '"READ", "WRITE"',
        "pool_tmeta": '"READ", "WRITE"',
        "lvol0_pmspare": '"READ", "WRITE"',
        "home": '"READ", "WRITE", "VISIBLE"',
    }
    ids = {name: identifier for name, identifier, _status in found}
    assert ids["pool_tdata"] == "pool-data-id"
    assert all(re.fullmatch("[0-9a-f]{6}(-[0-9a-f]{4}){5}-[0-9a-f]{6}", ids[name]) for name in ("pool", "one", "two"))


def test_the_segments_of_a_pool_and_its_volumes() -> None:
    text = thin.with_thin_pool(backup("pool-data", "pool-metadata", "pool-spare"), POOL, THIN_VOLUMES)
    segments = [
        dict(re.findall(r'(\w+) = "?(\w+|thin-pool)"?$', each, re.MULTILINE)) for each in text.split("segment1")[1:]
    ]
    pool, one, two = ({key: segment[key] for key in segment if key != "id"} for segment in segments)
    assert (
        pool.items()
        >= {
            "extent_count": "4",
            "metadata": "pool_tmeta",
            "pool": "pool_tdata",
            "transaction_id": "2",
            "chunk_size": "128",
            "discards": "passdown",
            "zero_new_blocks": "1",
        }.items()
    )
    assert one.items() >= {"extent_count": "2", "thin_pool": "pool", "transaction_id": "0", "device_id": "1"}.items()
    assert two.items() >= {"extent_count": "1", "thin_pool": "pool", "transaction_id": "1", "device_id": "2"}.items()


def test_a_pool_without_one_of_its_parts_is_refused() -> None:
    with pytest.raises(host.LabError, match="pool-spare"):
        thin.with_thin_pool(backup("pool-data", "pool-metadata"), POOL, THIN_VOLUMES)
