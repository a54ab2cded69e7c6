"""The form in which names are searched: what is stored beside a name and what is typed in a search meet here."""

import unicodedata

# What the columns of folded names and towns hold.
LONGEST_NAME, LONGEST_CITY = 512, 240
# Letters that Unicode doesn't decompose but that people type, or search for, without.
_PLAIN = str.maketrans(
    {"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ð": "d", "þ": "th", "ı": "i"}
)


def without_accents(text: str) -> str:
    """The text casefolded, compatibility forms unfolded (full-width, ligatures like ﬁ), accents off."""
    # twice: casefolding may give back what decomposes, and decomposing what casefolds
    for _ in range(2):
        text = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(character for character in text if unicodedata.category(character) not in {"Mn", "Me"})
    return unicodedata.normalize("NFC", bare)


def normalise_name(text: str, most: int | None = None) -> str:
    """The text for accent- and case-insensitive search: letters, digits and single spaces only, none around it.

    At most `most` characters of it, where a column holds no more: one ligature may unfold into eighteen letters.
    """
    plain = without_accents(text).translate(_PLAIN)
    return " ".join("".join(map(_kept, plain)).split())[:most].rstrip()


def _kept(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] in "LN" or category == "Mc":
        return character
    # an invisible character separates nothing: a soft hyphen must not cut a word
    return "" if category in {"Cf", "Cs", "Mn", "Me"} else " "
