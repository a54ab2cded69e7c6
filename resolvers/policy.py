"""Who may do what: the role -> right table on one screen, and pure predicates over it. Source: DOMAIN 4."""

from enum import StrEnum

from models.attachments.attachments import ALLOWED_FROM, AttachmentStatus, DecisionAct, Role
from models.errors.errors import Forbidden
from models.subscriptions.spaces import ALWAYS_THERE, SpaceCode
from models.subscriptions.subscriptions import ALLOWED_FROM as SUBSCRIPTION_ALLOWED_FROM
from models.subscriptions.subscriptions import SpaceSubscriptionStatus


class Right(StrEnum):
    """What an attachment in effect lets a person do on its structure."""

    SEE_USERS = "see every attachment and the history of the structure"
    DECIDE = "validate and refuse requests, attach people"
    MANAGE_SIMPLE_USERS = "deactivate, reactivate, remove and update the attachments of simple users"
    MANAGE_SECONDARY_MANAGERS = "the same for secondary managers, and name or dismiss them"
    EDIT_STRUCTURE = "edit the structure, its services and its spaces"
    HAND_OVER = "name the next principal manager"


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.PRINCIPAL_MANAGER: frozenset(Right),
    Role.SECONDARY_MANAGER: frozenset({Right.SEE_USERS, Right.DECIDE, Right.MANAGE_SIMPLE_USERS, Right.EDIT_STRUCTURE}),
    Role.SIMPLE_USER: frozenset(),
}


def require(allowed: bool, *path: str) -> None:
    """Nothing, when allowed.

    Raises:
        Forbidden: otherwise, at the path.
    """
    if not allowed:
        raise Forbidden(*path)


def has(role: Role | None, right: Right) -> bool:
    """Does someone of this role on the structure hold the right? None is someone with no attachment in effect."""
    return role is not None and right in RIGHTS[role]


def may_manage(role: Role | None, target: Role) -> bool:
    """May someone of this role change an attachment of the target role? Nobody may a principal manager's."""
    if target is Role.PRINCIPAL_MANAGER:
        return False
    secondary = target is Role.SECONDARY_MANAGER
    return has(role, Right.MANAGE_SECONDARY_MANAGERS if secondary else Right.MANAGE_SIMPLE_USERS)


def may_act(act: DecisionAct, *, role: Role | None, target: Role, own: bool) -> bool:
    """May someone of this role on the structure take the act on an attachment of the target role, maybe their own?"""
    match act:
        case DecisionAct.WITHDRAW:
            return own
        case DecisionAct.VALIDATE | DecisionAct.REFUSE:
            return not own and has(role, Right.DECIDE)
        case DecisionAct.DEACTIVATE | DecisionAct.REACTIVATE:
            return not own and may_manage(role, target)
        case DecisionAct.REMOVE:
            return own or may_manage(role, target)
        case DecisionAct.CHANGE_ROLE:
            return not own and target is not Role.PRINCIPAL_MANAGER and has(role, Right.MANAGE_SECONDARY_MANAGERS)
        case DecisionAct.TRANSFER:
            return own and target is Role.PRINCIPAL_MANAGER and has(role, Right.HAND_OVER)


def acts_on(
    status: AttachmentStatus, *, role: Role | None, target: Role, own: bool, ended: bool, structure_active: bool = True
) -> list[DecisionAct]:
    """The acts open to the viewer on an attachment of this status.

    An ended one isn't reactivated but moved, and nobody gets into a structure that has ended.
    """
    closed = set() if structure_active else {DecisionAct.VALIDATE, DecisionAct.REACTIVATE}
    closed |= {DecisionAct.REACTIVATE} if ended else set()
    return [
        act
        for act in DecisionAct
        if status in ALLOWED_FROM[act] and act not in closed and may_act(act, role=role, target=target, own=own)
    ]


def may_act_on_subscription(
    act: DecisionAct, status: SpaceSubscriptionStatus, *, role: Role | None, target: Role, own: bool
) -> bool:
    """May someone of this role act on a subscription of a person of the target role, maybe their own?

    A manager doesn't remove what waits: it is refused, with a reason.
    """
    match act:
        case DecisionAct.VALIDATE | DecisionAct.REFUSE:
            return not own and has(role, Right.DECIDE)
        case DecisionAct.REMOVE:
            return own or (may_manage(role, target) and status is not SpaceSubscriptionStatus.PENDING)
        case _:
            return False


def acts_on_subscription(
    status: SpaceSubscriptionStatus, space: SpaceCode, *, role: Role | None, target: Role, own: bool, usable: bool
) -> list[DecisionAct]:
    """The acts open to the viewer on a subscription.

    None is validated whose space or structure can't be used, or whose person's attachment has ended.
    """
    closed = set() if usable else {DecisionAct.VALIDATE}
    closed |= {DecisionAct.REMOVE} if space in ALWAYS_THERE else set()
    return [
        act
        for act, statuses in SUBSCRIPTION_ALLOWED_FROM.items()
        if status in statuses
        and act not in closed
        and may_act_on_subscription(act, status, role=role, target=target, own=own)
    ]
