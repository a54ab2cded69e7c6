"""Worlds of many readers of periodical mails, and what each is to be told, worked out row by row in plain Python."""

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from models.accounts.accounts import Account, AccountState
from models.activities.activities import Activity, ActivityKind
from models.attachments.attachments import Attachment, AttachmentService, AttachmentStatus, Role
from models.events.events import Event
from models.structures.services import Service, code_key
from models.structures.structures import Structure
from models.subscriptions.spaces import DEFAULTS, OpenSpace, SpaceCode
from models.subscriptions.subscriptions import (
    SpaceSubscription,
    SpaceSubscriptionStatus,
    SubscriptionMode,
    SubscriptionService,
)
from tests.support import factories

ZONES = ("Europe/Paris", "Pacific/Auckland", "America/Los_Angeles", "Indian/Reunion", "Asia/Kathmandu")
SPACES = (SpaceCode.INVOICES_ISSUED, SpaceCode.COMMITMENTS, SpaceCode.WORKS_INVOICES)
MOVEMENTS = ("AttachmentValidated", "ServiceSaved", "SpacesOpened", "SpacesClosed", "RoleChanged", "ActivityRecorded")


@dataclass(frozen=True)
class Size:
    """How many of each."""

    people: int
    structures: int
    activities: int
    events: int


@dataclass
class World:
    """All rows that decide what anybody is told, in memory."""

    people: dict[int, Account]
    attachments: list[Attachment]
    entitled: dict[int, set[int]]
    subscriptions: dict[tuple[int, int], list[SpaceSubscription]]
    narrowed: dict[int, set[int]]
    opened: set[tuple[int, str]]
    activities: dict[int, list[Activity]]
    events: dict[int, list[Event]]

    @classmethod
    async def read(cls) -> "World":
        """The tables as they stand."""
        entitled, narrowed = defaultdict(set), defaultdict(set)
        for service in await AttachmentService.all():
            entitled[service.attachment_id].add(service.service_id)
        for kept in await SubscriptionService.all():
            narrowed[kept.subscription_id].add(kept.service_id)
        subscriptions = defaultdict(list)
        for row in await SpaceSubscription.all():
            subscriptions[row.user_id, row.structure_id].append(row)
        return cls(
            {row.id: row for row in await Account.all()}, await Attachment.all(), entitled, subscriptions, narrowed,
            {(row.structure_id, row.space) for row in await OpenSpace.all()},
            _by_structure(await Activity.all()), _by_structure(await Event.all()),
        )  # fmt: skip

    def digests(self, now: datetime, today: date) -> dict[int, list[int]]:
        """By reader, the activities of their daily digest, newest first; absent when there are none."""
        told: dict[int, list[int]] = defaultdict(list)
        for attachment, since, until in self._readers(now, today, weekly=False):
            for activity in self.activities.get(attachment.structure_id, ()):
                if since <= activity.recorded_at < until and self._concerns(attachment, activity, today):
                    told[attachment.user_id].append(activity.id)
        return {user: sorted(ids, reverse=True) for user, ids in told.items()}

    def recaps(self, now: datetime, today: date) -> dict[int, list[int]]:
        """By reader, the events of their weekly recap, newest first; absent when there are none."""
        told: dict[int, list[int]] = defaultdict(list)
        for attachment, since, until in self._readers(now, today, weekly=True):
            for event in self.events.get(attachment.structure_id, ()):
                if since <= event.occurred_at < until and self._moves(attachment, event):
                    told[attachment.user_id].append(event.id)
        return {user: sorted(ids, reverse=True) for user, ids in told.items()}

    def _readers(self, now: datetime, today: date, *, weekly: bool) -> Iterable[tuple[Attachment, datetime, datetime]]:
        for attachment in self.attachments:
            person = self.people[attachment.user_id]
            ended = attachment.valid_until is not None and attachment.valid_until < today
            if attachment.status != AttachmentStatus.VALIDATED or attachment.valid_from > today or ended:
                continue
            if person.receive_activity_notifications and person.state == AccountState.ACTIVE:
                yield attachment, *window(person, now, weekly=weekly)

    def _concerns(self, attachment: Attachment, activity: Activity, today: date) -> bool:
        if attachment.role != Role.SIMPLE_USER:
            return True
        if activity.service_id is not None and activity.service_id not in self.entitled[attachment.id]:
            return False
        return activity.space is None or any(
            self._opens(row, activity, today)
            for row in self.subscriptions.get((attachment.user_id, attachment.structure_id), ())
        )

    def _opens(self, row: SpaceSubscription, activity: Activity, today: date) -> bool:
        there = activity.space in DEFAULTS or (activity.structure_id, activity.space) in self.opened
        valid = row.status == SpaceSubscriptionStatus.VALIDATED and row.effective_from <= today
        narrow = not self.narrowed[row.id] or activity.service_id in self.narrowed[row.id]
        return row.space == activity.space and there and valid and narrow

    def _moves(self, attachment: Attachment, event: Any) -> bool:
        if event.type in {"ActivityRecorded", "ActivityAcknowledged"}:
            return False
        if attachment.role != Role.SIMPLE_USER or event.subject_id == attachment.user_id:
            return True
        if event.type == "ServiceSaved":
            return event.after["service_id"] in self.entitled[attachment.id]
        held = {
            row.space
            for row in self.subscriptions.get((attachment.user_id, attachment.structure_id), ())
            if row.status == SpaceSubscriptionStatus.VALIDATED
        }
        return event.type in {"SpacesOpened", "SpacesClosed"} and bool(held & set(event.after["spaces"]))


def window(person: Account, now: datetime, *, weekly: bool) -> tuple[datetime, datetime]:
    """From when until when things must have been recorded to be in the person's mail that was due last."""
    zone = ZoneInfo(person.time_zone)
    here = now.astimezone(zone)
    day = here.date()
    while datetime(day.year, day.month, day.day, 7, tzinfo=zone) > here or (weekly and day.weekday() != 0):
        day -= timedelta(days=1)
    before = day - timedelta(days=7 if weekly else 1)
    until, default = (
        datetime(at.year, at.month, at.day, 6, 55, tzinfo=zone).astimezone(ZoneInfo("UTC")) for at in (day, before)
    )
    mark = person.recapped_until if weekly else person.digested_until
    return max(mark or default, until - timedelta(days=28 if weekly else 7)), until


def _by_structure(rows: Iterable[Any]) -> dict[int, list[Any]]:
    found = defaultdict(list)
    for row in rows:
        found[row.structure_id].append(row)
    return found


# ------------------------------------------------------------------ making one
async def build(size: Size, now: datetime, chance: random.Random) -> None:
    """Readers, structures, rights and news at random; most of the news is of the last day or week."""
    await Account.bulk_create([_person(number, now, chance) for number in range(size.people)])
    people = [row.id for row in await Account.all()]
    await Structure.bulk_create([_structure(number) for number in range(size.structures)])
    places = [row.id for row in await Structure.all()]
    await Service.bulk_create(
        [
            Service(structure_id=place, code=f"S{n}", code_key=code_key(f"S{n}"), name=f"Service {n}")
            for place in places
            for n in range(3)
        ]
    )
    services = _by_structure(await Service.all())
    await OpenSpace.bulk_create(
        [OpenSpace(structure_id=place, space=SpaceCode.COMMITMENTS) for place in places if chance.random() < 0.7]
    )
    await _attach(people, places, services, now.date(), chance)
    by = await factories.integration()
    await Activity.bulk_create(
        [
            _activity(number, by.key_id, chance.choice(places), services, now, chance)
            for number in range(size.activities)
        ]
    )
    await Event.bulk_create([_event(chance.choice(places), people, services, now, chance) for _ in range(size.events)])


def _person(number: int, now: datetime, chance: random.Random) -> Account:
    login = f"reader{number}@people.example"
    told = chance.random()
    person = Account(
        login_email=login, login_key=login, contact_email=login, first_name="Ada", last_name=f"Reader{number}",
        language="EN", state=AccountState.ACTIVE if chance.random() < 0.9 else AccountState.SUSPENDED,
        created_at=factories.LONG_AGO, activated_at=factories.LONG_AGO, password_hash=factories.PASSWORD_HASH,
        secret_question="What is this?", secret_answer_hash=factories.ANSWER_HASH, time_zone=chance.choice(ZONES),
        receive_activity_notifications=chance.random() < 0.8,
        digested_until=now - timedelta(hours=chance.randrange(300)) if told < 0.5 else None,
        recapped_until=now - timedelta(hours=chance.randrange(900)) if told < 0.5 else None,
    )  # fmt: skip
    person.normalise_name()
    return person


def _structure(number: int) -> Structure:
    return Structure(
        identifier_type="OTHER", identifier=f"PLACE-{number}", name=f"Place {number}", folded_name=f"place {number}",
        kind="PRIVATE", managed=False, line1="1 rue des Essais", postcode="75001", city="Paris", folded_city="paris",
        country="FR", created_at=factories.LONG_AGO,
    )  # fmt: skip


async def _attach(
    people: list[int], places: list[int], services: dict[int, list[Service]], today: date, chance: random.Random
) -> None:
    rows = [
        Attachment(
            user_id=person, structure_id=place, role=chance.choice([Role.SIMPLE_USER] * 4 + [Role.SECONDARY_MANAGER]),
            status=chance.choice([AttachmentStatus.VALIDATED] * 9 + [AttachmentStatus.DEACTIVATED]),
            valid_from=today + timedelta(days=since), valid_until=today + timedelta(days=since + 3) if chance.random() < 0.3 else None,
            requested_at=factories.LONG_AGO, decided_at=factories.LONG_AGO,
        )
        for person in people
        for since in [chance.choice([-90, -30, -4, -3, -1, 1])]
        for place in chance.sample(places, min(len(places), chance.choice([1, 1, 2, 3])))
    ]  # fmt: skip
    await Attachment.bulk_create(rows)
    entitled, subscribed = [], []
    for row in await Attachment.all():
        own = [service for service in services[row.structure_id] if chance.random() < 0.5]
        entitled += [AttachmentService(attachment_id=row.id, service_id=service.id) for service in own]
        subscribed += [
            SpaceSubscription(
                user_id=row.user_id, structure_id=row.structure_id, space=space, mode=SubscriptionMode.READ,
                status=chance.choice([SpaceSubscriptionStatus.VALIDATED] * 4 + [SpaceSubscriptionStatus.PENDING]),
                effective_from=today + timedelta(days=chance.choice([-10, 0, 1])), requested_at=factories.LONG_AGO,
            )
            for space in SPACES
            if chance.random() < 0.5
        ]  # fmt: skip
    await AttachmentService.bulk_create(entitled)
    await SpaceSubscription.bulk_create(subscribed)
    await SubscriptionService.bulk_create(
        [
            SubscriptionService(subscription_id=row.id, service_id=service.id)
            for row in await SpaceSubscription.all()
            for service in services[row.structure_id][:2]
            if chance.random() < 0.2
        ]
    )


def _activity(
    number: int, key_id: int, place: int, services: dict[int, list[Service]], now: datetime, chance: random.Random
) -> Activity:
    at = now - timedelta(minutes=chance.randrange(60 * 24 * chance.choice([1, 2, 9])))
    return Activity(
        api_key_id=key_id, key=f"news {number}", structure_id=place, kind=ActivityKind.EVENT, title=f"News {number}",
        service_id=chance.choice([None, *(service.id for service in services[place])]),
        space=chance.choice([None, *SPACES]), occurred_at=at, recorded_at=at,
    )  # fmt: skip


def _event(
    place: int, people: list[int], services: dict[int, list[Service]], now: datetime, chance: random.Random
) -> Event:
    kind = chance.choice(MOVEMENTS)
    after: dict[str, object] = {"role": "SIMPLE_USER", "status": "VALIDATED"}
    if kind == "ServiceSaved":
        after = {"service_id": chance.choice(services[place]).id, "name": "Service"}
    elif kind.startswith("Spaces"):
        after = {"spaces": [str(space) for space in chance.sample(SPACES, 2)]}
    subject = chance.choice(people) if kind in {"AttachmentValidated", "RoleChanged"} else None
    at = now - timedelta(minutes=chance.randrange(60 * 24 * chance.choice([7, 14, 30])))
    return Event(
        type=kind, structure_id=place, subject_id=subject, actor_id=chance.choice(people), before={}, after=after,
        occurred_at=at,
    )  # fmt: skip
