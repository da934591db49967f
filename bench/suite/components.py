"""Entries of a suite -> Components: settings checked against the catalogue, defaults left out, files by content."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.base.privacy import published
from bench.base.records import Component, Json, canonical_json
from bench.base.trees import data_sha256
from bench.errors import nearest
from bench.suite.catalogue import Catalogue, NamedInfo, Setting
from bench.suite.mistakes import Found, Key, Mistake, show
from bench.suite.setting_types import SettingType

ABSENT = "absent"
_WORDS = {"dataset": "data set", "model": "model"}
_ANY = SettingType({})


@dataclass(frozen=True)
class ResolvedComponent:
    """A component with the canonical text of every setting, for the rules of the suite to match against.

    `given`: the settings that the entry wrote. `files`: the absolute paths of its data files, by setting.
    """

    component: Component
    values: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)

    def matches(self, wanted: "ResolvedComponent") -> bool:
        """Whether this is `wanted`: the same name, and every setting that `wanted` gives equal."""
        same = self.component.name == wanted.component.name
        return same and all(self.values.get(key) == value for key, value in wanted.given.items())


class Builder:
    """Builds the components of one suite; collects in `unknown` the names that only a failed plugin can explain."""

    def __init__(self, catalogue: Catalogue, *, folders: tuple[Path, ...], written: Mapping[str, str] = {}) -> None:
        """`written`: a plugin as a worker knows it -> what may be published of it."""
        self._catalogue, self._folders = catalogue, folders
        failed = {spec: plugin.error for spec, plugin in catalogue.plugins.items() if plugin.error}
        self._failed = [_charge(spec, error, written=written.get(spec)) for spec, error in failed.items()]
        self.unknown: dict[str, str] = {}

    def build(self, axis: str, entry: Json, *, key: Key, complete: bool = True) -> ResolvedComponent:
        """The component of an entry (a name, or a table with name). Raises Mistake.

        `complete` is False for an entry of a rule, which may leave out settings that are required.
        """
        settings = {"name": entry} if isinstance(entry, str) else {**entry}
        name = settings.pop("name")
        registered = self._catalogue.datasets if axis == "dataset" else self._catalogue.models
        if name in registered:
            return self._known(axis, name, settings, known=registered[name].settings, key=key, complete=complete)
        named = self._catalogue.named.get(name, NamedInfo()) if axis == "model" else NamedInfo()
        if named.unknown:
            raise Mistake(key if isinstance(entry, str) else (*key, "name"), named.unknown)
        if not self._failed and not named.error:
            choices = ", ".join(sorted(registered)) or "none is registered"
            text = f"unknown {_WORDS[axis]} {show(name)}{nearest(name[:64], registered)} (there are: {choices})"
            raise Mistake(key if isinstance(entry, str) else (*key, "name"), text)
        why = named.error and published(named.error)
        why = why or f"no {_WORDS[axis]} {show(name)} is registered; {'; '.join(self._failed)}"
        self.unknown[f"{axis}:{name}"] = " ".join(why.split())
        checked = {setting: _ANY.check(value, (*key, setting)) for setting, value in settings.items()}
        texts = {setting: canonical_json(value) for setting, value in checked.items()}
        return ResolvedComponent(Component(name, checked), texts, texts)

    def _known(
        self, axis: str, name: str, settings: dict[str, Json], *, known: Mapping[str, Setting], key: Key, complete: bool
    ) -> ResolvedComponent:
        owner, wrong = f"{_WORDS[axis]} {name}", Found()
        for setting in (setting for setting in settings if setting not in known):
            takes = f"it takes: {', '.join(known)}" if known else "it takes no settings"
            near = nearest(setting[:64], known)
            wrong.append(Mistake((*key, setting), f"unknown setting of {owner}{near} ({takes})"))
        for setting, about in known.items():
            misspelt = any(f"did you mean {setting}?" in each.text for each in wrong)
            if complete and about.required and setting not in settings and not misspelt:
                text = f'missing; {owner} needs it, as in {{ name = "{name}", {setting} = … }}'
                wrong.append(Mistake((*key, setting), text))
        own: dict[str, Json] = {}
        digests: dict[str, str] = {}
        files: dict[str, Path] = {}
        defaults = {setting: _default(about) for setting, about in known.items()}
        for setting, value in ((each, value) for each, value in settings.items() if each in known):
            with wrong.noting():
                checked = known[setting].kind.check(value, (*key, setting))
                if known[setting].file and isinstance(checked, str):
                    own[setting], files[setting], digests[setting] = self._file(checked, key=(*key, setting))
                elif canonical_json(checked) != defaults[setting]:
                    own[setting] = checked
        if wrong:
            raise Mistake(wrong[0].key, wrong[0].text, others=wrong[1:])
        texts = {**defaults, **{k: canonical_json(v) for k, v in own.items()}, **digests}
        given = {setting: texts[setting] for setting in settings}
        return ResolvedComponent(Component(name, own, digests), texts, given, files)

    def _file(self, written: str, *, key: Key) -> tuple[str, Path, str]:
        """(path that may be published, absolute path, SHA-256 or 'absent') of a data file, or of a folder of them."""
        try:
            path = Path(written).expanduser()
            tries = [folder / path for folder in self._folders]
            there = [option for option in tries if option.is_file()] or [each for each in tries if each.is_dir()]
            found = (there or tries)[0].resolve()
            digest = data_sha256(found) if there else ABSENT
        except (OSError, ValueError, RuntimeError) as error:  # a NUL, too long a name, no home, no permission
            reason = getattr(error, "strerror", None) or error
            raise Mistake(key, f"the file {show(written)} cannot be read: {reason}") from None
        return (path.name if path.is_absolute() else written), found, digest


def _charge(spec: str, error: str, *, written: str | None) -> str:
    """Why a plugin failed, without a folder of this machine: 'wide.py: failed to import: …'."""
    path = Path(spec)
    own = path.name if spec.endswith(".py") else spec
    if path.is_absolute():
        error = error.replace(f"{path.parent}/", "")
    return f"{written or own}: {published(error.removeprefix(f'{own}: '))}"


def default_of(setting: Setting) -> Json:
    """A default in its declared type: `0` of a float setting is `0.0`, as a suite's value is."""
    try:
        return setting.kind.check(setting.default, ())
    except Mistake:
        return setting.default


def _default(setting: Setting) -> str:
    return canonical_json(default_of(setting))
