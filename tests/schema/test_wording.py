"""What refusals tell people: days and instants as each language writes them."""

from datetime import UTC, date, datetime

from models.accounts.accounts import Language
from models.errors.errors import EscalationTooEarly, PrincipalManagerNotYetClaimable
from schema.words.wording import explain


def test_first_of_a_month_is_an_ordinal_in_french_alone() -> None:
    early = EscalationTooEarly(on=date(2027, 4, 1))
    assert "1er avril 2027" in explain(early, Language.FR)
    assert "1 April 2027" in explain(early, Language.EN)
    claim = PrincipalManagerNotYetClaimable(at=datetime(2027, 3, 31, 22, 30, tzinfo=UTC))
    assert "1er avril 2027, 00:30" in explain(claim, Language.FR)
    assert "11 avril 2027" in explain(EscalationTooEarly(on=date(2027, 4, 11)), Language.FR)
