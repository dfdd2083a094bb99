"""Every loss of the pack is what it says."""

import pytest

from minigrad.testing import check_loss, names


@pytest.mark.parametrize("name", names("cost"))
def test_card(name):
    card = check_loss(name)
    assert card.ok, card
