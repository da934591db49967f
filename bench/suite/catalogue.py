"""What the parent knows of models, data sets, devices and metrics: plain data that a worker process gave as JSON."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from bench.base.records import Environment, Json
from bench.suite.setting_types import SettingType

_NUMBER = re.compile(r"0|[1-9][0-9]{0,3}")
HOST = "cpu"  # the device that every machine has


@dataclass(frozen=True)
class Setting:
    """One keyword of a builder. `file` says that it names a data file, which counts by its content."""

    schema: Mapping[str, Json]
    default: Json = None
    required: bool = False
    file: bool = False

    @cached_property
    def kind(self) -> SettingType:
        return SettingType(self.schema)


@dataclass(frozen=True)
class ComponentInfo:
    """A registered model or data set."""

    summary: str = ""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    source: str = ""
    source_sha256: str = ""
    plugin: str = ""

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> "ComponentInfo":
        own = {key: value.get(key, "") for key in ("summary", "source", "source_sha256", "plugin")}
        return cls(settings={key: Setting(**setting) for key, setting in value.get("settings", {}).items()}, **own)


@dataclass(frozen=True)
class DeviceInfo:
    """A registered device, whether it can be used here, and if not, why. bench.worker.devices.base says what the other
    fields are."""

    available: bool
    reason: str = ""
    description: str = ""
    label: str = ""
    source: str = ""
    source_sha256: str = ""
    plugin: str = ""
    rank: int = 0
    is_host: bool = False
    fork_is_safe: bool = True
    ray_gpus: int = 0
    peak_rows: int = 0
    numbered: bool = False
    facts: Mapping[str, Json] = field(default_factory=dict)
    depends_on: Sequence[str] = ()

    @property
    def needs(self) -> dict[str, Json]:
        """What an executor has to know of a trial's device."""
        return {"fork_is_safe": self.fork_is_safe, "ray_gpus": self.ray_gpus}


@dataclass(frozen=True)
class PluginInfo:
    """A plugin that was asked for; `error` is one line where it failed to import."""

    error: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class NamedInfo:
    """A model that was asked for by a name with a colon. `unknown`: why there is none; `error`: why its module failed
    to import; one line each, or empty."""

    unknown: str = ""
    error: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Catalogue:
    """All that is registered, and the machine it was asked on."""

    models: Mapping[str, ComponentInfo]
    datasets: Mapping[str, ComponentInfo]
    devices: Mapping[str, DeviceInfo]
    metrics: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    plugins: Mapping[str, PluginInfo] = field(default_factory=dict)
    named: Mapping[str, NamedInfo] = field(default_factory=dict)
    physical_cores: int = 1
    environment: Environment = field(default_factory=lambda: Environment({}))
    worker_sha256: str = ""

    @property
    def best_device(self) -> str:
        """What `auto` takes: the device of the highest rank that is there; the host where none outranks it."""
        there = [name for name, device in self.devices.items() if device.available]
        return max(there, key=lambda name: (self.devices[name].rank, self.devices[name].is_host), default=HOST)

    def device(self, name: str) -> DeviceInfo:
        """The device of a name that a suite was resolved with. KeyError: nobody registered it."""
        if (found := self.find_device(name)) is None:
            raise KeyError(name)
        return found

    def find_device(self, name: str) -> DeviceInfo | None:
        """The same; None where nobody registered it. Of a number that is not there (`cuda:9`) it cannot be used."""
        if name in self.devices:
            return self.devices[name]
        kind, _, number = name.partition(":")
        info = self.devices.get(kind)
        if info is None or not info.numbered or not _NUMBER.fullmatch(number):
            return None
        there = ", ".join(each for each in self.devices if each.startswith(f"{kind}:"))
        why = f"there is {there}" if there else f"it cannot be chosen by number here; use {kind}"
        return replace(info, available=False, reason=info.reason or f"{name}: {why}")

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> "Catalogue":
        """Raises KeyError or TypeError where `value` is not what a worker's `describe` gives."""
        return cls(
            models={name: ComponentInfo.from_json(item) for name, item in value["models"].items()},
            datasets={name: ComponentInfo.from_json(item) for name, item in value["datasets"].items()},
            devices={name: DeviceInfo(**item) for name, item in value["devices"].items()},
            metrics=value.get("metrics", {}),
            plugins={name: PluginInfo(**item) for name, item in value.get("plugins", {}).items()},
            named={name: NamedInfo(**item) for name, item in value.get("named", {}).items()},
            physical_cores=value.get("physical_cores", 1),
            environment=Environment.from_json(value.get("environment", {"facts": {}})),
            worker_sha256=value.get("worker_sha256", ""),
        )
