"""The console script `rattache`: looks at what is installed first, and only then imports it."""

import sys

from graph import siblings


def main() -> None:
    """Run the command of the command line; exit code 2 when it can't even begin."""
    try:
        siblings.refuse_strangers()
    except siblings.StrangerFound as stranger:
        sys.stderr.write(f"rattache: {stranger}\n")
        sys.exit(2)
    from graph import console  # noqa: PLC0415 - only once it is known whose packages that imports

    console.run()


if __name__ == "__main__":
    main()
