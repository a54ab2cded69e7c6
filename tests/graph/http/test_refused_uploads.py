"""A real browser sends more than the server takes, and reads the refusal where a reset would have been."""

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.graph.support.servers import Server

pytestmark = pytest.mark.slow

MODULES = os.environ.get("RATTACHE_NODE_MODULES", "")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or ""
SCRIPT = Path(__file__).parent / "refused.cjs"


@pytest.mark.skipif(
    not shutil.which("node") or not BROWSER or not os.path.isdir(os.path.join(MODULES, "playwright-core")),
    reason="needs node, chromium, and RATTACHE_NODE_MODULES naming a node_modules folder that holds playwright-core",
)
async def test_a_browser_sends_too_large_a_body_and_reads_why_it_is_refused(tmp_path: Path) -> None:
    with Server(tmp_path, {"RATE_LIMITS": "off"}, "--no-worker") as server:
        node = await asyncio.create_subprocess_exec(
            "node", str(SCRIPT), server.url, BROWSER,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, "NODE_PATH": MODULES},
        )  # fmt: skip
        shown, complaints = await asyncio.wait_for(node.communicate(), 90)
    assert node.returncode == 0, complaints.decode()
    assert json.loads(shown) == [[413, "PAYLOAD_TOO_LARGE"], [400, "BAD_REQUEST"]]
