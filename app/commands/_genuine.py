"""Shows what is known of a DFP file of MemryX."""

from rich.console import Console
from rich.table import Table

from engine.dfp import Dfp, GenuinePort, GenuineProgram, packed_bytes

__all__ = ("plain_text", "show_genuine")


def show_genuine(dfp: Dfp, genuine: GenuineProgram, console: Console) -> None:
    """Print the metadata, the models and the ports, and what executing the file needs."""
    about = _table("MemryX program")
    for label, value in _facts(dfp, genuine):
        about.add_row(label, plain_text(value))
    console.print(about)
    for kind, ports in (("Input", genuine.active_inputs), ("Output", genuine.active_outputs)):
        for port in ports:
            table = _table(f"{kind} port {port.port}: {plain_text(port.layer_name)}")
            for label, value in _port_facts(port):
                table.add_row(label, plain_text(value))
            console.print(table)
    for remark in genuine.remarks:
        console.print(f"Note: {remark}.")
    console.print(plain_text(dfp.needs) + ".", soft_wrap=True)


def plain_text(text: str) -> str:
    """Return text that cannot steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _facts(dfp: Dfp, genuine: GenuineProgram) -> list[tuple[str, str]]:
    frequency = genuine.frequency_mhz
    facts = [
        ("File", str(dfp.path or "in memory")),
        ("Size", f"{dfp.size_bytes:,} bytes"),
        ("SHA-256", dfp.sha256),
        ("Format", f"DFP version {genuine.version}, sub-version {genuine.sub_version}"),
        ("Compiler", f"{genuine.compiler}, {genuine.compiled}"),
        ("Hardware", f"{genuine.chip_generation}, {genuine.num_chips} chips"),
        ("Clock", "not told" if frequency is None else f"{frequency} MHz"),
        ("Simulator part", f"{genuine.simulator_bytes / 1e6:.2f} MB"),
        ("Hardware part", f"{genuine.hardware_bytes / 1e6:.2f} MB"),
        ("Weights", f"{genuine.weight_bytes / 1e6:.2f} MB"),
    ]
    if not genuine.is_1p2_compatible:
        facts.append(("SDK", "newer than 1.2 is needed"))
    if genuine.compiler_args:
        arguments = ", ".join(f"{key} {value}" for key, value in genuine.compiler_args.items())
        facts.append(("Arguments", arguments[:2000]))
    facts += [(f"Model {number}", name) for number, name in enumerate(genuine.models)]
    return facts


def _port_facts(port: GenuinePort) -> list[tuple[str, str]]:
    size_bytes = packed_bytes(port)
    packed = "" if size_bytes is None else f", {size_bytes:,} bytes a frame"
    facts = [
        ("Model", str(port.model_index)),
        ("Shape", _sizes(port.mxa_shape)),
        ("Values", port.dtype),
        ("On the link", f"{port.packing_format}{packed}; chip {port.mpu_id}, set {port.port_set}"),
    ]
    if port.raw_shape:
        facts.append(("Model's shape", f"{_sizes(port.raw_shape)}, {port.raw_dtype}"))
    if port.shape_shift.operations:
        facts.append(("Folded", ", ".join(port.shape_shift.operations)))
    if port.range_convert.is_enabled:
        scaling = port.range_convert
        facts.append(("Scaling", f"(value + {scaling.shift:g}) x {scaling.scale:g}"))
    if port.hpoc.is_enabled:
        facts.append(("Extra channels", f"{len(port.hpoc.channels)} in {_sizes(port.hpoc.shape)}"))
    return facts


def _sizes(sizes: tuple[int | str, ...]) -> str:
    return " x ".join(map(str, sizes)) or "none"


def _table(title: str) -> Table:
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    return table
