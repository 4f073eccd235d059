"""Lanes: the threads that execute programs on a device, and the channels that lead to them."""

from engine.lanes._board import Completed
from engine.lanes.channel import LaneChannel
from engine.lanes.device_lanes import DeviceLanes, usable_cores
from engine.lanes.exit_guard import close_at_exit

__all__ = ("Completed", "DeviceLanes", "LaneChannel", "close_at_exit", "usable_cores")
