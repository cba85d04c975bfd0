"""A program in stages says the same as the program, whatever it computes and however many groups there are."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.estimate.emit_llvm import LlvmKernel
from ectype.estimate.emit_numpy import NumpyKernel
from ectype.estimate.pipeline import pipelined
from ectype.estimate.scalars import Instruction
from ectype.estimate.trace import trace

from .behaviours import CascadedTanks, TanksEkf, constants_of
from .test_filter import random_events

COMPUTE = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "sqrt": lambda a: math.sqrt(abs(a)),
    "neg": lambda a: -a,
}


@st.composite
def programs(draw):
    """Straight-line programs over three inputs that use places again, with some outputs."""
    code = [Instruction("input", (i,), i) for i in range(3)] + [Instruction("const", (), 3, 1.5)]
    for _ in range(draw(st.integers(1, 40))):
        op = draw(st.sampled_from(sorted(COMPUTE)))
        arity = 2 if op in ("add", "mul") else 1
        known = sorted({i.result for i in code})
        given_ = tuple(draw(st.sampled_from(known)) for _ in range(arity))
        code.append(Instruction(op, given_, draw(st.integers(4, 12))))
    known = sorted({i.result for i in code})
    code += [Instruction("output", (draw(st.sampled_from(known)),), n) for n in range(draw(st.integers(1, 4)))]
    return tuple(code)


def step(ins, work, inputs):
    if ins.op == "input":
        return inputs[ins.operands[0]]
    if ins.op == "const":
        return ins.constant
    return COMPUTE[ins.op](*(work[o] for o in ins.operands))


def straight(code, inputs):
    work, out = {}, {}
    for ins in code:
        if ins.op == "output":
            out[ins.result] = work[ins.operands[0]]
        else:
            work[ins.result] = step(ins, work, inputs)
    return out


@given(programs(), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_every_group_gets_what_the_program_says(code, stages, groups):
    inputs = [[0.1 + g + i for i in range(3)] for g in range(groups)]
    pipeline = pipelined(code, stages)
    kept = [dict.fromkeys(handed, 0.0) for handed in pipeline.handed]
    told = {}
    for turn in range(groups + stages - 1):
        work = [dict(k) for k in kept]
        for s, ins in pipeline.merged:
            group = turn - s
            at = inputs[min(max(group, 0), groups - 1)]
            if ins.op == "output":
                assert s == stages - 1
                if group >= 0:
                    told.setdefault(group, {})[ins.result] = work[s][ins.operands[0]]
            else:
                work[s][ins.result] = step(ins, work[s], at)
        kept = [{}] + [{k: work[s - 1][k] for k in pipeline.handed[s]} for s in range(1, stages)]
    assert told == {g: straight(code, inputs[g]) for g in range(groups)}


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 12, 37, 4096 + 9])
@pytest.mark.parametrize("behaviour", [CascadedTanks, TanksEkf], ids=lambda b: b.__name__)
def test_a_sweep_over_a_fleet_of_any_size_is_the_reference(behaviour, n, tmp_path_factory):
    graph = trace(behaviour)
    events, active = random_events(graph, 3, n, 5)
    constants = constants_of(graph, n)
    belief = graph.initial(n)
    expected, out = NumpyKernel(graph).fold(belief, constants, events, active)
    kernel = LlvmKernel(graph, tmp_path_factory.getbasetemp() / "kernels", threads=2)
    diagnostics = np.full((4 * len(graph.layout.sensors), n), np.nan)
    for k in range(3):
        kernel.advance(belief, constants, np.ascontiguousarray(events[k]), np.ascontiguousarray(active[k]), diagnostics)
        np.testing.assert_allclose(diagnostics, out[k, graph.belief_size :], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(belief, expected, rtol=1e-12, atol=1e-12)
    recorded, _ = kernel.fold(graph.initial(n), constants, events, active)
    np.testing.assert_array_equal(belief, recorded)
