"""The size of `schema/` for an auditor: lines of code, and all lines with tables of rules, words and patterns."""

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator, Mapping

CODE_LINES_MAX = 600  # Code that decides about a batch,
TERMS_CODE_LINES_MAX = 400  # and code that decides about a new term.
TERMS = frozenset(f"schema/{name}.py" for name in ("gauntlet", "learning", "letters", "lexicon", "reading"))
LINES_MAX = 2_000  # All lines, with tables and word lists, but without the catalogue and SQL.
LINE_CHARS = 120  # A longer line counts once for each time it fills this many.
# Functions that turn data into code, with which logic could hide in a table or a word list.
LOADERS = {"eval", "exec", "compile", "__import__"}
LOADING_MODULES = {"builtins", "ctypes", "importlib", "marshal", "pickle", "runpy", "types"}


def excess(texts: Mapping[str, str]) -> Iterator[str]:
    """Yield each count over a bound that README.md promises, given the files of `schema/` by name."""
    code = {name: code_lines(text) for name, text in texts.items() if name.endswith(".py")}
    terms = sum(lines for name, lines in code.items() if name in TERMS)
    batches = sum(code.values()) - terms
    lines = sum(map(lines_read, texts.values()))
    for what, count, count_max in (
        ("code for batches", batches, CODE_LINES_MAX),
        ("code for new terms", terms, TERMS_CODE_LINES_MAX),
        ("text in all", lines, LINES_MAX),
    ):
        if count > count_max:
            yield f"schema/ has {count} lines of {what}; an auditor was promised {count_max}"


def lines_read(text: str) -> int:
    """Count the lines of a file as shown on a screen."""
    return sum(_height(line) for line in text.splitlines())


def code_lines(source: str) -> int:
    """Count the lines of code in a Python file, with docstrings, but without blank lines, comments and tables.

    A table is a module-level assignment over several lines of a display whose leaves are constants. Entries may call
    `frozenset`, `re.compile`, `str.split`, and names that the file defines or imports from `schema/`, with constant
    arguments: the called functions are counted as code in their own files.
    """
    lines = source.splitlines()
    tree = ast.parse(source)
    inside = {number for node in _tables(tree) for number in range(node.lineno + 1, (node.end_lineno or 0) + 1)}
    return sum(_height(lines[number - 1]) for number in _written(source) - inside)


def loaders(tree: ast.AST) -> Iterator[str]:
    """Yield each name that could turn a table's data into code."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) if name in LOADERS:
                yield name
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name.split(".")[0] in LOADING_MODULES)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in LOADING_MODULES:
                yield module


def _written(source: str) -> set[int]:
    """Return the numbers of the lines that hold more than blanks and a comment."""
    empty = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {number for token in tokens if token.type not in empty for number in range(token.start[0], token.end[0] + 1)}


def _height(line: str) -> int:
    return max(1, -(-len(line) // LINE_CHARS))


def _tables(tree: ast.Module) -> Iterator[ast.stmt]:
    makers = {name for node in tree.body for name in _defined(node)}
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Tuple | ast.List | ast.Set | ast.Dict | ast.Call) and _is_data(value, makers):
            yield node


def _defined(node: ast.stmt) -> Iterable[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.ImportFrom(names=names, level=1):
            return [alias.asname or alias.name for alias in names]
    return []


def _is_data(node: ast.expr | None, makers: set[str]) -> bool:
    match node:
        case ast.Constant():
            return True
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            return True
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return all(_is_data(part, makers) for part in parts)
        case ast.Dict(keys=keys, values=values):
            return all(_is_data(part, makers) for part in (*keys, *values))
        case ast.Call(func=function, args=args, keywords=keywords):
            inputs = (*args, *(keyword.value for keyword in keywords))
            return _is_maker(function, makers) and all(_is_data(part, makers) for part in inputs)
    return False


def _is_maker(function: ast.expr, makers: set[str]) -> bool:
    match function:
        case ast.Name(id=name):
            return name == "frozenset" or name in makers
        case ast.Attribute(value=ast.Constant(value=str()), attr="split"):
            return True
        case ast.Attribute(value=ast.Name(id="re"), attr="compile"):
            return True
    return False
