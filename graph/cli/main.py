"""The console script `rattache`: looks at what is installed first, and only then imports it."""

import logging
import os
import sys
from typing import NoReturn

from graph.cli import siblings


def main() -> NoReturn:
    """Run the command of the command line; exit code 2 when it can't even begin."""
    try:
        siblings.refuse_strangers()
    except siblings.StrangerFound as stranger:
        sys.stderr.write(f"rattache: {stranger}\n")
        sys.exit(2)
    from graph.cli import console  # noqa: PLC0415 - only once it is known whose packages that imports

    try:
        console.run()
    except SystemExit as ended:
        end(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
    end(0)


def end(code: int) -> NoReturn:
    """End the process with the code, all that was written sent off, and without taking the interpreter apart.

    The store's threads may still be handing over what they did; until Python 3.14, one that asks for the interpreter
    while it is taken apart aborts the process, and whoever called sees a crash where all went well.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
