"""An environment as an OCI image: its layers packed, and on top of them, if asked for, what a release brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import Usage
from lockage.base.path import RelPath
from lockage.environment.image import Layer, attached_documents, changes, image_documents, index_with, on_base
from lockage.environment.root import LOCAL, Entry, Kind, python_of, stacked, with_parents
from lockage.environment.sbom import SBOM_TYPE, Installed, sbom
from lockage.plan.contract import FIXED
from lockage.record.event import Phase
from lockage.work.image_layers import Packing, base_labels, base_of, layers_on_base, reader
from lockage.work.on_host import must_have_root
from lockage.work.roots import fetch_missing, whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockage.environment.image import Descriptor, ImageConfig
    from lockage.environment.lock import LockedEnvironment
    from lockage.environment.python import PythonTarget
    from lockage.ports import RootLayer
    from lockage.ports.images import ImageLayout
    from lockage.record.release import Release
    from lockage.work.services import Services

__all__ = ["Exported", "NotInstallable", "bill_of", "export_image"]


class NotInstallable(Usage):
    """A release's artifact cannot be installed in this environment."""

    code = "not-installable"
    hint = "Choose an environment with the Python that the release's wheels are for."


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """The image that was written: the digest of its manifest, and what it is made of, in bytes as they are kept."""

    digest: Digest
    size: int
    layers: tuple[Layer, ...]


def export_image(
    services: Services,
    name: str,
    environment: LockedEnvironment,
    target: Path,
    config: ImageConfig,
    *,
    tag: str | None,
    place: str = "",
    flat: bool = False,
    release: Release | None = None,
    with_bill: bool = False,
) -> Exported:
    """Write the image of the environment of that name into ``target``, a layout's folder or archive (see ImageLayouts).

    Where the environment begins with an image, that one's layers are the lowest, unless it is to be ``flat``; ``place`` is where the
    recipe has it from. Layers that are there already are not packed again.
    ``with_bill``: a bill of materials is attached. Labels say which root, and which release, it was made of. Raises what fetching and
    realising raise, HostHasNoRoot, InvalidImage, and :class:`NotInstallable`.
    """
    must_have_root([(name, environment)], "an image is made of a root")
    fetch_missing(services, environment)
    services.tell(Phase(text="putting the root together"))
    built = whole(services, environment)
    below = services.roots.layers(built)
    labels = {"lockage.root.metadata": str(environment.root.metadata), "lockage.root.tree": str(environment.root.tree.digest)}
    base = base_of(services, environment.pulled, flat=flat) if environment.pulled is not None else None
    with services.image_layouts.open(target) as layout:
        packing = Packing(services, layout)
        wheels = f"{len(built.python)} wheels"
        if environment.pulled is not None and base is not None:
            layers = layers_on_base(packing, environment.pulled, base, below, wheels, flat=flat)
        else:
            system = f"{environment.base}: {len(environment.packages)} packages"
            layers = [packing.packed(layer.entries, layer.read, wheels if layer.place else system) for layer in below]
        if release is not None:
            layers.append(_release_layer(packing, release, environment, below))
            labels["lockage.release"] = str(release.digest)
        if environment.pulled is not None:
            labels |= base_labels(environment.pulled, place)
        config = msgspec.structs.replace(config, labels=labels | config.labels)
        if base is not None:
            config = on_base(config, base.settings, base.variant, {key: FIXED[key] for key in ("LANG", "PATH")})
        document, manifest, descriptor = image_documents(config, layers, tag, base.history if base is not None else ())
        for data in (document, manifest):
            if not layout.has(BlobRef.of(data)):
                layout.put([data])
        index = index_with(layout.index, descriptor)
        if with_bill:
            index = index_with(index, _attached(layout, descriptor, bill_of(name, environment, release)))
        layout.publish(index)
    return Exported(digest=descriptor.ref.digest, size=sum(layer.blob.size for layer in layers), layers=tuple(layers))


def _release_layer(packing: Packing, release: Release, environment: LockedEnvironment, below: Sequence[RootLayer]) -> Layer:
    present = stacked((layer.place, layer.entries) for layer in below)
    entries, contents = _installed(packing.services, release, environment, present)
    if environment.pulled is not None:
        entries = changes(present, stacked([("", present), ("", entries)]))
    read = reader(below)
    title = f"{release.project} {release.version}-{release.build}"
    return packing.packed(entries, lambda entry: contents[entry.path] if entry.path in contents else read(entry), title)


def bill_of(name: str, environment: LockedEnvironment, release: Release | None = None) -> bytes:
    """The bill of materials of an environment, with what a release brings."""
    must_have_root([(name, environment)], "a bill of materials says what is pinned")
    installed = (
        []
        if release is None
        else [
            Installed(project=str(release.project), version=str(release.version), name=artifact.name, sha256=artifact.sha256)
            for artifact in release.artifacts
        ]
    )
    return sbom(name, environment, installed)


def _attached(layout: ImageLayout, image: Descriptor, bill: bytes) -> Descriptor:
    """What says something about an image, in the layout beside it."""
    config, manifest, descriptor = attached_documents(image, SBOM_TYPE, BlobRef.of(bill), "sbom.cdx.json")
    for data in (bill, config, manifest):
        if not layout.has(BlobRef.of(data)):
            layout.put([data])
    return descriptor


def _installed(
    services: Services, release: Release, environment: LockedEnvironment, below: list[Entry]
) -> tuple[list[Entry], dict[RelPath, bytes]]:
    """What a release brings: its wheels installed as the environment's own are, its other artifacts in a folder of the project's."""
    present = {entry.path: entry for entry in below}
    contents: dict[RelPath, bytes] = {}
    executable: set[RelPath] = set()
    for artifact in release.artifacts:
        if not artifact.name.endswith(".whl"):
            contents[LOCAL.joined(RelPath(f"share/{release.project}/{artifact.name}"))] = services.blobs.get(artifact.ref)
    wheels = [artifact for artifact in release.artifacts if artifact.name.endswith(".whl")]
    if wheels:
        from lockage.environment.python import locked_target  # only releases with wheels need them
        from lockage.environment.wheel_install import install_wheel

        image = environment.pulled.python if environment.pulled is not None else None
        python = python_of(present) if environment.pulled is None else None if image is None else ".".join(image.version.split(".")[:2])
        target = locked_target(environment) if python is not None else None
        name = _fitting([artifact.name for artifact in wheels], target) if target is not None else None
        if python is None or name is None:
            names = ", ".join(artifact.name for artifact in wheels)
            has = f"Python {python}" if python is not None else "no Python"
            raise NotInstallable(f"the environment has {has}; no wheel of the release fits: {names}", release=str(release.digest))
        chosen = next(artifact for artifact in wheels if artifact.name == name)
        data = services.blobs.get(chosen.ref)
        folder = LOCAL if image is None else image.folder
        files = (
            install_wheel(name, data, python)
            if image is None
            else install_wheel(name, data, python, site=image.site, interpreter=image.path)
        )
        for file in files:
            path = folder.joined(file.path)
            contents[path] = file.data
            if file.executable:
                executable.add(path)
    entries = {
        path: Entry(path=path, kind=Kind.FILE, mode=0o755 if path in executable else 0o644, size=len(data), sha256=Digest.of(data))
        for path, data in contents.items()
    }
    return [entry for path, entry in with_parents(dict(entries)).items() if path in entries or path not in present], contents


def _fitting(names: list[str], target: PythonTarget) -> str | None:
    """The wheel that fits best. One that is for ``linux`` and no more was built in such an environment: it counts as one for its glibc."""
    from lockage.environment.python import best_wheel

    here = next(target.platforms())
    bare = f"-linux_{target.machine}.whl"
    known = {name.removesuffix(bare) + f"-{here}.whl" if name.endswith(bare) else name: name for name in names}
    best = best_wheel(list(known), target)
    return known[best] if best is not None else None
