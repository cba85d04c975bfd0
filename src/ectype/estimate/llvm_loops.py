"""The loops over a fleet, as LLVM text: run(from, to, n, k, belief, constants, events, active, out).

record   for each group of W twins: for each of k events: update; the belief stays in registers, all is kept
sweep    one event of the whole fleet in place; two groups in work at a time (pipeline.py), where they are vectors
"""

from ectype.estimate.llvm_text import Text
from ectype.estimate.pipeline import Pipeline, pipelined
from ectype.estimate.scalars import Straight, interleaved

_STAGES = 2  # three gain 2 % more in float64 and lose 8 % in float32, which has more to keep

_ARRAYS = ("belief", "constants", "events", "active", "out")
_SIGNATURE = "i64 %from, i64 %to, i64 %n, i64 %count, " + ", ".join(f"ptr noalias %{a}" for a in _ARRAYS)
_BEGIN = [f'define void @run({_SIGNATURE}) "stackrealign" {{', "entry:"]


def record_source(graph: Straight, width: int, single: bool, fast: bool) -> str:
    """All events of a group of twins, then the next group; every belief and diagnostic is kept."""
    text = Text("float" if single else "double", width, fast, single, ahead=False)
    rows, constants, outputs = graph.belief_size, graph.constant_size, graph.output_size
    held = [text.load("belief", f"{r}") for r in range(rows)]
    fixed = [text.load("constants", f"{r}") for r in range(constants)]
    text.line("br label %next.event")
    before, text.lines = text.lines, []
    text.line("%on = " + text.differs(text.load_at("active", "%k", 1, 0)))
    work: dict[int, str] = {}
    now: dict[int, str] = {}
    for ins in interleaved(graph.instructions):
        if ins.op == "input":
            i = ins.operands[0]
            if i < rows:
                work[ins.result] = f"%b{i}"
            elif i < rows + constants:
                work[ins.result] = fixed[i - rows]
            else:
                work[ins.result] = text.load_at("events", "%k", graph.event_size, i - rows - constants)
        elif ins.op == "output":
            i, value = ins.result, work[ins.operands[0]]
            now[i] = text.select("%on", value, f"%b{i}" if i < rows else text.constant(0.0))
            text.store_at("out", "%k", outputs, i, now[i])
        elif ins.op == "const":
            work[ins.result] = text.constant(ins.constant)
        else:
            work[ins.result] = text.operation(ins.op, [work[o] for o in ins.operands])
    text.line("%k.next = add i64 %k, 1")
    text.line("%more = icmp ult i64 %k.next, %count")
    text.line("br i1 %more, label %next.event, label %kept")
    body, text.lines = text.lines, []
    for r in range(rows):
        text.store("belief", f"{r}", now[r])
    text.line(f"%i.next = add i64 %i, {width}")
    text.line("%again = icmp slt i64 %i.next, %to")
    text.line("br i1 %again, label %next.twins, label %end")
    twins = ["  br label %next.twins", "next.twins:", "  %i = phi i64 [ %from, %entry ], [ %i.next, %kept ]"]
    loop = ["next.event:", "  %k = phi i64 [ 0, %next.twins ], [ %k.next, %next.event ]"]
    loop += [f"  %b{r} = phi {text.type} [ {held[r]}, %next.twins ], [ {now[r]}, %next.event ]" for r in range(rows)]
    return _whole(text, [*twins, *before, *loop, *body, "kept:", *text.lines])


def sweep_source(graph: Straight, width: int, single: bool, fast: bool) -> str:
    """One event of each twin. In turn t, stage s works on the group that begins at t - s W. The first turn has no group
    for the last stage and the last turn none for the first: they work on one that is there and change nothing.
    """
    text = Text("float" if single else "double", width, fast, single, ahead=width > 1)
    stages = _STAGES if width > 1 else 1
    pipeline = pipelined(graph.instructions, stages)
    text.declared |= {"declare i64 @llvm.smax.i64(i64, i64)", "declare i64 @llvm.smin.i64(i64, i64)"}
    text.line(f"%last = sub i64 %to, {width}")
    text.line(f"%stop = add i64 %to, {(stages - 1) * width}")
    text.line("br label %turn")
    before, text.lines = text.lines, []
    for s in range(stages):
        text.line(f"%begin{s} = sub i64 %t, {s * width}")
        low = text.name(f"call i64 @llvm.smax.i64(i64 %begin{s}, i64 %from)")
        text.line(f"%i{s} = call i64 @llvm.smin.i64(i64 {low}, i64 %last)")
    text.at = f"%i{stages - 1}"
    there = text.spread(text.name(f"icmp sge i64 %begin{stages - 1}, %from"))
    on = text.name(f"and {text.bits} {text.name(text.differs(text.load('active', '0')))}, {there}")
    work, told = _turn(text, graph, pipeline)
    text.at, text.ahead = f"%i{stages - 1}", False
    rows = graph.belief_size
    for i, value in told.items():
        if i < rows:
            text.store("belief", f"{i}", text.select(on, value, text.load("belief", f"{i}")))
        else:
            text.store("out", f"{i - rows}", text.select(on, value, text.constant(0.0)))
    text.line(f"%t.next = add i64 %t, {width}")
    text.line("%again = icmp slt i64 %t.next, %stop")
    text.line("br i1 %again, label %turn, label %end")
    loop = ["turn:", "  %t = phi i64 [ %from, %entry ], [ %t.next, %turn ]"]
    for s in range(1, stages):
        kept = ((k, work[s - 1][k]) for k in pipeline.handed[s])
        loop += [f"  %h{s}.{k} = phi {text.type} [ {text.zero}, %entry ], [ {v}, %turn ]" for k, v in kept]
    return _whole(text, [*before, *loop, *text.lines])


def _turn(text: Text, graph: Straight, pipeline: Pipeline) -> tuple[list[dict[int, str]], dict[int, str]]:
    """Writes what one turn computes: the names of each stage's results, and of the outputs."""
    work = [{k: f"%h{s}.{k}" for k in handed} for s, handed in enumerate(pipeline.handed)]
    told: dict[int, str] = {}
    first = {"belief": 0, "constants": graph.belief_size, "events": graph.belief_size + graph.constant_size}
    for s, ins in pipeline.merged:
        text.at = f"%i{s}"
        if ins.op == "input":
            array = next(a for a in reversed(first) if ins.operands[0] >= first[a])
            work[s][ins.result] = text.load(array, f"{ins.operands[0] - first[array]}")
        elif ins.op == "output":
            told[ins.result] = work[s][ins.operands[0]]
        elif ins.op == "const":
            work[s][ins.result] = text.constant(ins.constant)
        else:
            work[s][ins.result] = text.operation(ins.op, [work[s][o] for o in ins.operands])
    return work, told


def _whole(text: Text, lines: list[str]) -> str:
    return "\n".join([*_BEGIN, *lines, "end:", "  ret void", "}", *sorted(text.declared), ""])
