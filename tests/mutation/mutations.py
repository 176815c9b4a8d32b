"""Small changes of a source file, each of which a test should notice."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
"""What each operator becomes. The bound of `<` moves: its direction is tested more often."""
ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "*",
}
FUNCTIONS = {"any": "all", "all": "any", "min": "max", "max": "min"}
EXCEPTIONS = {"BaseException": "Exception", "Exception": "()"}
LOGGING = {"debug", "info", "warning", "error", "exception"}
"""Methods whose calls are not removed: what is logged is tested in another place."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Mutation:
    """A change of one place of a file."""

    kind: str
    line: int
    """First line of the changed place, counted from 1."""
    lines: range
    """Lines of the statement that contains it: a test that runs none of them cannot notice."""
    start: int
    """Offset of the changed place in the file's bytes."""
    end: int
    text: str
    """What replaces it."""

    def apply(self, source: bytes) -> bytes:
        """Return the changed file."""
        return source[: self.start] + self.text.encode() + source[self.end :]


def mutations_of(source: bytes) -> list[Mutation]:
    """Return all mutations of the functions of a file, in the order of the file.

    Constants of a module, defaults of parameters, annotations, texts, assertions and calls of the
    log are not changed.
    """
    found: dict[tuple[int, int, str], Mutation] = {}
    offsets = _line_offsets(source)
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, Function):
            for statement in _statements(function.body):
                for mutation in _Reader(source, offsets, function, statement).mutations():
                    found.setdefault((mutation.start, mutation.end, mutation.text), mutation)
    return sorted(found.values(), key=lambda mutation: (mutation.start, mutation.end))


def _line_offsets(source: bytes) -> list[int]:
    offsets = [0]
    for line in source.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    return offsets


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Return the statements of a function, without those of functions and classes inside it."""
    for statement in body:
        if isinstance(statement, (Function, ast.ClassDef)):
            continue
        yield statement
        for name in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(statement, name, []))
        for handler in getattr(statement, "handlers", []):
            yield from _statements(handler.body)
        for case in getattr(statement, "cases", []):
            yield from _statements(case.body)


class _Reader:
    """Finds the mutations of one statement, without those of the statements inside it."""

    def __init__(
        self, source: bytes, offsets: list[int], function: Function, statement: ast.stmt
    ) -> None:
        self._source = source
        self._offsets = offsets
        self._function = function
        self._statement = statement

    def mutations(self) -> Iterator[Mutation]:
        statement = self._statement
        if isinstance(statement, ast.Assert) or _is_documentation(statement) or _logs(statement):
            return
        if self._is_removable():
            yield self._mutation("statement removed", statement, "pass")
        if isinstance(statement, (ast.If, ast.While)):
            yield from self._negated(statement.test)
        for handler in getattr(statement, "handlers", []):
            yield from self._handler_mutations(handler)
        for part in _parts(self._statement):
            for node in ast.walk(part):
                yield from self._expression_mutations(node)

    def _is_removable(self) -> bool:
        """Whether the function can do without the statement: what follows still has its names."""
        match self._statement:
            case ast.Expr(value=ast.Call() | ast.Await()) | ast.Raise() | ast.Delete():
                return True
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                return self._function.name != "__init__"
            case ast.AugAssign():
                return True
        return False

    def _handler_mutations(self, handler: ast.ExceptHandler) -> Iterator[Mutation]:
        match handler.type:
            case ast.Tuple(elts=kinds):
                for kind in kinds:
                    yield self._mutation("exception not handled", kind, "()")
            case ast.Name(id=name) as kind:
                yield self._mutation("exception not handled", kind, EXCEPTIONS.get(name, "()"))
            case ast.expr() as kind:
                yield self._mutation("exception not handled", kind, "()")

    def _expression_mutations(self, node: ast.AST) -> Iterator[Mutation]:
        match node:
            case ast.BoolOp(op=operator, values=values):
                other = " or " if isinstance(operator, ast.And) else " and "
                yield self._mutation("and, or", node, f"({other.join(map(self._text, values))})")
                yield from self._operands_removed(node)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield self._mutation("not removed", node, f"({self._text(operand)})")
            case ast.IfExp(test=test):
                yield from self._negated(test)
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                text = f"({self._text(left)} {COMPARISONS[type(operator)]} {self._text(right)})"
                yield self._mutation("comparison", node, text)
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in ARITHMETIC:
                text = f"({self._text(left)} {ARITHMETIC[type(operator)]} {self._text(right)})"
                yield self._mutation("arithmetic", node, text)
            case ast.Call(func=ast.Name(id=name) as function) if name in FUNCTIONS:
                yield self._mutation("function", function, FUNCTIONS[name])
            case ast.Constant(value=bool() as value):
                yield self._mutation("constant", node, str(not value))
            case ast.Constant(value=int() as value):
                yield self._mutation("constant", node, str(value + 1))

    def _operands_removed(self, node: ast.BoolOp) -> Iterator[Mutation]:
        for removed in node.values:
            kept = [self._text(value) for value in node.values if value is not removed]
            operator = " and " if isinstance(node.op, ast.And) else " or "
            yield self._mutation("operand removed", node, f"({operator.join(kept)})")

    def _negated(self, test: ast.expr) -> Iterator[Mutation]:
        match test:
            case ast.UnaryOp(op=ast.Not()):  # `not removed` is the same change
                return
            case ast.Compare(ops=[ast.Eq() | ast.NotEq() | ast.Is() | ast.IsNot()]):
                return  # and so is `comparison`
            case ast.Compare(ops=[ast.In() | ast.NotIn()]):
                return
        yield self._mutation("condition negated", test, f"(not {self._text(test)})")

    def _mutation(self, kind: str, node: ast.expr | ast.stmt, text: str) -> Mutation:
        start, end = self._span(node)
        body = getattr(self._statement, "body", None)
        if body:  # an execution of the statements inside it says nothing
            lines = range(node.lineno, max((node.end_lineno or 0) + 1, node.lineno + 1))
        else:
            lines = range(self._statement.lineno, (self._statement.end_lineno or 0) + 1)
        return Mutation(kind, node.lineno, lines, start, end, text)

    def _text(self, node: ast.expr) -> str:
        start, end = self._span(node)
        text = self._source[start:end].decode()
        return text if isinstance(node, ast.Name) else f"({text})"

    def _span(self, node: ast.AST) -> tuple[int, int]:
        lines = self._offsets
        start: int = lines[node.lineno - 1] + node.col_offset  # pyrefly: ignore[missing-attribute]
        end: int = lines[node.end_lineno - 1] + node.end_col_offset  # pyrefly: ignore[missing-attribute]
        return start, end


def _parts(statement: ast.stmt) -> Iterator[ast.AST]:
    """Return the expressions of a statement, without those of the statements inside it."""
    match statement:
        case ast.If(test=test) | ast.While(test=test):
            yield test
        case ast.For(iter=iterable) | ast.AsyncFor(iter=iterable):
            yield iterable
        case ast.With(items=items) | ast.AsyncWith(items=items):
            yield from (item.context_expr for item in items)
        case ast.Match(subject=subject, cases=cases):
            yield subject
            yield from chain(case.guard for case in cases if case.guard is not None)
        case ast.AnnAssign(value=value):
            yield from [] if value is None else [value]
        case ast.Try():
            pass
        case _:
            yield from ast.iter_child_nodes(statement)


def _is_documentation(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _logs(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=method))):
            return method in LOGGING
    return False
