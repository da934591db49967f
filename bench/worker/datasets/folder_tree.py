"""Which images of which classes lie in a user's folder: every mismatch is one line that names it."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple
from unicodedata import normalize

from bench.base.trees import Entry
from bench.errors import DataError

PARTS = ("train", "test")


class Found(NamedTuple):
    """The classes, sorted; (relative name, class number) of each image, in the order of their names; no `test`: it is
    drawn."""

    class_names: Sequence[str]
    train: Sequence[tuple[str, int]]
    test: Sequence[tuple[str, int]] | None


def shown(name: str) -> str:
    """A name for a message: what is no text, or more than a line, is spelled out."""
    return name if name.isprintable() else ascii(name)[1:-1]


def find(listed: Sequence[Entry], *, label: str) -> Found:
    """Raises DataError where the folder holds anything but images in a folder a class, or parts of these."""
    _refuse_others(listed, label=label)
    folders = {each.name for each in listed if each.kind == "folder"}
    if not _is_parted(folders, label=label):
        names = _classes(listed, above="", label=label)
        return Found(names, _images(listed, names, above="", label=label), None)
    names, tested = (_classes(listed, above=f"{part}/", label=label) for part in PARTS)
    if new := [name for name in tested if name not in names]:
        raise DataError(f"{label}/test/{shown(new[0])}: found a class that train/ has not; needs images to train on")
    if beside := [each.name for each in listed if "/" not in each.name and each.name not in PARTS]:
        raise DataError(f"{label}/{shown(beside[0])}: found beside train/ and test/; move it out of the folder")
    train = _images(listed, names, above="train/", label=label)
    test = [(name, names.index(tested[number])) for name, number in _images(listed, tested, above="test/", label=label)]
    return Found(names, train, test)


def _refuse_others(listed: Sequence[Entry], *, label: str) -> None:
    for each in listed:
        if each.kind == "link":
            raise DataError(f"{label}/{shown(each.name)}: is a link, which is not followed; put the file itself there")
        if each.kind == "special":
            raise DataError(f"{label}/{shown(each.name)}: is a pipe or a device, no image; move it out of the folder")


def _is_parted(folders: set[str], *, label: str) -> bool:
    """Whether there are train/ and test/. A class may be called so: then it holds no folders."""
    parted = [part for part in PARTS if any(name.startswith(f"{part}/") for name in folders)]
    if len(parted) == 1 and not folders.issuperset(PARTS):
        other = PARTS[1 - PARTS.index(parted[0])]
        raise DataError(f"{label}: found {parted[0]}/ without {other}/; needs both, or the class folders directly")
    return bool(parted)


def _classes(listed: Sequence[Entry], *, above: str, label: str) -> list[str]:
    """The names of the class folders. Training needs two."""
    inside = [(each.name.removeprefix(above), each) for each in listed if each.name.startswith(above)]
    direct = [(name, each) for name, each in inside if name and "/" not in name]
    if file := next((each.name for _, each in direct if each.kind == "file"), None):
        raise DataError(f"{label}/{shown(file)}: found a file beside the class folders; put it in one, or elsewhere")
    names = [name for name, _ in direct]
    if bad := next((name for name in names if not name.isprintable()), None):
        raise DataError(f"{label}/{above}{shown(bad)}: found a name that is no text of one line; rename the folder")
    _refuse_twins(names, label=f"{label}/{above}")
    if len(names) < (1 if above == "test/" else 2):
        found = f"one class, {names[0]!r}" if names else "no class"
        raise DataError(f"{label}/{above}: found {found}; needs images in a folder a class, of two or more classes")
    return sorted(names)


def _refuse_twins(names: Sequence[str], *, label: str) -> None:
    alike = Counter(normalize("NFC", name).casefold() for name in names)
    twins = sorted(name for name in names if alike[normalize("NFC", name).casefold()] > 1)
    if twins:
        raise DataError(f"{label}: found the classes {twins[0]!r} and {twins[1]!r}, one name on other systems; rename")


def _images(listed: Sequence[Entry], names: Sequence[str], *, above: str, label: str) -> list[tuple[str, int]]:
    numbers = {name: number for number, name in enumerate(names)}
    found: list[tuple[str, int]] = []
    for each in listed:
        name, _, file = each.name.removeprefix(above).partition("/")
        if not each.name.startswith(above) or not file:
            continue
        if each.kind == "folder":
            raise DataError(f"{label}/{shown(each.name)}: found a folder in a class; needs images only")
        found.append((each.name, numbers[name]))
    counts = Counter(number for _, number in found)
    if empty := next((name for name, number in numbers.items() if not counts[number]), None):
        raise DataError(f"{label}/{above}{empty}: found no image; put some in, or remove the class")
    return found
