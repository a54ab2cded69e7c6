"""The role -> right table, read as a person would: who may take which act on whose attachment."""

import pytest

from models.attachments.attachments import AttachmentStatus, DecisionAct, Role
from models.errors.errors import Forbidden
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SpaceSubscriptionStatus
from resolvers import policy
from resolvers.policy import RIGHTS, Right

PM, SM, SU = Role.PRINCIPAL_MANAGER, Role.SECONDARY_MANAGER, Role.SIMPLE_USER
VALIDATE, REFUSE, WITHDRAW, DEACTIVATE, REACTIVATE, REMOVE, CHANGE_ROLE, TRANSFER = DecisionAct

# The acts that someone of the first role may take on somebody else's attachment of the second, whatever its status.
ON_OTHERS: dict[tuple[Role | None, Role], set[DecisionAct]] = {
    (PM, PM): {VALIDATE, REFUSE},
    (PM, SM): {VALIDATE, REFUSE, DEACTIVATE, REACTIVATE, REMOVE, CHANGE_ROLE},
    (PM, SU): {VALIDATE, REFUSE, DEACTIVATE, REACTIVATE, REMOVE, CHANGE_ROLE},
    (SM, PM): {VALIDATE, REFUSE},
    (SM, SM): {VALIDATE, REFUSE},
    (SM, SU): {VALIDATE, REFUSE, DEACTIVATE, REACTIVATE, REMOVE},
    (SU, PM): set(),
    (SU, SM): set(),
    (SU, SU): set(),
    (None, PM): set(),
    (None, SM): set(),
    (None, SU): set(),
}
# On one's own requests are taken back, attachments removed, the seat handed over; nothing is decided. An earlier one may
# have been of another role than the present one, which gives nothing on it.
ON_OWN = {WITHDRAW, REMOVE}


@pytest.mark.parametrize("act", DecisionAct)
@pytest.mark.parametrize(("role", "target"), ON_OTHERS)
def test_role_may_act_on_others_as_the_table_says(role: Role | None, target: Role, act: DecisionAct) -> None:
    assert policy.may_act(act, role=role, target=target, own=False) == (act in ON_OTHERS[role, target])


@pytest.mark.parametrize("act", DecisionAct)
@pytest.mark.parametrize(("role", "target"), ON_OTHERS)
def test_role_may_act_on_its_own_as_the_table_says(role: Role | None, target: Role, act: DecisionAct) -> None:
    acts = ON_OWN | {TRANSFER} if (role, target) == (PM, PM) else ON_OWN
    assert policy.may_act(act, role=role, target=target, own=True) == (act in acts)


@pytest.mark.parametrize("right", Right)
def test_principal_manager_has_every_right_and_simple_user_none(right: Right) -> None:
    assert policy.has(PM, right)
    assert not policy.has(SU, right)
    assert not policy.has(None, right)


def test_secondary_manager_lacks_what_concerns_managers() -> None:
    assert set(Right) - RIGHTS[SM] == {Right.MANAGE_SECONDARY_MANAGERS, Right.HAND_OVER}


@pytest.mark.parametrize("role", [*Role, None])
def test_nobody_manages_a_principal_manager(role: Role | None) -> None:
    assert not policy.may_manage(role, PM)


@pytest.mark.parametrize(
    ("status", "ended", "acts"),
    [
        (AttachmentStatus.PENDING, False, [VALIDATE, REFUSE]),
        (AttachmentStatus.VALIDATED, False, [DEACTIVATE, REMOVE, CHANGE_ROLE]),
        (AttachmentStatus.DEACTIVATED, False, [REACTIVATE, REMOVE]),
        (AttachmentStatus.DEACTIVATED, True, [REMOVE]),
        (AttachmentStatus.REFUSED, False, []),
        (AttachmentStatus.REMOVED, False, []),
    ],
)
def test_principal_manager_is_shown_the_acts_open_now(
    status: AttachmentStatus, ended: bool, acts: list[DecisionAct]
) -> None:
    assert policy.acts_on(status, role=PM, target=SU, own=False, ended=ended) == acts


@pytest.mark.parametrize(
    ("status", "acts"),
    [(AttachmentStatus.PENDING, [REFUSE]), (AttachmentStatus.DEACTIVATED, [REMOVE])],
)
def test_nobody_is_let_into_a_structure_that_has_ended(status: AttachmentStatus, acts: list[DecisionAct]) -> None:
    assert policy.acts_on(status, role=PM, target=SU, own=False, ended=False, structure_active=False) == acts


@pytest.mark.parametrize("space", SpaceCode)
@pytest.mark.parametrize("own", [True, False])
def test_subscription_is_shown_to_be_removable_unless_the_space_is_always_there(space: SpaceCode, own: bool) -> None:
    status = SpaceSubscriptionStatus.VALIDATED
    acts = policy.acts_on_subscription(status, space, role=None if own else PM, target=SU, own=own, usable=True)
    always_there = {SpaceCode.HOME, SpaceCode.MY_ACCOUNT, SpaceCode.MANAGER_ACTIVITIES}
    assert acts == ([] if space in always_there else [REMOVE])


@pytest.mark.parametrize(
    ("usable", "acts"),
    [(True, [VALIDATE, REFUSE]), (False, [REFUSE])],
)
def test_manager_validates_no_subscription_to_what_can_not_be_used(usable: bool, acts: list[DecisionAct]) -> None:
    status, space = SpaceSubscriptionStatus.PENDING, SpaceCode.COMMITMENTS
    assert policy.acts_on_subscription(status, space, role=SM, target=SU, own=False, usable=usable) == acts


@pytest.mark.parametrize("role", [*Role, None])
def test_person_takes_their_own_request_for_a_space_back_and_does_not_decide_it(role: Role | None) -> None:
    status, space = SpaceSubscriptionStatus.PENDING, SpaceCode.COMMITMENTS
    acts = policy.acts_on_subscription(status, space, role=role, target=role or SU, own=True, usable=True)
    assert acts == [REMOVE]


def test_person_is_shown_their_own_acts() -> None:
    def shown(status: AttachmentStatus, role: Role | None, target: Role) -> list[DecisionAct]:
        return policy.acts_on(status, role=role, target=target, own=True, ended=False)

    assert shown(AttachmentStatus.PENDING, None, SU) == [WITHDRAW]
    assert shown(AttachmentStatus.VALIDATED, SU, SU) == [REMOVE]
    assert shown(AttachmentStatus.VALIDATED, PM, PM) == [REMOVE, TRANSFER]


def test_refusal_names_where() -> None:
    policy.require(True, "ids", "0")
    with pytest.raises(Forbidden) as refusal:
        policy.require(False, "ids", "0")
    assert refusal.value.path == ("ids", "0")
