"""Files as requests bring them, and what a store has of them."""

import hashlib
import io
from dataclasses import replace

from models.documents.documents import File, Quota
from resolvers import storage
from resolvers.documents.documents import Upload
from resolvers.scope import Office, Scope
from resolvers.storage import Store

PDF = b"%PDF-1.7\n1 0 obj\nendobj\n%%EOF\n"


def upload(name: str = "rib.pdf", content: bytes = PDF) -> Upload:
    """A file that came with a request."""
    file = File(name, len(content), hashlib.sha256(content).hexdigest(), content[:100])
    return Upload(file, io.BytesIO(content))


def storing(scope: Scope, store: Store, **changes: object) -> Scope:
    """The same scope in an office that keeps documents in the store."""
    office: Office = replace(scope.office, store=store, **changes)  # type: ignore[arg-type]
    return replace(scope, office=office)


async def stored(store: Store) -> set[str]:
    """The keys of all objects."""
    return {key async for batch in storage.keys(store) for key, _ in batch}


SMALL = Quota(files=5, bytes=1000)
