"""What tests read of acts on attachments: every refusal with its path, and the spaces that come and go."""

from collections.abc import Sequence

from models.accounts.accounts import Account
from models.errors.errors import DomainError
from models.structures.structures import Structure
from models.subscriptions import spaces
from models.subscriptions.subscriptions import LIVE, SpaceSubscription
from resolvers.bulk import Outcome

Problem = tuple[type[DomainError], *tuple[str, ...]]
GIVEN_TO_ALL = {str(code) for code in spaces.GIVEN_TO_ALL}
GIVEN_TO_MANAGERS = {str(code) for code in spaces.DEFAULTS}


def told(outcomes: Sequence[Outcome]) -> list[list[Problem]]:
    """Of each outcome every refusal with its path; an empty list is an act that was done."""
    return [_problems(outcome.error) if outcome.error else [] for outcome in outcomes]


def _problems(error: DomainError) -> list[Problem]:
    return [(type(single), *single.path) for single in error.each()]


async def live_spaces(user: Account, structure: Structure) -> set[str]:
    """The spaces the person has a live subscription to on the structure."""
    rows = await SpaceSubscription.filter(user=user, structure=structure, status__in=LIVE)
    return {str(row.space) for row in rows}
