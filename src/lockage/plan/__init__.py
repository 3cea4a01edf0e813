"""From recipe, lock and source to actions in the encoding of the Remote Execution API."""
