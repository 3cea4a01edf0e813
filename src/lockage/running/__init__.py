"""What every way of running a step has in common: its workspace filled, its limits watched, its outputs read, its remains kept.

Used by the adapters of the port ``Executor``; how a step is started, and what it sees beside its workspace, is theirs.
"""
