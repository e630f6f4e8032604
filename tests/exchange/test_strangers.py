"""Files of other tools that lie about sizes, are nested without end, or grow when they are read: one line, at once."""

from __future__ import annotations

import json

import pytest

from devos.errors import MaskError
from devos.pipeline.convert import import_masks

DEEP = '{"images":' * 60_000 + "1" + "}" * 60_000
XML = '<annotations><image id="0" name="a.png" width="{0}" height="{0}"><mask label="a" rle="{1}" left="2" top="3" ' \
    'width="4" height="3" z_order="0"/></image></annotations>'  # fmt: skip
ENTITIES = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "ha" * 50}">' for i in range(12))


def coco(side: object) -> str:
    return json.dumps({"images": [{"id": 1, "file_name": "a.png", "height": 48, "width": side}], "categories": [],
                       "annotations": [{"id": 1, "image_id": 1, "segmentation": [[4, 6, 20, 6, 20, 26]]}]})  # fmt: skip


def labelme(**changed: object) -> str:
    shape = {"label": "a", "points": [[4, 4], [20, 4], [20, 30]], "group_id": 2, "shape_type": "polygon"}
    return json.dumps({"imageHeight": 48, "imageWidth": 64, "shapes": [shape], **changed})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", DEEP), ("a.json", coco(2**31)), ("a.json", coco(60_000 * 60_000)), ("a.json", coco(-5)),
        ("a.json", coco(10**30)), ("a.json", coco("x" * 100_000)), ("a.xml", XML.format(60_000, "3, 4, 5")),
        ("a.xml", XML.format(64, "4000000000, 1")), ("a.xml", XML.format(-1, "3, 4, 5")),
        ("a.xml", f"<!DOCTYPE a [{ENTITIES}]><annotations>&e11;</annotations>"), ("a.xml", "\udcff" * 100_000),
        ("labelme/a.json", DEEP), ("labelme/a.json", labelme(imageWidth=2**40)), ("labelme/a.json", labelme(shapes=5)),
        ("labelme/a.json", labelme(imageHeight=float("inf"))), ("labelme/a.json", labelme(imageHeight=60_000 * 60_000)),
    ],
)  # fmt: skip
def test_it_is_refused_in_a_line_and_nothing_is_written(tmp_path, name, text):
    path = tmp_path / "in" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    source = path.parent if "/" in name else path
    with pytest.raises(MaskError) as told:
        import_masks(source, tmp_path / "masks")
    assert len(str(told.value)) < 700
    assert not (tmp_path / "masks").exists() or not list((tmp_path / "masks").iterdir())


def test_a_frame_whose_name_leads_elsewhere_lands_in_the_folder(tmp_path):
    (tmp_path / "a.json").write_text(coco(64).replace("a.png", "../../elsewhere.png"))
    assert import_masks(tmp_path / "a.json", tmp_path / "masks") == [tmp_path / "masks" / "elsewhere.png"]
