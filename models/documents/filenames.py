"""The names of files: which are taken from people, and how they are written in an archive that any system unpacks."""

import re
import unicodedata
from collections.abc import Iterable

from models.db import texts
from models.errors.errors import DomainError, Invalid, Missing, TooLong

LONGEST_NAME = 200  # characters; 255 bytes is what most file systems take of one
MOST_BYTES = 255
JOINERS = "\u200c\u200d"  # zero width, yet part of how Persian, Hindi and others are spelt
# Windows keeps these for devices, whatever the extension (Microsoft, "Naming Files, Paths, and Namespaces").
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_UNPACKABLE = re.compile(r'[<>:"|?*]')


def check(problems: list[DomainError], value: str, *path: str) -> str:
    """The name in Unicode's composed form, in any script: neither a path nor hidden, no character that isn't seen."""
    name = unicodedata.normalize("NFC", value)
    if not name.strip():
        problems.append(Missing(*path))
    elif len(name) > LONGEST_NAME or len(name.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        problems.append(TooLong(*path, most=LONGEST_NAME))
    elif rule := _broken_rule(name):
        problems.append(Invalid(*path, rule=rule))
    return name


def _broken_rule(name: str) -> str | None:
    """What is wrong with the name; nothing with most."""
    if not texts.is_visible(name.translate(dict.fromkeys(map(ord, JOINERS)))) or _is_path(name):
        return "filename"
    if name.startswith((".", " ")) or name.endswith((".", " ")):  # on Windows it would lose those at its end
        return "filename_edge"
    return "filename_device" if _DEVICES.fullmatch(name) else None


def _is_path(name: str) -> bool:
    # "C:x" is a place on a drive
    return name in {".", ".."} or any(mark in name for mark in "/\\") or re.match(r"[A-Za-z]:", name) is not None


def extension_of(name: str) -> str:
    """The extension in lower case, without its dot; "" where the name has none."""
    _, dot, extension = name.rpartition(".")
    return extension.lower() if dot else ""


def unique(names: Iterable[str]) -> list[str]:
    """The names in their order for one folder of any system: a name that came before gets a number."""
    taken: set[str] = set()
    found = []
    for given in names:
        name, number = _UNPACKABLE.sub("_", given), 1
        stem, dot, extension = name.rpartition(".") if "." in name else (name, "", "")
        while _folded(name) in taken:
            number += 1
            name = f"{stem} ({number}){dot}{extension}"
        taken.add(_folded(name))
        found.append(name)
    return found


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())
