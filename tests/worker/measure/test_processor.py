"""Two chips never have one name: on x86 the kernel names them, on ARM implementer and part do, on a Mac sysctl."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any

import pytest

from bench.base.records import Environment
from bench.worker.measure import environment, processor
from bench.worker.measure.processor import cpu_model, of_linux, of_macos

X86 = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t\t: 85\nmodel name\t: Intel(R) Xeon(R) @ 2.80GHz\n"
CORE = "processor\t: {n}\nBogoMIPS\t: 50.00\nCPU implementer\t: {maker}\nCPU architecture: 8\nCPU part\t: {part}\n\n"


def arm(*cores: tuple[str, str], more: str = "") -> str:
    return "".join(CORE.format(n=n, maker=maker, part=part) for n, (maker, part) in enumerate(cores)) + more


@pytest.fixture(autouse=True)
def no_board(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder in place of what this machine says of its board."""
    monkeypatch.setattr(processor, "BOARDS", (tmp_path / "model", tmp_path / "product_name"))
    monkeypatch.setattr(processor, "VENDOR", tmp_path / "sys_vendor")
    return tmp_path


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        (X86, "Intel(R) Xeon(R) @ 2.80GHz"),
        (arm(("0x41", "0xd0c"), ("0x41", "0xd0c")), "Neoverse-N1 (implementer 0x41, part 0xd0c)"),
        (arm(("0x61", "0x022")), "implementer 0x61, part 0x022"),
        (
            arm(*[("0x41", "0xd05")] * 4, *[("0x41", "0xd0b")] * 2),
            "4 × Cortex-A55 (implementer 0x41, part 0xd05), 2 × Cortex-A76 (implementer 0x41, part 0xd0b)",
        ),
        (
            arm(("0x41", "0xd08"), more="Revision\t: c03114\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"),
            "Raspberry Pi 4 Model B Rev 1.4, Cortex-A72 (implementer 0x41, part 0xd08)",
        ),
        ("", ""),
        ("CPU part\t: 0xd08\n", ""),  # half of it is no name
    ],
)
def test_the_kernels_text_gives_a_name(cpuinfo: str, name: str) -> None:
    assert of_linux(cpuinfo) == name


def test_two_machines_around_the_same_cores_are_two(no_board: Path) -> None:
    cores = arm(("0x41", "0xd0c"))
    names = set()
    for vendor, product in (("Amazon EC2\n", "c6g.large\n"), ("Google\n", "Google Compute Engine\n")):
        (no_board / "sys_vendor").write_text(vendor)
        (no_board / "product_name").write_text(product)
        names.add(of_linux(cores))
    assert names == {
        "Amazon EC2 c6g.large, Neoverse-N1 (implementer 0x41, part 0xd0c)",
        "Google Google Compute Engine, Neoverse-N1 (implementer 0x41, part 0xd0c)",
    }
    (no_board / "model").write_bytes(b"NVIDIA Jetson Orin Nano\0")  # as a device tree ends its texts
    (no_board / "sys_vendor").unlink()
    assert of_linux(cores).startswith("NVIDIA Jetson Orin Nano, Neoverse-N1")


class Mac:
    """What libSystem of a Mac answers."""

    def __init__(self, **values: str) -> None:
        self.values = {name.replace("__", "."): value for name, value in values.items()}

    def sysctlbyname(self, name: bytes, text: Any, size: Any, new: None, length: ctypes.c_size_t) -> int:
        if name.decode() not in self.values:
            return -1
        text.value = self.values[name.decode()].encode()
        return 0


def test_a_mac_is_its_chip_and_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    air, mini = "Mac14,2", "Mac14,3"  # the same chip, with a fan and without one
    names = {of_macos(Mac(machdep__cpu__brand_string="Apple M2", hw__model=model)) for model in (air, mini)}
    assert names == {"Apple M2 (Mac14,2)", "Apple M2 (Mac14,3)"}
    assert of_macos(Mac(hw__model=air)) == "Mac14,2"
    assert of_macos(Mac()) == ""


def test_two_macs_are_two_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    found = set()
    for chip in ("Apple M1", "Apple M2"):
        mac = Mac(machdep__cpu__brand_string=chip, hw__model="Mac")
        monkeypatch.setattr(ctypes, "CDLL", lambda name, mac=mac: mac)
        assert cpu_model() == f"{chip} (Mac)"
        found.add(json.dumps(environment.cpu_model()))
        found.add(Environment({"cpu": cpu_model()}).identity(threads=2))
    assert len(found) == 4
