"""Runs the steps of the Dockerfile below a folder, where no container engine is there: COPY and RUN as they stand."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[1]
ABSOLUTE = re.compile(r"(?<=[ =])/(?=\w)")


def steps(text: str) -> Iterator[tuple[str, str]]:
    """The instructions of a Dockerfile and what follows them, lines that go on joined."""
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.strip() and not line.startswith("#"):
            instruction, _, rest = line.partition(" ")
            yield instruction, rest


def ignored(_: str, names: list[str]) -> set[str]:
    """What of a folder's names isn't copied: .dockerignore has patterns of the form `**/name`."""
    patterns = [line.removeprefix("**/") for line in (ROOT / ".dockerignore").read_text("utf-8").split()]
    return {name for name in names if any(fnmatch(name, pattern) for pattern in patterns)}


def main(folder: str) -> None:
    """Run the steps, every absolute path moved below the folder; pip is that of the environment it is run in."""
    Path(folder).mkdir()
    for instruction, rest in steps((ROOT / "Dockerfile").read_text("utf-8")):
        moved = ABSOLUTE.sub(f"{folder}/", f" {rest}").strip()
        if instruction == "RUN" and (("chown" not in rest and " -o " not in rest) or os.geteuid() == 0):
            print(f"RUN {moved}", file=sys.stderr, flush=True)
            subprocess.run(moved, shell=True, check=True, cwd=folder)  # noqa: S602
        elif instruction == "COPY" and not rest.startswith("--from"):
            source, target = shlex.split(moved)
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, target, ignore=ignored)
            else:
                shutil.copy(ROOT / source, target)


if __name__ == "__main__":
    main(sys.argv[1])
