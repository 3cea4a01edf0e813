"""Actions are encoded as protobuf itself encodes the messages of build/bazel/remote/execution/v2."""

import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.base.tree import Directory, FileNode, LinkNode, Tree
from lockage.environment.lock import RootRef
from lockage.plan.action import Action
from lockage.recipe.modes import Mode

_STRING, _MESSAGE, _BOOL, _INT64, _INT32 = 9, 11, 8, 3, 5
_REPEATED = {"arguments", "environment_variables", "output_paths", "properties", "files", "directories", "symlinks"}
_MESSAGES: dict[str, list[tuple[str, int, int, str]]] = {
    "Digest": [("hash", 1, _STRING, ""), ("size_bytes", 2, _INT64, "")],
    "Property": [("name", 1, _STRING, ""), ("value", 2, _STRING, "")],
    "Platform": [("properties", 1, _MESSAGE, "Property")],
    "Variable": [("name", 1, _STRING, ""), ("value", 2, _STRING, "")],
    "Command": [
        ("arguments", 1, _STRING, ""),
        ("environment_variables", 2, _MESSAGE, "Variable"),
        ("platform", 5, _MESSAGE, "Platform"),
        ("working_directory", 6, _STRING, ""),
        ("output_paths", 7, _STRING, ""),
        ("output_directory_format", 9, _INT32, ""),
    ],
    "Action": [
        ("command_digest", 1, _MESSAGE, "Digest"),
        ("input_root_digest", 2, _MESSAGE, "Digest"),
        ("platform", 10, _MESSAGE, "Platform"),
    ],
    "FileNode": [("name", 1, _STRING, ""), ("digest", 2, _MESSAGE, "Digest"), ("is_executable", 4, _BOOL, "")],
    "DirectoryNode": [("name", 1, _STRING, ""), ("digest", 2, _MESSAGE, "Digest")],
    "SymlinkNode": [("name", 1, _STRING, ""), ("target", 2, _STRING, "")],
    "Directory": [
        ("files", 1, _MESSAGE, "FileNode"),
        ("directories", 2, _MESSAGE, "DirectoryNode"),
        ("symlinks", 3, _MESSAGE, "SymlinkNode"),
    ],
}


def message_classes() -> dict[str, type[Message]]:
    """The messages with the field numbers of the published remote_execution.proto, built at run time."""
    file = descriptor_pb2.FileDescriptorProto(name="reapi_subset.proto", package="t", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, of in fields:
            message.field.add(
                name=field, number=number, type=kind, label=3 if field in _REPEATED else 1, type_name=f".t.{of}" if of else None
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"t.{name}")) for name in _MESSAGES}


ACTION = Action(
    arguments=("/bin/sh", "-c", "make", ""),
    variables=(("TZ", "UTC"), ("A", "ä")),
    outputs=(RelPath("out"), RelPath("dist")),
    workspace=BlobRef.of(b"w"),
    root=RootRef(tree=BlobRef.of(b"r"), metadata=Digest.of(b"m")),
    cpus=2,
    architecture="amd64",
)


def test_action_and_command_are_canonical_protobuf() -> None:
    classes = message_classes()
    encoded = ACTION.encode()
    command = classes["Command"].FromString(encoded.command)
    assert command.SerializeToString(deterministic=True) == encoded.command
    assert list(command.arguments) == ["/bin/sh", "-c", "make", ""]
    assert [(v.name, v.value) for v in command.environment_variables] == [("A", "ä"), ("TZ", "UTC")]
    assert list(command.output_paths) == ["dist", "out"]
    action = classes["Action"].FromString(encoded.action)
    assert action.SerializeToString(deterministic=True) == encoded.action
    assert action.command_digest.hash == Digest.of(encoded.command)
    names = [p.name for p in action.platform.properties]
    assert names == sorted(names)


def test_directories_are_canonical_protobuf() -> None:
    nodes: list[FileNode | LinkNode | Directory] = [
        FileNode(RelPath("b"), BlobRef.of(b"1")),
        FileNode(RelPath("a"), BlobRef.of(b""), executable=True),
        LinkNode(RelPath("l"), "a"),
        Directory(RelPath("d/e")),
    ]
    _, blobs = Tree.of(nodes).encode()
    directory = message_classes()["Directory"]
    for data in blobs.values():
        assert directory.FromString(data).SerializeToString(deterministic=True) == data


def test_modes_are_a_platform_property() -> None:
    encoded = msgspec.structs.replace(ACTION, modes=(Mode.SINGLE_CPU, Mode.FIXED_PIDS), preload=Digest.of(b"x")).encode()
    action = message_classes()["Action"].FromString(encoded.action)
    properties = {p.name: p.value for p in action.platform.properties}
    assert properties["lockage-modes"] == "fixed-pids single-cpu"
    assert properties["lockage-preload"] == Digest.of(b"x")
    assert list(properties) == sorted(properties)


def test_golden_digest() -> None:
    # Final: a change here changes every cache key and every provenance; it needs a new contract version.
    assert str(ACTION.encode().ref) == "7bbed76a57cbfcee9d48ccb2c9f2bcf34b2024aa07dadd2f9b6b6da44f946a0e/399"
