"""Batch work over worker processes: the published runner classes, and what they raise and tell."""

from engine.runner.base_runner import BaseRunner
from engine.runner.cfg_node import CfgNode
from engine.runner.errors import ItemError, WorkerTracebackError
from engine.runner.ray_executor import RayExecutor
from engine.runner.result_stream import ResultStream
from engine.runner.runners import OrderedRunner, UnorderedRunner
from engine.runner.statistics import RunnerStatistics

__all__ = (
    "BaseRunner",
    "CfgNode",
    "ItemError",
    "OrderedRunner",
    "RayExecutor",
    "ResultStream",
    "RunnerStatistics",
    "UnorderedRunner",
    "WorkerTracebackError",
)
