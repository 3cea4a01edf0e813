"""lockage: Python releases that anyone can rebuild bit for bit, promoted only on signed evidence."""

__version__ = "0.1.0"
