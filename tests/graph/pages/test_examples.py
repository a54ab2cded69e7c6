"""GraphiQL's examples, run tab after tab as one person would, on a fresh demo."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graph.cli import demo
from graph.pages import graphiql
from models.db import database
from resolvers.scope import Office, Scope
from schema import schema
from schema.base.context import Context


@pytest.fixture
async def fresh_demo(sqlite_template: Path, tmp_path: Path, office: Office) -> AsyncIterator[None]:
    """The demo world in a database of its own: the examples name its ids."""
    shutil.copy(sqlite_template, tmp_path / "demo.db")
    await database.connect(f"sqlite://{tmp_path / 'demo.db'}?synchronous=OFF")
    await demo.prepare(office)
    yield
    await database.close()


async def test_examples_work_one_after_the_other_on_a_fresh_demo(fresh_demo: None, office: Office) -> None:
    scope = Scope(office)
    for example in graphiql.examples():
        if example.partition("\nsubscription ")[1]:
            stream = await schema.subscribe(example, context_value=Context(scope=scope))
            assert [result async for result in stream] == []
            continue
        result = await schema.execute(example, context_value=Context(scope=scope))
        assert result.errors is None, example
        assert result.data is not None
        for name, answer in result.data.items():
            payloads = [answer, *(answer.get("results") or [])] if isinstance(answer, dict) else []
            assert [payload["errors"] for payload in payloads if payload.get("errors")] == [], (name, example)
            assert answer is not None, example
