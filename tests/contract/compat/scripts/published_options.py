"""The published example of scheduler options, with what its print left out."""

import sys

from memryx import AsyncAccl
from memryx.accl import ClientOptions, SchedulerOptions

accl = AsyncAccl(
    sys.argv[1],
    client_options=ClientOptions(),
    scheduler_options=SchedulerOptions(),
)
accl.shutdown()
print("made")
