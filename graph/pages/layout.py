"""What every HTML page of the server shares: the reader's language, the templates, the headers and the static files."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from graph.http import accept
from graph.http.accept import LANGUAGES
from models.accounts.accounts import Language

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# A worker is bound by the policy of its own file, not by that of the page which starts it.
STATIC_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

# Never kept by a cache, never told to another page: the address of many of them carries a one-time token.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}

environment = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
TEXTS: dict[Language, dict[str, Any]] = {
    language: tomllib.loads((TEMPLATES / "pages" / f"{code}.toml").read_text(encoding="utf-8"))
    for code, language in LANGUAGES.items()
}


def language_of(request: Request, chosen: str | None = None) -> Language:
    """The language to answer in: the one chosen in a form or by `?lang=`, else the browser's, else French."""
    wish = (chosen or request.query_params.get("lang", "")).lower()
    if wish in LANGUAGES:
        return LANGUAGES[wish]
    return accept.language_of(request.headers.get("accept-language", "")) or Language.FR


def other(language: Language) -> Language:
    """The language that a page offers to change to."""
    return Language.EN if language is Language.FR else Language.FR


def render(
    template: str,
    language: Language,
    values: Mapping[str, object],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The page made of a template of `templates/pages/`, which sees `values` and the texts of the language as `t`."""
    # A name of the layout that a page has no use for is still asked for there.
    shown = {"switch": None, "failed": False, **values}
    body = environment.get_template(f"pages/{template}").render(
        t=TEXTS[language], language=language.lower(), other=other(language).lower(), **shown
    )
    return HTMLResponse(body, status, {**HEADERS, "Content-Language": language.lower(), **(headers or {})})


class Assets(StaticFiles):
    """Static files that can be shown by our own pages only, and are asked for again at each visit."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Content-Security-Policy"] = STATIC_POLICY
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def assets(folder: str) -> BaseRoute:
    """The route of one folder of static files, at `/static/<folder>`."""
    return Mount(f"/static/{folder}", Assets(directory=STATIC / folder))


def routes() -> list[BaseRoute]:
    """The style sheet and the icon of the pages."""
    return [assets("pages")]
