"""Which step next."""

from lockage.schedule.schedule import Capacity, Job, Schedule

__all__ = ["Capacity", "Job", "Schedule"]
