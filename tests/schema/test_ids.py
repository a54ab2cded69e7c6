"""Global ids: opaque, read back as what they name, refused when they name something else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors.errors import NotFound
from schema.base import ids


def test_id_decodes_to_what_was_encoded() -> None:
    assert ids.decode(ids.encode("Attachment", 42), "Attachment") == 42


def test_id_of_another_type_is_not_found() -> None:
    with pytest.raises(NotFound) as refusal:
        ids.decode(ids.encode("User", 42), "Attachment", "ids", "0")
    assert refusal.value.path == ("ids", "0")


@pytest.mark.parametrize(
    "text", ["", "42", "VXNlcjo0Mg", "Attachment:42", "QXR0YWNobWVudDowMQ==", "é", "QXR0YWNobWVudDotMQ=="]
)
def test_text_that_is_no_id_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        ids.decode(text, "Attachment")


@given(st.text(max_size=60))
def test_any_text_parses_or_is_none(text: str) -> None:
    parsed = ids.parse(text)
    assert parsed is None or ids.encode(*parsed) == text
