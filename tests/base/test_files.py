"""The one place where files are opened and written: what it refuses, and that there is no other way."""

from __future__ import annotations

import ast
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.base import files

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = {"open", "io.open", "os.open", "os.fdopen", "h5py.File", "np.load", "np.save", "np.savez", "numpy.load",
             "tempfile.NamedTemporaryFile", "tempfile.mkstemp"}  # fmt: skip
METHODS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "savefig", "to_csv", "tofile", "to_excel"}
COPIES = ("shutil.copy", "shutil.move")

# Who opens files by another way, and why. Nothing else in them does: the names of the calls stand here.
OTHERS: dict[str, tuple[set[str], str]] = {
    "bench/base/files.py": ({"os.open", "os.fdopen", "shutil.copyfileobj"}, "the one way"),
    "bench/base/hdf5.py": ({"h5py.File"}, "the one way to HDF5: after files.opened has looked at it"),
    "bench/base/kernel.py": ({"path.read_text", "Path(f'/proc/{child}/environ').read_bytes",
                              "Path(f'/proc/{pid}/environ').read_bytes", "os.open"}, "files of the kernel; /dev/null"),
    "bench/worker/catalogue/plugins.py": ({"os.open"}, "/dev/null"),
    "bench/results/status.py": ({"Path('/proc/sys/kernel/random/boot_id').read_text",
                                 "Path(f'/proc/{pid}/stat').read_text"}, "files of the kernel"),
    "bench/results/store.py": ({"os.open"}, "a folder, to wait for the disk"),
    "bench/worker/trial/checkpoints.py": ({"os.open"}, "a folder, to wait for the disk"),
    "bench/worker/measure/energy.py": ({"(zone / 'name').read_text", "(folder / 'max_energy_range_uj').read_text",
                                        "self._file.read_text"}, "files of the kernel"),
    "bench/worker/measure/host_memory.py": ({"STATUS.read_bytes", "CLEAR_REFS.write_text"}, "files of the kernel"),
    "bench/worker/measure/contention.py": ({"(task / 'schedstat').read_text"}, "files of the kernel"),
    "bench/cluster/node.py": ({"Path('/proc/self/environ').read_bytes", "log.read_bytes", "path.read_bytes"},
                              "files of the kernel; the node's own scratch folder"),
    "bench/cluster/boot.py": ({"path.write_bytes"}, "a fresh folder of the node's own"),
    "bench/cluster/bundle.py": ({"files[name].read_bytes"}, "our own code, and the user's plugins"),
    "bench/cluster/executor.py": ({"told.read_text"}, "where Ray says its address"),
    "bench/report/html/write.py": ({"path.read_text"}, "our own scripts"),
    "bench/worker/catalogue/entries.py": ({"waiting.pop().read_bytes"}, "our own code, and the user's plugins"),
    "bench/worker/catalogue/kept.py": ({"_path(name, key).read_bytes", "_path(name, key, depends_on).read_bytes",
                                        "path.read_text", "path.read_bytes",
                                        "metadata.distribution('torch').read_text"},
                                       "the user's cache; our own code, and what devices depend on"),
    "bench/execute/preflight.py": (
        {"(cache.cache_folder() / 'preflight' / f'{_path(key, planned)}.json').read_bytes"}, "the user's cache"
    ),
    "bench/cli/list.py": ({"path.read_text"}, "suites of the user's folder and of the package"),
    "bench/suite/toml_text.py": ({"path.open"}, "a suite file, which the user names"),
    "bench/execute/lock.py": ({"os.open"}, "the machine's lock, with O_NOFOLLOW"),
    "bench/inspect/inspection.py": ({"np.load"}, "a fresh folder of the command's own"),
    "bench/worker/process/process.py": ({"os.open"}, "/dev/null"),
    "bench/worker/export_model.py": ({"path.open"}, "a fresh file of the command's own"),
    "bench/worker/inspection.py": ({"np.savez"}, "a fresh folder of the command's own"),
    "bench/worker/trial/artifacts.py": ({"h5py.File"}, "in memory"),
    "bench/worker/trial/run.py": ({"self.engine.open"}, "no file"),
    "bench/worker/datasets/convert.py": ({"h5py.File", "aside.open"}, "in memory; a fresh file of the command's own"),
    "bench/worker/datasets/cifar10.py": ({"tarfile.open"}, "a stream that was opened before"),
    "bench/worker/datasets/files.py": ({"tempfile.NamedTemporaryFile", "path.open"},
                                       "a fresh file of the command's own; the user's data, whose digest is pinned"),
    "bench/worker/datasets/npz_file.py": ({"archive.open"}, "a member of an archive that files has opened"),
    "bench/worker/datasets/folder_images.py": ({"Image.open"}, "a stream that files has opened"),
    "bench/worker/datasets/fetch.py": ({"path.open"}, "the user's data, whose digest is pinned"),
    "bench/worker/datasets/arrays.py": ({"(folder / SIDECAR).read_bytes", "np.load", "np.save", "path.open",
                                         "(aside / f'{name}.npy').open", "aside.write_text"}, "the user's cache"),
    "bench/present/tables.py": ({"safe.to_csv"}, "a text"),
    "bench/plots/looks.py": ({"figure.savefig"}, "into memory"),
    "bench/present/style.py": ({"figure.savefig"}, "into a file that files.replacing has opened"),
}  # fmt: skip


def opens(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            method = isinstance(node.func, ast.Attribute) and node.func.attr in METHODS
            if not name.startswith("files.") and (name in FUNCTIONS or method or name.startswith(COPIES)):
                yield name


def test_files_are_opened_and_written_in_one_place() -> None:
    found = {path.relative_to(ROOT).as_posix(): set(opens(path)) for path in sorted((ROOT / "bench").rglob("*.py"))}
    assert {name: calls - OTHERS.get(name, (set(), ""))[0] for name, calls in found.items() if calls} == {
        name: set() for name, calls in found.items() if calls
    }


def test_the_list_names_nothing_that_is_gone() -> None:
    assert {name: calls for name, (calls, _) in OTHERS.items() if not calls <= set(opens(ROOT / name))} == {}


@pytest.mark.parametrize(
    "code",
    ["open('x')", "path.read_text()", "p.open('w')", "shutil.copyfile(a, b)", "os.open(p, 0)", "h5py.File(p)",
     "figure.savefig(p)", "np.load(p)"],
)  # fmt: skip
def test_the_check_sees_what_it_looks_for(code: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(code)
    assert list(opens(tmp_path / "wrong.py"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a file in a folder; beside it a precious file."""
    (tmp_path / "root/sub").mkdir(parents=True)
    (tmp_path / "root/sub/file").write_text("inside")
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").write_text("mine")
    return tmp_path / "root"


def link(path: Path, target: str) -> Path:
    path.symlink_to(target)
    return path


ODD: dict[str, Callable[[Path], Path]] = {
    "a link to a file": lambda root: link(root / "sub/x", "../../precious"),
    "a link within": lambda root: link(root / "sub/x", "file"),
    "a link to nowhere": lambda root: link(root / "sub/x", "../../new"),
    "a link to itself": lambda root: link(root / "sub/x", "x"),
    "a file in a linked folder": lambda root: link(root / "x", "../elsewhere") / "file",
    "a file in a folder of a linked folder": lambda root: link(root / "x", "..") / "elsewhere/file",
    "up": lambda root: root / "../precious",
    "up, from below": lambda root: root / "sub/../../precious",
    "another place": lambda root: root.parent / "precious",
    "the root of a name that begins so": lambda root: root.with_name("rootless") / "x",
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_not_inside_is_neither_read_nor_written(name: str, root: Path) -> None:
    path = ODD[name](root)
    calls: list[Callable[[], Any]] = [
        lambda: files.opened(path, inside=root),
        lambda: files.read(path, inside=root),
        lambda: files.appended(path, inside=root),
        lambda: files.changed(path, inside=root),
        lambda: files.folder(path, inside=root),
    ]
    if path.parent == root / "sub":  # only the name itself is a link: it is replaced
        files.write(path, "new", inside=root)
        assert path.read_text() == "new"
        assert not path.is_symlink()
        path.unlink()
        path = ODD[name](root)
    else:
        calls.append(lambda: files.write(path, "new", inside=root))
    for call in calls:
        with pytest.raises(OSError, match=r"is a link|is not in root"):
            call()
    assert not files.is_plain(path, inside=root)
    assert (root.parent / "precious").read_text() == "mine"
    assert (root.parent / "elsewhere/file").read_text() == "mine"
    assert not (root.parent / "new").exists()


def socket(path: Path) -> None:
    import socket

    short = os.open(path.parent, os.O_RDONLY)  # a path of a socket has a limit
    before = os.getcwd()  # noqa: PTH109
    try:
        os.fchdir(short)
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)
        os.close(short)


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, socket], ids=["pipe", "folder", "socket"])
def test_only_plain_files_are_opened(make: Callable[[Path], None], root: Path) -> None:
    path = root / "sub/odd"
    make(path)
    for inside in (root, None):
        with pytest.raises(OSError, match=r"not a plain file"):
            files.read(path, inside=inside)
    for call in (files.appended, files.changed):
        with pytest.raises(OSError, match=r"plain file|Is a directory"):
            call(path, inside=root)
    with pytest.raises(OSError, match=r"is not a plain file"):
        files.write(path, "new", inside=root)
    assert not files.is_plain(path, inside=root)
    assert files.plain_files(root, "**/*", inside=root) == [root / "sub/file"]


def test_a_device_is_not_read_to_its_end() -> None:
    with pytest.raises(OSError, match="not a plain file"):
        files.read(Path("/dev/zero"))


def test_a_second_name_of_a_file_is_not_written_to(root: Path) -> None:
    (root / "sub/x").hardlink_to(root.parent / "precious")
    for call in (files.appended, files.changed):
        with pytest.raises(OSError, match="second name"):
            call(root / "sub/x", inside=root)
    files.write(root / "sub/x", "new", inside=root)  # a file of its own now
    assert (root.parent / "precious").read_text() == "mine"
    assert files.read(root / "sub/x", inside=root) == b"new"


def test_a_file_that_claims_more_than_memory_has_is_not_read(root: Path) -> None:
    with (root / "large").open("wb") as file:
        file.truncate(1 << 42)
    with pytest.raises(OSError, match="has more than 1,073,741,824 bytes"):
        files.read(root / "large", inside=root)


def test_the_folder_that_the_user_names_may_be_a_link(root: Path, tmp_path: Path) -> None:
    named = link(tmp_path / "named", "root")
    assert files.read(named / "sub/file", inside=named) == b"inside"
    files.write(named / "sub/new", "x", inside=named)
    assert files.read(link(tmp_path / "one", "root/sub/new")) == b"x"


def test_a_file_is_replaced_whole_and_keeps_its_rights(root: Path) -> None:
    path = root / "sub/file"
    path.chmod(0o640)
    with pytest.raises(ZeroDivisionError), files.replacing(path, inside=root) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert path.read_text() == "inside"
    files.write(path, "é\ud800", inside=root)
    assert path.read_bytes() == b"\xc3\xa9\\ud800"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each.name for each in path.parent.iterdir()] == ["file"]


def test_what_is_written_aside_has_a_name_that_nobody_guesses(root: Path) -> None:
    names = []
    for _ in range(2):
        with files.replacing(root / "x", inside=root):
            names += [path.name for path in root.iterdir() if path.name.startswith(".x")]
    assert len(set(names)) == 2
    assert all(re.fullmatch(files.ASIDE, name) for name in names)
