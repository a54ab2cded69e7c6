"""Whether the time of an answer tells if an address has an account: the area under the ROC curve, 0.5 being "not at all".

    python -m tests.benchmarks.probing sqlite
    python -m tests.benchmarks.probing postgres --samples 400

Over real HTTP to `rattache serve`, known and unknown addresses in random order, each asked about once.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx

from models.accounts.accounts import AccountState
from models.db import database
from tests.benchmarks.exports import filled
from tests.graph.support.servers import Server
from tests.support import factories

# the account's state in which the operation does most, and the operation
OPERATIONS = {
    "requestPasswordReset": (AccountState.ACTIVE, 'requestPasswordReset(loginEmail: "{}") {{ acknowledged }}'),
    "resendActivation": (AccountState.PENDING_ACTIVATION, 'resendActivation(loginEmail: "{}") {{ acknowledged }}'),
    "requestReactivation": (AccountState.DEACTIVATED, 'requestReactivation(loginEmail: "{}") {{ acknowledged }}'),
    "signUp": (
        AccountState.ACTIVE,
        'signUp(input: {{loginEmail: "{}", firstName: "A", lastName: "B", acceptTerms: true}}) {{ acknowledged }}',
    ),
    "signIn": (AccountState.ACTIVE, 'signIn(input: {{loginEmail: "{}", password: "wrong"}}) {{ token }}'),
}


def auc(known: list[float], unknown: list[float]) -> float:
    """How often a known address took longer than an unknown one, ties being halves."""
    higher = sum((one > other) + (one == other) / 2 for one in known for other in unknown)
    return higher / (len(known) * len(unknown))


@contextmanager
def serving(folder: Path, url: str) -> Iterator[str]:
    """A server with its couriers, and its address."""
    with Server(folder, {"DATABASE_URL": url, "RATE_LIMITS": "off", "GRAPHIQL": "off"}) as server:
        yield server.url


async def people(state: AccountState, samples: int, prefix: str) -> list[str]:
    """So many accounts in that state, by their addresses."""
    since = datetime.now(UTC) if state is AccountState.DEACTIVATED else None
    addresses = [f"{prefix}-known{number:04}@people.example" for number in range(samples)]
    for address in addresses:
        await factories.person(login_email=address, state=state, deactivated_at=since)
    return addresses


def measured(url: str, text: str, known: list[str], unknown: list[str]) -> float:
    """The area under the curve of one operation."""
    asked = [(address, True) for address in known] + [(address, False) for address in unknown]
    random.shuffle(asked)
    times: dict[bool, list[float]] = {True: [], False: []}
    query = "mutation {{ {} }}"
    with httpx.Client(base_url=url, timeout=60) as client:
        for address, is_known in asked:
            body = {"query": query.format(text.format(address))}
            begun = time.perf_counter()
            answer = client.post("/graphql", json=body)
            times[is_known].append(time.perf_counter() - begun)
            assert answer.status_code == 200, answer.text
            assert "data" in answer.json(), answer.text
    return auc(times[True], times[False])


async def run(engine: str, samples: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as place:
        async with filled(engine, 0, Path(place)) as url:
            await database.connect(url)
            asked = {name: await people(state, samples, name.lower()) for name, (state, _) in OPERATIONS.items()}
            await database.close()
            with serving(Path(place), url) as address:
                for name, (_, text) in OPERATIONS.items():
                    unknown = [person.replace("-known", "-other") for person in asked[name]]
                    found = await asyncio.to_thread(measured, address, text, asked[name], unknown)
                    sys.stdout.write(f"{engine:9} {name:21} {samples} + {samples} samples  AUC {found:.3f}\n")


def main() -> None:
    """Run as said on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=("sqlite", "postgres"), nargs="?", default="sqlite")
    parser.add_argument("--samples", type=int, default=400)
    chosen = parser.parse_args()
    asyncio.run(run(chosen.engine, chosen.samples))


if __name__ == "__main__":
    main()
