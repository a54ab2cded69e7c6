"""Whether Python finds our packages: PyPI has others of the same names, which would silently take their place."""

import importlib.util
from pathlib import Path

PACKAGES = ("schema", "resolvers", "mailer", "models")


class StrangerFound(Exception):
    """A package beside this one isn't ours; the text says which and what to do."""


def refuse_strangers() -> None:
    """Make sure that each package is the sibling of this one; nothing of them is imported before.

    Raises:
        StrangerFound: when one isn't.
    """
    for name in PACKAGES:
        found = importlib.util.find_spec(name)
        ours = Path(__file__).resolve().parents[2] / name / "__init__.py"
        if found is None or found.origin is None or Path(found.origin).resolve() != ours:
            raise StrangerFound(
                f"The package `{name}` that Python finds isn't rattache's: give rattache an environment of its own."
            )
