"""scikit-learn's MLP: one pass over a few batches at a call, in the order in which they lie."""

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.cases import batches, he_normal
from benchmarks.peers.peer import CHECKED, LeftOut, Peer, Task


class Sklearn(Peer):
    """`partial_fit` with batches; the checks of a call are spread over the steps of the pass."""

    def step(self, sizes, n):
        if sizes[-1] == 2:
            raise LeftOut("has one output for two classes, which is less work")
        x, labels = batches(sizes, n)
        small = 1e-8 * np.sqrt(1 - 0.999)  # ε stands beside a mean square that is not corrected there
        model = MLPClassifier(sizes[1:-1], alpha=0, batch_size=n, shuffle=False, epsilon=small)
        model.partial_fit(x, labels[0], classes=np.arange(sizes[-1]))
        model.coefs_, model.intercepts_ = he_normal(sizes)
        del model._optimizer  # it has taken a step from other weights; nothing public takes that back
        for _ in range(CHECKED):
            model.partial_fit(x, labels[0])
        check = model.loss_curve_[-CHECKED:]
        X, y = np.concatenate([x] * len(labels)), np.concatenate(labels)
        return Task(lambda: model.partial_fit(X, y), check, per=len(labels))
