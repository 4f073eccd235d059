"""What each verb does, in one line: the list of verbs is shown without loading them.

The first paragraph of each verb's own text; a test compares them.
"""

__all__ = ("SUMMARIES",)

SUMMARIES = {
    "gui": "Open the window.",
    "run": "Run a project without a window and report rates, latencies and where the time went.",
    "batch": "Run a program over many files, in parallel; each input gets one result file.",
    "demo": "Run the demo: open the window with all streams running.",
    "serve": "Serve an engine until Ctrl+C; attach a window with ``penstock gui --attach``.",
    "compile": "Compile ONNX models into a program (DFP); options win over the settings file.",
    "inspect": "Check a program (DFP) and show what is in it.",
    "bench": "Measure frames per second and latency of a program, beside bare onnxruntime.",
    "tune": "Find and store the fastest setting of a program that keeps its numbers.",
    "devices": "List the devices of all plugins that work here.",
    "plugins": "List the processing plugins, and compare them.",
    "exec": "Run a script written for MemryX, fluxEngine, easycore, concurrentbuffer or PyNitride.",
    "drivers": "List the drivers, or the parameters of one; --devices asks them what is connected.",
    "license": "Show, verify and issue licenses.",
    "manager": "Start, stop and watch the device manager, which lets programs share devices.",
    "doctor": "Check the installation and the machine; each check passes or says what to do.",
}
