"""Services of a step: listening sockets inside of its sandbox, and what answers there outside of it.

Invariant: nothing of lockage runs inside the sandbox while the step does; the sockets were made in the sandbox's network and handed out.
"""

from lockage.adapters.sandbox_bwrap.services.standing import Fault, Standing, standing_by

__all__ = ["Fault", "Standing", "standing_by"]
