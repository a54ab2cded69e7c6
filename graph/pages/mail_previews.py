"""The pages of the demo that show every mail as it would be sent, of sample facts and in each language."""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from graph.pages import layout, mailbox
from mailer import previews
from mailer.previews import Preview
from mailer.rendering import Letterhead

ADDRESS = "/mails/preview"


def routes(letterhead: Letterhead) -> list[BaseRoute]:
    """`/mails/preview`, and each mail below it; they come before those of `mails`, whose names they would be."""

    @cache
    def found() -> dict[tuple[str, str], Preview]:
        return {(each.language, each.name): each for each in previews.every(letterhead)}

    # plain functions: Starlette runs them in a thread, as rendering all mails asks
    def listing(request: Request) -> Response:
        language = layout.language_of(request)
        shown = [each for each in found().values() if each.language == language.lower()]
        switch = f"{ADDRESS}?lang={layout.other(language).lower()}"
        return layout.render("previews.html", language, {"previews": shown, "switch": switch, "address": ADDRESS})

    def chosen(request: Request) -> Preview | None:
        return found().get((request.path_params["language"], request.path_params["name"]))

    def one(request: Request) -> Response:
        preview = chosen(request)
        if preview is None:
            return mailbox.absent(request)
        subject, address = str(preview.mail["Subject"]), f"{ADDRESS}/{preview.language}/{preview.name}"
        return mailbox.page(request, preview.mail, subject, back=ADDRESS, html=f"{address}/html")

    def html(request: Request) -> Response:
        preview = chosen(request)
        return mailbox.absent(request) if preview is None else mailbox.framed(previews.part(preview.mail, "html"))

    return [
        Route(ADDRESS, mailbox.at_hand(listing)),
        Route(f"{ADDRESS}/{{language}}/{{name}}", mailbox.at_hand(one)),
        Route(f"{ADDRESS}/{{language}}/{{name}}/html", mailbox.at_hand(html)),
    ]
