"""The process that an FMU runs in: `python -m ectype.fmi.child`, spoken to over its pipes (wire.py).

An FMU is somebody's native code: it may crash, print and never return. All of that ends here, with this process.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import importlib
import os
import sys

from ectype.errors import EctypeError, Invalid, Misconfigured
from ectype.fmi.instance import Instance, fmpy_or_how, unpack
from ectype.fmi.members import Members
from ectype.fmi.wire import (
    Answer,
    Describe,
    Described,
    Drive,
    Failed,
    Gather,
    Named,
    Open,
    Question,
    pack,
    read_question,
)


def describe(path: str) -> Described:
    """What is in the file."""
    fmpy = fmpy_or_how()
    try:
        told = fmpy.read_model_description(path, validate=False)
        problems = importlib.import_module("fmpy.validation").validate_fmu(path)
        platforms = [str(p) for p in fmpy.supported_platforms(path)]
    except Exception as error:
        raise Invalid(f"{path} is no FMU: {error}") from error
    kinds = [k for k, has in (("cs", told.coSimulation), ("me", told.modelExchange)) if has is not None]
    variables = [
        Named(
            v.name, str(v.causality), str(v.type), str(v.unit or ""), str(v.start or ""),
            " ".join(str(v.description or "").split()),
        )
        for v in told.modelVariables
    ]  # fmt: skip
    tool, version = str(told.generationTool or ""), str(told.fmiVersion)
    return Described(str(told.modelName), version, tool, kinds, platforms, variables, [str(p) for p in problems])


def main() -> None:
    """Answer until nobody asks."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the FMU prints must not land between our answers
    running: Instance | Members | None = None

    def answer(question: Question) -> Answer:
        nonlocal running
        if isinstance(question, Describe):
            return describe(question.path)
        if isinstance(question, Open | Gather):
            unpack(question.path, question.folder)
        if isinstance(question, Open):
            running = Instance(question)
            return running.now()
        if isinstance(question, Gather):
            running = Members(question)
            return running.now()
        if isinstance(question, Drive):
            if isinstance(running, Members):
                return running.drive(question)
        elif isinstance(running, Instance):
            return running.step(question.inputs, question.until_s)
        raise Misconfigured("nothing of that kind is open yet")

    while (question := read_question(sys.stdin.buffer.read)) is not None:
        try:
            told: Answer = answer(question)
        except EctypeError as error:
            told = Failed(str(error), wrong=isinstance(error, Misconfigured))
        except Exception as error:  # noqa: BLE001  whatever FMPy raises about somebody's binary
            told = Failed(str(error) or type(error).__name__)
        out.write(pack(told))
        out.flush()
    out.close()
    os._exit(0)  # without the FMU's own ending, which may crash after everything is said


if __name__ == "__main__":
    main()
