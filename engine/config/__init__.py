"""Project file and settings as typed structs."""

from engine.config.processing import Normalization, PostSettings, PreSettings, ResizeMode, Task
from engine.config.project import (
    SCHEMA_VERSION,
    EngineSettings,
    ParameterValue,
    Policy,
    ProgramSettings,
    Project,
    RecorderSettings,
    StreamSettings,
    needs_restart,
)
from engine.config.project_file import dump_project, load_project, parse_project, save_project

__all__ = (
    "SCHEMA_VERSION",
    "EngineSettings",
    "Normalization",
    "ParameterValue",
    "Policy",
    "PostSettings",
    "PreSettings",
    "ProgramSettings",
    "Project",
    "RecorderSettings",
    "ResizeMode",
    "StreamSettings",
    "Task",
    "dump_project",
    "load_project",
    "needs_restart",
    "parse_project",
    "save_project",
)
