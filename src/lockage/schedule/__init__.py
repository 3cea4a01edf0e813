"""Which step next (docs/scheduling.md)."""

from lockage.schedule.job import UNKNOWN_DURATION, Capacity, Job
from lockage.schedule.schedule import Schedule

__all__ = ["UNKNOWN_DURATION", "Capacity", "Job", "Schedule"]
