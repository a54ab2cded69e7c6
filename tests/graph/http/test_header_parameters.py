"""A header's value and its parameters."""

import pytest

from graph.http import header_parameters


@pytest.mark.parametrize(
    ("header", "value", "given"),
    [
        ("", "", {}),
        ("Application/JSON", "application/json", {}),
        ("a/b; Charset=UTF-8 ;x = y", "a/b", {"charset": "UTF-8", "x": "y"}),
        ('form-data; name="a;b"; filename="c\\"d.pdf"', "form-data", {"name": "a;b", "filename": 'c"d.pdf'}),
        (r'form-data; filename="C:\dir\e.pdf"', "form-data", {"filename": r"C:\dir\e.pdf"}),
        ('a; b="never closed; c=d', "a", {"b": '"never closed; c=d'}),
        ("a; b=1; B=2", "a", {"b": "1"}),
        ("a;;b;c=", "a", {"c": ""}),
        ("a; filename*=UTF-8''e%CC%81.pdf", "a", {"filename*": "UTF-8''e%CC%81.pdf"}),
        ('a; b="\\', "a", {"b": '"\\'}),
    ],
)
def test_a_header_is_taken_apart(header: str, value: str, given: dict[str, str]) -> None:
    assert header_parameters.parse(header) == (value, given)
