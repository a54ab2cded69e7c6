"""What every text a person types goes through before a rule or a table sees it: tidying, length, forbidden characters.

The functions take the list of `problems` found so far, so that one input's wrong fields are all told at once; what they
return is meant to be used only once `errors.refuse_if_any(problems)` has let the input pass.
"""

import unicodedata

from models.errors.errors import DomainError, Invalid, Missing, TooLong, TooShort

# PostgreSQL can't store NUL and no encoder takes a lone surrogate; the others don't show, so two texts that look the
# same would differ, and bidirectional controls reverse what is read. That costs the joiners of a few scripts.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Letters and symbols by category, yet drawn as nothing: fillers, the braille blank, the grapheme joiner.
_HIDDEN_CHARACTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_SPACES = {ord(space): " " for space in "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"}
_SPACES |= {ord(space): " " for space in "\u200a\u202f\u205f\u3000"}


def is_visible(text: str, *, multiline: bool = False) -> bool:
    """Whether every character is one that people see; line feeds and tabs count as such in a multi-line text."""
    return not any(
        unicodedata.category(character) in _HIDDEN_CATEGORIES
        or character in _HIDDEN_CHARACTERS
        or _is_noncharacter(ord(character))
        for character in text
        if not (multiline and character in "\n\t")
    )


def _is_noncharacter(code: int) -> bool:
    """Is this one of the 66 code points that Unicode promises never to make characters of?"""
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF


def tidy(text: str) -> str:
    """The text in Unicode's composed form (NFC), its spaces ordinary ones, none around it, its lines ended by LF."""
    return unicodedata.normalize("NFC", text).translate(_SPACES).replace("\r\n", "\n").strip()


def optional(
    problems: list[DomainError],
    value: str | None,
    *path: str,
    most: int,
    least: int = 1,
    multiline: bool = False,
) -> str | None:
    """The tidied text, None if absent, blank or wrong; only a wrong one adds to `problems`. Lengths in characters."""
    text = tidy(value or "")
    if not text:
        return None
    if len(text) > most:
        problems.append(TooLong(*path, most=most))
    elif not is_visible(text, multiline=multiline):
        problems.append(Invalid(*path, rule="text"))
    elif len(text) < least:
        problems.append(TooShort(*path, least=least))
    else:
        return text
    return None


def required(
    problems: list[DomainError],
    value: str | None,
    *path: str,
    most: int,
    least: int = 1,
    multiline: bool = False,
) -> str:
    """The tidied text, or "" when absent, blank or wrong, each of which adds to `problems`."""
    if not tidy(value or ""):
        problems.append(Missing(*path))
        return ""
    return optional(problems, value, *path, most=most, least=least, multiline=multiline) or ""
