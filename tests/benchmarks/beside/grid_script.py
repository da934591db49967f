"""The baseline suite's grid as a user writes it: nested loops over DataLoaders in one process, which measure nothing.

Three models × 5 seeds × 2 batch sizes of digits, accuracy on the test set after each epoch.
"""

from __future__ import annotations

import sys
from itertools import product

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from bench.registry import MODELS
from bench.worker.common import discover

epochs = int(sys.argv[1])
discover.load_builtin()
digits = load_digits()
images = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)
labels = torch.tensor(digits.target)

for seed, batch_size, name in product(range(5), (64, 256), ("linear", "mlp", "cnn")):
    train, test = train_test_split(range(len(labels)), test_size=0.2, stratify=labels, random_state=seed)
    torch.manual_seed(seed)
    model = MODELS.get(name).build((1, 8, 8), 10)
    optimizer, criterion = torch.optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss()
    train_loader = DataLoader(TensorDataset(images[train], labels[train]), batch_size=batch_size, shuffle=True)
    test_loader = DataLoader(TensorDataset(images[test], labels[test]), batch_size=batch_size)
    for _ in range(epochs):
        model.train()
        for x, y in train_loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
        model.eval()
        right = 0
        with torch.no_grad():
            for x, y in test_loader:
                right += int((model(x).argmax(1) == y).sum())
    print(f"{name}, batch {batch_size}, seed {seed}: accuracy {right / len(test):.3f}")
