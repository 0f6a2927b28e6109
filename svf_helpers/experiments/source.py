"""A fingerprint of the code that an experiment rests on: two runs with the same one may share checkpoints.

Comments, docstrings and layout do not count, and neither does what the run never reaches: the hash covers the run's
function, what it names in its own module, and the modules of this package that these import, all the way down.
"""

import ast
import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from pathlib import Path

PACKAGE = "svf_helpers"
#: Starting and storing a run changes no number in it.
MACHINERY = f"{PACKAGE}.experiments"


def code_hash(run: Callable) -> str:
    """Sixteen hexadecimal digits that change when the code behind ``run`` does; ``""`` where no source is at hand.

    >>> len(code_hash(code_hash)), code_hash(len)
    (16, '')
    """
    try:
        run = inspect.unwrap(run)
        source = inspect.getsourcefile(run)
        if source is None:
            return ""
        tree = ast.parse(Path(source).read_text(encoding="utf-8"))
    except (OSError, TypeError):
        return ""
    texts = {"": _reached(tree, run.__name__)}
    todo = _imports(texts[""], run.__module__)
    while todo:
        module = todo.pop()
        file = _file(module)
        if module in texts or f"{module}.".startswith(f"{MACHINERY}.") or file is None:
            continue
        texts[module] = ast.parse(file.read_text(encoding="utf-8")).body
        todo |= _imports(texts[module], f"{module}." if file.name == "__init__.py" else module)
    digest = hashlib.sha256()
    for module in sorted(texts):
        digest.update(f"\n# {module}\n{_plain(texts[module])}".encode())
    return digest.hexdigest()[:16]


def _reached(tree: ast.Module, start: str) -> list[ast.stmt]:
    """The top-level statements of a module that the function ``start`` uses, itself included; all, if it is nested."""
    binds: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for name in _bound(statement):
            binds.setdefault(name, []).append(statement)
    if start not in binds:
        return tree.body
    reached: list[ast.stmt] = []
    todo = [start]
    while todo:
        for statement in binds.pop(todo.pop(), []):
            if statement not in reached:
                reached.append(statement)
                if isinstance(statement, ast.FunctionDef) and statement.name == start:
                    statement.decorator_list = []  # registered with other figures or seconds, it gives the same numbers
                todo += [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)]
    return sorted(reached, key=lambda statement: statement.lineno)


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a top-level statement defines."""
    for node in ast.walk(statement):
        if isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name


def _imports(statements: Iterable[ast.stmt], module: str) -> set[str]:
    """Modules of this package that the statements of ``module`` import; a package's own name ends in a dot here."""
    found: set[str] = set()
    for node in (node for statement in statements for node in ast.walk(statement)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")[: -node.level]
                base = ".".join(parents + ([base] if base else []))
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith(f"{PACKAGE}.")}


def _file(module: str) -> Path | None:
    """The file of a module of this package, found without importing it."""
    place = Path(str(resources.files(PACKAGE))).joinpath(*module.split(".")[1:])
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def _plain(statements: Iterable[ast.stmt]) -> str:
    """The statements' code without comments, docstrings and layout."""
    tree = ast.parse(ast.unparse(ast.Module(list(statements), [])))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            body = [
                part for part in node.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            ]
            node.body = body or [ast.Pass()]
    return ast.unparse(tree)
