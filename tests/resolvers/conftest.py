"""Fixtures of the operations' tests."""

import pytest

from tests.resolvers.support import houses
from tests.resolvers.support.houses import House


@pytest.fixture
async def house(db: str) -> House:
    """A structure with one person of each role."""
    return await houses.build()
