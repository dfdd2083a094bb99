"""Every loss of the pack is what it says."""

import pytest
from minigrad_probabilistic import minigrad_losses

from minigrad.testing import check_loss


@pytest.mark.parametrize("loss", minigrad_losses(), ids=str)
def test_the_loss_is_what_it_says(loss):
    assert check_loss(loss).ok, check_loss(loss)
