"""What a batch run tells: while it goes, of each input, and at its end."""

import msgspec

__all__ = ("BatchFailure", "BatchProgress", "BatchSummary", "Outcome", "StageSeconds")


class StageSeconds(msgspec.Struct, frozen=True):
    """Seconds that workers spent in each stage: reading and decoding frames, making tensors,
    executing, making results, writing them.
    """  # noqa: D205

    decode: float = 0.0
    pre: float = 0.0
    execute: float = 0.0
    post: float = 0.0
    write: float = 0.0

    def plus(self, other: "StageSeconds") -> "StageSeconds":
        """Return the sum, stage by stage."""
        mine, others = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return StageSeconds(*(a + b for a, b in zip(mine, others, strict=True)))


class Outcome(msgspec.Struct, frozen=True):
    """What became of one input; all that a worker sends back.

    Attributes
    ----------
    number : of the input, as in its `BatchItem`.
    frames : how many lines its result has.
    size_bytes : of the JSON Lines file.
    sentence : why there is no result; empty when there is one.
    is_fatal : whether the others cannot have results either, for example because the disk is full.
    warnings : what was noticed on the way, for example damage that a video goes on after.
    """

    number: int
    frames: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    stages: StageSeconds = StageSeconds()
    sentence: str = ""
    is_fatal: bool = False
    warnings: tuple[str, ...] = ()


class BatchProgress(msgspec.Struct, frozen=True):
    """How far a run is.

    Attributes
    ----------
    is_planning : whether inputs are still being looked for.
    total : inputs, as far as they are known.
    already : inputs with a result from before that still holds.
    done, failed : inputs finished in this run.
    frames : frames with results in this run.
    """

    is_planning: bool
    total: int
    already: int = 0
    done: int = 0
    failed: int = 0
    frames: int = 0


class BatchFailure(msgspec.Struct, frozen=True):
    """An input without a result, and why."""

    input: str
    sentence: str


class BatchSummary(msgspec.Struct, frozen=True):
    """What a run did.

    Attributes
    ----------
    program, plugin, executor : what executed, and where.
    out : folder of the results.
    workers : how many were at it; 0 when nothing was left to do.
    inputs : all that were named, each counted once.
    already : of these, with a result from before that still holds.
    done, failed : of these, finished in this run.
    left_out : files in folders that the program cannot take, by their suffix.
    frames : frames with results in this run.
    seconds : length of the run.
    worker_seconds : of all workers together, by stage.
    workers_lost : workers that ended by themselves.
    failures : the first of the failed; all are in ``failed.jsonl``.
    warnings : the first of what was noticed, each with its input.
    """

    program: str
    plugin: str
    executor: str
    out: str
    workers: int = 0
    inputs: int = 0
    already: int = 0
    done: int = 0
    failed: int = 0
    left_out: int = 0
    frames: int = 0
    seconds: float = 0.0
    inputs_per_s: float = 0.0
    frames_per_s: float = 0.0
    worker_seconds: StageSeconds = StageSeconds()
    workers_lost: int = 0
    failures: tuple[BatchFailure, ...] = ()
    warnings: tuple[BatchFailure, ...] = ()
