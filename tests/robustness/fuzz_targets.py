"""What is fuzzed: for each, real inputs, ways to break them, and the reader that the product uses."""

# ruff: noqa: E501  # tables of hostile values

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import lzma
import pickle
import random
import shutil
import struct
import subprocess
import sys
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from mutations import NUMBERS, SCALARS, TEXTS, hostile, mutate, mutate_json

from bench.errors import BenchError
from bench.suite.stored import suite_from_json, suite_to_json

ROOT = Path(__file__).resolve().parents[2]
Files = dict[str, bytes]


class Target(ABC):
    """Something that is read. `prepare` runs once, `make` gives one input, `read` runs in a process of its own."""

    @abstractmethod
    def prepare(self, folder: Path) -> None: ...

    @abstractmethod
    def make(self, rng: random.Random) -> Files: ...

    @abstractmethod
    def read(self, folder: Path) -> None: ...


class Suites(Target):
    """Suite files, from the bytes to the trials."""

    def prepare(self, folder: Path) -> None:
        from bench.execute.ask_worker import ask_catalogue

        self.catalogue = ask_catalogue()
        self.seeds = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "suites").glob("*.toml"))]
        self.keys = sorted(
            {line.split("=")[0].strip() for seed in self.seeds for line in seed.splitlines() if "=" in line}
        )

    def make(self, rng: random.Random) -> Files:
        text = rng.choice(self.seeds)
        if rng.random() < 0.25:
            return {"suite.toml": mutate(text.encode(), rng)}
        lines = text.splitlines()
        for _ in range(rng.randint(1, 4)):
            self._change(lines, rng)
        return {"suite.toml": "\n".join(lines).encode("utf-8", "surrogatepass")}

    def _change(self, lines: list[str], rng: random.Random) -> None:
        at = rng.randrange(len(lines))
        key, equals, _ = lines[at].partition("=")
        match rng.randrange(5):
            case 0:
                del lines[at : at + 1]
                lines.append("")
            case 1:
                lines.insert(at, f"{rng.choice(self.keys)} = {self._value(rng)}")
            case 2:
                tables = (
                    "[grid]",
                    "[train]",
                    "[measure]",
                    "[report]",
                    "[[exclude]]",
                    "[[override]]",
                    "[x.y]",
                    "[[grid]]",
                )
                lines.insert(at, rng.choice(tables))
            case _ if equals:
                lines[at] = f"{key} = {self._value(rng)}"
            case _:
                lines[at] = mutate(lines[at].encode(), rng).decode("utf-8", "replace")

    def _value(self, rng: random.Random) -> str:
        special = ("nan", "-inf", "1979-05-27", "07:32:00", "{ count = 10000000000 }", "{ count = 5, start = -1 }",
                   "1" * 5000, "[" * 3000, "{ a = " * 500, '"""', "'''a", "0x" + "f" * 400, "1e400", "[[]]", "{}",
                   '["auto", "cpu"]', '[{ name = "mlp", hidden = [-1, 1e9] }]', '[{ name = "hdf5", path = "/dev/zero" }]',
                   '{ name = "../x" }', "[1" + ", 1" * 2000 + "]")  # fmt: skip
        if rng.random() < 0.5:
            return rng.choice(special)
        return _toml(hostile(rng) if rng.random() < 0.5 else rng.choice(SCALARS))

    def read(self, folder: Path) -> None:
        from bench.base.records import canonical_json
        from bench.suite.read import read_suite
        from bench.suite.resolve import resolve

        suite = resolve(read_suite(folder / "suite.toml"), self.catalogue, data_root=folder)
        suite.count()
        first = [trial.trial_id for trial in itertools.islice(suite.trials(), 50)]
        again = suite_from_json(json.loads(canonical_json(suite_to_json(suite))))
        assert [trial.trial_id for trial in itertools.islice(again.trials(), 50)] == first


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value) if isinstance(value, str) else str(value).lower()


class Pinned(Target):
    """Published files. Half of the inputs are refused by their checksum; for the others what was pinned is the
    checksum of the damaged file, so that the readers behind it see the damage."""

    root: str

    def finish(self, files: Files, rng: random.Random) -> Files:
        return files | {"pinned": b"1"} if rng.random() < 0.9 else files


class Idx(Pinned):
    """IDX files, gzipped and not, through the data set `mnist`."""

    shapes: Mapping[str, tuple[int, ...]] = {
        "train_images": (30, 5, 4),
        "train_labels": (30,),
        "test_images": (10, 5, 4),
        "test_labels": (10,),
    }

    def prepare(self, folder: Path) -> None:
        from bench.worker.datasets import mnist

        self.names = {key: file.name for key, file in mnist.FILES.items()}
        self.plain = {key: self._content(shape) for key, shape in self.shapes.items()}
        self.bomb = gzip.compress(bytes(300 << 20), mtime=0)

    def _content(self, shape: tuple[int, ...]) -> bytes:
        import math

        return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + bytes(math.prod(shape))

    def make(self, rng: random.Random) -> Files:
        broken = rng.choice(list(self.shapes))
        files: Files = {}
        for key, plain in self.plain.items():
            content, packed = plain, rng.random() < 0.6
            inside = rng.random() < 0.5
            if key == broken and (inside or not packed):
                content = mutate(content, rng)
            if packed:
                content = gzip.compress(content, mtime=0)
                if key == broken and not inside:
                    content = self.bomb if rng.random() < 0.02 else mutate(content, rng)
                if key == broken and rng.random() < 0.1:
                    content += content  # two members are one file to gzip
            files[f"MNIST/raw/{self.names[key]}{'.gz' if packed else ''}"] = content
        return self.finish(files, rng)

    def read(self, folder: Path) -> None:
        from bench.registry import DATASETS
        from bench.worker.datasets import mnist
        from bench.worker.datasets.idx import IdxFile

        table = {}
        for key, shape in self.shapes.items():
            paths = list((folder / "MNIST/raw").glob(f"{self.names[key]}*"))
            content = paths[0].read_bytes() if (folder / "pinned").exists() else self.plain[key]
            sha256 = hashlib.sha256(content).hexdigest()
            table[key] = IdxFile(self.names[key], shape, sha256, sha256, len(content))
        mnist.FILES = table
        DATASETS.get("mnist").build(folder)


class Cifar(Pinned):
    """The pickles of CIFAR-10, as a folder and in an archive."""

    rows = 20
    # Opcodes with the length that follows them, memo slots far away, names to be called.
    parts: tuple[bytes, ...] = (
        b"X\xff\xff\xff\x7f", b"T\xff\xff\xff\x7f", b"B\xff\xff\xff\x7f", b"\x8d" + b"\xff" * 7 + b"\x00",
        b"\x8e" + struct.pack("<Q", 2**40), b"\x96" + struct.pack("<Q", 2**40), b"r\xff\xff\xff\x07", b"r\xff\xff\xff\x7f",
        b"cos\nsystem\n", b"cbuiltins\neval\n", b"cnumpy\nload\n", b"j\xff\xff\xff\x7f", b"\x8b\xff\xff\xff\x7f",
        b"(" * 2000, b"]" * 2000, b"]a" * 200, b"}" * 10, b"(((((t", b"R", b"b", b"\x81", b"\x92", b"I" + b"9" * 5000 + b"\n",
        b"L" + b"9" * 5000 + b"L\n", b"S'\\x'\n", b"\x95" + struct.pack("<Q", 2**62), b"2" * 50, b"0", b"1", b"\x80\x05",
    )  # fmt: skip

    def prepare(self, folder: Path) -> None:
        from bench.worker.datasets import cifar10

        self.names = list(cifar10.MEMBERS)
        self.whole = {name: self._batch() for name in self.names}
        self.whole["batches.meta"] = pickle.dumps({"label_names": []}, 2)

    def _batch(self) -> bytes:
        """A batch as Python 2 wrote it in 2009: {'data': uint8 array, 'labels': list}."""
        shape = b"M" + struct.pack("<H", self.rows) + b"M" + struct.pack("<H", 3072) + b"\x86"
        array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R"
        dtype = b"cnumpy\ndtype\nU\x02u1K\0K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
        raw = bytes(self.rows * 3072)
        state = b"(K\x01" + shape + dtype + b"\x89T" + struct.pack("<I", len(raw)) + raw + b"tb"
        return b"\x80\x02}(U\x04data" + array + state + b"U\x06labels](" + b"K\x01" * self.rows + b"eu."

    def make(self, rng: random.Random) -> Files:
        members = dict(self.whole)
        broken = rng.choice(self.names)
        if rng.random() < 0.8:
            members[broken] = self._broken(members[broken], rng)
        if rng.random() < 0.5:
            return self.finish({f"cifar-10-batches-py/{name}": content for name, content in members.items()}, rng)
        return self.finish(self._archive(members, rng), rng)

    def _broken(self, content: bytes, rng: random.Random) -> bytes:
        if rng.random() < 0.4:
            return mutate(content, rng)
        found = bytearray(content)
        for _ in range(rng.randint(1, 3)):
            at = rng.choice((2, 3, len(found) - 1, rng.randrange(min(300, len(found)))))
            found[at:at] = rng.choice(self.parts)
        return bytes(found)

    def _archive(self, members: Files, rng: random.Random) -> Files:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=rng.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))) as tar:
            for name, content in members.items():
                info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                info.size = len(content)
                if rng.random() < 0.05:
                    info.pax_headers = {
                        rng.choice(("size", "path", "mtime", "GNU.sparse.size")): str(rng.choice(NUMBERS))
                    }
                if rng.random() < 0.03:
                    info.type = rng.choice((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.GNUTYPE_SPARSE))
                    info.linkname = "/etc/passwd"
                tar.addfile(info, io.BytesIO(content))
        raw = buffer.getvalue()
        raw = mutate(raw, rng) if rng.random() < 0.4 else raw
        if rng.random() < 0.3:
            packed, name = lzma.compress(raw, preset=0), "cifar-10-python.tar.xz"
        else:
            packed, name = gzip.compress(raw, 1, mtime=0), "cifar-10-python.tar.gz"
        return {name: mutate(packed, rng) if rng.random() < 0.3 else packed}

    def read(self, folder: Path) -> None:
        from bench.registry import DATASETS
        from bench.worker.datasets import cifar10

        cifar10.ROWS = self.rows
        contents = dict(self.whole)
        if (folder / "pinned").exists():
            contents |= {path.name: path.read_bytes() for path in (folder / "cifar-10-batches-py").glob("*")}
            cifar10._check_digest = lambda *_, **__: None
        pins = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        cifar10.MEMBERS = {name: cifar10.Member(max(len(contents[name]), 70_000), pins[name]) for name in self.names}
        DATASETS.get("cifar10").build(folder)


class Hdf5(Target):
    """HDF5 files of a user."""

    def prepare(self, folder: Path) -> None:
        import h5py
        import numpy as np

        from bench.worker.datasets import hdf5  # noqa: F401  # registers itself

        folder.mkdir(parents=True)
        rng = np.random.default_rng(0)
        images, labels = rng.integers(0, 256, (40, 6, 6, 3), dtype=np.uint8), np.arange(40) % 4
        kinds: dict[str, Callable[[h5py.File], None]] = {
            "plain": lambda f: f.update({"images": images, "labels": labels}),
            "floats": lambda f: f.update({"images": images / 255, "labels": np.eye(4)[labels]}),
            "flat": lambda f: f.update({"images": images.reshape(40, -1), "labels": labels.astype(np.uint8)}),
            "packed": lambda f: [f.create_dataset("images", data=images, compression="gzip", chunks=(8, 6, 6, 3), shuffle=True),
                                 f.create_dataset("labels", data=labels, fletcher32=True)],
            "lies": lambda f: [f.create_dataset("images", (2**40, 6, 6, 3), "u1", chunks=(8, 6, 6, 3)),
                               f.create_dataset("labels", (2**40,), "i8", chunks=(1024,))],
            "odd": lambda f: [f.create_dataset("images", data=[b"a", b"bc"]),
                              f.create_dataset("labels", data=np.zeros(2, dtype=[("a", "i4")]))],
            "linked": lambda f: f.update({"images": h5py.SoftLink("/images"), "labels": h5py.ExternalLink("/etc/passwd", "x")}),
            "empty": lambda f: f.update({"images": np.zeros((0, 6, 6)), "labels": np.zeros(0)}),
        }  # fmt: skip
        self.seeds = []
        for name, fill in kinds.items():
            with h5py.File(
                folder / f"{name}.h5", "w", libver=("earliest", "v110") if len(name) % 2 else "latest"
            ) as file:
                fill(file)
            self.seeds.append((folder / f"{name}.h5").read_bytes())

    def make(self, rng: random.Random) -> Files:
        content = rng.choice(self.seeds[:4] if rng.random() < 0.8 else self.seeds)
        settings: dict[str, Any] = {}
        if rng.random() < 0.3:
            settings["image_shape"] = rng.choice(([3, 6, 6], [1, 6, 6], [108, 1, 1], [1, 1, 1]))
        if rng.random() < 0.1:
            settings["images"] = rng.choice(("labels", "/", "images/x", *(text for text in TEXTS if text)))
        # The first bytes have checksums: behind them is more to be found.
        head = rng.choice((0, 48, 96, 400, len(content) // 2))
        content = (
            content[:head] + mutate(content[head:], rng, times=rng.choice((1, 4))) if rng.random() < 0.97 else content
        )
        return {"data.h5": content, "settings.json": json.dumps(settings).encode()}

    def read(self, folder: Path) -> None:
        from bench.registry import DATASETS
        from bench.worker.datasets.prepare import prepare

        settings = json.loads((folder / "settings.json").read_bytes())
        splits = DATASETS.get("hdf5").build(folder, path=folder / "data.h5", **settings)
        prepare(splits, seed=0, train_limit=None, test_limit=None, validation_split=0.1)


DEEP = ("LONG", "DEEP", [], {}, [[1]], {"a": {"b": 1}}, 1e308, -1e308, 5e-324, 1e-320, 2**63, 10**30, "\ud800", [1e308, 5e-324],
        [None] * 3, [float("nan")], True, None, "x" * 20_000)  # fmt: skip
TIMES = (
    "99999-01-01T00:00:00Z",
    "9999-12-31T23:59:59+00:00",
    "0001-01-01T00:00:00",
    "2026",
    "",
    "now",
    "2026-01-01T00:00:00+99:00",
)


def odd_arrays(content: bytes, rng: random.Random) -> bytes:
    """A trial's file in which some arrays or attributes are something else."""
    import h5py
    import numpy as np

    image = io.BytesIO(content)
    with h5py.File(image, "r+") as file:
        places: list[str] = []
        file.visit(places.append)
        for place in rng.sample(places, rng.randint(1, 3)):
            values: tuple[Any, ...] = (
                np.nan, 1j, b"x", "x", np.zeros(3), np.full((2, 2), np.inf), np.arange(4), -np.ones((10, 10)), h5py.Empty("f8"),
                np.full(3, 1e308), np.full(3, 5e-324), np.zeros((0, 3)), h5py.SoftLink("/test/logits"), 2**62, True,
                h5py.ExternalLink("/etc/passwd", "x"), np.array(["a", "é"], dtype=object),
            )  # fmt: skip
            with suppress(RuntimeError, KeyError):  # what it leads to was changed before
                if (attributes := list(file[place].attrs)) and rng.random() < 0.4:
                    plain = [each for each in values if not isinstance(each, h5py.SoftLink | h5py.ExternalLink)]
                    file[place].attrs[rng.choice(attributes)] = rng.choice(plain)
                    continue
                kept = dict(file[place].attrs)
                del file[place]
                if rng.random() < 0.2:
                    file.create_dataset(place, (10**15,), "f4", chunks=(1024,))
                elif rng.random() < 0.8:
                    file[place] = rng.choice(values)
                if rng.random() < 0.7 and isinstance(file.get(place, getlink=True), h5py.HardLink):
                    file[place].attrs.update(kept)
    return image.getvalue()


class Results(Target):
    """Folders of results: lines, plan, facts of environments, files of trials; through every command that reads them."""

    def prepare(self, folder: Path) -> None:
        command = [sys.executable, "-m", "bench", "run", str(ROOT / "suites/smoke.toml"), "--results", str(folder)]
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        self.lines = [
            json.loads(line) for path in folder.glob("smoke/trials/*.jsonl") for line in path.read_bytes().splitlines()
        ]
        self.suite = json.loads((folder / "smoke/suite.json").read_bytes())
        self.artifacts = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.h5")}
        shutil.rmtree(folder)
        import matplotlib.pyplot  # noqa: F401  # once, here, and not in every process
        import pandas  # noqa: F401
        import scipy.stats  # noqa: F401

    def make(self, rng: random.Random) -> Files:
        lines = [json.dumps(line).encode() for line in self.lines]
        suite = json.dumps(self.suite).encode()
        for _ in range(rng.randint(1, 2)):
            at = rng.randrange(len(lines))
            lines[at] = self._changed(self.lines[at], rng) if rng.random() < 0.5 else self._deep(self.lines[at], rng)
        if rng.random() < 0.4:
            suite = self._changed(self.suite, rng)
        ending = b"" if rng.random() < 0.2 else b"\n"
        files = {"smoke/trials/a.jsonl": b"\n".join(lines) + ending}
        for name, content in self.artifacts.items():
            chance = rng.random()
            files[name] = (
                content if chance < 0.3 else mutate(content, rng) if chance < 0.5 else odd_arrays(content, rng)
            )
        return files | ({"smoke/suite.json": suite} if rng.random() < 0.6 else {})

    def _deep(self, line: Any, rng: random.Random) -> bytes:
        """One value of the facts, notes, metrics, samples or curves, which are open: any name may stand there."""
        found = json.loads(json.dumps(line))
        part: Any = found[rng.choice(("metrics", "samples", "curves", "instruments"))]
        if rng.random() < 0.5:
            part = found["environment"][rng.choice(("facts", "notes"))]
        name = rng.choice([*part, *TEXTS]) if part else "x"
        part[name] = rng.choice(DEEP) if rng.random() < 0.5 else hostile(rng)
        if rng.random() < 0.3:
            found["started_at"] = found["finished_at"] = rng.choice(TIMES)
        text = json.dumps(found)
        return text.replace('"LONG"', "9" * 5000).replace('"DEEP"', "[" * 3000 + "]" * 3000).encode()

    def _changed(self, value: Any, rng: random.Random) -> bytes:
        if rng.random() < 0.2:
            return mutate(json.dumps(value).encode(), rng)
        return json.dumps(mutate_json(value, rng)).encode()

    def read(self, folder: Path) -> None:
        from bench.cli.check import check
        from bench.cli.compare import compare
        from bench.cli.diagnose import diagnose
        from bench.cli.export import export
        from bench.cli.history import history
        from bench.cli.merge import merge
        from bench.cli.publish import publish
        from bench.cli.report import report
        from bench.cli.status import status
        from bench.present import style
        from bench.report import render

        drawn = hash(bytes((folder / "smoke/trials/a.jsonl").read_bytes()[:2000])) % 40 == 0
        if not drawn:  # drawing takes seconds
            render._draw = lambda *_: None
            style.save = lambda *_: None
        check(folder / "smoke", repair=drawn, results=folder)
        report(folder / "smoke", results=folder)
        (folder / "page.md").write_text(
            "".join(
                f"<!-- bench:{name} -->\n<!-- /bench -->\n" for name in ("models", "summary", "answer", "conditions")
            )
        )
        calls: list[Callable[[], Any]] = [
            *(
                partial(export, folder / "smoke", form=form, results=folder)
                for form in ("csv", "json", "pytest-benchmark", "latex")
            ),
            partial(compare, folder / "smoke", by="model", output=folder / "ranked"),
            partial(compare, folder / "smoke", by="seed", output=folder / "compared"),
            partial(history, folder / "smoke"),
            partial(history, folder / "smoke", metric="test_accuracy", output=folder / "history"),
            partial(diagnose, folder / "smoke"),
            partial(merge, folder / "merged", [folder / "smoke"]),
            partial(status, folder / "smoke"),
            partial(publish, [folder / "smoke", folder / "page.md"]),
        ]
        for call in calls:  # each may be refused in one line, and the next one goes on
            try:
                call()
            except BenchError as error:
                if not str(error).isprintable():
                    raise


TARGETS: dict[str, type[Target]] = {"suites": Suites, "idx": Idx, "cifar": Cifar, "hdf5": Hdf5, "results": Results}
