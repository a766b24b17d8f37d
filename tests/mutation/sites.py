"""Where the guards are: each `if` that refuses, each assertion, each call that checks and returns nothing of use.

kind      what the mutant does
remove    the guard never refuses
operand   one side of an `and` or `or` in a guard, or in what a yes-or-no function returns, is left out
call      a check is called, and what it raises is dropped
edge      `<` becomes `<=` in a guard, and so on
bound     the right side of a comparison in a guard is one more or one less, towards what was refused
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("protocols", "parties", "mpc_cde/life_cycles", "mpc_cde/documents")
LEFT_OUT = frozenset({"protocols/kernel_loops.py"})
"""Compiled by numba, which knows no switches; it holds no guard."""

KINDS = ("remove", "operand", "call", "edge", "bound")
_CHECKS = re.compile(r"^_*(verify|check|require|refuse|ensure|forbid|confirm|same|compare)(_|$)")
_OPENS = re.compile(r"^open(_|$)")
"""What is opened in parties/ and not used was opened to see whether its signatures hold; in protocols/ it reveals."""
_REFUSALS = re.compile(r"^_*(no$|refus|withhold|withheld)", re.IGNORECASE)
_FAULTS = re.compile(r"fault|refusal|problem|error", re.IGNORECASE)
_ORDERS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


@dataclass(frozen=True, slots=True)
class Site:
    """One place and what its mutant does. `switch` names it at run time, `key` in results, where lines may move."""

    file: str
    line: int
    function: str
    kind: str
    text: str
    occurrence: int
    switch: str
    function_text: str

    @property
    def key(self) -> str:
        return f"{self.file}::{self.function}::{self.kind}::{self.text}::{self.occurrence}"

    def describe(self) -> str:
        return f"{self.file}:{self.line} {self.function}: {self.kind} {self.text}"


def modules(tree: Path) -> list[str]:
    """Paths of all modules with switches, relative to the tree."""
    found = [p.relative_to(tree).as_posix() for package in PACKAGES for p in (tree / package).glob("*.py")]
    return sorted(set(found) - LEFT_OUT)


def rewrite(source: str, file: str) -> tuple[ast.Module, list[Site]]:
    """The module with a switch at every site, and the sites in the order of their switches."""
    writer = _Writer(source, file)
    tree = writer.visit(ast.parse(source, filename=file))
    return ast.fix_missing_locations(tree), writer.sites


class _Writer(ast.NodeTransformer):
    def __init__(self, source: str, file: str) -> None:
        self.sites: list[Site] = []
        self._file = file
        self._scopes: list[tuple[str, str, bool]] = [("", "", False)]
        self._seen: Counter[tuple[str, str, str]] = Counter()

    # -- scopes ---------------------------------------------------------------------------------------------------

    def _scope(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> ast.AST:
        name, _, _ = self._scopes[-1]
        answers = not isinstance(node, ast.ClassDef) and _is_bool(node.returns)
        self._scopes.append((f"{name}.{node.name}".lstrip("."), ast.unparse(node), answers))
        node.body = [self.visit(statement) for statement in node.body]
        self._scopes.pop()
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._scope(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._scope(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._scope(node)

    # -- guards ---------------------------------------------------------------------------------------------------

    def visit_If(self, node: ast.If) -> ast.AST:
        if _refuses(node.body[-1], self._file):
            whole = self._switch("remove", node.test)
            node.test = _call("__removed__", node, whole, self._condition(node.test))
        node.body = [self.visit(statement) for statement in node.body]
        node.orelse = [self.visit(statement) for statement in node.orelse]
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        whole = self._switch("remove", node.test)
        node.test = _call("__granted__", node, whole, self._condition(node.test))
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        if self._scopes[-1][2] and isinstance(node.value, ast.BoolOp | ast.Compare):
            node.value = self._condition(node.value)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        value = node.value
        while isinstance(value, ast.Await | ast.YieldFrom):
            value = value.value
        if not isinstance(value, ast.Call):
            return node
        called = ast.unparse(value.func).rpartition(".")[2]
        verifies = self._file.startswith("parties/") and _OPENS.match(called)
        if not (_CHECKS.match(called) or verifies):
            return node
        name = self._switch("call", node.value)
        dropped = ast.If(
            ast.UnaryOp(ast.Not(), _call("__dropped__", node, name)), [ast.Raise(None, None)], []
        )
        handler = ast.ExceptHandler(ast.Name("Exception", ast.Load()), None, [dropped])
        passed = ast.copy_location(ast.Expr(_call("__passed__", node, name)), node)
        return ast.copy_location(ast.Try([passed, node], [handler], [], []), node)

    # -- parts of a condition ---------------------------------------------------------------------------------------

    def _condition(self, node: ast.expr) -> ast.expr:
        """The condition with a switch on each operand and each comparison in it."""
        if isinstance(node, ast.BoolOp):
            helper = "__granted__" if isinstance(node.op, ast.And) else "__removed__"
            values = []
            for operand in node.values:
                name = self._switch("operand", operand)
                values.append(_call(helper, node, name, self._condition(operand)))
            return ast.copy_location(ast.BoolOp(node.op, values), node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ast.copy_location(ast.UnaryOp(node.op, self._condition(node.operand)), node)
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        return node

    def _comparison(self, node: ast.Compare) -> ast.expr:
        order = [_ORDERS.get(type(operator)) for operator in node.ops]
        if None in order or any(not _is_repeatable(middle) for middle in node.comparators[:-1]):
            return node
        links: list[ast.expr] = []
        left = node.left
        for sign, right in zip(order, node.comparators, strict=True):
            text = f"{ast.unparse(left)} {sign} {ast.unparse(right)}"
            edge, bound = self._switch_text("edge", node, text), self._switch_text("bound", node, text)
            call = _call("__ordered__", node, edge, left, right)
            call.args[1:1] = [ast.Constant(bound), ast.Constant(sign)]
            links.append(call)
            left = right
        return links[0] if len(links) == 1 else ast.copy_location(ast.BoolOp(ast.And(), links), node)

    def _switch(self, kind: str, node: ast.expr) -> str:
        return self._switch_text(kind, node, ast.unparse(node))

    def _switch_text(self, kind: str, node: ast.expr, text: str) -> str:
        function, function_text, _ = self._scopes[-1]
        occurrence = self._seen[function, kind, text]
        self._seen[function, kind, text] += 1
        name = f"{self._file}#{len(self.sites)}"
        self.sites.append(
            Site(self._file, node.lineno, function, kind, text, occurrence, name, function_text)
        )
        return name


def _call(helper: str, at: ast.AST, name: str, *arguments: ast.expr) -> ast.Call:
    call = ast.Call(ast.Name(helper, ast.Load()), [ast.Constant(name), *arguments], [])
    return ast.copy_location(call, at)  # type: ignore[type-var]  # statements and expressions have locations


def _is_repeatable(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Constant | ast.Attribute)


def _is_bool(annotation: ast.expr | None) -> bool:
    return isinstance(annotation, ast.Name) and annotation.id == "bool"


def _refuses(last: ast.stmt, file: str) -> bool:
    """Whether the body of an `if` that ends so is a refusal."""
    match last:
        case ast.Raise():
            return True
        case ast.Continue():
            return file.startswith("parties/")
        case ast.Return(value=value):
            return value is not None and _is_refusal(value)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append" | "extend"))):
            return bool(_FAULTS.search(name))
        case ast.AugAssign(target=ast.Name(id=name)):
            return bool(_FAULTS.search(name))
        case _:
            return False


def _is_refusal(value: ast.expr) -> bool:
    match value:
        case ast.Constant(value=str() | False):
            return True
        case ast.JoinedStr():
            return True
        case ast.Tuple(elts=[first, *_]) | ast.List(elts=[first, *_]):
            return isinstance(first, ast.JoinedStr) or (
                isinstance(first, ast.Constant) and isinstance(first.value, str)
            )
        case ast.Call(func=function):
            return bool(_REFUSALS.match(ast.unparse(function).rpartition(".")[2]))
        case ast.Name(id=name):
            return bool(_FAULTS.search(name))
        case _:
            return False
