from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from devos.exchange.exr import float_of, layer_names, murmur3


@pytest.mark.parametrize(
    ("text", "known"),
    [("", 0), ("hello", 0x248BFA47), ("hello, world", 0x149BBB7F), ("The quick brown fox jumps over the lazy dog",
                                                                    0x2E4FF723)],
)  # fmt: skip
def test_names_are_hashed_as_murmur3_has_them(text, known):
    assert murmur3(text) == known


def test_a_name_whose_hash_is_no_number_as_a_float_is_still_one():
    for number in range(3000):
        assert np.isfinite(float_of(f"object_{number}")) and float_of(f"object_{number}") != 0


def test_layers_have_names_that_programs_take(info):
    from dataclasses import replace

    named = replace(info, names={1: "my swan!", 2: "my swan?", 3: "7up", 4: "CryptoObject"})
    names = layer_names([1, 2, 3, 4, 5], named)
    assert names == {1: "my_swan", 2: "my_swan_2", 3: "object_3", 4: "object_4", 5: "object_5"}


@pytest.mark.parametrize("soft", [False, True])
def test_openexr_reads_a_layer_for_each_object_and_a_cryptomatte_that_gives_their_coverage(
    write, shots, soft_shots, soft
):
    exr = pytest.importorskip("OpenEXR")
    shots = soft_shots if soft else shots
    folder = write("exr", shots)
    for shot in shots:
        with exr.File(str(folder / f"{shot.masks.name}.exr"), separate_channels=True) as file:
            header, channels = dict(file.header()), {name: one.pixels for name, one in file.channels().items()}
        keys = sorted(key for key in header if key.startswith("cryptomatte/"))
        assert [key.split("/")[2] for key in keys] == ["conversion", "hash", "manifest", "name"]
        assert {len(key.split("/")[1]) for key in keys} == {7}
        manifest = json.loads(header[keys[2]])
        assert set(manifest) == {"swan", "object_300"} and header[keys[3]] == "CryptoObject"
        for object_id, name in ((7, "swan"), (300, "object_300")):
            expected = shot.alpha(object_id)
            assert np.array_equal(channels[f"{name}.A"], expected.astype(np.float16))
            wanted = struct.unpack(">f", bytes.fromhex(manifest[name]))[0]
            coverage = np.zeros_like(expected)
            for level in range(3):  # as a program that picks a matte does it
                for key, share in (("R", "G"), ("B", "A")):
                    found = channels[f"CryptoObject{level:02d}.{key}"] == np.float32(wanted)
                    coverage += np.where(found, channels[f"CryptoObject{level:02d}.{share}"], 0)
            assert np.allclose(coverage, expected)
        assert channels["CryptoObject00.G"].dtype == np.float32
