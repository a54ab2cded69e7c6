"""The Upload scalar: a file of a multipart request, and nothing else that a client could write in its place."""

from collections.abc import Mapping
from typing import NewType

import strawberry
from graphql import GraphQLError
from graphql.language import ValueNode
from strawberry.types.scalar import ScalarDefinition

from resolvers.documents.documents import Upload as Received

Upload = NewType("Upload", Received)


def _received(value: object) -> Received:
    if isinstance(value, Received):
        return value
    raise GraphQLError("Upload is a file of a multipart request, which leaves null in the variable.")


def _written(node: ValueNode, variables: object = None) -> Received:
    raise GraphQLError("Upload is a file of a multipart request: give it by a variable.", node)


SCALARS: Mapping[object, ScalarDefinition] = {
    Upload: strawberry.scalar(
        name="Upload",
        description="A file sent with the request, by the GraphQL multipart request specification: the variable is null"
        " and `map` says which part of the form stands there. At most 10 files and 17 MiB a request.",
        specified_by_url="https://github.com/jaydenseric/graphql-multipart-request-spec",
        serialize=_received,
        parse_value=_received,
        parse_literal=_written,
    )
}
