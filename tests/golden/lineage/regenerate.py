"""Write or verify a lineage in each of its forms: `python tests/golden/lineage/regenerate.py [--verify]`."""

import sys
from pathlib import Path

from msgspec.structs import replace

from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import ProjectName, StepName, Version
from lockage.cli.lineage_dot import dot_lines
from lockage.cli.lineage_svg import svg_lines
from lockage.cli.lineage_text import lineage_lines
from lockage.cli.screen import json_text
from lockage.record.lineage import (
    AppliedPass,
    FetchedFile,
    InputSet,
    InRelease,
    Lineage,
    LineageArtifact,
    LineageEnvironment,
    LineageRun,
    LineageService,
    LineageStep,
    OnChannel,
    Package,
    SourceFile,
    Statement,
)
from lockage.record.lineage_graph import graph_of
from lockage.record.source import CommitOrigin, Source

HERE = Path(__file__).parent


def _digest(text: str) -> Digest:
    return Digest.of(text.encode())


def _package(name: str, version: str, file: str) -> Package:
    return Package(name=name, version=version, file=file, sha256=_digest(file))


def _file(path: str, *, executable: bool = False) -> SourceFile:
    return SourceFile(path=path, sha256=_digest(path), size=len(path), executable=executable)


def _step(name: str, needs: tuple[str, ...] = ()) -> LineageStep:
    return LineageStep(
        step=StepName(name),
        kind="build",
        action=_digest(f"action of {name}"),
        outputs=_digest(f"outputs of {name}"),
        environment="build",
        needs=tuple(map(StepName, needs)),
        inputs=None,
    )


SAMPLE = Lineage(
    project=ProjectName("shop"),
    source=Source(
        tree=BlobRef.of(b"the tree"), date=Instant(1_700_000_000), version=Version("1.2.0"), origin=CommitOrigin(commit="c0ffee" * 7)
    ),
    recipe=_digest("recipe"),
    lock=_digest("lock"),
    run=LineageRun(run="run-000007", started=Instant(1_700_000_100), finished=Instant(1_700_000_160), others=("run-000009",)),
    artifacts=(
        LineageArtifact(
            name='shop-1.2.0 "<&>".whl',
            sha256=_digest("wheel"),
            size=4321,
            content_digest=_digest("content"),
            step=StepName("wheel"),
            raw=_digest("raw"),
            passes=(AppliedPass(name="zip", version=3, changes=12), AppliedPass(name="tar", version=2, changes=0)),
            releases=(
                InRelease(
                    release="shop@1.2.0-1",
                    sha256=_digest("release"),
                    name="shop-1.2.0.whl",
                    closed=Instant(1_700_000_200),
                    by="alice",
                    channels=(OnChannel(channel="dev", generation=3, since=Instant(1_700_000_300)),),
                ),
            ),
            evidence=(
                Statement(
                    predicate="https://slsa.dev/provenance/v1", bundle=_digest("bundle"), recorded=Instant(1_700_000_170), by="alice"
                ),
            ),
        ),
    ),
    steps=(
        replace(_step("code"), inputs="inputs-1", fetched=("tables",)),
        _step("docs", ("code",)),
        replace(
            _step("wheel", ("docs", "code")),
            inputs="inputs-1",
            flags={"new-checkout": True},
            stamps=("date", "version"),
            services=("prices", "rates"),
            crates=(Package(name="libc", version="0.2.1", file="libc-0.2.1.crate", sha256=_digest("libc")),),
        ),
    ),
    inputs=(
        InputSet(
            id="inputs-1",
            patterns=("src/**", "bin/*", "pyproject.toml", "README.md"),
            files=(_file("bin/run", executable=True), SourceFile(path="src/link", target="shop"), _file("src/shop/__init__.py")),
        ),
    ),
    environments=(
        LineageEnvironment(
            name="build",
            root=BlobRef.of(b"root"),
            os="debian:bookworm",
            architecture="amd64",
            release_date="2026-07-11T10:16:37Z",
            packages=(_package("dash", "0.5.12-2", "dash_0.5.12-2_amd64.deb"), _package("libc6", "2.36-9", "libc6_2.36-9_amd64.deb")),
            python=(_package("build", "1.2.2", "build-1.2.2-py3-none-any.whl"),),
        ),
    ),
    fetched=(FetchedFile(name="tables", sha256=_digest("tables"), path="data/tables.bin", urls=("https://example.org/tables.bin",)),),
    services=(
        LineageService(name="prices", form="har", recording="tests/prices.har", files=(_file("tests/prices.har"),)),
        LineageService(
            name="rates", form="responses", recording="tests/rates", files=(_file("tests/rates/GET/eur"), _file("tests/rates/GET/usd"))
        ),
    ),
    missing=("what the passes changed in another file is not kept",),
)


def forms() -> dict[str, str]:
    """Every form by its file's name."""
    graph, full = graph_of(SAMPLE), graph_of(SAMPLE, full=True)
    lines = {
        "lineage.txt": lineage_lines(SAMPLE, full=False),
        "lineage-full.txt": lineage_lines(SAMPLE, full=True),
        "lineage.json": iter([json_text(SAMPLE)]),
        "lineage.dot": dot_lines(graph, "shop 1.2.0"),
        "lineage-full.dot": dot_lines(full, "shop 1.2.0"),
        "lineage.svg": svg_lines(graph, "shop 1.2.0"),
    }
    return {name: "".join(f"{line}\n" for line in found) for name, found in lines.items()}


def main() -> int:
    stale = [name for name, text in forms().items() if not (HERE / name).exists() or (HERE / name).read_text() != text]
    for name in stale:
        print(f"{name} is not what the code makes" if "--verify" in sys.argv[1:] else f"wrote {name}")
        if "--verify" not in sys.argv[1:]:
            (HERE / name).write_text(forms()[name])
    return bool(stale) and "--verify" in sys.argv[1:]


if __name__ == "__main__":
    sys.exit(main())
