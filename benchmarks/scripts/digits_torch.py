"""Digits, with PyTorch."""

import sys

import numpy as np
import torch

data = {name: torch.from_numpy(array) for name, array in np.load(sys.argv[1]).items()}
X, y = data["X"], data["y"]
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for _ in range(30):
    for rows in torch.randperm(len(X)).split(32):
        value = torch.nn.functional.cross_entropy(model(X[rows]), y[rows])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

with torch.no_grad():
    print((model(data["X_test"]).argmax(1) == data["y_test"]).float().mean().item())
