"""Which step next (docs/scheduling.md)."""

from lockage.schedule.job import Capacity, Job
from lockage.schedule.schedule import Schedule

__all__ = ["Capacity", "Job", "Schedule"]
