"""kill -9 of the server that keeps and grants wishes: each that was kept is granted once, whatever step it died at.

Once at each step; RATTACHE_KILL_ROUNDS=30 for the full proof.
"""

import asyncio
import os
from pathlib import Path

import httpx
import pytest

from models.accounts.accounts import Account
from models.accounts.tokens import OneTimeToken
from models.accounts.wishes import Wish
from models.mail.outbox import Mail, MailState
from tests.graph.support.dying import SIGN_UP_STEPS
from tests.graph.support.servers import Server
from tests.graph.worker.test_jobs import until
from tests.support import factories

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("RATTACHE_KILL_ROUNDS", "1"))
WISHES = """mutation ($known: String!, $new: String!) { requestPasswordReset(loginEmail: $known) { acknowledged }
  signUp(input: {loginEmail: $new, firstName: "Noor", lastName: "Vasseur", acceptTerms: true}) { acknowledged } }"""
ACKNOWLEDGED = {"requestPasswordReset": {"acknowledged": True}, "signUp": {"acknowledged": True}}


@pytest.mark.parametrize("step", SIGN_UP_STEPS)
async def test_whatever_step_a_sign_up_dies_at_it_is_granted_once(tmp_path: Path, db: str, step: str) -> None:
    server = Server(tmp_path, {"DATABASE_URL": db.partition("?")[0], "RATE_LIMITS": "off", "COURIER_LEASE": "1s"})
    try:
        for number in range(ROUNDS):
            known, new = await factories.person(), f"new-{number}@people.example"
            mailed = len(await factories.mails())
            await _kill(server, step, known, new)
            await asyncio.to_thread(server.start)
            await until(_all_sent)
            server.kill()
            assert [account.display_name for account in await Account.filter(login_email=new)] == ["Noor Vasseur"]
            due = [("password_reset", known.login_email), ("account_activation", new)]
            assert (await factories.mails())[mailed:] == due
            assert await OneTimeToken.all().count() == 2 * (number + 1)
            told = ["PasswordResetRequested", "AccountSignedUp"] * (number + 1)
            assert await factories.event_types() == told
    finally:
        server.kill()
    assert len(list((tmp_path / "data" / "mails").glob("*.eml"))) == 2 * ROUNDS


async def _kill(server: Server, step: str, known: Account, new: str) -> None:
    """Have the wishes kept by a server that dies at the step; they were acknowledged unless it died before."""
    command, server.command = server.command, ("-m", "tests.graph.support.dying", step)
    await asyncio.to_thread(server.start)
    variables = {"known": known.login_email, "new": new}
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        try:
            answer = await client.post("/graphql", json={"query": WISHES, "variables": variables})
        except httpx.TransportError:
            assert step == "after it is kept, before the answer"
        else:
            assert answer.json()["data"] == ACKNOWLEDGED

        async def is_gone() -> bool:
            try:
                await client.get("/healthz")
            except httpx.TransportError:
                return True
            return False

        await until(is_gone)
    server.kill()
    server.command = command


async def _all_sent() -> bool:
    return not await Wish.exists() and not await Mail.exclude(state=MailState.SENT).exists()
