"""What arrives at `/graphql` over HTTP: JSON decoded strictly, parameters checked by shape."""

from collections.abc import Mapping
from typing import Any

import orjson
from strawberry.http import GraphQLRequestData

from graph.http import header_parameters, responses

MOST_COMMAS = 100_000  # in a JSON text: ten times what 500 activities have, and more than any question's text


def is_json(content_type: str) -> bool:
    """Is this `Content-Type` JSON in UTF-8, the only body the endpoint takes?"""
    kind, given = header_parameters.parse(content_type)
    return kind == responses.JSON and given.get("charset", "utf-8").strip().lower() in ("utf-8", "utf8")


def is_crowded(text: bytes | str) -> bool:
    """Does the text hold so many commas that to decode it would cost more than anything asked here is worth?"""
    return len(text) > MOST_COMMAS and (text.count(b",") if isinstance(text, bytes) else text.count(",")) > MOST_COMMAS


def decode(text: bytes | str, what: str) -> Any:
    """The JSON value of a body or parameter. NaN, infinities, lone surrogates and depths over 1,024 are no JSON here.

    Raises:
        answers.RequestRefused: 400, when it isn't well-formed JSON in UTF-8, or has over 100,000 commas.
    """
    if is_crowded(text):
        raise _bad(f"The {what} holds too many values.")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _bad(f"The {what} isn't well-formed JSON in UTF-8.") from None


def from_body(content_type: str, body: bytes) -> GraphQLRequestData:
    """The GraphQL request of a POST.

    Raises:
        answers.RequestRefused: 415 unless it is JSON; 400 when the JSON or a parameter isn't of its shape.
    """
    if not is_json(content_type):
        message = "Send the request as application/json in UTF-8, with files as multipart/form-data."
        raise responses.RequestRefused(415, "UNSUPPORTED_MEDIA_TYPE", message, {"accept": responses.JSON})
    return from_json(body, "request body")


def from_json(text: bytes, what: str) -> GraphQLRequestData:
    """The GraphQL request that a JSON text holds.

    Raises:
        answers.RequestRefused: 400, when the JSON or a parameter isn't of its shape.
    """
    parameters = decode(text, what)
    if not isinstance(parameters, dict):
        raise _bad(f"The {what} must be one JSON object.")
    return checked(parameters)


def from_query(parameters: Mapping[str, str]) -> GraphQLRequestData:
    """The GraphQL request of a GET, its variables and extensions being JSON texts.

    Raises:
        answers.RequestRefused: 400, when a parameter isn't of its shape.
    """
    decoded: dict[str, Any] = dict(parameters)
    for name in ("variables", "extensions"):
        if name in decoded:
            decoded[name] = decode(decoded[name], f"parameter `{name}`") if decoded[name].strip() else None
    decoded["operationName"] = decoded.get("operationName") or None
    return checked(decoded)


def checked(parameters: dict[str, Any]) -> GraphQLRequestData:
    """The GraphQL request of decoded parameters.

    Raises:
        answers.RequestRefused: 400, when one isn't of its shape.
    """
    query = parameters.get("query")
    if query is None:
        raise _bad("The parameter `query` is missing.")
    if not isinstance(query, str):
        raise _bad("The parameter `query` must be a string.")
    for name, kind, word in (("operationName", str, "a string"), ("variables", dict, "an object"),
                             ("extensions", dict, "an object")):  # fmt: skip
        if not isinstance(parameters.get(name), kind | None):
            raise _bad(f"The parameter `{name}` must be {word} or null.")
    return GraphQLRequestData(
        query=query,
        variables=parameters.get("variables"),
        operation_name=parameters.get("operationName"),
        extensions=parameters.get("extensions"),
    )


def _bad(message: str) -> responses.RequestRefused:
    return responses.RequestRefused(400, "BAD_REQUEST", message)
