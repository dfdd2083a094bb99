"""Checks for authors: of gradients (`gradcheck`), of the rules of an op (`check_op`) and of losses (`check_loss`).

In a pack's tests three lines judge all that it offers:

```python
@pytest.mark.parametrize("name", names("robust"))
def test_the_loss_is_what_it_says(name):
    assert check_loss(name).ok, check_loss(name)
```
"""

from minigrad.losses import names
from minigrad.testing.card import Card, Row
from minigrad.testing.check import check_loss
from minigrad.testing.check_op import check_op
from minigrad.testing.gradcheck import GradCheck, gradcheck

__all__ = ["Card", "GradCheck", "Row", "check_loss", "check_op", "gradcheck", "names"]
