"""Words that every room shares: digests, paths, times, names, trees, the canonical encoding and the root of all errors."""
