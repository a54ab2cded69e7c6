"""The real server, which kills itself without warning where a document called `dies`, or a sign-up, comes to a step.

python -m tests.graph.dying STEP serve ...
"""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from graph.cli.main import main
from graph.http import multipart
from models.accounts import wishes as waiting
from models.accounts.wishes import WishKind
from models.documents.documents import Document
from models.events.events import DocumentAdded
from resolvers import storage
from resolvers.accounts import links, wishes
from resolvers.documents import documents, sweeps

MARK = "dies"


def die() -> None:
    """End as by a power cut."""
    os.kill(os.getpid(), signal.SIGKILL)


Act = Callable[..., Awaitable[Any]]


def _is_marked(given: tuple[Any, ...]) -> bool:
    return any(MARK in str(getattr(getattr(one, "file", one), "name", "")) for one in given) or any(
        isinstance(one, Document) and MARK in one.filename for one in given
    )


def _before(act: Act) -> Act:
    async def dying(*given: Any) -> Any:
        if _is_marked(given):
            die()
        return await act(*given)

    return dying


def _after(act: Act) -> Act:
    async def dying(*given: Any) -> Any:
        done = await act(*given)
        if _is_marked(given):
            die()
        return done

    return dying


def _always_after(act: Act) -> Act:
    async def dying(*given: Any) -> Any:
        await act(*given)
        die()

    return dying


def _receiving() -> None:
    take = multipart.Part.take

    def dying(part: multipart.Part, data: bytes) -> None:
        take(part, data)
        if part.filename is not None and MARK in part.filename and part.size > 300_000:
            die()

    multipart.Part.take = dying  # type: ignore[assignment, method-assign]


def _amid_the_content() -> None:
    put = storage.put

    async def dying(store: storage.Store, key: str, content: Any) -> None:
        is_marked = content.read(len(MARK)) == MARK.encode()
        content.seek(0)
        if is_marked:
            asyncio.get_running_loop().call_later(random.random() * 0.01, die)
        await put(store, key, content)
        await asyncio.sleep(1 if is_marked else 0)

    storage.put = dying


def _before_the_commit() -> None:
    def dying(**given: Any) -> Any:
        if MARK in given["after"]["filename"]:
            die()
        return DocumentAdded(**given)

    documents.DocumentAdded = dying  # type: ignore[assignment, attr-defined]


def _after_the_deletion() -> None:
    discard = sweeps.discard

    async def dying(scope: Any, document: Document) -> None:
        if MARK in document.filename:
            await storage.delete(scope.office.store, document.object_key)
            die()
        await discard(scope, document)

    sweeps.discard = dying


def _as_it_is_to_be_granted() -> None:
    grant = wishes.grant

    async def dying(scope: Any) -> int:
        if await waiting.any_waits():
            die()
        return await grant(scope)

    wishes.grant = dying


def _as_it_is_taken() -> None:
    take = waiting.take

    async def dying(after: int = 0) -> waiting.Asked | None:
        taken = await take(after)
        if taken is not None and taken.kind is WishKind.SIGN_UP:
            die()
        return taken

    waiting.take = dying


def _with_its_mail_written() -> None:
    send = links.send

    async def dying(scope: Any, account: Any, purpose: Any) -> None:
        await send(scope, account, purpose)
        if account.password_hash is None:
            die()

    links.send = dying


def _once_it_is_granted() -> None:
    grant = wishes.grant

    async def dying(scope: Any) -> int:
        number = await grant(scope)
        if number:
            die()
        return number

    wishes.grant = dying


def _set(module: Any, name: str, around: Callable[[Act], Act]) -> Callable[[], None]:
    def change() -> None:
        setattr(module, name, around(getattr(module, name)))

    return change


# In the order a document comes to them; the last three are of its removal.
STEPS: dict[str, Callable[[], None]] = {
    "while it is received": _receiving,
    "before its row": _set(documents, "_reserved", _before),
    "after its row": _set(documents, "_reserved", _after),
    "amid its content": _amid_the_content,
    "after its content, before the commit": _before_the_commit,
    "after the commit, before the answer": _set(documents, "add", _after),
    "before it is deleted": _set(sweeps, "discard_soon", _before),
    "after its content is deleted": _after_the_deletion,
}

# The same of a sign-up.
SIGN_UP_STEPS: dict[str, Callable[[], None]] = {
    "after it is kept, before the answer": _set(wishes, "ask_for_account", _always_after),
    "after the answer, before it is taken": _as_it_is_to_be_granted,
    "after it is taken, before its account": _as_it_is_taken,
    "after its mail is written, before the commit": _with_its_mail_written,
    "after it is granted": _once_it_is_granted,
}

if __name__ == "__main__":
    (STEPS | SIGN_UP_STEPS)[sys.argv.pop(1)]()
    main()
