"""The size of a class: the attributes of an instance, and its public and private methods."""

import ast
from collections.abc import Iterator

ATTRIBUTES_MAX = 12
METHODS_MAX = 15


def excess(node: ast.ClassDef, *, is_document: bool) -> Iterator[str]:
    """Yield each bound that a class exceeds; a document may have any number of fields."""
    attributes, methods = attributes_of(node), methods_of(node)
    if len(attributes) > ATTRIBUTES_MAX and not is_document:
        yield f"{len(attributes)} attributes, over {ATTRIBUTES_MAX}"
    if len(methods) > METHODS_MAX:
        yield f"{len(methods)} methods, over {METHODS_MAX}"


def attributes_of(node: ast.ClassDef) -> set[str]:
    """Return the fields that a class declares, and the attributes that its methods assign on self."""
    declared = {
        field.target.id
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }
    return declared | {
        leaf.attr
        for leaf in ast.walk(node)
        if isinstance(leaf, ast.Attribute) and isinstance(leaf.ctx, ast.Store) and _is_self(leaf.value)
    }


def methods_of(node: ast.ClassDef) -> list[str]:
    """Return the methods and properties of a class, without those that Python calls by itself."""
    names = [method.name for method in node.body if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [name for name in names if not (name.startswith("__") and name.endswith("__"))]


def _is_self(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id == "self"
