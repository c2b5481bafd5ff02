"""A design with an IP that has no registers: the polynomial example's, made a filter."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAPS = Path(__file__).parent / "maps"
RDL = MAPS / "fir.rdl"
HLS = MAPS / "hls_2009.xml"


def write_design(folder: Path, name: str = "design.hwh") -> Path:
    """Write the description; ``fir_0`` (acme.test:hls:fir:1.0) has 64 KiB at its interface ``s_axi``."""
    text = (ROOT / "examples" / "polynomial" / "polynomial.hwh").read_text()
    start = text.index('INSTANCE="polynomial_0" IPTYPE')
    block = re.compile("<ADDRESSBLOCKS>.*?</ADDRESSBLOCKS>", re.DOTALL)
    text = text[:start] + block.sub("", text[start:], count=1)
    text = text.replace("pynq-anywhere.org:examples:polynomial", "acme.test:hls:fir")
    path = folder / name
    path.write_text(text.replace("polynomial", "fir"))
    return path
