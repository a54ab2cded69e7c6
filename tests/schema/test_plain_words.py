"""What the schema and its refusals say is so, in our own words: previews, effect, scalars, file names, the roots."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from models.accounts.accounts import AccountState, Language
from models.accounts.actors import PlatformRole
from models.attachments.attachments import Role
from models.documents import filenames
from models.errors.errors import DomainError, Invalid
from resolvers.scope import Scope
from schema import schema
from schema.base import ids
from schema.base.context import Context
from schema.words import wording
from tests.schema.conftest import Ask
from tests.support import factories

PREVIEW = "{ me { deactivationPreview { canDeactivate successionsNeeded { structure { name } } } } }"


# ------------------------------------------------------------------ the preview of leaving
async def test_principal_manager_can_leave_once_every_structure_has_somebody_to_name(ask: Ask) -> None:
    boss, heir = await factories.person(), await factories.person()
    alpha, beta = await factories.structure(boss, name="Alpha"), await factories.structure(boss, name="Beta")
    await factories.structure(boss, status="INACTIVE")  # needs nobody
    needed = [{"structure": {"name": "Alpha"}}, {"structure": {"name": "Beta"}}]

    async def preview() -> Any:
        return (await ask(PREVIEW, boss))["me"]["deactivationPreview"]

    assert await preview() == {"canDeactivate": False, "successionsNeeded": needed}
    await factories.attachment(heir, alpha)
    future = await factories.attachment(heir, beta, valid_from=date(2027, 4, 1))
    assert (await preview())["canDeactivate"] is False
    await future.update_from_dict({"valid_from": date(2027, 3, 15)}).save()
    assert await preview() == {"canDeactivate": True, "successionsNeeded": needed}
    await heir.update_from_dict({"state": AccountState.SUSPENDED}).save()
    assert (await preview())["canDeactivate"] is False


async def test_person_who_manages_nothing_can_leave(ask: Ask) -> None:
    answer = await ask(PREVIEW, await factories.person())
    assert answer["me"]["deactivationPreview"] == {"canDeactivate": True, "successionsNeeded": []}


# ------------------------------------------------------------------ effect
@pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE"])
@pytest.mark.parametrize("state", [AccountState.ACTIVE, AccountState.SUSPENDED])
@pytest.mark.parametrize(
    ("first", "last", "holds"),
    [
        (date(2027, 3, 15), date(2027, 3, 15), True),
        (date(2027, 3, 15), None, True),
        (date(2027, 3, 16), None, False),
        (date(2027, 3, 1), date(2027, 3, 14), False),
    ],
)
async def test_attachment_is_in_effect_by_its_field_its_filter_and_its_model_alike(
    ask: Ask, status: str, state: AccountState, first: date, last: date | None, holds: bool
) -> None:
    boss, user = await factories.person(), await factories.person(state=state)
    structure = await factories.structure(boss, status=status)
    link = await factories.attachment(user, structure, valid_from=first, valid_until=last)
    document = """query ($id: ID!, $on: Boolean!) { node(id: $id) { ... on Structure {
        attachments(filter: {inEffect: $on, roles: [SIMPLE_USER]}) { edges { node { inEffect } } } } } }"""
    expected = holds and state is AccountState.ACTIVE and status == "ACTIVE"
    assert expected is (
        link.is_valid_on(date(2027, 3, 15)) and user.state is AccountState.ACTIVE and structure.is_active
    )
    for on in (True, False):
        found = await ask(document, boss, id=ids.encode("Structure", structure.id), on=on)
        edges = found["node"]["attachments"]["edges"]
        assert edges == ([{"node": {"inEffect": expected}}] if on is expected else [])


# ------------------------------------------------------------------ refusals that no reload mends
async def test_support_hears_why_nobody_is_appointed(ask: Ask) -> None:
    helper = await factories.person(platform_role=PlatformRole.SUPPORT)
    boss, other = await factories.person(), await factories.person()
    structure = await factories.structure(boss)
    document = """mutation ($s: ID!, $u: ID!) { appointPrincipalManager(structureId: $s, userId: $u, reason: "r") {
        errors { code message path } } }"""
    answers = [
        (await ask(document, helper, s=ids.encode("Structure", structure.id), u=ids.encode("User", person.id)))
        for person in (other, boss)
    ]
    assert [answer["appointPrincipalManager"]["errors"] for answer in answers] == [
        [{"code": "CONFLICT", "message": message, "path": ["structureId"]}]
        for message in (
            "The principal manager can act: there is no vacancy.",
            "This person is the structure's principal manager already.",
        )
    ]


@pytest.mark.parametrize("state", [AccountState.SUSPENDED, AccountState.DEACTIVATED])
async def test_manager_hears_why_a_request_is_not_validated(ask: Ask, state: AccountState) -> None:
    boss = await factories.person()
    at = factories.LONG_AGO if state is AccountState.DEACTIVATED else None
    asker = await factories.person(state=state, deactivated_at=at)
    link = await factories.attachment(asker, await factories.structure(boss), status="PENDING", role=Role.SIMPLE_USER)
    document = """mutation ($id: ID!) { validateAttachments(input: {validations: [{id: $id}]}) {
        results { errors { code message } } } }"""
    answer = await ask(document, boss, id=ids.encode("Attachment", link.id))
    said = "This person's account isn't active: nothing can be given to them for now."
    assert answer["validateAttachments"]["results"] == [{"errors": [{"code": "CONFLICT", "message": said}]}]


# ------------------------------------------------------------------ file names
@pytest.mark.parametrize(
    ("name", "english"),
    [
        (".pdf", "neither begins nor ends with a dot"),
        (" a.pdf", "neither begins nor ends with a dot"),
        ("a.pdf.", "neither begins nor ends with a dot"),
        ("con.pdf", "keeps this name"),
        ("LPT1", "keeps this name"),
        ("a/b.pdf", "is a path"),
        ("..", "is a path"),
        ("C:a.pdf", "is a path"),
        ("a\u202eb.pdf", "can't be seen"),
    ],
)
def test_person_hears_what_is_wrong_with_a_file_name(name: str, english: str) -> None:
    problems: list[DomainError] = []
    filenames.check(problems, name, "file")
    assert english in wording.explain(problems[0], Language.EN)
    assert wording.explain(problems[0], Language.FR) != wording.explain(problems[0], Language.EN)


def test_two_passwords_that_differ_have_words_of_their_own() -> None:
    refusal = Invalid("password_again", rule="password_again")
    assert wording.explain(refusal, Language.EN) == "The two passwords differ: enter the same one twice."
    assert wording.explain(refusal, Language.FR) == "Les deux mots de passe diffèrent : saisissez deux fois le même."


# ------------------------------------------------------------------ scalars
FIELDS = {
    "Date": 'query ($v: Date) { me { access(space: HOME, structureId: "x", at: $v) { allowed } } }',
    "DateTime": """mutation ($v: DateTime!) { recordActivities(input: [{key: "1", kind: EVENT, title: "T",
        structureIdentifier: {type: OTHER, value: "A"}, occurredAt: $v}]) { recorded } }""",
    "ID": "query ($v: ID!) { node(id: $v) { id } }",
    "Int": "query ($v: Int) { vacancies(first: $v) { totalCount } }",
    "Upload": 'mutation ($v: Upload!) { addDocument(input: {file: $v, designation: "d", type: RIB}) { errors { code } } }',
}
WRONG: dict[str, tuple[Any, ...]] = {
    "Date": ("31/01/2026", "2026-02-30", "2026-13-01", "", "10000-01-01", "-1", "x" * 500, 20260131, True, [], {}),
    "DateTime": ("yesterday", "2026-01-31T25:00:00Z", "2026-02-30T00:00:00Z", "2026-01-31T09:30:00+99:00", "", 1, []),
    "ID": (1.5, True, [], {}),
    "Int": ("x", 1.5, 2**31, 10**400, True, []),
    "Upload": ("file", 1, {}),
}
SAID = {"Date": "Date is a calendar day such as", "DateTime": "DateTime is an instant with its time zone, such as"}
PYTHONS = (
    "isoformat",
    "Invalid isoformat",
    "strptime",
    "must be in",
    "out of range",
    "object",
    "NoneType",
    "Traceback",
)


@pytest.mark.parametrize(("scalar", "value"), [(name, value) for name, values in WRONG.items() for value in values])
async def test_client_who_writes_a_wrong_scalar_never_reads_pythons_words(
    scope_of: Callable[..., Scope], scalar: str, value: Any
) -> None:
    result = await schema.execute(FIELDS[scalar], {"v": value}, context_value=Context(scope=scope_of()))
    assert result.errors
    for error in result.errors:
        assert SAID.get(scalar, "") in error.message
        assert [word for word in PYTHONS if word in error.message] == []


@pytest.mark.parametrize(("day", "good"), [("2026-01-31", True), ("2026-1-31", False)])
async def test_client_writes_a_day_in_the_document(
    scope_of: Callable[..., Scope], db: str, day: str, good: bool
) -> None:
    document = FIELDS["Date"].replace("($v: Date)", "").replace("$v", f'"{day}"')
    result = await schema.execute(document, context_value=Context(scope=scope_of()))
    assert bool(result.errors) is not good
    if result.errors:
        assert SAID["Date"] in result.errors[0].message


# ------------------------------------------------------------------ the schema itself
@pytest.mark.parametrize("root", ["Query", "Mutation", "Subscription"])
def test_root_says_what_it_is(root: str) -> None:
    assert len(schema._schema.type_map[root].description or "") > 40
