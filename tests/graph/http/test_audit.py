"""The audit suite of the GraphQL-over-HTTP specification's own authors, against a live server."""

import asyncio
import json
import os
import shutil
import socket

import pytest
import uvicorn

from graph.http.body_limit import Bodies
from tests.graph.support import toys

pytestmark = pytest.mark.slow

MODULES = os.environ.get("RATTACHE_NODE_MODULES", "")
AUDIT = """
const { auditServer } = require('graphql-http');
auditServer({ url: process.argv[1] }).then((results) => console.log(JSON.stringify(
  results.map(({ id, name, status, reason }) => ({ id, name, status, reason })))));
"""


@pytest.mark.skipif(
    not shutil.which("node") or not os.path.isdir(os.path.join(MODULES, "graphql-http")),
    reason="needs node, and RATTACHE_NODE_MODULES naming a node_modules folder that holds graphql-http",
)
async def test_server_passes_every_audit_of_graphql_over_http() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(Bodies(toys.endpoint()), log_level="warning", lifespan="off"))
        serving = asyncio.create_task(server.serve([listening]))
        port = listening.getsockname()[1]
        node = await asyncio.create_subprocess_exec(
            "node", "-e", AUDIT, f"http://127.0.0.1:{port}/graphql",
            stdout=asyncio.subprocess.PIPE, env={**os.environ, "NODE_PATH": MODULES},
        )  # fmt: skip
        output, _ = await asyncio.wait_for(node.communicate(), 60)
        server.should_exit = True
        await serving
    results = json.loads(output)
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) >= 61
