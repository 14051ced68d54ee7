"""A calculator as a tool: exact fractions, and nothing that a text could make it do besides.

Idea      Models write arithmetic well and do it badly, so they get a tool for it. What a model writes is not trusted: the text is parsed,
          and only numbers, four signs, powers, remainders and parentheses are computed, on fractions, so no digit is lost. Powers have a
          limit, since three characters can ask for a number of a billion digits.
Equation  value(tree) = op(value(left), value(right)) over ℚ
Paper     K. Cobbe et al., "Training verifiers to solve math word problems", arXiv 2110.14168: annotations that call a calculator.
Cost      O(nodes · digits²).
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from fractions import Fraction

LONGEST, BITS = 500, 1000  # characters of an expression; bits of a number, which a float still holds
DECIMAL = re.compile(r"(?:\d[\d_]*)?\.?\d*(?:[eE][+-]?\d+)?")
_BINARY: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction | int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def calculator(expression: str) -> str:
    """Computes an expression of numbers, + - * / // % ** and parentheses, exactly."""
    value = evaluate(expression)
    return str(value.numerator) if value.denominator == 1 else f"{value} ≈ {float(value):.6g}"


def evaluate(expression: str) -> Fraction:
    """The value of an expression. Raises ValueError, with a sentence, for one that is no arithmetic, too long or too large."""
    text = expression.strip()
    if len(text) > LONGEST:
        raise ValueError(f"The expression has {len(text)} characters, and {LONGEST} are the most: split it.")
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise ValueError(f"“{text}” is no expression: write numbers, signs and parentheses.") from error
    return _value(tree.body, text)


def _value(node: ast.expr, text: str) -> Fraction:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _number(ast.get_source_segment(text, node) or "")
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, text)
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return _value(inner, text)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left, text), _value(right, text))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _BINARY:
            return _joined(_BINARY[type(sign)], _value(left, text), _value(right, text))
    raise ValueError(f"“{ast.unparse(node)}” is not arithmetic: write numbers, + - * / // % ** and parentheses only.")


def _number(text: str) -> Fraction:
    """A number as it is written, all of its digits; its exponent is looked at before it makes a number."""
    if not DECIMAL.fullmatch(text):
        raise ValueError(f"“{text}” is not a decimal number: write it with digits, a point and an exponent.")
    if abs(int(text.lower().partition("e")[2] or 0)) > BITS:
        raise ValueError(f"{text} is too large or too small a number: use one nearer to 1.")
    return _bounded(Fraction(text))


def _joined(sign: Callable[[Fraction, Fraction], Fraction | int], left: Fraction, right: Fraction) -> Fraction:
    try:
        return _bounded(Fraction(sign(left, right)))
    except ZeroDivisionError as error:
        raise ValueError("This divides by zero, which has no value: check the divisor.") from error


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        raise ValueError(f"A power of {exponent} has no exact value here: use a whole exponent.")
    if base == 0 and exponent < 0:
        raise ValueError("A negative power of zero has no value: check the base.")
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(base) not in {0, 1} and bits * abs(exponent) > 2 * BITS:
        raise ValueError(f"{base} to the power of {exponent} is too large a number: use smaller ones.")
    return _bounded(Fraction(base ** int(exponent)))


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > BITS:
        raise ValueError("The result is too large a number: use smaller ones.")
    return value
