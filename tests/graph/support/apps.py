"""The whole application in the test's own process: settings that ignore the environment, and a client to ask with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from graph.app import create_app
from graph.settings import Settings

SIGN_IN = """mutation SignIn($email: String!, $password: String!) {
  signIn(input: {loginEmail: $email, password: $password}) { token account { loginEmail } errors { code message } }
}"""


class GivenSettings(Settings):
    """Settings made of what the test says and nothing else."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def settings_of(folder: Path, database_url: str = "", **changes: Any) -> Settings:
    """The settings of an installation in this folder."""
    return GivenSettings(data_dir=folder / "data", database_url=database_url, **changes)


@asynccontextmanager
async def served(
    settings: Settings, *, source: str = "203.0.113.7", **options: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running application, which asks from one address."""
    app = create_app(settings, **options)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, client=("203.0.113.7", 40_000))
        async with httpx.AsyncClient(transport=transport, base_url=settings.public_url) as client:
            yield client


async def ask(client: httpx.AsyncClient, query: str, headers: dict[str, str] | None = None, **variables: Any) -> Any:
    """The JSON answer to one operation."""
    response = await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
    return response.json()
