"""Fashion-MNIST: the IDX files as torchvision lays them out, under FashionMNIST/raw."""

from collections.abc import Sequence
from pathlib import Path

from bench.registry import dataset
from bench.worker.datasets import idx
from bench.worker.datasets.files import Download, downloads
from bench.worker.datasets.splits import Splits

FOLDER = "FashionMNIST/raw"
CLASSES = "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot"
# SHA-256 of the decompressed file and of the .gz, which are those whose MD5 torchvision pins.
FILES = idx.idx_files(
    sha256={
        "train_images": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train_labels": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "test_images": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "test_labels": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    gz_sha256={
        "train_images": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train_labels": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "test_images": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "test_labels": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
    gz_bytes={"train_images": 26_421_880, "train_labels": 29_515, "test_images": 4_422_102, "test_labels": 5_148},
)


@dataset("fashion_mnist")
def fashion_mnist(root: Path) -> Splits:
    """Pieces of clothing: 60,000 to train, 10,000 to test, 1×28×28 grey, 10 classes."""
    return Splits(
        **idx.load(root, name="fashion_mnist", title="Fashion-MNIST", folder=FOLDER, files=FILES),
        class_names=CLASSES.split(","),
        maximum=255,
        mean=(0.28604059698879547,),  # of the 60,000 training images
        sd=(0.3530242445149226,),
        licence="MIT",
        source="H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST, arXiv 1708.07747; Zalando SE, 2017",
    )


@downloads("fashion_mnist")
def files() -> Sequence[Download]:
    """Torchvision's mirrors and checksums."""
    from torchvision.datasets import FashionMNIST

    return idx.published(FashionMNIST, folder=FOLDER, files=FILES)
