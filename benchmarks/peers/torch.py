"""PyTorch on the CPU."""

import torch

from benchmarks.peers.peer import LeftOut, Peer, there_and_back

F = torch.nn.functional

LOSSES = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "huber": F.huber_loss,
    "smooth_l1": F.smooth_l1_loss,
    "poisson_nll": F.poisson_nll_loss,
    "gaussian_nll": lambda x, y: F.gaussian_nll_loss(x[:, 0], y, x[:, 1].exp()),
    "cross_entropy": F.cross_entropy,
    "nll": F.nll_loss,
    "kl_div": lambda x, y: F.kl_div(x, y, reduction="batchmean"),
    "bce_with_logits": F.binary_cross_entropy_with_logits,
    "bce": F.binary_cross_entropy,
    "multi_margin": F.multi_margin_loss,
    "margin_ranking": lambda x, y: F.margin_ranking_loss(x[:, 0], x[:, 1], y, margin=1.0),
    "triplet_margin": lambda x, _: F.triplet_margin_loss(x[:, 0], x[:, 1], x[:, 2]),
    "cosine_embedding": lambda x, y: F.cosine_embedding_loss(x[:, 0], x[:, 1], y),
}


def mlp(weights, biases):
    """The MLP with these parameters."""
    layers = []
    for w, b in zip(weights, biases):
        linear = torch.nn.Linear(*w.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(w.T.copy()))
            linear.bias.copy_(torch.from_numpy(b))
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


class Torch(Peer):
    """Eager, with Adam as it comes."""

    def array(self, a):
        return torch.from_numpy(a.copy())

    def numpy(self, a):
        return a.detach().numpy()

    def adam(self, parameters):
        """The optimizer."""
        return torch.optim.Adam(parameters, lr=1e-3)

    def loss_of(self, model):
        """The function (x, y) → loss."""
        return lambda x, y: F.cross_entropy(model(x), y)

    def training(self, weights, biases):
        model = mlp(weights, biases)
        optimizer, loss = self.adam(model.parameters()), self.loss_of(model)

        def advance(x, y):
            value = loss(x, y)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            return value

        return advance

    def recorded(self, x, method):
        x.requires_grad_()
        return (lambda: x.exp()) if method else lambda: torch.exp(x)

    def differentiated(self, x, g):
        return there_and_back([x.requires_grad_()], torch.exp, g)

    def linked(self, *given):
        *starts, count = given

        def total(x, w, b):
            for _ in range(count):
                x = torch.tanh(w * x + b)
            return x.sum()

        return there_and_back([t.requires_grad_() for t in starts], total)

    def judged(self, name, pred, target):
        if name not in LOSSES:
            raise LeftOut(f"has no {name}")
        loss = LOSSES[name]
        return there_and_back([pred.requires_grad_()], lambda pred: loss(pred, target))

    def curved(self, weights, biases, x, y, along_w, along_b):
        def f(weights, biases):
            z = x @ weights[0] + biases[0]
            for w, b in zip(weights[1:], biases[1:]):
                z = torch.relu(z) @ w + b
            return F.cross_entropy(z, y)

        gradient = torch.func.grad(f, argnums=(0, 1))

        def product():
            _, (out_w, out_b) = torch.func.jvp(gradient, (weights, biases), (along_w, along_b))
            return out_w + out_b

        return product


class Fused(Torch):
    """Eager, with the Adam that is one kernel."""

    def adam(self, parameters):
        return torch.optim.Adam(parameters, lr=1e-3, fused=True)


class Compiled(Fused):
    """Forward and backward compiled too."""

    def loss_of(self, model):
        return torch.compile(super().loss_of(model))
