"""Rows for tests, made straight in the tables: people, structures and their links, with sensible defaults."""

from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from models.accounts.accounts import Account, AccountState
from models.accounts.actors import Integration
from models.activities.activities import Activity, ActivityKind
from models.activities.api_keys import ApiKey
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.db.normalisation import normalise_name
from models.documents.documents import Document, DocumentState, DocumentType
from models.events.events import Event
from models.mail.outbox import Mail
from models.structures.identifiers import IdentifierType
from models.structures.structures import Structure, StructureKind
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SpaceSubscription, SpaceSubscriptionStatus, SubscriptionMode

PASSWORD = "Demonstration-2026!"
# Argon2id of PASSWORD and of the answer "demo", made once: hashing is slow on purpose.
PASSWORD_HASH = "$argon2id$v=19$m=19456,t=2,p=1$YaV177lKd5ihbD/H5ru/eQ$4uIdsVE4OZWTauebpuECmtXSswF3uEbore9zuTV0ASA"
ANSWER_HASH = "$argon2id$v=19$m=19456,t=2,p=1$t7n7fKwBT/5csrJrTJEgEA$Y85LzCjalhltBSQXU+c/mJeoEFyPgs1ZloMtHgvz6mQ"
LONG_AGO = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)

_numbers = count(1)


async def person(**changes: Any) -> Account:
    """An active account; its login e-mail is unique, its password `PASSWORD`, its secret answer `demo`."""
    number = next(_numbers)
    login = str(changes.pop("login_email", f"person{number}@people.example"))
    values: dict[str, Any] = {
        "login_email": login,
        "login_key": login.casefold(),
        "contact_email": login,
        "first_name": "Ada",
        "last_name": f"Person{number}",
        "language": "EN",
        "password_hash": PASSWORD_HASH,
        "secret_question": "What is this?",
        "secret_answer_hash": ANSWER_HASH,
        "state": AccountState.ACTIVE,
        "created_at": LONG_AGO,
        "terms_accepted_at": LONG_AGO,
        "activated_at": LONG_AGO,
    } | changes
    account = Account(**values)
    account.normalise_name()
    await account.save()
    return account


async def structure(principal: Account | None = None, **changes: Any) -> Structure:
    """An active private structure, with its principal manager when one is given."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "identifier_type": IdentifierType.OTHER,
        "identifier": f"TEST-{number}",
        "name": f"Structure {number}",
        "kind": StructureKind.PRIVATE,
        "managed": principal is not None,
        "line1": "1 rue des Essais",
        "postcode": "75001",
        "city": "Paris",
        "folded_city": "paris",
        "country": "FR",
        "created_at": LONG_AGO,
    } | changes
    values.setdefault("folded_name", normalise_name(values["name"]))
    made = await Structure.create(**values)
    if principal is not None:
        await attachment(principal, made, role=Role.PRINCIPAL_MANAGER)
    return made


async def attachment(user: Account, structure: Structure, **changes: Any) -> Attachment:
    """A validated attachment in effect since 2026, of a simple user unless said otherwise."""
    values: dict[str, Any] = {
        "role": Role.SIMPLE_USER,
        "status": AttachmentStatus.VALIDATED,
        "valid_from": date(2026, 1, 5),
        "requested_at": LONG_AGO,
    } | changes
    if values["status"] not in {AttachmentStatus.PENDING, AttachmentStatus.REMOVED}:
        values.setdefault("decided_at", LONG_AGO)
    if values["status"] == AttachmentStatus.REFUSED:
        values.setdefault("refusal_reason", "not known here")
    return await Attachment.create(user=user, structure=structure, **values)


async def subscription(user: Account, structure: Structure, space: SpaceCode, **changes: Any) -> SpaceSubscription:
    """A validated subscription in effect since 2026, to read, unless said otherwise."""
    values: dict[str, Any] = {
        "mode": SubscriptionMode.READ,
        "status": SpaceSubscriptionStatus.VALIDATED,
        "effective_from": date(2026, 1, 5),
        "requested_at": LONG_AGO,
    } | changes
    if values["status"] in {SpaceSubscriptionStatus.VALIDATED, SpaceSubscriptionStatus.REFUSED}:
        values.setdefault("decided_at", LONG_AGO)
    return await SpaceSubscription.create(user=user, structure=structure, space=space, **values)


async def integration(name: str | None = None) -> Integration:
    """An integration with an API key in use, of which nobody has the text."""
    number = next(_numbers)
    key = await ApiKey.create(name=name or f"integration {number}", key_hash=f"{number:064}", created_at=LONG_AGO)
    return Integration(key.id, key.name)


async def activity(structure: Structure, by: Integration, **changes: Any) -> Activity:
    """An activity of the structure, an event in no service and no space unless said otherwise."""
    values: dict[str, Any] = {
        "api_key_id": by.key_id,
        "key": f"key {next(_numbers)}",
        "kind": ActivityKind.EVENT,
        "title": "Something happened",
        "occurred_at": LONG_AGO,
        "recorded_at": LONG_AGO,
    } | changes
    return await Activity.create(structure=structure, **values)


async def document(owner: Account, **changes: Any) -> Document:
    """A document whose content nobody stored, a text of 5 bytes unless said otherwise."""
    number = next(_numbers)
    designation = changes.pop("designation", f"Document {number}")
    values: dict[str, Any] = {
        "type": DocumentType.OTHER,
        "filename": "document.txt",
        "mime_type": "text/plain",
        "size": 5,
        "sha256": f"{number:064x}",
        "object_key": f"{number:032x}",
        "state": DocumentState.AVAILABLE,
        "created_at": LONG_AGO,
        "stored_at": LONG_AGO,
    } | changes
    return await Document.create(account=owner, designation=designation, folded=normalise_name(designation), **values)


async def traces() -> tuple[int, int]:
    """How many events and how many mails there are: what a refusal must leave unchanged."""
    return await Event.all().count(), await Mail.all().count()


async def event_types() -> list[str]:
    """The types of all events, in order."""
    return [event.type for event in await Event.all().order_by("id")]


async def mails() -> list[tuple[str, str]]:
    """Every mail as (message, address), in order."""
    return [(mail.message, mail.address) for mail in await Mail.all().order_by("id")]
