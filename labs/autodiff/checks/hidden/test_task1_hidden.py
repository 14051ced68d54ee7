"""Task 1, hidden checks: the corners of each rule, and what holds for all of them."""

from __future__ import annotations

import numpy as np
import pytest
from answers import all_close, field, listed
from cases import CASES, away_from_zero, names_of
from oracles import FORWARD, complex_step_vjp, index_of

pytestmark = [pytest.mark.task("1"), pytest.mark.hidden]
EVERY_RULE = tuple(CASES)


@pytest.fixture
def check_rule(student, rng, expect):
    """`check_rule(op, *inputs, want=…, **parameters)`: one rule, with a random cotangent, against `want(cotangent)` or the complex step."""

    def check(op, *inputs, want=None, tolerance=1e-9, **parameters):
        def forward(*arrays):
            return FORWARD[op](*arrays, **parameters)

        cotangent = np.asarray(rng.normal(size=np.shape(forward(*inputs))))
        expected = complex_step_vjp(forward, inputs, cotangent) if want is None else want(cotangent)
        got = student.call("rule", op=op, inputs=list(inputs), cotangent=cotangent, parameters=parameters)
        found = field(expect, got, "gradients")
        all_close(expect, found, expected, names_of(op), rtol=tolerance, atol=min(1e-9, tolerance))

    return check


@pytest.mark.points(0.5)
@pytest.mark.hint(
    "Give each operand the sign and the size of its own derivative, for 0-d and for empty arrays too.", handout="1.4"
)
def test_sub_at_every_shape(rng, check_rule):
    """sub: 0-d, empty and large values"""
    for shape in ((), (0,), (3, 0, 2), (4, 5)):
        inputs = [np.asarray(rng.normal(size=shape)) * 1e8 for _ in range(2)]
        check_rule("sub", *inputs, want=lambda cotangent: [cotangent, -cotangent])


@pytest.mark.points(1)
@pytest.mark.hint("x / x is 1 whatever x is, so the two gradients of the same operand cancel.", handout="1.4")
def test_div_by_itself_and_by_negatives(student, rng, expect, check_rule):
    """div: x / x, and negative and small divisors"""
    x = away_from_zero(rng, (3, 4)) * rng.choice([-1.0, 1.0], size=(3, 4))
    cotangent = rng.normal(size=(3, 4))
    got = student.call("repeated_operand", op="div", x=x, cotangent=cotangent)
    expect.close(got, np.zeros((3, 4)), what="gradient of x / x", atol=1e-12)
    small = away_from_zero(rng, (5,)) * 1e-3
    check_rule("div", rng.normal(size=5), -small, tolerance=1e-12)
    check_rule("div", np.asarray(0.5), np.asarray(rng.uniform(1, 2)))


@pytest.mark.points(1)
@pytest.mark.hint(
    "x⁰ is constant, also at x = 0; and a negative base with a whole exponent is fine as long as no logarithm is taken.",
    handout="1.4",
)
def test_pow_at_zero_and_below(rng, check_rule):
    """pow: exponents 0, 1 and 2 at x = 0, and negative bases"""
    x = np.concatenate([[0.0], -away_from_zero(rng, (3,)), away_from_zero(rng, (2,))])
    check_rule("pow", x, exponent=0.0, want=lambda g: [g * 0.0])
    check_rule("pow", x, exponent=1.0, want=lambda g: [g])
    check_rule("pow", x, exponent=2.0, want=lambda g: [2.0 * x * g])
    check_rule("pow", x[1:], exponent=-3.0, want=lambda g: [-3.0 * g / x[1:] ** 4])
    check_rule("pow", np.zeros((0, 2)), exponent=0.5)


@pytest.mark.points(0.5)
@pytest.mark.hint(
    "Divide the cotangent by x itself; and use the output of tanh, which stays exact where tanh saturates.",
    handout="1.4",
)
def test_log_and_tanh_far_out(rng, check_rule):
    """log and tanh: tiny and huge arguments, 0-d, empty"""
    tiny = 10.0 ** rng.uniform(-200, 200, size=5)
    check_rule("log", tiny, want=lambda g: [g / tiny], tolerance=1e-13)
    far = np.concatenate([rng.normal(size=3), [-30.0, 30.0, 800.0]])
    check_rule("tanh", far, want=lambda g: [g * (1 - np.tanh(far) ** 2)], tolerance=1e-12)
    for op in ("log", "tanh"):
        check_rule(op, np.asarray(rng.uniform(1, 2)))
        check_rule(op, np.zeros((2, 0)))


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "Sum over an axis exactly when it is new or was stretched; stretched to size 0 counts, and 1 to 1 is not stretched.",
    handout="1.5",
)
def test_broadcasting(student, rng, expect, check_rule):
    """broadcast_to: both sides, new axes, 0-d, sizes 0 and 1"""
    for a, b in (((4, 1), (3,)), ((2, 1, 3), (5, 1)), ((1,), (2, 2)), ((), (3, 2))):
        inputs = [np.asarray(rng.normal(size=shape)) for shape in (a, b)]
        cotangent = rng.normal(size=np.broadcast_shapes(a, b))
        want = complex_step_vjp(lambda x, y: x * y, inputs, cotangent)
        got = student.call("broadcast_operands", op="mul", a=inputs[0], b=inputs[1], cotangent=cotangent)
        all_close(expect, field(expect, got, "gradients"), want, ("gradient of a", "gradient of b"))
    for old, new in (((1, 3), [0, 3]), ((1, 3), [2, 1, 3]), ((), []), ((1, 1), [1, 1]), ((2, 1), [2, 4])):
        check_rule("broadcast_to", np.asarray(rng.normal(size=old)), shape=new)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Reshape the cotangent to kept_shape(x.shape, axis) whatever axis is, then broadcast it.", handout="1.5"
)
def test_sum_over_every_kind_of_axis(rng, check_rule):
    """sum: all axes, negative and several axes, keepdims, empty axes"""
    for shape, axis in (
        ((3, 4), None),
        ((2, 3, 4), -2),
        ((2, 3, 4), [0, -1]),
        ((), None),
        ((0, 3), 0),
        ((4, 4), 0),
        ((2, 3), []),
    ):
        for keepdims in (False, True):
            x = np.asarray(rng.normal(size=shape))
            check_rule("sum", x, axis=axis, keepdims=keepdims)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Count the elements that equal the maximum in their slice and give each the same share, so that the shares add up to 1.",
    handout="1.6",
)
def test_max_shares_ties(rng, check_rule):
    """max: ties share the cotangent equally"""
    for shape, axis, over in (
        ((4, 6), 1, 1),
        ((6, 4), -2, 0),
        ((2, 3, 4), [0, 2], (0, 2)),
        ((3, 5), None, None),
        ((), None, None),
    ):
        x = np.asarray(rng.integers(0, 3, size=shape), dtype=np.float64)
        won = (x == x.max(axis=over, keepdims=True)).astype(float)
        shares = won / won.sum(axis=over, keepdims=True)
        kept = x.max(axis=over, keepdims=True).shape
        for keepdims in (False, True):
            check_rule("max", x, axis=axis, keepdims=keepdims, want=lambda g, s=shares, k=kept: [g.reshape(k) * s])


@pytest.mark.points(0.5)
@pytest.mark.hint(
    "The adjoint uses the inverse permutation; numpy's argsort of a permutation is its inverse.", handout="1.7"
)
def test_transpose_of_four_axes(rng, check_rule):
    """transpose: permutations of up to four axes, empty and 0-d"""
    for shape, axes in (
        ((2, 3, 4, 5), [int(i) for i in rng.permutation(4)]),
        ((2, 3, 4), [1, 2, 0]),
        ((0, 2), [1, 0]),
        ((), []),
    ):
        check_rule("transpose", np.asarray(rng.normal(size=shape)), axes=axes)


@pytest.mark.points(1)
@pytest.mark.hint(
    "`result[index] = values` keeps one of several cotangents for the same place; `np.add.at` adds them all.",
    handout="1.7",
)
def test_getitem_adds_up_repeated_indices(student, rng, expect):
    """getitem: repeated indices add up; slices, masks and new axes"""
    rows = rng.integers(0, 4, size=9)
    for index in (
        [rows],
        [rows.reshape(3, 3), rng.integers(0, 3, size=(3, 3))],
        [{"start": None, "stop": None, "step": -1}],
        [int(rng.integers(4)), int(rng.integers(3))],
        [np.array([True, False, True, True])],
        [None, {"start": 4, "stop": 4, "step": None}],
    ):
        x = rng.normal(size=(4, 3))
        cotangent = np.asarray(rng.normal(size=np.shape(x[index_of(index)])))
        want = np.zeros_like(x)
        np.add.at(want, index_of(index), cotangent)
        call = {"op": "getitem", "inputs": [x], "cotangent": cotangent, "parameters": {"index": index}}
        all_close(expect, field(expect, student.call("rule", **call), "gradients"), [want], names_of("getitem"))


@pytest.mark.points(1)
@pytest.mark.hint(
    "Transpose the last two axes only, and keep the order of the product: matrices do not commute.", handout="1.7"
)
def test_matmul_in_batches(rng, check_rule):
    """matmul: square matrices, batches, size 0 and 1"""
    for a, b in (
        ((3, 3), (3, 3)),
        ((2, 4, 3), (2, 3, 5)),
        ((2, 2, 1, 3), (2, 2, 3, 1)),
        ((2, 0), (0, 3)),
        ((0, 2, 3), (0, 3, 2)),
    ):
        check_rule("matmul", *(np.asarray(rng.normal(size=shape)) for shape in (a, b)))


@pytest.mark.points(1)
@pytest.mark.hint(
    "Sum along the operation's own axis, and keep that axis so that the result still lines up.", handout="1.8"
)
def test_softmax_along_any_axis(rng, check_rule):
    """softmax: any axis, large values, a single entry"""
    for shape, axis in (((4, 3), 0), ((2, 3, 4), 1), ((3, 3), -2), ((5,), 0), ((3, 1), -1), ((0, 3), -1)):
        x = np.asarray(rng.normal(size=shape)) + rng.choice([0.0, 1000.0, -1000.0])
        check_rule("softmax", x, axis=axis)


@pytest.mark.points(1)
@pytest.mark.hint("exp(x − y) never overflows, as y is at least the largest x; exp(x) alone does.", handout="1.8")
def test_logsumexp_without_overflow(rng, check_rule):
    """logsumexp: values near ±1000, every kind of axis"""
    for shape, axis in (((3, 4), None), ((3, 4), -1), ((2, 3, 4), [0, 2]), ((4, 4), 0), ((), None)):
        for keepdims, shift in ((False, 1000.0), (True, -1000.0), (False, 0.0)):
            x = np.asarray(rng.normal(size=shape) + shift)
            check_rule("logsumexp", x, axis=axis, keepdims=keepdims)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Weight and bias were used in every row, so their gradients sum over all axes but the last; with no rows there is nothing to sum.",
    handout="1.8",
)
def test_layer_norm_over_batches(rng, check_rule):
    """layer_norm: a vector, batches, no rows, a large mean"""
    for shape, shift in (((4,), 0.0), ((2, 3, 4), 0.0), ((0, 3), 0.0), ((3, 5), 50.0), ((2, 1), 0.0)):
        inputs = [rng.normal(size=shape) + shift, rng.normal(size=shape[-1]), rng.normal(size=shape[-1])]
        check_rule("layer_norm", *inputs, eps=1e-5, tolerance=1e-8)


@pytest.mark.points(0.5)
@pytest.mark.hint(
    "A rule reads its inputs; it may not write to them. Look for `+=`, `-=` and `out=` on arrays that you were given.",
    handout="1.24",
)
def test_rules_leave_their_inputs_alone(student, rng, expect):
    """Every rule leaves inputs, output and cotangent as they were"""
    for op in EVERY_RULE:
        inputs, parameters = CASES[op](rng)
        cotangent = np.asarray(rng.normal(size=np.shape(FORWARD[op](*inputs, **parameters))))
        got = student.call("rule", op=op, inputs=inputs, cotangent=cotangent, parameters=parameters)
        after = [*listed(expect, got, "inputs", len(inputs)), field(expect, got, "cotangent")]
        all_close(
            expect, after, [*inputs, cotangent], [f"{op}: an array given to the rule"] * len(after), rtol=0.0, atol=0.0
        )
        expect.that(field(expect, got, "output_kept") is True, f"{op}: the rule changed the operation's output")


@pytest.mark.points(0.5)
@pytest.mark.hint(
    "Build gradients with Tensor operations on `cotangent`, `output` and the inputs; `Tensor(numpy result)` cuts the graph.",
    handout="1.11",
)
def test_rules_return_graphs(student, rng, expect):
    """Every rule's result is a graph of its inputs and its cotangent"""
    for op in EVERY_RULE:
        inputs, parameters = CASES[op](rng)
        replacement = inputs if op == "max" else [away_from_zero(rng, array.shape) for array in inputs]

        def forward(*arrays, op=op, parameters=parameters):
            return FORWARD[op](*arrays, **parameters)

        old, new = (np.asarray(rng.normal(size=np.shape(forward(*inputs)))) for _ in range(2))
        got = student.call(
            "replayed_rule",
            op=op,
            inputs=inputs,
            cotangent=old,
            parameters=parameters,
            new_inputs=replacement,
            new_cotangent=new,
        )
        names = [f"{op}: {name}, recomputed from its graph at new inputs" for name in names_of(op)]
        all_close(expect, field(expect, got, "gradients"), complex_step_vjp(forward, replacement, new), names)
