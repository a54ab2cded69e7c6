"""Spaces: the portal's sets of functions, in words for both languages."""

from typing import Annotated

import strawberry

from models.accounts.profiles import Language
from models.subscriptions.spaces import WORDING, SpaceCode, Wording
from schema.base.context import Info
from schema.base.fields import column

LabelLanguage = Annotated[Language | None, strawberry.argument(description="Another language than the reader's.")]


@strawberry.type(description="A set of functions of the portal.")
class Space:
    code: SpaceCode = column("Its code in the reference list.")

    @strawberry.field(description="Its label.")
    def label(self, info: Info, language: LabelLanguage = None) -> str:
        words = _wording(self.code)
        return words.en if (language or info.context.language) is Language.EN else words.fr

    @strawberry.field(description="What it is for, in one sentence.")
    def description(self, info: Info, language: LabelLanguage = None) -> str:
        words = _wording(self.code)
        return words.about_en if (language or info.context.language) is Language.EN else words.about_fr


def _wording(code: SpaceCode) -> Wording:
    return WORDING[code]
