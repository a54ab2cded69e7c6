"""From what a client selected to what must be read: the `Selection` of a field, derived from the document."""

from collections.abc import Iterator

from graphql import (
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    InlineFragmentNode,
    SelectionSetNode,
)
from graphql.language import FieldNode
from graphql.type import get_named_type

from models.db.query import Selection
from schema.base.context import Info
from schema.base.fields import needed_by

DEFINITION = "strawberry-definition"


def selection_of(info: Info, type_name: str | None = None) -> Selection:
    """The columns that the fields selected below this one need, of `type_name` where the field's type is an interface.

    Of a connection: those of its nodes, and whether its rows and its total are asked for at all.
    """
    raw = info._raw_info
    key = (tuple(map(id, raw.field_nodes)), type_name)  # fields that merge here needn't merge elsewhere
    cached = info.context.selections.get(key)
    if cached is None:
        returned = raw.schema.type_map[type_name] if type_name else get_named_type(raw.return_type)
        assert isinstance(returned, GraphQLObjectType)
        cached = info.context.selections[key] = _derive(info, returned, raw.field_nodes)
    return cached


def _derive(info: Info, returned: GraphQLObjectType, nodes: list[FieldNode]) -> Selection:
    if not returned.name.endswith("Connection"):
        return Selection(frozenset(_columns(info, returned, nodes)))
    selected = {node.name.value for node in _fields(info, returned, nodes)}
    edges = [node for node in _fields(info, returned, nodes) if node.name.value == "edges"]
    edge_type = get_named_type(returned.fields["edges"].type)
    assert isinstance(edge_type, GraphQLObjectType)
    inner = [node for node in _fields(info, edge_type, edges) if node.name.value == "node"]
    node_type = get_named_type(edge_type.fields["node"].type)
    assert isinstance(node_type, GraphQLObjectType)
    return Selection(
        frozenset(_columns(info, node_type, inner)),
        rows=bool(selected & {"edges", "pageInfo"}),
        total_count="totalCount" in selected,
    )


def _columns(info: Info, parent: GraphQLObjectType, nodes: list[FieldNode]) -> Iterator[str]:
    """The columns of the selected fields: what a field says it needs, or the attribute of its own name."""
    yield "id"
    for node in _fields(info, parent, nodes):
        field = parent.fields.get(node.name.value)
        if field is not None:  # __typename is nobody's column
            yield from needed_by(field.extensions[DEFINITION])


def _fields(info: Info, parent: GraphQLObjectType, nodes: list[FieldNode]) -> Iterator[FieldNode]:
    """Every field selected below the nodes for this type, through fragments; `@skip` and `@include` are ignored: at
    worst a column is read for nothing."""
    for node in nodes:
        if node.selection_set:
            yield from _walk(info, parent, node.selection_set)


def _walk(info: Info, parent: GraphQLObjectType, selection_set: SelectionSetNode) -> Iterator[FieldNode]:
    for selected in selection_set.selections:
        if isinstance(selected, FieldNode):
            yield selected
            continue
        fragment: InlineFragmentNode | FragmentDefinitionNode
        if isinstance(selected, FragmentSpreadNode):
            fragment = info._raw_info.fragments[selected.name.value]
        else:
            assert isinstance(selected, InlineFragmentNode)
            fragment = selected
        if _applies(info, parent, fragment):
            yield from _walk(info, parent, fragment.selection_set)


def _applies(info: Info, parent: GraphQLObjectType, fragment: object) -> bool:
    condition = getattr(fragment, "type_condition", None)
    if condition is None or condition.name.value == parent.name:
        return True
    named = info._raw_info.schema.type_map.get(condition.name.value)
    return isinstance(named, GraphQLInterfaceType) and named in parent.interfaces
