"""Prints, for each layer, its rooms from the top floor down and which rooms each of them imports."""

import ast
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
LAYERS = ("graph", "schema", "resolvers", "mailer", "models")


def room_of(module: str) -> str:
    """`models.db.query` -> `db`, `resolvers.scope` -> `scope`."""
    return module.split(".")[1]


def imports(layer: str) -> dict[str, dict[str, list[str]]]:
    """{room: {room it imports: [module -> module]}}, lazy imports of schema types apart."""
    paths = (ROOT / layer).rglob("*.py")
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}
    arrows: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, path in modules.items():
        if (path.name == "__init__.py" and path.parent == ROOT / layer) or "migrations" in name:
            continue
        here = room_of(name)
        arrows[here]
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == layer:
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    target = full if full in modules else node.module
                    if "." in target and room_of(target) != here:
                        arrows[here][room_of(target)].append(f"{name} -> {target}")
    return arrows


def floors(arrows: dict[str, dict[str, list[str]]]) -> tuple[dict[str, int], list[list[str]]]:
    """The floor of each room, 0 at the bottom, and the circles found."""
    graph = {room: set(to) for room, to in arrows.items()}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    circles: list[list[str]] = []
    order: list[list[str]] = []

    def walk(v: str) -> None:
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in sorted(graph.get(v, ())):
            if w not in index:
                walk(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            group = []
            while True:
                w = stack.pop()
                group.append(w)
                if w == v:
                    break
            order.append(group)
            if len(group) > 1:
                circles.append(sorted(group))

    for room in sorted(graph):
        if room not in index:
            walk(room)
    level: dict[str, int] = {}
    for group in order:
        below = [level[w] for v in group for w in graph.get(v, ()) if w not in group]
        for v in group:
            level[v] = max(below, default=-1) + 1
    return level, circles


if __name__ == "__main__":
    for layer in LAYERS:
        arrows = imports(layer)
        level, circles = floors(arrows)
        count = sum(len(to) for to in arrows.values())
        height = max(level.values(), default=0) + 1
        print(f"{layer}: {len(level)} rooms, {count} arrows, {height} floors, {len(circles)} circles")
        for room in sorted(level, key=lambda r: (-level[r], r)):
            print(f"  {level[room]} {room} -> {', '.join(sorted(arrows[room])) or '-'}")
        for circle in circles:
            print("  CIRCLE", circle)
