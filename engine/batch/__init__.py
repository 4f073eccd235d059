"""Programs over files: every input gets one result file, and a killed run goes on where it was."""

from engine.batch.job import BatchProgram, JobSettings, open_batch_program
from engine.batch.run import BatchPlan, run_batch
from engine.batch.summary import BatchFailure, BatchProgress, BatchSummary

__all__ = (
    "BatchFailure",
    "BatchPlan",
    "BatchProgram",
    "BatchProgress",
    "BatchSummary",
    "JobSettings",
    "open_batch_program",
    "run_batch",
)
