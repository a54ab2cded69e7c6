"""GraphiQL for a browser that opens the endpoint: one page and its files, all served from the package.

The files in `static/graphiql/` are built from `.graphiql/`; the operations in the first tabs are `templates/examples/`.
"""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from graph.pages import layout

# Monaco, the editor inside GraphiQL, places its lines with style attributes and adds style elements as themes change:
# styles alone may be inline. No script may, none is evaluated, and nothing comes from or goes to another host.
POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def examples() -> list[str]:
    """The operations shown in the first tabs, in order."""
    return [file.read_text(encoding="utf-8") for file in sorted((layout.TEMPLATES / "examples").glob("*.graphql"))]


async def page(_: Request) -> Response:
    """The GraphiQL page, which talks to the very address it was opened at."""
    body = layout.environment.get_template("graphiql.html").render(examples=examples())
    own = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "Referrer-Policy": "same-origin"}
    headers = {**layout.HEADERS, **own, "Vary": "Accept"}
    return HTMLResponse(body, headers=headers)


def routes() -> list[BaseRoute]:
    """The script, the style and the workers of the page."""
    return [layout.assets("graphiql")]
