"""The courier: takes due mails out of the outbox, sends them and records the outcome; any number may work at once."""

import asyncio
import os
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import structlog

from mailer import digests, rendering, wording
from mailer.failures import (
    HoldLost,
    PermanentFailure,
    RecipientRefused,
    ServerAway,
    ServerCrowded,
    TemporaryFailure,
    TransportFailure,
)
from mailer.lanes import Lanes, Pace, Place
from mailer.leases import BEATS, Holds
from mailer.ledgers import Ledger
from mailer.rendering import Letterhead
from mailer.seals import Sealer
from mailer.transport import Transport
from models.db.query import Row
from models.mail import mail_attempts
from models.mail.mail_attempts import Try
from models.mail.outbox import Mail, MailState

BATCH = 20
LEASE = timedelta(seconds=30)
POLL_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 15.0
FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(hours=6)
APART_DELAY = timedelta(seconds=10)  # a mail to a slow address looks this often for a place apart

OUTCOMES = ("postponed", *(state.value.lower() for state in MailState if state is not MailState.PENDING))

Matter = Mapping[int, Sequence[Row]]  # what the periodical mails of a batch tell, by the mail's id

log = structlog.get_logger(__name__)


@dataclass
class Batch:
    """The mails of one claim, and the failure that would befall each of them, once one has met it."""

    mails: list[Mail]
    told: Matter
    away: ServerAway | None = None


class Courier:
    """Sends the outbox's mails through one transport; no transaction is open while a mail is composed or sent."""

    def __init__(
        self,
        transport: Transport,
        letterhead: Letterhead,
        sealer: Sealer,
        *,
        owner: str,
        batch: int = BATCH,
        lease: timedelta = LEASE,
        pace: Pace = Pace(),
        chance: random.Random | None = None,
        zone: ZoneInfo = ZoneInfo("Europe/Paris"),
        count: Callable[[str], object] = lambda outcome: None,
    ) -> None:
        """`count` takes what becomes of each mail, one of OUTCOMES."""
        self._transport = transport
        self._letterhead = letterhead
        self._sealer = sealer
        self._owner = f"{owner[:80]}:{os.urandom(6).hex()}"
        self._batch = batch
        self._poll = min(POLL_SECONDS, lease.total_seconds() / BEATS)
        self._chance = chance or random.SystemRandom()
        self._zone = zone
        self._count = count
        self._holds = Holds(self._owner, lease)
        self._ledger = Ledger(self._holds.forget)
        self._lanes = Lanes(pace)
        self._tasks: set[asyncio.Task[None]] = set()
        self._troubles: list[BaseException] = []
        self._stopping = False
        self._wake: asyncio.Event | None = None

    async def run_once(self, now: datetime) -> int:
        """Claim a batch of due mails and see each to its outcome; how many were claimed.

        Raises:
            DatabaseAway: when the database can't be reached; what was sent is remembered and recorded next time.
        """
        try:
            claimed = await self._begin_batch(now)
            await self._finish_all()
        finally:
            await self._holds.rest()
        return claimed

    async def run(self, wake: asyncio.Event, clock: Callable[[], datetime]) -> None:
        """Work until `stop` is called or the task is cancelled, which lets the mails in hand be finished."""
        self._wake = wake
        work = asyncio.create_task(self._work(wake, clock))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            self.stop()
            await work
            raise

    def stop(self) -> None:
        """Make `run` return once the mails in hand are finished; claimed mails that weren't tried are given back."""
        self._stopping = True
        if self._wake is not None:
            self._wake.set()

    async def _work(self, wake: asyncio.Event, clock: Callable[[], datetime]) -> None:
        pause = self._poll
        while not self._stopping:
            wake.clear()
            try:
                if await self._begin_batch(clock()):
                    continue
                await self._transport.rest()
                pause = self._poll
            except Exception:
                log.exception("courier_hindered", pause=pause)
                await self._wait(wake, pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                await self._wait(wake, self._poll)
        try:
            await self._lanes.close()
            await self._finish_all()
        except Exception:
            log.exception("courier_stopped_hindered")  # the leases of what it held lapse
        await self._holds.rest()
        await self._transport.close()

    async def _wait(self, wake: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), seconds)

    # ------------------------------------------------------------------ a batch
    async def _begin_batch(self, now: datetime) -> int:
        """Claim a batch and begin with each of its mails, slow ones being finished later; how many were claimed."""
        self._raise_trouble()
        await self._ledger.settle()
        mails = await self._holds.claim(now, self._batch)
        waiting = {mail.id for mail in mails}
        try:
            if mails:
                told = await digests.matter(mails, now.astimezone(self._zone).date())
                accounts = {mail.account_id for mail in mails if mail.account_id}
                self._ledger.expect(await mail_attempts.refused_among(accounts))
                await self._begin_each(Batch(mails, told), waiting)
        finally:
            await self._holds.release(waiting)
        return len(mails)

    async def _begin_each(self, batch: Batch, waiting: set[int]) -> None:
        """Begin with each mail of the batch, and take it out of those that wait."""
        apart: list[Mail] = []
        for mail in batch.mails:
            await self._ledger.room()
            if self._stopping or self._troubles:
                return
            if not self._holds.may_finish(mail.id):
                log.warning("mail_lease_lost", mail=mail.id)
                continue
            composed = await self._compose(mail, batch.told)
            if composed is None:
                waiting.discard(mail.id)
                continue
            place = None if batch.away else await self._lanes.place(mail.address)
            if place is not None and (self._stopping or batch.away):
                self._lanes.leave(place)
                if self._stopping:
                    return
            waiting.discard(mail.id)
            if batch.away is not None:
                self._begin(self._postpone(mail, batch.away))
            elif place is None:
                apart.append(mail)
            else:
                self._begin(self._deliver(mail, composed, place, batch))
        await self._set_apart(apart)

    def _begin(self, act: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(act)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._troubles.append(failure)

    async def _finish_all(self) -> None:
        """Return once every mail in hand has its outcome, recorded.

        Raises:
            DatabaseAway: when that couldn't be recorded.
        """
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._raise_trouble()
        await self._ledger.settle()

    def _raise_trouble(self) -> None:
        troubles, self._troubles = self._troubles, []
        for trouble in troubles:
            raise trouble

    # ------------------------------------------------------------------ a mail
    async def _deliver(self, mail: Mail, composed: EmailMessage, place: Place, batch: Batch) -> None:
        """See one mail to its outcome."""

        def may_finish() -> bool:
            place.finishing = self._holds.may_finish(mail.id)
            return place.finishing

        try:
            answer = await place.talk(self._transport.send(composed, may_finish))
        except Exception as failure:
            if isinstance(failure, TransportFailure) and not isinstance(failure, ServerAway | ServerCrowded):
                self._lanes.leave(place, answered=failure.code is not None)
            else:
                self._lanes.leave(place)
            await self._failed(mail, failure, batch)
        else:
            self._lanes.leave(place, answered=True)
            self._count("sent")
            self._ledger.sent(Try(mail, self._owner, self._holds.now(), answer=answer))
            log.info("mail_sent", mail=mail.id, kind=mail.message, attempt=mail.attempts)

    async def _failed(self, mail: Mail, failure: Exception, batch: Batch) -> None:
        match failure:
            case HoldLost():
                log.warning("mail_lease_lost", mail=mail.id)
                await self._holds.release([mail.id])
            case ServerCrowded():
                self._lanes.narrow()
                await self._set_apart([mail], delay=timedelta(seconds=self._poll))
            case PermanentFailure():
                unreachable = isinstance(failure, RecipientRefused)
                await self._bury(self._try(mail, failure), MailState.REFUSED, unreachable=unreachable)
            case _:
                if isinstance(failure, ServerAway):
                    batch.away = failure
                elif not isinstance(failure, TransportFailure | OSError):
                    log.error("mail_transport_broken", mail=mail.id, exc_info=failure)
                await self._postpone(mail, failure)

    async def _compose(self, mail: Mail, told: Matter) -> EmailMessage | None:
        """The mail as it is to be sent; None when it isn't to be sent any more, and why is recorded."""
        rows = told.get(mail.id)
        if mail.expires_at is not None and mail.expires_at <= self._holds.now():
            state, why = MailState.EXPIRED, "the link died before the mail could be sent"
        elif rows is not None and not rows:
            state, why = MailState.WITHDRAWN, "nothing of it concerns its reader any more"
        else:
            try:
                return rendering.compose(mail, letterhead=self._letterhead, sealer=self._sealer, rows=rows or ())
            except Exception as error:
                state, why = MailState.UNRENDERABLE, f"{type(error).__name__}: {error}"
                kind = type(error).__name__  # no address in logs
                log.error("mail_unrenderable", mail=mail.id, kind=mail.message, error=kind)
        await self._bury(Try(mail, self._owner, self._holds.now(), answer=why), state)
        return None

    def _try(self, mail: Mail, failure: Exception) -> Try:
        code = failure.code if isinstance(failure, TransportFailure) else None
        return Try(mail, self._owner, self._holds.now(), code, wording.one_line(str(failure)))

    async def _set_apart(self, mails: Sequence[Mail], delay: timedelta = APART_DELAY) -> None:
        """Give back mails for which there is no place now, so that they come again soon; those past their time end."""
        now = self._holds.now()
        for mail in mails:
            if now >= (mail.expires_at or mail.give_up_at):
                await self._postpone(mail, TemporaryFailure("its address was too slow to answer in time"))
        if mails:
            due_at = now + delay * self._chance.uniform(0.8, 1.2)
            await self._holds.set_apart([mail.id for mail in mails], due_at)
            log.info("mails_set_apart", mails=len(mails), due_at=due_at)

    async def _postpone(self, mail: Mail, failure: Exception) -> None:
        tried = self._try(mail, failure)
        due_at = tried.at + delay(mail.attempts, self._chance)
        if due_at >= (mail.expires_at or mail.give_up_at):
            await self._bury(tried, MailState.EXPIRED if mail.expires_at else MailState.EXHAUSTED)
            return
        await mail_attempts.postponed(tried, due_at)
        self._holds.forget(mail.id)
        self._count("postponed")
        fate = {"attempt": mail.attempts, "code": tried.code, "due_at": due_at}
        log.warning("mail_postponed", mail=mail.id, kind=mail.message, **fate)

    async def _bury(self, tried: Try, state: MailState, *, unreachable: bool = False) -> None:
        await mail_attempts.given_up(tried, state, unreachable=unreachable)
        mail = tried.mail
        self._holds.forget(mail.id)
        self._count(state.value.lower())
        log.error("mail_given_up", mail=mail.id, kind=mail.message, attempt=mail.attempts, state=state.value)


def delay(attempts: int, chance: random.Random) -> timedelta:
    """The wait after the failed try number `attempts`: a minute, doubling up to six hours, spread by a fifth."""
    doubled: timedelta = FIRST_DELAY * 2 ** min(attempts - 1, 20)
    return min(doubled, LONGEST_DELAY) * chance.uniform(0.8, 1.2)
