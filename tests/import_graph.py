"""Who imports whom: the imports of every file, those inside functions included."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

Graph = Mapping[str, set[str]]


def import_graph(root: Path, packages: tuple[str, ...]) -> dict[str, set[str]]:
    """Modules of `packages` below `root`, each with those of them that it imports.

    `from a.b import c` is an import of the module `a.b.c` where there is one, else of `a.b`.
    Imports for type checkers alone are left out: nothing is loaded by them.
    """
    files = [path for package in packages for path in (root / package).rglob("*.py")]
    modules = {module_name(path, root): path for path in files}
    return {
        name: {found for wanted in imports(path) if (found := _existing(wanted, modules))} - {name}
        for name, path in modules.items()
    }


def module_name(path: Path, root: Path) -> str:
    """Dotted name of the module in `path`; a package's is that of its folder."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, each with the name taken from it."""
    tree = ast.parse(path.read_text())
    for_types = {id(inner) for node in ast.walk(tree) if _is_for_types(node)
                 for inner in ast.walk(node)}  # fmt: skip
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def taken_by(path: Path) -> Iterator[tuple[str, str]]:
    """Modules that a file imports, for types too, each with a name taken from it ("" for none)."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _existing(wanted: str, modules: Mapping[str, Path]) -> str:
    """The longest start of a dotted name that is a module, "" for none of them."""
    parts = wanted.split(".")
    names = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((name for name in names if name in modules), "")


def rooms(graph: Graph) -> dict[str, set[str]]:
    """The same graph between folders: a module belongs to that of its file."""
    folders: dict[str, set[str]] = {}
    packages = {name for name in graph if any(other.startswith(f"{name}.") for other in graph)}

    def room(name: str) -> str:
        return name if name in packages else name.rpartition(".")[0]

    for name, imported in graph.items():
        own = room(name)
        folders.setdefault(own, set()).update(room(other) for other in imported)
    return {name: others - {name} for name, others in folders.items()}


def siblings(graph: Graph) -> dict[str, set[str]]:
    """The graph of rooms without what leads from a room to one that it is in, or back."""
    return {
        name: {o for o in others if not f"{name}.".startswith(f"{o}.")
               and not f"{o}.".startswith(f"{name}.")}
        for name, others in graph.items()
    }  # fmt: skip


def circles(graph: Graph) -> list[list[str]]:
    """One way round for every knot of modules that import one another, the shortest one."""
    found: list[list[str]] = []
    seen: set[str] = set()
    for name in sorted(graph):
        if name not in seen and (way := _way_back(name, graph)):
            found.append(way)
            seen.update(way)
    return found


def _way_back(start: str, graph: Graph) -> list[str]:
    """Shortest chain of imports from a module to itself; empty where there is none."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:  # grows while it is walked: breadth first
        for other in sorted(graph.get(way[-1], ())):
            if other == start:
                return [*way, start]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []
