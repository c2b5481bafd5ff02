"""Archives that are refused: each with the member and the reason, and nothing is ever written."""

from __future__ import annotations

import os
import struct
import time
import zipfile
from pathlib import Path

import pytest
from archivekit import archive, example
from hypothesis import given, settings
from hypothesis import strategies as st

from pynq.design import members, read
from pynq.design.archive import Archive
from pynq.errors import DesignError, DesignNotFoundError

HWH = example("vector_add")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/etc/passwd", "/etc/passwd: has an absolute path"),
        ("../out.bit", r"leads out of the archive \(\.\.\)"),
        ("a/../../out.bit", "leads out of the archive"),
        ("C:/out.bit", "has a drive letter"),
        ("c:out.bit", "has a drive letter"),
        ("a\\b.bit", "has a backslash in its name"),
        ("a//b.bit", "has an empty part in its path"),
        ("./b.bit", "has an empty part in its path"),
        ("..%2fb.bit", "has an encoded separator"),
        ("a%5Cb.bit", "has an encoded separator"),
        ("a%00.bit", "has an encoded separator"),
        ("a\nb.bit", "has control characters"),
        ("a\x1b[2Jb.bit", "has control characters"),
        ("/", "has no name"),
    ],
)
def test_names_that_lead_somewhere(tmp_path: Path, name: str, message: str) -> None:
    file = archive(tmp_path / "a.xsa", {"top.hwh": HWH, name: b"x"})
    with pytest.raises(DesignError, match=message):
        read(file)
    assert sorted(os.listdir(tmp_path)) == ["a.xsa"]


def test_a_name_with_a_nul(tmp_path: Path) -> None:
    file = archive(tmp_path / "a.xsa", {"top.hwh": HWH, "evil.hwhX.txt": b"x"})
    file.write_bytes(file.read_bytes().replace(b"evil.hwhX", b"evil.hwh\0"))
    with pytest.raises(DesignError, match=r"evil\.hwh\?\.txt: has a NUL in its name"):
        read(file)


def test_all_reasons_at_once(tmp_path: Path) -> None:
    file = archive(tmp_path / "a.xsa", {"/a": b"", "../b": b"", "top.hwh": HWH})
    with pytest.raises(DesignError) as caught:
        read(file)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("again", ["top.hwh", "TOP.HWH"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice(tmp_path: Path, again: str) -> None:
    file = tmp_path / "a.xsa"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("top.hwh", HWH)
        made.writestr(again, HWH)
    with pytest.raises(DesignError, match=rf"a\.xsa/{again}: is there twice \(also as 'top\.hwh'\)"):
        read(file)


@pytest.mark.parametrize(
    ("mode", "message"), [(0o120777, "is a symbolic link"), (0o010644, "is neither file nor folder")]
)
def test_members_that_are_no_files(tmp_path: Path, mode: int, message: str) -> None:
    file = tmp_path / "a.xsa"
    with zipfile.ZipFile(file, "w") as made:
        link = zipfile.ZipInfo("top.hwh")
        link.external_attr = mode << 16
        made.writestr(link, "/etc/passwd")
    with pytest.raises(DesignError, match=rf"a\.xsa/top\.hwh: {message}"):
        read(file)


def patched(file: Path, at: int, value: bytes) -> None:
    """Change the same bytes of the only member's local header and table entry (APPNOTE 4.3.7, 4.3.12)."""
    data = bytearray(file.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + at + 2 : entry + at + 2 + len(value)] = value
    data[at : at + len(value)] = value
    file.write_bytes(data)


def test_an_encrypted_member(tmp_path: Path) -> None:
    file = archive(tmp_path / "a.xsa", {"top.hwh": HWH})
    patched(file, 6, b"\x01\x00")
    with pytest.raises(DesignError, match=r"a\.xsa/top\.hwh: is encrypted"):
        read(file)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods(tmp_path: Path, method: int) -> None:
    file = tmp_path / "a.xsa"
    with zipfile.ZipFile(file, "w", method) as made:
        made.writestr("top.hwh", HWH)
    with pytest.raises(DesignError, match=rf"is packed by method {method}, where stored \(0\) and deflated"):
        read(file)


def test_a_wrong_checksum(tmp_path: Path) -> None:
    file = archive(tmp_path / "a.xsa", {"top.hwh": HWH})
    patched(file, 14, b"\0\0\0\0")
    with pytest.raises(DesignError, match=r"top\.hwh: is damaged \(Bad CRC-32"):
        read(file)


@pytest.mark.parametrize("size", [0, 100, len(HWH) + 5, 1 << 31])
def test_a_size_that_is_not_true(tmp_path: Path, size: int) -> None:
    """Whatever the table says, what counts is what comes out."""
    file = archive(tmp_path / "a.xsa", {"top.hwh": HWH})
    patched(file, 22, struct.pack("<I", size))
    start = time.process_time()
    with pytest.raises(DesignError, match=r"damaged|zip bomb"):
        read(file)
    assert time.process_time() - start < 5


def test_the_end_of_each_member_is_missed(tmp_path: Path) -> None:
    """Cut off anywhere: an error, never a crash, and never half a design."""
    whole = archive(tmp_path / "whole.xsa", {"top.hwh": HWH, "b.txt": b"x" * 50}).read_bytes()
    file = tmp_path / "a.xsa"
    for size in [*range(0, len(whole), 997), len(whole) - 1]:
        file.write_bytes(whole[:size])
        with pytest.raises(DesignError, match="is no whole zip file"):
            read(file)


def test_a_zip_bomb(tmp_path: Path) -> None:
    file = archive(tmp_path / "a.xsa", {"top.hwh": HWH, "bomb": bytes(64 << 20)})
    with pytest.raises(DesignError, match="is a zip bomb"):
        read(file)
    patched_size = bytearray(file.read_bytes())  # a table that says little does not help it
    entry = patched_size.rindex(b"PK\x01\x02")
    patched_size[entry + 24 : entry + 28] = struct.pack("<I", 1000)
    file.write_bytes(patched_size)
    with Archive(file) as found:
        with pytest.raises(DesignError, match=r"a\.xsa/bomb: is damaged"):
            found.read("bomb")
        assert read(file).name


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = archive(tmp_path / "a.xsa", {"top.hwh": HWH, "a": b"x" * 5000, "b": b"y" * 5000})
    with (
        Archive(file) as found,
        pytest.raises(DesignError, match=r"a\.xsa/a: unpacks to more than 4999 bytes"),
    ):
        found.read("a", 4999)
    monkeypatch.setattr(members, "MAX_TOTAL", 6000)
    with Archive(file) as found:
        found.read("a")
        with pytest.raises(DesignError, match=r"a\.xsa/b: unpacks more than 6000 bytes of this archive"):
            found.read("b")
    monkeypatch.setattr(members, "MAX_MEMBERS", 2)
    with pytest.raises(DesignError, match="has 3 members, more than 2"):
        read(file)
    monkeypatch.setattr(members, "MAX_DIRECTORY", 100)
    monkeypatch.setattr(members, "MAX_MEMBERS", 3)
    with pytest.raises(DesignError, match=r"has a table of \d+ bytes for its members, more than 100"):
        read(file)


def test_a_bomb_while_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "SMALL", 10_000)
    monkeypatch.setattr(members, "_CHUNK", 4096)
    file = archive(
        tmp_path / "a.xsa", {"top.hwh": b"x" * 100 + bytes(range(256)) * 30, "bomb": bytes(1 << 20)}
    )
    with zipfile.ZipFile(file, "a") as made:
        made.writestr("filler", os.urandom(10_000))
    with Archive(file) as found, pytest.raises(DesignError, match="400 times is the limit"):
        found.read("bomb")


def test_zip64_lies(tmp_path: Path) -> None:
    """Sizes of 64 bits in the extra field (APPNOTE 4.5.3) that lead nowhere."""
    file = archive(tmp_path / "a.xsa", {"top.hwh": HWH})
    data = bytearray(file.read_bytes())
    entry = data.index(b"PK\x01\x02")
    extra = struct.pack("<2H3Q", 1, 24, 1 << 60, 1 << 60, 1 << 62)
    data[entry + 20 : entry + 28] = b"\xff" * 8  # both sizes: see the extra field
    data[entry + 42 : entry + 46] = b"\xff" * 4  # the place as well
    data[entry + 30 : entry + 32] = struct.pack("<H", len(extra))
    name = entry + 46 + len("top.hwh")
    data[name:name] = extra
    end = data.index(b"PK\x05\x06")
    data[end + 12 : end + 16] = struct.pack("<I", end - entry)
    file.write_bytes(data)
    with pytest.raises(DesignError, match=r"zip bomb|damaged|no whole zip file"):
        read(file)
    data[end + 12 : end + 16] = b"\xff" * 4
    file.write_bytes(data)
    with pytest.raises(DesignError):
        read(file)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DesignNotFoundError, match="no such file"):
        read(tmp_path / "none.xsa")
    (tmp_path / "folder.xsa").mkdir()
    with pytest.raises(DesignError, match="can't be read: Is a directory"):
        read(tmp_path / "folder.xsa")
    (tmp_path / "text.xsa").write_text("not a zip")
    with pytest.raises(DesignError, match="is no whole zip file"):
        read(tmp_path / "text.xsa")


@settings(max_examples=150)
@given(st.data())
def test_a_changed_byte_never_crashes(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    contents = bytearray(archive(folder / "a.xsa", {"top.hwh": HWH[:3000], "b": b"x"}).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        contents[data.draw(st.integers(0, len(contents) - 1))] = data.draw(st.integers(0, 255))
    (folder / "a.xsa").write_bytes(contents)
    with pytest.raises(DesignError):  # the hand-off file is cut off, whatever else is wrong
        read(folder / "a.xsa")
