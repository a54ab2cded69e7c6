"""The courier: takes due mails out of the outbox, sends them and records the outcome; any number may work at once."""

import asyncio
import os
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import structlog

from mailer import digests, rendering, wording
from mailer.failures import PermanentFailure, RecipientRefused, ServerAway, TransportFailure
from mailer.leases import Lease
from mailer.ledgers import Ledger
from mailer.rendering import Letterhead
from mailer.seals import Sealer
from mailer.transport import Transport
from models import deliveries, outbox
from models.deliveries import Try
from models.outbox import Mail, MailState
from models.reading import Row

BATCH = 20
LEASE = timedelta(seconds=30)
POLL_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 15.0
FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(hours=6)

Matter = Mapping[int, Sequence[Row]]  # what the periodical mails of a batch tell, by the mail's id

log = structlog.get_logger(__name__)


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
        chance: random.Random | None = None,
        zone: ZoneInfo = ZoneInfo("Europe/Paris"),
    ) -> None:
        self._transport = transport
        self._letterhead = letterhead
        self._sealer = sealer
        self._owner = f"{owner[:80]}:{os.urandom(6).hex()}"
        self._batch = batch
        self._lease = lease
        self._chance = chance or random.SystemRandom()
        self._zone = zone
        self._ledger = Ledger()
        self._stopping = False
        self._wake: asyncio.Event | None = None

    async def run_once(self, now: datetime) -> int:
        """Claim a batch of due mails and see each to its outcome; how many were claimed.

        Raises:
            DatabaseAway: when the database can't be reached; what was sent is remembered and recorded next time.
        """
        await self._ledger.settle()
        mails = await outbox.claim(owner=self._owner, now=now, until=now + self._lease, limit=self._batch)
        if not mails:
            return 0
        ids = [mail.id for mail in mails]
        async with Lease(ids, owner=self._owner, now=now, length=self._lease) as lease:
            told = await digests.matter(mails, now.astimezone(self._zone).date())
            self._ledger.begin(await deliveries.refused_among({mail.account_id for mail in mails if mail.account_id}))
            await self._deliver_all(mails, told, lease)
            await self._ledger.settle()
        return len(mails)

    async def run(self, wake: asyncio.Event, clock: Callable[[], datetime]) -> None:
        """Work until `stop` is called or the task is cancelled, which lets the mail in hand be finished."""
        self._wake = wake
        work = asyncio.create_task(self._work(wake, clock))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            self.stop()
            await work
            raise

    def stop(self) -> None:
        """Make `run` return once the mail in hand is finished; claimed mails that weren't tried are given back."""
        self._stopping = True
        if self._wake is not None:
            self._wake.set()

    async def _work(self, wake: asyncio.Event, clock: Callable[[], datetime]) -> None:
        pause = POLL_SECONDS
        while not self._stopping:
            wake.clear()
            try:
                if await self.run_once(clock()):
                    continue
                await self._transport.rest()
                pause = POLL_SECONDS
            except Exception:
                log.exception("courier_hindered", pause=pause)
                await self._wait(wake, pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                await self._wait(wake, POLL_SECONDS)
        await self._transport.close()

    async def _wait(self, wake: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), seconds)

    async def _deliver_all(self, mails: list[Mail], told: Matter, lease: Lease) -> None:
        away: ServerAway | None = None
        for mail in mails:
            if self._stopping:
                return
            if not lease.holds(mail.id):
                log.warning("mail_lease_lost", mail=mail.id)
                continue
            if away is None:
                away = await self._deliver(mail, told, lease)
            else:
                await self._postpone(mail, away, lease)
            lease.settle(mail.id)

    async def _deliver(self, mail: Mail, told: Matter, lease: Lease) -> ServerAway | None:
        """See one mail to its outcome; a failure that would befall every other mail as well is handed back."""
        composed = await self._compose(mail, told, lease)
        if composed is None:
            return None
        try:
            answer = await self._transport.send(composed)
        except PermanentFailure as failure:
            tried = self._try(mail, lease, failure)
            await self._bury(tried, MailState.REFUSED, unreachable=isinstance(failure, RecipientRefused))
            return None
        except Exception as failure:
            if not isinstance(failure, TransportFailure | OSError):
                log.exception("mail_transport_broken", mail=mail.id)
            await self._postpone(mail, failure, lease)
            return failure if isinstance(failure, ServerAway) else None
        lease.settle(mail.id)  # even if it can't be recorded now: it must not be given back and sent again
        await self._ledger.sent(Try(mail, self._owner, lease.now(), answer=answer))
        log.info("mail_sent", mail=mail.id, kind=mail.message, attempt=mail.attempts)
        return None

    async def _compose(self, mail: Mail, told: Matter, lease: Lease) -> EmailMessage | None:
        """The mail as it is to be sent; None when it isn't to be sent any more, and why is recorded."""
        rows = told.get(mail.id)
        if mail.expires_at is not None and mail.expires_at <= lease.now():
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
        await self._bury(Try(mail, self._owner, lease.now(), answer=why), state)
        return None

    def _try(self, mail: Mail, lease: Lease, failure: Exception) -> Try:
        code = failure.code if isinstance(failure, TransportFailure) else None
        return Try(mail, self._owner, lease.now(), code, wording.one_line(str(failure)))

    async def _postpone(self, mail: Mail, failure: Exception, lease: Lease) -> None:
        tried = self._try(mail, lease, failure)
        due_at = tried.at + delay(mail.attempts, self._chance)
        if due_at >= (mail.expires_at or mail.give_up_at):
            await self._bury(tried, MailState.EXPIRED if mail.expires_at else MailState.EXHAUSTED)
            return
        await deliveries.postponed(tried, due_at)
        fate = {"attempt": mail.attempts, "code": tried.code, "due_at": due_at}
        log.warning("mail_postponed", mail=mail.id, kind=mail.message, **fate)

    async def _bury(self, tried: Try, state: MailState, *, unreachable: bool = False) -> None:
        await deliveries.given_up(tried, state, unreachable=unreachable)
        mail = tried.mail
        log.error("mail_given_up", mail=mail.id, kind=mail.message, attempt=mail.attempts, state=state.value)


def delay(attempts: int, chance: random.Random) -> timedelta:
    """The wait after the failed try number `attempts`: a minute, doubling up to six hours, spread by a fifth."""
    doubled: timedelta = FIRST_DELAY * 2 ** min(attempts - 1, 20)
    return min(doubled, LONGEST_DELAY) * chance.uniform(0.8, 1.2)
