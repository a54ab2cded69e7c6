"""Space subscriptions through the public schema: what the viewer is told they may do is what would be accepted."""

from datetime import date
from typing import Any

import pytest

from models.subscriptions.spaces import OpenSpace, SpaceCode
from models.subscriptions.subscriptions import SpaceSubscriptionStatus
from schema.base import ids
from tests.resolvers.support.houses import House, build
from tests.schema.conftest import Ask
from tests.support import factories

LIST = "{ me { spaceSubscriptionsToReview(first: 10) { edges { node { id viewerActs } } } } }"
VALIDATE = """mutation ($ids: [ID!]!) { validateSpaceSubscriptions(ids: $ids) { results { errors { code } } } }"""


@pytest.fixture
async def house(db: str) -> House:
    return await build()


@pytest.mark.parametrize(
    ("changes", "open", "acts"),
    [
        ({}, True, ["VALIDATE", "REFUSE"]),
        ({"valid_from": date(2027, 3, 16)}, True, ["VALIDATE", "REFUSE"]),
        ({"valid_until": date(2027, 3, 14)}, True, ["REFUSE"]),
        ({}, False, ["REFUSE"]),
    ],
    ids=["in effect", "to come", "ended", "space closed"],
)
async def test_manager_is_shown_the_acts_that_a_request_for_a_space_takes(
    house: House, ask: Ask, changes: dict[str, Any], open: bool, acts: list[str]
) -> None:
    if open:
        await OpenSpace.create(structure=house.structure, space=SpaceCode.COMMITMENTS)
    await house.links["simple"].update_from_dict(changes).save()
    row = await factories.subscription(
        house.simple, house.structure, SpaceCode.COMMITMENTS, status=SpaceSubscriptionStatus.PENDING
    )
    id = ids.encode("SpaceSubscription", row.id)
    shown = (await ask(LIST, house.principal))["me"]["spaceSubscriptionsToReview"]["edges"]
    assert shown == [{"node": {"id": id, "viewerActs": acts}}]
    done = (await ask(VALIDATE, house.principal, ids=[id]))["validateSpaceSubscriptions"]["results"]
    assert (done == [{"errors": []}]) is ("VALIDATE" in acts)
