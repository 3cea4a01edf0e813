"""Two environments that differ, as lines for people."""

from lockage.base.digest import BlobRef, Digest
from lockage.cli.env_difference import difference_lines
from lockage.environment.base import HostBase, OsBase
from lockage.environment.difference import environment_difference
from lockage.environment.lock import LockedEnvironment, RootRef
from lockage.work.diff_environments import Compared


def test_what_one_of_them_does_not_have_is_none() -> None:
    host = LockedEnvironment(declaration=Digest.of(b""), host=HostBase(), architecture="amd64")
    suite = LockedEnvironment(
        declaration=Digest.of(b""),
        os=OsBase(distribution="debian", suite="bookworm"),
        architecture="amd64",
        release_date="2026-07-11",
        root=RootRef(tree=BlobRef.of(b"tree"), metadata=Digest.of(b"metadata")),
    )
    lines = list(difference_lines(Compared(a="suite", b="host", difference=environment_difference(suite, host))))
    assert "  suites: bookworm → none" in lines
    assert "  release: 2026-07-11 → none" in lines
    assert not [line for line in lines if line.endswith("→ ")]
