from __future__ import annotations

import json
import tarfile

import pytest

from devos.data.packing.build import gather, pack
from devos.data.packing.shards import MANIFEST, Member, is_packed, unpack, unpacked, write_shards
from devos.errors import InputError, OptionError, OutputError


@pytest.fixture
def packed(data, tmp_path):
    out = tmp_path / "packed"
    pack(gather(data), out, shard_mb=0.04)
    return out


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_unpacked_is_what_was_packed(data, packed, tmp_path):
    found = files(unpack(packed, tmp_path / "again"))
    manifest = json.loads(found.pop(MANIFEST))
    assert found == files(data)
    assert len(manifest["shards"]) > 1 and sum(shard["members"] for shard in manifest["shards"]) == len(found)


def test_no_archive_is_larger_than_asked(packed):
    assert all(path.stat().st_size <= 40_000 for path in packed.glob("*.tar"))


def test_long_names_are_counted_too(tmp_path):
    file = tmp_path / "x"
    file.write_bytes(b"x" * 700)
    members = [Member(f"{'n' * 140}/{number:03d}.webp", file) for number in range(60)]
    (tmp_path / "out").mkdir()
    shards = write_shards(members, tmp_path / "out", 60_000)
    assert sum(shard.members for shard in shards) == 60 and all(shard.size <= 60_000 for shard in shards)


def test_members_have_no_date_and_no_owner(packed):
    for path in packed.glob("*.tar"):
        with tarfile.open(path) as archive:
            assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in archive} == {(0, 0, 0, "", 0o644)}


def test_a_file_larger_than_an_archive_is_refused(data, tmp_path):
    with pytest.raises(OptionError, match=r"too large for archives of 0 MB.*--shard-mb"):
        pack(gather(data), tmp_path / "out", shard_mb=0.011)
    assert not (tmp_path / "out" / MANIFEST).exists()


def test_a_damaged_archive_is_refused_and_nothing_is_left(packed, tmp_path):
    path = sorted(packed.glob("*.tar"))[0]
    content = bytearray(path.read_bytes())
    content[600] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"data-000\.tar is damaged"):
        unpack(packed, tmp_path / "again")
    path.unlink()
    with pytest.raises(InputError, match=r"data-000\.tar is missing"):
        unpack(packed, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_names_that_lead_out_of_the_folder_are_refused(packed, tmp_path):
    import hashlib

    path = packed / "data-000.tar"
    (tmp_path / "x").write_text("x")
    with tarfile.open(path, "w") as archive:
        archive.add(tmp_path / "x", "../x.png")
    manifest = json.loads((packed / MANIFEST).read_text())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest["shards"][0] |= {"size": path.stat().st_size, "sha256": digest}
    (packed / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="no file of a training set"):
        unpack(packed, tmp_path / "again")
    assert sorted(p.name for p in tmp_path.iterdir() if "again" in p.name or p.name == "x.png") == []


def test_a_folder_in_use_is_not_unpacked_into(packed, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("")
    with pytest.raises(OutputError, match="not an empty folder"):
        unpack(packed, tmp_path / "full")


def test_training_unpacks_beside_the_archives_once(packed):
    assert is_packed(packed)
    home = unpacked(packed)
    (home / "static" / "mark").write_text("")
    assert unpacked(packed) == home and (home / "static" / "mark").exists()
    (home / MANIFEST).write_text("{}")
    with pytest.raises(InputError, match="unpacked from other archives"):
        unpacked(packed)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1, "shards": [{"file": "x"}]}', '{"format": 9, "shards": []}'])
def test_a_manifest_that_is_none_is_refused(packed, tmp_path, text):
    (packed / MANIFEST).write_text(text)
    with pytest.raises(InputError, match=r"`devos data build` wrote|has format 9"):
        unpack(packed, tmp_path / "again")
