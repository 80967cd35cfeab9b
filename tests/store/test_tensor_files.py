"""Tensor files: the same bits come back, or an error that names the file; nothing stays in memory."""

from __future__ import annotations

import gc
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from memoir.errors import StoreDamaged, StoreError, StoreFull
from memoir.store.tensors import UNFINISHED, TensorFile, checksum, serialized, store

DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.complex64,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint64,
    torch.uint32,
    torch.uint16,
    torch.uint8,
    torch.bool,
]


def bits(tensor: Tensor) -> tuple[torch.dtype, tuple[int, ...], bytes]:
    """A tensor as values that compare equal only bit for bit (NaN included)."""
    flat = tensor.contiguous().reshape(-1).view(torch.uint8)
    return tensor.dtype, tuple(tensor.shape), flat.numpy().tobytes()


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    """Any bits in any dtype: infinities, NaNs and denormals come for free."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    count = int(torch.tensor(shape).prod()) if shape else 1
    raw = draw(st.binary(min_size=count * dtype.itemsize, max_size=count * dtype.itemsize))
    if dtype == torch.bool:
        raw = bytes(byte & 1 for byte in raw)
    if not raw:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(bytearray(raw), dtype=dtype).reshape(shape)


def write(folder: Path, tensors: dict[str, Tensor]) -> tuple[Path, str]:
    """Store tensors in a folder; their file and its checksum."""
    sha256 = store(folder, serialized(tensors))
    return folder / f"{sha256}.safetensors", sha256


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, str]:
    """A file of a thousand numbers, and its checksum."""
    return write(tmp_path, {"x": torch.arange(1000.0)})


@settings(max_examples=40, deadline=None)
@given(given_=st.dictionaries(st.text("abcxyz_.", min_size=1), tensors(), max_size=4))
def test_every_dtype_comes_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, given_: dict[str, Tensor]
) -> None:
    found = TensorFile(*write(tmp_path_factory.getbasetemp(), given_))
    assert {name: bits(tensor) for name, tensor in found.items()} == {
        name: bits(tensor) for name, tensor in given_.items()
    }


def test_views_are_written_as_what_they_show(tmp_path: Path) -> None:
    whole = torch.arange(12.0, requires_grad=True).reshape(3, 4)
    found = TensorFile(*write(tmp_path, {"turned": whole.T, "part": whole[1:, ::2]}))
    assert bits(found["turned"]) == bits(whole.detach().T)
    assert bits(found["part"]) == bits(whole.detach()[1:, ::2])


def test_nothing_but_the_file_is_left_behind(written: tuple[Path, str]) -> None:
    path, _ = written
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_named_by_its_content_and_equal_ones_are_one(tmp_path: Path) -> None:
    path, sha256 = write(tmp_path, {"x": torch.ones(8)})
    content = path.read_bytes()
    header = content[: 8 + int.from_bytes(content[:8], "little")]
    assert sha256 == hashlib.sha256(header).hexdigest()
    ones = hashlib.sha256(torch.ones(8).numpy().tobytes()).hexdigest()
    assert f'{{\\"x\\":\\"{ones}\\"}}' in header[8:].decode().replace(" ", "")
    assert store(tmp_path, path.read_bytes()) == sha256
    assert write(tmp_path, {"x": torch.ones(8)}) == (path, sha256)
    assert list(tmp_path.iterdir()) == [path]
    assert write(tmp_path, {"x": torch.zeros(8)})[0] != path


def test_storing_what_was_damaged_heals_it(written: tuple[Path, str]) -> None:
    path, sha256 = written
    path.write_bytes(b"")
    store(path.parent, serialized({"x": torch.arange(1000.0)}))
    assert torch.equal(TensorFile(path, sha256)["x"], torch.arange(1000.0))


def test_a_missing_file_is_damage_and_named(tmp_path: Path) -> None:
    path = tmp_path / "gone.safetensors"
    with pytest.raises(StoreDamaged) as refused:
        TensorFile(path, "ab" * 32)
    assert str(refused.value) == f"{path} cannot be read: No such file or directory."


def header_length(path: Path) -> int:
    return 8 + int.from_bytes(path.read_bytes()[:8], "little")


@pytest.mark.parametrize("kept", [0, 7, 60])
def test_a_file_truncated_in_its_header_is_damage_and_named(
    written: tuple[Path, str], kept: int
) -> None:
    path, sha256 = written
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(StoreDamaged) as refused:
        TensorFile(path, sha256)
    assert str(refused.value).startswith(f"{path} was truncated or altered: SHA-256 ")
    assert f"in place of {sha256[:12]}…" in str(refused.value)


@pytest.mark.parametrize("change", [-1, -3000, 1])
def test_a_file_of_another_length_is_damage_and_named(
    written: tuple[Path, str], change: int
) -> None:
    path, sha256 = written
    content = path.read_bytes()
    path.write_bytes(content[:change] if change < 0 else content + b"x")
    with pytest.raises(StoreDamaged) as refused:
        TensorFile(path, sha256)
    assert str(refused.value) == (
        f"{path} was truncated or altered: {len(content) + change:,} bytes in place of "
        f"{len(content):,}."
    )


@pytest.mark.parametrize("at", [0, 40, 100])
def test_an_altered_byte_of_the_header_is_damage_and_named(
    written: tuple[Path, str], at: int
) -> None:
    path, sha256 = written
    alter(path, at)
    with pytest.raises(StoreDamaged, match="was truncated or altered: SHA-256") as refused:
        TensorFile(path, sha256)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("at", [0, 2000, -1])
def test_an_altered_byte_of_a_tensor_is_found_when_that_is_read(tmp_path: Path, at: int) -> None:
    tensors = {"good": torch.ones(3, dtype=torch.float64), "x": torch.arange(1000.0)}
    path, sha256 = write(tmp_path, tensors)
    alter(path, at if at < 0 else header_length(path) + 24 + at)
    file = TensorFile(path, sha256)
    assert torch.equal(file["good"], torch.ones(3, dtype=torch.float64))
    for read in (lambda: file["x"], file.verify):
        with pytest.raises(StoreDamaged) as refused:
            read()
        assert str(refused.value) == f"{path} was altered: 'x' is not what was written."


def test_a_header_altered_after_opening_is_found_when_a_tensor_is_read(
    written: tuple[Path, str],
) -> None:
    path, sha256 = written
    file = TensorFile(path, sha256)
    alter(path, 40)
    with pytest.raises(StoreDamaged, match="was truncated or altered: SHA-256"):
        file["x"]


def test_content_whose_tensors_are_not_those_of_its_header_has_another_name() -> None:
    content = bytearray(serialized({"x": torch.arange(1000.0)}))
    right = checksum(bytes(content))
    content[-1] ^= 1
    assert checksum(bytes(content)) == hashlib.sha256(content).hexdigest() != right
    assert checksum(b"no safetensors") == hashlib.sha256(b"no safetensors").hexdigest()


def test_a_file_without_checksums_is_named_by_all_of_it_and_verified_whole(tmp_path: Path) -> None:
    content = safetensors.torch.save({"x": torch.arange(1000.0)})
    sha256 = store(tmp_path, content)
    path = tmp_path / f"{sha256}.safetensors"
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert torch.equal(TensorFile(path, sha256)["x"], torch.arange(1000.0))
    alter(path, -1)
    with pytest.raises(StoreDamaged, match="was truncated or altered: SHA-256"):
        TensorFile(path, sha256)


def alter(path: Path, at: int) -> None:
    """Flip a bit of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


# ---------------------------------------------------------------------- read when asked for


def test_it_is_a_mapping_of_the_names_that_were_written(tmp_path: Path) -> None:
    file = TensorFile(*write(tmp_path, {"b": torch.ones(2), "a": torch.zeros(0)}))
    assert (sorted(file), len(file), "a" in file, "c" in file) == (["a", "b"], 2, True, False)
    with pytest.raises(KeyError, match="c"):
        file["c"]
    assert file.get("c") is None
    empty = TensorFile(*write(tmp_path, {}))
    assert (list(empty), len(empty)) == ([], 0)


LINUX = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads /proc")


def test_no_tensor_is_kept(written: tuple[Path, str]) -> None:
    file = TensorFile(*written)
    assert len(file["x"]) == 1000
    reached: list[object] = [file]
    for one in reached:  # everything the file refers to, also indirectly
        reached += [each for each in gc.get_referents(one) if not isinstance(each, type)]
    assert not any(isinstance(each, Tensor) for each in reached)


@LINUX
def test_many_files_take_no_room(tmp_path: Path) -> None:
    count, numbers = 1000, 20_000
    path, sha256 = write(tmp_path, {"x": torch.zeros(numbers)})
    before = resident()
    files = [TensorFile(path, sha256) for _ in range(count)]
    assert all(len(file["x"]) == numbers for file in files)
    gc.collect()
    assert resident() - before < count * numbers * 4 / 10


def resident() -> int:
    """Bytes of memory that this process has, whether mapped from files or its own."""
    rows = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(row.split()[1]) * 1024 for row in rows if row.startswith("Rss:"))


@LINUX
def test_no_file_stays_open_and_a_tensor_outlives_its_file(written: tuple[Path, str]) -> None:
    path, sha256 = written
    kept = TensorFile(path, sha256)["x"]
    assert str(path) not in Path("/proc/self/maps").read_text()
    path.write_bytes(b"")
    path.unlink()
    assert torch.equal(kept, torch.arange(1000.0))


def test_what_was_read_may_be_changed_without_changing_the_file(written: tuple[Path, str]) -> None:
    file = TensorFile(*written)
    file["x"].zero_()
    assert torch.equal(file["x"], torch.arange(1000.0))
    assert torch.equal(TensorFile(*written)["x"], torch.arange(1000.0))


def test_a_file_that_goes_later_is_damage_and_named(written: tuple[Path, str]) -> None:
    path, sha256 = written
    file = TensorFile(path, sha256)
    path.unlink()
    with pytest.raises(StoreDamaged) as refused:
        file["x"]
    assert str(refused.value) == f"{path} cannot be read: No such file or directory."
    assert list(file) == ["x"]


@pytest.mark.parametrize("kept", [0, 7, 40, 2000, -1])
def test_a_file_that_is_cut_later_is_damage_and_named(written: tuple[Path, str], kept: int) -> None:
    path, sha256 = written
    file = TensorFile(path, sha256)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(StoreDamaged) as refused:
        file["x"]
    assert str(refused.value).startswith(f"{path} was truncated or altered: ")


# ---------------------------------------------------------------------- full disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"mounting a small tmpfs needs root: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_no_file_and_keeps_the_others(small_disk: Path) -> None:
    before, sha256 = write(small_disk, {"x": torch.arange(1000.0)})
    with pytest.raises(StoreFull) as refused:
        write(small_disk, {"x": torch.zeros(100_000)})
    message = str(refused.value)
    assert re.match(
        rf"could not write {small_disk}/[0-9a-f]{{64}}\.safetensors \(400\d{{3}} bytes\)", message
    )
    assert "No space left on device; nothing was added. Free some space and try again." in message
    assert list(small_disk.iterdir()) == [before]
    assert torch.equal(TensorFile(before, sha256)["x"], torch.arange(1000.0))
    write(small_disk, {"x": torch.zeros(100)})


LIMITED = """
import resource, signal, sys
from pathlib import Path
import torch
from memoir.errors import StoreFull
from memoir.store.tensors import serialized, store

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    store(Path(sys.argv[1]), serialized({"x": torch.zeros(1000)}))
except StoreFull as error:
    print(error)
"""


def test_a_file_that_may_not_grow_leaves_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "tensors"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert re.match(rf"could not write {folder}/[0-9a-f]{{64}}\.safetensors \(4", done.stdout), (
        done.stdout
    )
    assert "File too large; nothing was added." in done.stdout
    assert list(folder.iterdir()) == []


def test_a_failed_write_keeps_the_file_that_was_there(
    written: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, sha256 = written

    def refuse(_handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StoreError, match="Input/output error; nothing was added"):
        write(path.parent, {"x": torch.arange(1000.0)})
    with pytest.raises(StoreError, match="Input/output error; nothing was added"):
        write(path.parent, {"x": torch.zeros(3)})
    assert list(path.parent.iterdir()) == [path]
    assert torch.equal(TensorFile(path, sha256)["x"], torch.arange(1000.0))
    assert not path.with_name(path.name + UNFINISHED).exists()
