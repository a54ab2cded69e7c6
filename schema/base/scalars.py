"""Days and instants as clients write them, each told in our words how, where it isn't one."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

DAY = 'a calendar day such as "2026-01-31"'
MOMENT = 'an instant with its time zone, such as "2026-01-31T09:30:00+01:00"'


def _parser(kind: type[date], name: str, form: str) -> Callable[[object], Any]:
    def parse(value: object) -> date:
        try:
            if isinstance(value, str):
                return kind.fromisoformat(value)
        except ValueError:
            pass
        raise GraphQLError(f"{name} is {form}.")

    return parse


def _scalar(kind: type[date], name: str, form: str) -> ScalarDefinition:
    return strawberry.scalar(
        name=name,
        description=f"{form[0].upper()}{form[1:]} (ISO 8601).",
        serialize=lambda value: value.isoformat(),
        parse_value=_parser(kind, name, form),
    )


SCALARS: Mapping[object, ScalarDefinition] = {
    date: _scalar(date, "Date", DAY),
    datetime: _scalar(datetime, "DateTime", MOMENT),
}
