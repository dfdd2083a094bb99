"""Checkpoints: `save` and `load`, .npz files without pickle that are whole or not there.

```python
save("model.npz", model)                                   # weights
load("model.npz", model)

save("run.npz", model, optimizer=optimizer, rng=rng, epoch=3, step=96)
run = load("run.npz")
run.resume(model, optimizer)                               # and go on with run.rng, from run.epoch and run.step
```
"""

from minigrad.checkpoint.content import Checkpoint, load, save
from minigrad.checkpoint.disk import check_place

__all__ = ["Checkpoint", "check_place", "load", "save"]
