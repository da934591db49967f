"""Tables: numbers and words become features, targets classes or numbers; what is refused in one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import BenchError, DataError, Unavailable
from bench.worker.datasets import table_file
from bench.worker.datasets.prepare import prepare
from bench.worker.datasets.table import table
from bench.worker.datasets.table_file import MOST_COLUMNS

pytestmark = pytest.mark.usefixtures("fresh_cache")

PLAIN = "width,colour,kind\n1.5,red,b\n2,blue,a\n-3e1,red,a\n4,green,b\n"


def written(folder: Path, text: str | bytes, name: str = "own.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(folder: Path, text: str | bytes = PLAIN, *, target: str = "kind", **settings: Any) -> Any:
    return table(folder, path=written(folder, text), target=target, **settings)


def test_numbers_stay_and_words_become_zeros_and_ones(tmp_path: Path) -> None:
    splits = read(tmp_path)
    assert splits.train_inputs.tolist() == [[1.5, 0, 0, 1], [2, 1, 0, 0], [-30, 0, 0, 1], [4, 0, 1, 0]]
    assert (splits.train_targets.tolist(), splits.class_names) == ([1, 0, 0, 1], ("a", "b"))
    assert (splits.task, splits.maximum, splits.test_fraction) == ("classification", None, 0.2)
    ordinal = read(tmp_path, categories="ordinal")
    assert ordinal.train_inputs[:, 1].tolist() == [2, 0, 2, 1]  # blue, green, red
    assert read(tmp_path, features=["colour"], categories="ordinal").train_inputs.tolist() == [[2], [0], [2], [1]]


def test_tabs_quotes_and_spaces(tmp_path: Path) -> None:
    text = '\ufeffwidth\tcolour\tkind\n 1 \t"deep\tred"\t10\n2\tblue\t9\n'
    splits = table(tmp_path, path=written(tmp_path, text, "own.tsv"), target="kind")
    assert splits.train_inputs.tolist() == [[1, 0, 1], [2, 1, 0]]
    assert splits.class_names == ("9", "10")  # in the order of their numbers


@pytest.mark.parametrize(
    ("values", "task", "expected"),
    [
        ("1,2,1,2", None, "classification"),
        ("1.5,2,1,2", None, "regression"),
        (",".join(map(str, range(101))), None, "regression"),
        (",".join(map(str, range(100))), "regression", "regression"),
        (",".join(map(str, range(100))), "classification", "classification"),
        (",".join(map(str, range(20))), None, "classification"),
        ("1,2,1,2", "regression", "regression"),
        ("1.5,2,1.5,2", "classification", "classification"),
    ],
)
def test_the_target_says_the_task_and_the_suite_may(tmp_path: Path, values: str, task: Any, expected: str) -> None:
    rows = "\n".join(f"{row},{value}" for row, value in enumerate(values.split(",")))
    splits = read(tmp_path, f"x,kind\n{rows}\n", task=task)
    assert splits.task == expected
    if expected == "regression":
        assert splits.train_targets.tolist() == [float(value) for value in values.split(",")]
        assert splits.target_names == ("kind",)


def test_a_column_says_the_part_and_unknown_words_are_zero_everywhere(tmp_path: Path) -> None:
    text = "x,word,kind,which\n1,a,u,train\n2,b,v,train\n3,c,u,test\n"
    splits = read(tmp_path, text, part="which")
    assert splits.train_inputs.tolist() == [[1, 1, 0], [2, 0, 1]]
    assert splits.test_inputs.tolist() == [[3, 0, 0]]
    assert splits.test_fraction is None
    assert read(tmp_path, text, part="which", categories="ordinal").test_inputs.tolist() == [[3, -1]]


def test_the_test_part_in_a_file_of_its_own_may_have_its_columns_in_another_order(tmp_path: Path) -> None:
    other = written(tmp_path, "kind,colour,width\nb,red,7\n", "tests.csv")
    splits = read(tmp_path, test_path=other)
    assert splits.test_inputs.tolist() == [[7, 0, 0, 1]]
    assert splits.test_targets.tolist() == [1]


def test_rows_of_a_group_are_never_in_both_parts(tmp_path: Path) -> None:
    rows = "\n".join(f"{row},{'ab'[row % 2]},person {row // 5}" for row in range(60))
    splits = read(tmp_path, f"x,kind,who\n{rows}\n", group="who", test_fraction=0.3)
    assert splits.train_inputs.shape == (60, 1)  # the group is no feature
    for seed in range(5):
        ready = prepare(splits, seed=seed, train_limit=None, test_limit=None, validation_split=0.2)
        people = [
            {int(value) // 5 for value in part.images[:, 0]} for part in (ready.train, ready.validation, ready.test)
        ]
        assert sum(map(len, people)) == len(set.union(*people)) == 12


def test_rows_that_lack_a_value_are_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    text = PLAIN + "NA,red,a\n5,?,b\n6,red,\n"
    assert np.array_equal(read(tmp_path, text, missing="drop").train_inputs, read(tmp_path).train_inputs)
    free = "x,kind,note\n1,a,\n2,b,\n"
    assert read(tmp_path, free, features=["x"]).train_inputs.tolist() == [[1], [2]]  # what is no feature may be empty


def columnar(folder: Path, suffix: str) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    module = pytest.importorskip(f"pyarrow.{suffix}")
    columns = {"width": [1.5, 2.0, -30.0, 4.0], "colour": ["red", "blue", "red", "green"], "kind": ["b", "a", "a", "b"]}
    path = folder / f"own.{suffix}"
    write = module.write_feather if suffix == "feather" else module.write_table
    write(pyarrow.table(columns), path)
    return path


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_columnar_files_are_the_same_table(tmp_path: Path, suffix: str) -> None:
    path = columnar(tmp_path, suffix)
    splits = table(tmp_path, path=path, target="kind")
    assert np.array_equal(splits.train_inputs, read(tmp_path).train_inputs)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=rf"own.{suffix}: found no table that pyarrow can read"):
        table(tmp_path, path=path, target="kind")


Bad = tuple[str | bytes, dict[str, Any], str]
ROWS = PLAIN.partition("\n")[2]
BAD: dict[str, Bad] = {
    "text among numbers": (PLAIN + "five,red,a\n", {}, r"line 6: column 'width': found 'five' among numbers"),
    "an empty value": (PLAIN + ",red,a\n", {}, r'line 6: column \'width\' is empty; .* missing = "drop"'),
    "an empty target": (PLAIN + "5,red,nan\n", {}, r"line 6: column 'kind' is empty"),
    "an infinite number": (PLAIN + "inf,red,a\n", {}, r"line 6: column 'width': found 'inf'; needs a finite number"),
    "a number beyond float32": (PLAIN + "1e39,red,a\n", {}, r"line 6: column 'width': found '1e39'"),
    "one class": ("x,kind\n1,a\n2,a\n", {}, r"column 'kind': found one class, 'a'; needs two or more"),
    "one value to predict": ("x,kind\n1,2.5\n2,2.5\n", {}, r"every training row is 2.5: nothing to predict"),
    "words to regress on": ("x,kind\n1,a\n2,b\n", {"task": "regression"}, r"found 'a'; a regression needs numbers"),
    "no such target": (PLAIN, {"target": "king"}, r"found no column 'king'; did you mean kind\? \(there are: width,"),
    "no such feature": (PLAIN, {"features": ["widht"]}, r"found no column 'widht'; did you mean width\?"),
    "the target as a feature": (PLAIN, {"features": ["kind"]}, r"column 'kind' is a feature and target, group or part"),
    "nothing beside the target": ("kind\na\nb\n", {}, r"found no column beside the target"),
    "two columns of one name": ("x,x,kind\n1,2,a\n", {}, r"found two columns called 'x'"),
    "a column without a name": ("x,,kind\n1,2,a\n", {}, r"found no name for column 2"),
    "a ragged row": (PLAIN + "1,red\n", {}, r"line 6: found 2 values; needs 3, one a column"),
    "an open quote": (PLAIN + '1,"red,a\n', {}, r"line 6: unexpected end of data"),
    "another encoding": ("x,kind\n1,caf\xe9\n".encode("latin-1"), {}, r"line 2: found a byte that is not UTF-8"),
    "UTF-16": (PLAIN.encode("utf-16"), {}, r"not UTF-8|byte 0"),
    "a byte 0": (PLAIN + "1,r\0d,a\n", {}, r"found a byte 0"),
    "an empty file": ("", {}, r"found nothing in the first line"),
    "no rows": ("x,kind\n", {}, r"found no row below the names"),
    "100,000 columns": (",".join(f"c{n}" for n in range(MOST_COLUMNS + 1)), {}, r"found 10,001 columns; needs 10,000"),
    "names as features": (
        "id,kind\n" + "".join(f"n{row},{'ab'[row % 2]}\n" for row in range(1001)), {},
        r"column 'id': found 1,001 different words \(names\? ids\?\)",
    ),
    "a class of test rows alone": (
        "x,kind,p\n1,a,train\n2,b,train\n3,c,test\n", {"part": "p"}, r"line 4: .* class 'c' has no training row"
    ),
    "another word for a part": ("x,kind,p\n1,a,train\n2,b,tset\n", {"part": "p"}, r"line 3: column 'p': found 'tset'"),
    "one part": ("x,kind,p\n1,a,train\n2,b,train\n", {"part": "p"}, r"column 'p': every row is of the train part"),
    "a class of the first row alone, a test row": (
        "x,kind,p\n1,c,test\n2,b,train\n3,a,train\n", {"part": "p"}, r"line 2: column .kind.: class .c. has no train"
    ),
    "classes or a regression": (
        "x,kind\n" + "".join(f"{row},{row}\n" for row in range(21)), {},
        r'own.csv: column .kind.: found 21 different whole numbers, .*task = "classification" or task = "regression"',
    ),
    "a word in a later row to regress on": (
        "x,kind\n1,2\n2,b\n3,c\n", {"task": "regression"}, r"line 3: column 'kind': found 'b'; a regression needs"
    ),
    "semicolons": ("x;kind\n1;a\n", {}, r"line 1: found one column called 'x;kind'; save it with commas"),
    "a line below a blank one": ("x,kind\n1,a\n\n,b\n", {}, r"line 4: column 'x' is empty"),
    "a line below a value of two": ('x,kind\n1,"a\nb"\n,b\n', {}, r"line 4: column 'x' is empty"),
    "a feature twice": (PLAIN, {"features": ["width", "width"]}, r"'width' stands twice in features"),
    "target and group": (PLAIN, {"group": "kind"}, r"found one column for two"),
    "one group": ("x,kind,who\n1,a,u\n2,b,u\n", {"group": "who"}, r"column 'who': found one group; needs two"),
    "a query of a text": (PLAIN, {"query": "SELECT 1"}, r"found a query; only a file of SQLite has one"),
    "too many inputs": (
        ",".join(f"c{n}" for n in range(20)) + ",kind\n"
        + "".join(",".join([f"w{row}"] * 20) + f",{'ab'[row % 2]}\n" for row in range(600)),
        {}, r"column 'c16': found more than 10,000 inputs with one for each word; .*ordinal",
    ),
    "a group in both parts": (
        "x,kind,p,who\n1,a,train,ann\n2,b,train,bob\n3,a,test,ann\n", {"part": "p", "group": "who"},
        r"group 'ann' of 'who' lies in the training and in the test part",
    ),
    "every row lacks a value": ("x,kind\n,a\n,b\n", {"missing": "drop"}, r"every row lacks a value"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_table_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    text, settings, message = BAD[name]
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, text, **settings)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_what_is_not_there_or_another_kind_of_file(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"table: none.csv is not there"):
        table(tmp_path, path=tmp_path / "none.csv", target="kind")
    with pytest.raises(Unavailable, match=r"tests.csv is not there"):
        read(tmp_path, test_path=tmp_path / "tests.csv")
    with pytest.raises(DataError, match=r"own.xlsx: found the ending '.xlsx'; needs one of .csv, .tsv, "):
        table(tmp_path, path=written(tmp_path, PLAIN, "own.xlsx"), target="kind")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(Unavailable, match=r"pipe.csv is not there"):
        table(tmp_path, path=tmp_path / "pipe.csv", target="kind")
    (tmp_path / "link.csv").symlink_to(written(tmp_path, PLAIN, "real.csv"))
    assert table(tmp_path, path=tmp_path / "link.csv", target="kind").source == "link.csv"
    with pytest.raises(DataError, match=r"part = 'kind' and test_path: give one of them"):
        read(tmp_path, test_path=tmp_path / "real.csv", part="kind")
    with pytest.raises(DataError, match=r"small.csv: found no column 'colour'; needs those of own.csv"):
        read(tmp_path, test_path=written(tmp_path, "width,kind\n1,a\n", "small.csv"))


def test_numbers_that_are_equal_are_one_class(tmp_path: Path) -> None:
    splits = read(tmp_path, "x,kind\n1,1\n2,2.0\n3,1.0\n4,02\n")
    assert (splits.train_targets.tolist(), splits.class_names) == ([0, 1, 0, 1], ("1", "2"))


def test_groups_stay_whole_in_a_validation_part_beside_test_rows_of_their_own(tmp_path: Path) -> None:
    rows = "".join(f"{row},{'ab'[row % 2]},p{row // 5},{'test' if row >= 50 else 'train'}\n" for row in range(60))
    splits = read(tmp_path, f"x,kind,who,p\n{rows}", group="who", part="p")
    ready = prepare(splits, seed=0, train_limit=None, test_limit=None, validation_split=0.2)
    people = [{int(value) // 5 for value in part.images[:, 0]} for part in (ready.train, ready.validation)]
    assert people[1]
    assert not people[0] & people[1]


def test_the_same_bytes_with_another_ending_are_another_table(tmp_path: Path) -> None:
    text = "x\ty,z\tkind\n1\t2\ta\n3\t4\tb\n"
    assert table(tmp_path, path=written(tmp_path, text, "own.tsv"), target="kind").input_shape == (2,)
    with pytest.raises(DataError, match="found 1 values; needs 2|found no column"):
        table(tmp_path, path=written(tmp_path, text, "own.csv"), target="kind")


def test_any_bytes_give_a_table_or_one_line(tmp_path: Path) -> None:
    """`BENCH_FUZZ_ROUNDS` by hand for more."""
    draw = np.random.default_rng(0)
    changes: list[Callable[[bytearray], object]] = [
        lambda text: text.__setitem__(int(draw.integers(len(text))), int(draw.integers(256))),
        lambda text: text.__delitem__(slice(int(draw.integers(len(text))), None)),
        lambda text: text.insert(int(draw.integers(len(text))), b',"\n\t-e.9\xff\0'[int(draw.integers(10))]),
    ]
    for _ in range(int(os.environ.get("BENCH_FUZZ_ROUNDS", "150"))):
        text = bytearray(PLAIN.encode() * 2)
        for _ in range(int(draw.integers(1, 5))):
            if text:
                changes[int(draw.integers(len(changes)))](text)
        with suppress(BenchError):
            read(tmp_path, bytes(text))


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_any_bytes_of_a_columnar_file_give_a_table_or_one_line(tmp_path: Path, suffix: str) -> None:
    content = columnar(tmp_path, suffix).read_bytes()
    for seed in range(int(os.environ.get("BENCH_FUZZ_ROUNDS", "100"))):
        draw = np.random.default_rng(seed)
        damaged = bytearray(content[: draw.integers(1, len(content) + 1)] if draw.random() < 0.2 else content)
        for place in draw.integers(0, len(damaged), draw.integers(1, 9)):
            damaged[place] = draw.integers(0, 256)
        with suppress(BenchError):
            table(tmp_path, path=written(tmp_path, bytes(damaged), f"own.{suffix}"), target="kind")


def test_a_table_that_does_not_fit_the_memory_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = columnar(tmp_path, "parquet")
    monkeypatch.setattr(table_file, "_most_cells", lambda: 11)
    with pytest.raises(DataError, match="4 rows of 3 columns; needs to fit half of the memory"):
        table(tmp_path, path=path, target="kind")


def test_says_what_to_install_where_pyarrow_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = columnar(tmp_path, "parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Unavailable, match=r"own.parquet: pyarrow is not installed: .*'bench-models\[parquet\]'"):
        table(tmp_path, path=path, target="kind")
