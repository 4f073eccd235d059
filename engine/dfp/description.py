"""Describes a program in the words of the protocol."""

from engine.dfp.container import Dfp
from engine.dfp.genuine import GenuineProgram
from engine.protocol import ProgramState

__all__ = ("describe",)


def describe(dfp: Dfp, *, name: str = "", model_idx: int = 0) -> ProgramState:
    """Return what clients are shown of a program.

    A file of MemryX is shown with its ports and, as `problem`, what executing it needs.

    Parameters
    ----------
    dfp : the program.
    name : what the project calls it; empty takes the name in the manifest.
    model_idx : the model whose task, settings and labels are shown; tensors are those of all.
    """
    if dfp.genuine is not None:
        return _describe_genuine(dfp, dfp.genuine, name)
    model = dfp.models[model_idx]
    return ProgramState(
        name=name or dfp.manifest.name,
        path="" if dfp.path is None else str(dfp.path),
        task=model.task,
        sha256=dfp.sha256,
        size_bytes=dfp.size_bytes,
        compiler=dfp.manifest.compiler,
        created=dfp.manifest.created,
        inputs=tuple(dfp.input_tensors.values()),
        outputs=tuple(dfp.output_tensors.values()),
        pre=model.pre,
        post=model.post,
        label_count=len(model.labels),
        labels=model.labels,
    )


def _describe_genuine(dfp: Dfp, genuine: GenuineProgram, name: str) -> ProgramState:
    return ProgramState(
        name=name or (dfp.path.stem if dfp.path else "program"),
        path="" if dfp.path is None else str(dfp.path),
        problem=dfp.needs,
        sha256=dfp.sha256,
        size_bytes=dfp.size_bytes,
        compiler=f"MemryX {genuine.compiler}",
        created=genuine.compiled,
        inputs=tuple(dfp.input_tensors.values()),
        outputs=tuple(dfp.output_tensors.values()),
    )
