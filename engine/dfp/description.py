"""Describes a program in the words of the protocol."""

from engine.dfp.container import Dfp
from engine.protocol import ProgramState

__all__ = ("describe",)


def describe(dfp: Dfp, *, name: str = "", model_idx: int = 0) -> ProgramState:
    """Return what clients are shown of a program.

    Parameters
    ----------
    dfp : the program.
    name : what the project calls it; empty takes the name in the manifest.
    model_idx : the model whose task, settings and labels are shown; tensors are those of all.
    """
    model = dfp.models[model_idx]
    return ProgramState(
        name=name or dfp.manifest.name,
        path="" if dfp.path is None else str(dfp.path),
        task=model.task,
        sha256=dfp.sha256,
        size_bytes=dfp.size_bytes,
        compiler=dfp.manifest.compiler,
        created=dfp.manifest.created,
        inputs=tuple(dfp.input_ports.values()),
        outputs=tuple(dfp.output_ports.values()),
        pre=model.pre,
        post=model.post,
        label_count=len(model.labels),
        labels=model.labels,
    )
