"""The examples' hand-off files use the words of real ones: elements, attributes, their nesting and order."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = sorted((ROOT / "examples").glob("*/*.hwh"))
REAL = ["cathalmccabe__PYNQ_tutorials__hls_m_axi", "aproposorg__KV260-PYNQ-tutorial__dma_ip_example",
        "Xilinx__PYNQ_Workshop__axi_gpio__2020.1", "strath-sdr__rfsoc_sam__rfsoc_sam__RFSoC2x2",
        "cathalmccabe__PYNQ_tutorials__dma_tutorial", "mlcommons__tiny_results_v0.7__design_1",
        "Xilinx__PYNQ__base__ZCU104", "Xilinx__PYNQ_Composable_Pipeline__cv_dfx_3_pr",
        "Xilinx__PYNQ_Composable_Pipeline__cv_dfx_3_pr_composable_pr_0_dilate_erode_partial"]  # fmt: skip

Words = tuple[dict[str, set[str]], dict[str, set[str]], dict[str, set[tuple[str, ...]]]]


def words(paths: list[Path]) -> Words:
    """Attributes and children of each element, and the sequences of properties of registers and fields."""
    attributes: dict[str, set[str]] = defaultdict(set)
    children: dict[str, set[str]] = defaultdict(set)
    properties: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for path in paths:
        for element in ElementTree.parse(path).iter():
            attributes[element.tag] |= set(element.attrib)
            children[element.tag] |= {child.tag for child in element}
            if element.tag in ("REGISTER", "FIELD"):
                names = (one.get("NAME", "") for one in element.findall("PROPERTY"))
                properties[element.tag].add(tuple(names))
    return attributes, children, properties


@pytest.mark.corpus
def test_words_are_those_of_real_files(corpus: Path) -> None:
    attributes, children, properties = words([corpus / "hwh" / f"{name}.hwh" for name in REAL])
    our_attributes, our_children, our_properties = words(OURS)
    for tag, names in our_attributes.items():
        assert names <= attributes[tag], f"<{tag}>: {names - attributes[tag]} are in no real file"
    for tag, names in our_children.items():
        assert names <= children[tag], f"<{tag}> never holds {names - children[tag]} in real files"
    for tag, sequences in our_properties.items():
        assert sequences <= properties[tag]


@pytest.mark.corpus
def test_types_of_ip_are_those_of_real_files(corpus: Path) -> None:
    real = {
        (module.get("MODTYPE"), module.get("MODCLASS"), module.get("IPTYPE"))
        for name in REAL
        for module in ElementTree.parse(corpus / "hwh" / f"{name}.hwh").iter("MODULE")
    }
    for path in OURS:
        for module in ElementTree.parse(path).iter("MODULE"):
            if module.get("VLNV", "").startswith("xilinx.com:"):
                assert (module.get("MODTYPE"), module.get("MODCLASS"), module.get("IPTYPE")) in real


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_bytes_are_laid_out_as_vivado_does(path: Path) -> None:
    data = path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf<?xml version")
    assert b"\r" not in data
    for tag in re.findall(r"<\w+((?: \w+=\"[^\"]*\")+)/?>", data.decode("utf-8-sig"))[:2000]:
        names = re.findall(r" (\w+)=", tag)
        assert names == sorted(names), tag
