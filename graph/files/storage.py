"""The store of documents that the settings name: a local folder, or any S3-compatible one, through obstore."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from obstore.store import LocalStore, from_url

from graph.settings import SettingsRefused
from resolvers.storage import Store

CONNECT, ANSWER, TRYING = timedelta(seconds=5), timedelta(seconds=30), timedelta(seconds=20)


def store_of(url: str) -> Store:
    """The store of `file:///PATH` or `s3://BUCKET/PREFIX`; nothing is asked of it yet.

    Where the bucket is, and by which keys it is used, is in the environment under Amazon's own names.

    Raises:
        SettingsRefused: when the folder can't be made.
    """
    if url.startswith("file://"):
        folder = Path(unquote(urlsplit(url).path))
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsRefused(f"The folder of documents can't be made: {error}.") from error
        return LocalStore(folder)
    return from_url(
        url,
        client_options={"connect_timeout": CONNECT, "timeout": ANSWER, "allow_http": True},
        retry_config={"max_retries": 3, "retry_timeout": TRYING},
    )
