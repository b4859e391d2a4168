"""How much of `schema/` an auditor reads: lines of code, and of all with its tables of rules, words and patterns."""

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator, Mapping

CODE_LINES_MAX = 600  # Of what decides about a batch,
TERMS_CODE_LINES_MAX = 400  # and of what decides about a new term.
TERMS = frozenset(f"schema/{name}.py" for name in ("gauntlet", "learning", "letters", "lexicon", "reading"))
LINES_MAX = 2_000  # With tables and word lists; all but the catalogue and SQL.
LINE_CHARS = 120  # A longer line counts as often as it fills this many.
# What turns data into code, so that logic could hide in a table or a word list.
LOADERS = {"eval", "exec", "compile", "__import__"}
LOADING_MODULES = {"builtins", "ctypes", "importlib", "marshal", "pickle", "runpy", "types"}


def excess(texts: Mapping[str, str]) -> Iterator[str]:
    """Yield what is over a bound that README.md promises, of the texts of `schema/` by name."""
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
    """Count the lines of a file as somebody reads them on a screen."""
    return sum(_height(line) for line in text.splitlines())


def code_lines(source: str) -> int:
    """Count the lines of code in a Python file: blank ones and comments are not, docstrings are, tables are not.

    A table is an assignment in a module's body, over more than one line, of a display whose leaves are constants. Its
    entries may be calls of `frozenset`, `re.compile`, `str.split`, and of names that the file itself defines or takes
    from `schema/`, with constants for arguments: what they do with them is code, and counted where it stands.
    """
    lines = source.splitlines()
    tree = ast.parse(source)
    inside = {number for node in _tables(tree) for number in range(node.lineno + 1, (node.end_lineno or 0) + 1)}
    return sum(_height(lines[number - 1]) for number in _written(source) - inside)


def loaders(tree: ast.AST) -> Iterator[str]:
    """Yield what could turn a table's data into code."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) if name in LOADERS:
                yield name
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name.split(".")[0] in LOADING_MODULES)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in LOADING_MODULES:
                yield module


def _written(source: str) -> set[int]:
    """Return the numbers of the lines that have more than blanks and a comment."""
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
