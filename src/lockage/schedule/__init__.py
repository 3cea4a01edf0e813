"""Which step next (docs/scheduling.md): jobs and capacities, and the state machine over them."""
