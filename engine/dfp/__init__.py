"""Compiled programs (DFP): container, manifest, compiler."""

from engine.dfp.compiler import STAGES, Progress, compile_models
from engine.dfp.container import Dfp, DfpSource
from engine.dfp.description import describe
from engine.dfp.genuine import GenuinePort, GenuineProgram, packed_bytes
from engine.dfp.int8 import Int8Settings
from engine.dfp.labels import read_labels
from engine.dfp.manifest import (
    FORMAT,
    MANIFEST_MEMBER,
    VERSION,
    Manifest,
    MemberInfo,
    ModelEntry,
)
from engine.dfp.model_source import ModelSource
from engine.dfp.neural_compiler import NeuralCompiler
from engine.dfp.neural_options import names_per_model
from engine.dfp.parity import DEFAULT_MIN_COSINE, OutputParity, Parity
from engine.dfp.published import device_shape, is_planar
from engine.dfp.saving import save_dfp
from engine.dfp.settings import CompileSettings, load_compile_settings
from engine.dfp.tuned import Tuned
from engine.dfp.writer import pack_dfp, write_dfp

__all__ = (
    "DEFAULT_MIN_COSINE",
    "FORMAT",
    "MANIFEST_MEMBER",
    "STAGES",
    "VERSION",
    "CompileSettings",
    "Dfp",
    "DfpSource",
    "GenuinePort",
    "GenuineProgram",
    "Int8Settings",
    "Manifest",
    "MemberInfo",
    "ModelEntry",
    "ModelSource",
    "NeuralCompiler",
    "OutputParity",
    "Parity",
    "Progress",
    "Tuned",
    "compile_models",
    "describe",
    "device_shape",
    "is_planar",
    "load_compile_settings",
    "names_per_model",
    "pack_dfp",
    "packed_bytes",
    "read_labels",
    "save_dfp",
    "write_dfp",
)
