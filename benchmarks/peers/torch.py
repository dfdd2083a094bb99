"""PyTorch on the CPU."""

import torch

from benchmarks.peers.peer import Peer

F = torch.nn.functional


def mlp(weights, biases):
    """The MLP with these parameters."""
    layers = []
    for w, b in zip(weights, biases):
        linear = torch.nn.Linear(*w.shape, dtype=torch.from_numpy(w).dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(w.T.copy()))
            linear.bias.copy_(torch.from_numpy(b))
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


class Torch(Peer):
    """Eager, with Adam as it comes."""

    def array(self, a):
        return torch.from_numpy(a.copy())

    def adam(self, parameters):
        """The optimizer."""
        return torch.optim.Adam(parameters, lr=1e-3)

    def training(self, weights, biases):
        model = mlp(weights, biases)
        optimizer = self.adam(model.parameters())

        def advance(x, y):
            value = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            return value

        return advance


class Fused(Torch):
    """Eager, with the Adam that is one kernel."""

    def adam(self, parameters):
        return torch.optim.Adam(parameters, lr=1e-3, fused=True)


class Compiled(Torch):
    """Forward and backward compiled, the Adam that is one kernel."""

    def training(self, weights, biases):
        model = mlp(weights, biases)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        loss = torch.compile(lambda x, y: F.cross_entropy(model(x), y))

        def advance(x, y):
            value = loss(x, y)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            return value

        return advance
