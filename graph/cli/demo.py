"""The small world of `rattache serve --demo`: known people and invented structures, made by the ordinary rules."""

import hashlib
import io
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from graph.settings import Settings, SettingsRefused
from graph.worker import starting
from mailer import outbox
from models.accounts import accounts
from models.accounts.accounts import Account, AccountState
from models.accounts.actors import Actor, Integration, PlatformRole
from models.accounts.profiles import Language, email_key
from models.activities.activities import ActivityKind
from models.attachments.attachments import Role
from models.db import database
from models.db.query import Selection
from models.documents.documents import DocumentType, File
from models.structures import structures as houses
from models.structures.identifiers import IdentifierType
from models.subscriptions.spaces import SpaceCode
from resolvers.accounts import accounts as entries
from resolvers.accounts import operators, sessions, wishes
from resolvers.activities import activities, api_keys
from resolvers.activities.activities import NewActivity
from resolvers.attachments import attach_user, requests
from resolvers.attachments.attach_user import NewAttachment
from resolvers.attachments.requests import NewRequest
from resolvers.documents import documents
from resolvers.documents.documents import Upload
from resolvers.scope import Office, Scope
from resolvers.structures import services, structures
from resolvers.structures.structures import Particulars
from resolvers.subscriptions import space_requests
from resolvers.subscriptions.terms import Terms

PASSWORD = "Demonstration-2026!"  # noqa: S105 - known to everyone on purpose, and served to this machine alone
QUESTION, ANSWER = "Quel mot ouvre la démonstration ?", "demo"
SINCE = date(2026, 1, 5)

CLAIRE, SAMIR, LEA = "claire@demo.example", "samir@demo.example", "lea@demo.example"
SUPPORT, NADIA = "support@demo.example", "nadia@demo.example"
PEOPLE = {
    CLAIRE: ("Claire", "Delmas", "principal manager of two structures"),
    SAMIR: ("Samir", "Benali", "secondary manager of one of them"),
    LEA: ("Léa", "Marchand", "simple user, with two requests that wait"),
    SUPPORT: ("Sylvie", "Assistance", "support"),
    NADIA: ("Nadia", "Roussel", "principal manager of a public structure"),
}
WORKSHOP = Particulars(
    identifier_type=IdentifierType.SIRET,
    identifier="90000000100017",
    name="Ateliers Delmas",
    postal_address={"line1": "12 rue des Tanneurs", "postcode": "35000", "city": "Rennes", "country": "FR"},
    email="contact@ateliers-delmas.example",
    phone="02 99 00 00 01",
    spaces=(SpaceCode.WORKS_INVOICES,),
)
TRANSPORT = Particulars(
    identifier_type=IdentifierType.SIRET,
    identifier="90000001900019",
    name="Transports Armor Littoral",
    postal_address={"line1": "3 quai du Port", "postcode": "22000", "city": "Saint-Brieuc", "country": "FR"},
    spaces=(SpaceCode.FUEL_TAX_REFUNDS,),
)
TOWN = Particulars(
    identifier_type=IdentifierType.SIRET,
    identifier="21350000200018",
    name="Commune de Valombre-sur-Ille",
    postal_address={"line1": "1 place de la Mairie", "postcode": "35250", "city": "Valombre-sur-Ille", "country": "FR"},
    spaces=(SpaceCode.INVOICES_RECEIVED,),
    flags={"service_code_required": True},
)
WORKSHOP_SERVICES: tuple[dict[str, Any], ...] = (
    {"code": "COMPTA", "name": "Comptabilité"},
    {"code": "CHANTIERS", "name": "Chantiers"},
)
TOWN_SERVICES: tuple[dict[str, Any], ...] = (
    {"code": "FINANCES", "name": "Direction des finances", "engagement_number_required": True},
)
DOCUMENTS = {
    "rib-ateliers-delmas.txt": (
        "RIB des Ateliers Delmas",
        DocumentType.RIB,
        "Titulaire : Ateliers Delmas\nIBAN : FR00 0000 0000 0000 0000 0000 000 (démonstration)\n",
    ),
    "tarifs-2026.csv": (
        "Tarifs 2026",
        DocumentType.BROCHURE,
        "Prestation;Prix\nPose d'une porte;240,00\nRéglage;60,00\n",
    ),
}
INVOICING = "Facturation (démonstration)"  # an integration whose key nobody is told: `rattache api-key` makes another
ACTIVITIES = (
    NewActivity(
        key="demo-1", identifier_type=WORKSHOP.identifier_type, identifier=WORKSHOP.identifier,
        kind=ActivityKind.EVENT, title="Un nouveau modèle de facture est proposé",
        occurred_at=datetime(2026, 1, 12, 8, tzinfo=UTC),
    ),
    NewActivity(
        key="demo-2", identifier_type=WORKSHOP.identifier_type, identifier=WORKSHOP.identifier, service_code="COMPTA",
        space=SpaceCode.INVOICES_ISSUED, kind=ActivityKind.INVOICE_PROGRESS,
        title="Facture 2026-0117 mise en paiement", url="https://portail.example/factures/2026-0117",
        occurred_at=datetime(2026, 1, 19, 14, 30, tzinfo=UTC),
    ),
    NewActivity(
        key="demo-3", identifier_type=WORKSHOP.identifier_type, identifier=WORKSHOP.identifier,
        space=SpaceCode.INVOICES_ISSUED, kind=ActivityKind.INVOICE_REJECTED,
        title="Facture 2026-0121 rejetée : numéro d'engagement absent",
        url="https://portail.example/factures/2026-0121", occurred_at=datetime(2026, 1, 22, 9, 15, tzinfo=UTC),
    ),
)  # fmt: skip


class ForeignWorld(SettingsRefused):
    """The database holds what the demo didn't make: nobody with a known password is put into it."""


async def refuse_foreign(settings: Settings) -> None:
    """Look at the database before the demo is served, which makes an empty one.

    Raises:
        ForeignWorld: when it holds people or structures and the first of them isn't the demo's.
        DatabaseAway: when it can't be opened.
    """
    await starting.open_database(settings.database, migrate=True)
    try:
        await _refuse_foreign()
    finally:
        await database.close()


async def _refuse_foreign() -> None:
    first = await accounts.first_login()
    if first not in PEOPLE and (first is not None or await houses.is_any()):
        raise ForeignWorld(
            "The database of the demo holds people or structures that aren't the demo's: it is left as it is."
        )


async def prepare(office: Office) -> None:
    """Make whatever of the demo world isn't there yet; what people have changed since stays as it is.

    Raises:
        ForeignWorld: when the database is somebody else's; then nothing is made.
    """
    await _refuse_foreign()
    people = {email: await _person(office, email) for email in PEOPLE}
    if people[SUPPORT].platform_role is None:
        first_name, last_name, _ = PEOPLE[SUPPORT]
        await operators.give_platform_role(
            Scope(office), SUPPORT, PlatformRole.SUPPORT, first_name=first_name, last_name=last_name
        )
    claire, nadia = _as(office, people[CLAIRE]), _as(office, people[NADIA])
    support = _as(office, people[SUPPORT], PlatformRole.SUPPORT)
    if not await _is_there(claire, WORKSHOP):
        workshop = await structures.create(claire, WORKSHOP)
        for given in WORKSHOP_SERVICES:
            await services.save(claire, workshop, None, given)
        await attach_user.attach(claire, NewAttachment(workshop, SAMIR, Role.SECONDARY_MANAGER, SINCE))
        await attach_user.attach(claire, NewAttachment(workshop, LEA, Role.SIMPLE_USER, SINCE))
        for name, (designation, kind, text) in DOCUMENTS.items():
            await documents.add(claire, _upload(name, text.encode()), designation, kind)
        space = Terms(workshop, SpaceCode.WORKS_INVOICES, claire.today(), comment="Je suis les chantiers.")
        await space_requests.request(_as(office, people[LEA]), [space])
    if not await _is_there(claire, TOWN):
        town = await structures.register_public(support, TOWN, people[NADIA].id)
        for given in TOWN_SERVICES:
            await services.save(nadia, town, None, given)
    if not await _is_there(claire, TRANSPORT):
        transport = await structures.create(claire, TRANSPORT)
        asked = NewRequest(
            structure_id=transport, valid_from=claire.today(), comment="Je suis les remboursements de TIC."
        )
        await requests.request(_as(office, people[LEA]), [asked])
    if INVOICING not in {key.name for key in await api_keys.listed()}:
        await api_keys.create(Scope(office), INVOICING)
    by = {key.name: Integration(key.id, key.name) for key in await api_keys.listed() if key.revoked_at is None}
    if INVOICING in by:
        await activities.record(Scope(office, integration=by[INVOICING]), ACTIVITIES)


def _upload(name: str, content: bytes) -> Upload:
    return Upload(File(name, len(content), hashlib.sha256(content).hexdigest(), content), io.BytesIO(content))


def told(settings: Settings) -> str:
    """What to print as the demo starts: where it is, and who can sign in."""
    width = max(map(len, PEOPLE))
    lines = [f"  {email:{width}}  {what}" for email, (_, _, what) in PEOPLE.items()]
    places = [f"  {settings.public_url}/graphql  the API, with GraphiQL"]
    if settings.smtp is None:
        places.append(f"  {settings.public_url}/mails    the mails that it would send")
    return "\n".join(["The demo is served at", *places, f"Password {PASSWORD}, secret answer {ANSWER}:", *lines])


async def _person(office: Office, email: str) -> Account:
    """The active account of a demo person, signed up and activated as anybody's is."""
    known = await accounts.by_login(email_key(email))
    if known is not None and known.state is not AccountState.PENDING_ACTIVATION:
        return known
    issued: list[str] = []

    def token() -> str:
        issued.append(office.token())
        return issued[-1]

    scope = Scope(replace(office, token=token))
    first_name, last_name, _ = PEOPLE[email]
    await entries.sign_up(
        scope, login_email=email, first_name=first_name, last_name=last_name, language=Language.FR, accept_terms=True
    )
    await wishes.grant(scope)
    link = issued[-1]
    entry = await entries.activate(scope, token=link, password=PASSWORD, secret_question=QUESTION, secret_answer=ANSWER)
    await sessions.discard(scope)
    await outbox.withdraw(entry.account_id)  # the activation mail: its link has been used
    return await accounts.existing(entry.account_id)


def _as(office: Office, account: Account, role: PlatformRole | None = None) -> Scope:
    return Scope(office, Actor(account.id, 0, role or account.platform_role), Language.FR)


async def _is_there(scope: Scope, given: Particulars) -> bool:
    return await structures.identified(scope, given.identifier_type, given.identifier, Selection()) is not None
