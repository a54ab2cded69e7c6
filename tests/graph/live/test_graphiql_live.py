"""GraphiQL in a real browser, on the demo: a subscription in one tab receives what is done in another.

RATTACHE_SCREENSHOT names a file for what the first tab shows in the end.
"""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from tests.graph.support.servers import Server

pytestmark = pytest.mark.slow

MODULES = os.environ.get("RATTACHE_NODE_MODULES", "")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or ""
SCRIPT = Path(__file__).parent / "graphiql.cjs"


@pytest.mark.skipif(
    not shutil.which("node") or not BROWSER or not os.path.isdir(os.path.join(MODULES, "playwright-core")),
    reason="needs node, chromium, and RATTACHE_NODE_MODULES naming a node_modules folder that holds playwright-core",
)
async def test_a_subscription_in_one_tab_receives_a_change_made_in_another(tmp_path: Path) -> None:
    with Server(tmp_path, {}, "--demo") as server:
        shot = [os.environ["RATTACHE_SCREENSHOT"]] if "RATTACHE_SCREENSHOT" in os.environ else []
        node = await asyncio.create_subprocess_exec(
            "node", str(SCRIPT), server.url, BROWSER, *shot,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, "NODE_PATH": MODULES},
        )  # fmt: skip
        shown, complaints = await asyncio.wait_for(node.communicate(), 90)
    assert node.returncode == 0, complaints.decode()
    assert complaints == b""
    assert '"previousStatus": "PENDING"' in shown.decode().replace("\u00a0", " ")
