"""MNIST: the IDX files as torchvision lays them out, under MNIST/raw."""

from collections.abc import Sequence
from pathlib import Path

from bench.registry import dataset
from bench.worker.datasets import idx
from bench.worker.datasets.files import Download, downloads
from bench.worker.datasets.splits import Splits

FOLDER = "MNIST/raw"
# SHA-256 of the decompressed file and of the .gz, which are those whose MD5 torchvision pins.
FILES = idx.idx_files(
    sha256={
        "train_images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train_labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "test_images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "test_labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    gz_sha256={
        "train_images": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train_labels": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "test_images": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "test_labels": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    gz_bytes={"train_images": 9_912_422, "train_labels": 28_881, "test_images": 1_648_877, "test_labels": 4_542},
)


@dataset("mnist")
def mnist(root: Path) -> Splits:
    """Handwritten digits: 60,000 to train, 10,000 to test, 1×28×28 grey, 10 classes."""
    return Splits(
        **idx.load(root, name="mnist", title="MNIST", folder=FOLDER, files=FILES),
        class_names=[str(digit) for digit in range(10)],
        maximum=255,
        mean=(0.1306604762738429,),  # of the 60,000 training images
        sd=(0.3081078038564627,),
        licence="CC BY-SA 3.0",
        source="Y. LeCun, C. Cortes, C. J. C. Burges: the MNIST database, from NIST SD-3 and SD-1",
    )


@downloads("mnist")
def files() -> Sequence[Download]:
    """Torchvision's mirrors and checksums."""
    from torchvision.datasets import MNIST

    return idx.published(MNIST, folder=FOLDER, files=FILES)
