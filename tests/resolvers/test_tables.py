"""Every status x every act x every role, for attachments and for space subscriptions: the rules as tables."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import Any

import pytest

from models.accounts.accounts import Account
from models.accounts.actors import PlatformRole
from models.attachments.attachments import Attachment, Role
from models.errors.codes import ErrorCode
from models.errors.errors import DomainError
from models.events.events import Event
from models.structures.structures import Structure
from models.subscriptions.spaces import OpenSpace, SpaceCode
from models.subscriptions.subscriptions import SpaceSubscriptionStatus
from resolvers.attachments import lifecycle, principal_manager, requests
from resolvers.attachments.lifecycle import Change
from resolvers.attachments.requests import Validation
from resolvers.bulk import Outcome
from resolvers.scope import Scope
from resolvers.subscriptions import space_requests
from tests.support import factories

ScopeOf = Callable[..., Scope]
ACTORS = ("stranger", "owner", "colleague", "secondary", "principal", "support")
PM, SM, SU = Role.PRINCIPAL_MANAGER, Role.SECONDARY_MANAGER, Role.SIMPLE_USER
YESTERDAY = date(2027, 3, 14)
SHORT = {
    ErrorCode.NOT_FOUND: "404",
    ErrorCode.FORBIDDEN: "no",
    ErrorCode.SELF_DECISION: "self",
    ErrorCode.ALREADY_DECIDED: "late",
    ErrorCode.INVALID_TRANSITION: "state",
    ErrorCode.INVALID: "ended",
    ErrorCode.SUCCESSOR_REQUIRED: "heir",
}
Act = Callable[[Scope, int], Awaitable[Sequence[Outcome] | None]]


async def people_of(structure: Structure, principal: Account) -> dict[str, Account]:
    """One person of each kind but the owner, whom every cell of a table has its own of."""
    people = {"stranger": await factories.person(), "colleague": await factories.person()}
    people["secondary"] = await factories.person()
    people["support"] = await factories.person(platform_role=PlatformRole.SUPPORT)
    await factories.attachment(people["colleague"], structure)
    await factories.attachment(people["secondary"], structure, role=SM)
    return people | {"principal": principal}


async def outcome_of(act: Act, scope: Scope, id: int) -> str:
    """`ok`, or the short name of the refusal's code."""
    try:
        outcomes = await act(scope, id)
    except DomainError as error:
        return SHORT[error.code]
    refused = outcomes[0].error if outcomes else None
    return SHORT[next(iter(refused.each())).code] if refused else "ok"


# ------------------------------------------------------------------ attachments
async def _validate(scope: Scope, id: int) -> list[Outcome]:
    return await requests.validate(scope, [Validation(id)])


async def _refuse(scope: Scope, id: int) -> list[Outcome]:
    return await requests.refuse(scope, [id], "unknown here")


async def _withdraw(scope: Scope, id: int) -> list[Outcome]:
    return await requests.withdraw(scope, [id])


async def _deactivate(scope: Scope, id: int) -> list[Outcome]:
    return await lifecycle.deactivate(scope, [id], None)


async def _reactivate(scope: Scope, id: int) -> list[Outcome]:
    return await lifecycle.reactivate(scope, [id])


async def _remove(scope: Scope, id: int) -> list[Outcome]:
    return await lifecycle.remove(scope, [id], {})


async def _update(scope: Scope, id: int) -> None:
    await lifecycle.update(scope, id, Change(valid_until=date(2030, 1, 1), end_given=True))


async def _change_role(scope: Scope, id: int) -> None:
    present = await Attachment.get(id=id)
    await principal_manager.change_role(scope, id, SU if present.role is SM else SM)


ATTACHMENT_ACTS: dict[str, Act] = {
    "validate": _validate, "refuse": _refuse, "withdraw": _withdraw, "deactivate": _deactivate,
    "reactivate": _reactivate, "remove": _remove, "update": _update, "change_role": _change_role,
}  # fmt: skip
# ENDED is a VALIDATED attachment past its last day, which reads as DEACTIVATED.
ATTACHMENT_STATUSES = ("PENDING", "VALIDATED", "ENDED", "DEACTIVATED", "REFUSED", "REMOVED")
# One line per actor (in the order of ACTORS), one word per status (in that of ATTACHMENT_STATUSES).
OF_SIMPLE_USERS: dict[str, str] = {
    "validate": """\
404   404   404   404   404   404
self  self  self  self  self  self
404   404   404   404   404   404
ok    late  late  late  late  state
ok    late  late  late  late  state
no    no    no    no    no    no""",
    "refuse": """\
404   404   404   404   404   404
self  self  self  self  self  self
404   404   404   404   404   404
ok    late  late  late  late  state
ok    late  late  late  late  state
no    no    no    no    no    no""",
    "withdraw": """\
404   404   404   404   404   404
ok    state state state state state
404   404   404   404   404   404
no    no    no    no    no    no
no    no    no    no    no    no
no    no    no    no    no    no""",
    "deactivate": """\
404   404   404   404   404   404
no    no    no    no    no    no
404   404   404   404   404   404
state ok    state state state state
state ok    state state state state
no    no    no    no    no    no""",
    "reactivate": """\
404   404   404   404   404   404
no    no    no    no    no    no
404   404   404   404   404   404
state state ended ok    state state
state state ended ok    state state
no    no    no    no    no    no""",
    "remove": """\
404   404   404   404   404   404
state ok    ok    ok    state state
404   404   404   404   404   404
state ok    ok    ok    state state
state ok    ok    ok    state state
no    no    no    no    no    no""",
    "update": """\
404   404   404   404   404   404
no    no    no    no    no    no
404   404   404   404   404   404
state ok    ok    ok    state state
state ok    ok    ok    state state
no    no    no    no    no    no""",
    "change_role": """\
404   404   404   404   404   404
no    no    no    no    no    no
404   404   404   404   404   404
no    no    no    no    no    no
state ok    state state state state
no    no    no    no    no    no""",
}
OF_SECONDARY_MANAGERS: dict[str, str] = {
    "validate": """\
-     404   404   404   -     404
-     self  self  self  -     self
-     404   404   404   -     404
-     late  late  late  -     state
-     late  late  late  -     state
-     no    no    no    -     no""",
    "refuse": """\
-     404   404   404   -     404
-     self  self  self  -     self
-     404   404   404   -     404
-     late  late  late  -     state
-     late  late  late  -     state
-     no    no    no    -     no""",
    "withdraw": """\
-     404   404   404   -     404
-     state state state -     state
-     404   404   404   -     404
-     no    no    no    -     no
-     no    no    no    -     no
-     no    no    no    -     no""",
    "deactivate": """\
-     404   404   404   -     404
-     no    no    no    -     no
-     404   404   404   -     404
-     no    no    no    -     no
-     ok    state state -     state
-     no    no    no    -     no""",
    "reactivate": """\
-     404   404   404   -     404
-     no    no    no    -     no
-     404   404   404   -     404
-     no    no    no    -     no
-     state ended ok    -     state
-     no    no    no    -     no""",
    "remove": """\
-     404   404   404   -     404
-     ok    ok    ok    -     state
-     404   404   404   -     404
-     no    no    no    -     no
-     ok    ok    ok    -     state
-     no    no    no    -     no""",
    "update": """\
-     404   404   404   -     404
-     no    no    no    -     no
-     404   404   404   -     404
-     no    no    no    -     no
-     ok    ok    ok    -     state
-     no    no    no    -     no""",
    "change_role": """\
-     404   404   404   -     404
-     no    no    no    -     no
-     404   404   404   -     404
-     no    no    no    -     no
-     ok    state state -     state
-     no    no    no    -     no""",
}


async def made_attachment(owner: Account, structure: Structure, role: Role, status: str) -> Attachment:
    changes: dict[str, Any] = (
        {"status": "VALIDATED", "valid_until": YESTERDAY} if status == "ENDED" else {"status": status}
    )
    return await factories.attachment(owner, structure, role=role, **changes)


async def attachment_table(scope_of: ScopeOf, act: Act, role: Role) -> str:
    principal = await factories.person()
    structure = await factories.structure(principal)
    people = await people_of(structure, principal)
    lines = []
    for actor in ACTORS:
        words = []
        for status in ATTACHMENT_STATUSES:
            if role is SM and status in {"PENDING", "REFUSED"}:
                words.append("-")  # a request is always a simple user's
                continue
            owner = await factories.person()
            row = await made_attachment(owner, structure, role, status)
            before = await Event.all().count()
            words.append(await outcome_of(act, scope_of(people.get(actor, owner)), row.id))
            assert (await Event.all().count() > before) == (words[-1] == "ok")
        lines.append(" ".join(f"{word:5}" for word in words).rstrip())
    return "\n".join(lines)


# ------------------------------------------------------------------ subscriptions
async def _validate_space(scope: Scope, id: int) -> list[Outcome]:
    return await space_requests.validate(scope, [id])


async def _refuse_space(scope: Scope, id: int) -> list[Outcome]:
    return await space_requests.refuse(scope, [id], "not needed")


async def _remove_space(scope: Scope, id: int) -> list[Outcome]:
    return await space_requests.remove(scope, [id])


SUBSCRIPTION_ACTS: dict[str, Act] = {"validate": _validate_space, "refuse": _refuse_space, "remove": _remove_space}
SUBSCRIPTION_STATUSES = ("PENDING", "VALIDATED", "REFUSED", "REMOVED")
SPACES_OF_SIMPLE_USERS: dict[str, str] = {
    "validate": """\
404   404   404   404
self  self  self  self
404   404   404   404
ok    late  late  state
ok    late  late  state
no    no    no    no""",
    "refuse": """\
404   404   404   404
self  self  self  self
404   404   404   404
ok    late  late  state
ok    late  late  state
no    no    no    no""",
    "remove": """\
404   404   404   404
ok    ok    state state
404   404   404   404
state ok    state state
state ok    state state
no    no    no    no""",
}
# Who decides depends on nobody's role but the actor's; who withdraws, on the subscriber's too.
SPACES_OF_SECONDARY_MANAGERS = SPACES_OF_SIMPLE_USERS | {
    "remove": """\
404   404   404   404
ok    ok    state state
404   404   404   404
no    no    no    no
state ok    state state
no    no    no    no""",
}


async def subscription_table(scope_of: ScopeOf, act: Act, role: Role) -> str:
    principal = await factories.person()
    structure = await factories.structure(principal)
    await OpenSpace.create(structure=structure, space=SpaceCode.COMMITMENTS)
    people = await people_of(structure, principal)
    lines = []
    for actor in ACTORS:
        words = []
        for status in SUBSCRIPTION_STATUSES:
            owner = await factories.person()
            await factories.attachment(owner, structure, role=role)
            row = await factories.subscription(
                owner, structure, SpaceCode.COMMITMENTS, status=SpaceSubscriptionStatus(status)
            )
            before = await Event.all().count()
            words.append(await outcome_of(act, scope_of(people.get(actor, owner)), row.id))
            assert (await Event.all().count() > before) == (words[-1] == "ok")
        lines.append(" ".join(f"{word:5}" for word in words).rstrip())
    return "\n".join(lines)


@pytest.mark.parametrize("act", ATTACHMENT_ACTS)
@pytest.mark.parametrize(("role", "expected"), [(SU, OF_SIMPLE_USERS), (SM, OF_SECONDARY_MANAGERS)])
async def test_attachment_answers_each_act_of_each_actor_as_the_table_says(
    db: str, scope_of: ScopeOf, act: str, role: Role, expected: dict[str, str]
) -> None:
    assert await attachment_table(scope_of, ATTACHMENT_ACTS[act], role) == expected[act]


@pytest.mark.parametrize("act", SUBSCRIPTION_ACTS)
@pytest.mark.parametrize(("role", "expected"), [(SU, SPACES_OF_SIMPLE_USERS), (SM, SPACES_OF_SECONDARY_MANAGERS)])
async def test_subscription_answers_each_act_of_each_actor_as_the_table_says(
    db: str, scope_of: ScopeOf, act: str, role: Role, expected: dict[str, str]
) -> None:
    assert await subscription_table(scope_of, SUBSCRIPTION_ACTS[act], role) == expected[act]
