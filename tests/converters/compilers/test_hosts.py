"""A job gives the same on every host, and leaves nothing behind, whatever happens.

The tools are stand-ins (support.stand_in_compiler); Pythons, processes and SSH are real.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.compilers import flags_of, install
from support.interpreters import find_python
from support.sshd import SshServer

from npukit.errors import ConfigError
from npukit_convert.compilers.host import Host
from npukit_convert.compilers.job import RUNNER, Install, Job, read_result
from npukit_convert.compilers.local import LocalHost
from npukit_convert.compilers.ssh import SshHost
from npukit_convert.errors import CompilerError

ONNX = b"\x08\x08\x12\x04test\x0a" + b"input image, output alpha" * 4
ARGUMENTS = (
    "--framework=5", "--model=net.onnx", "--output=net", "--soc_version=Ascend310",
    "--input_shape=image:1,3,4,8",
)  # fmt: skip
JOB = Job("atc", ARGUMENTS, {"net.onnx": ONNX}, ("net.om",))
Tools = Callable[..., Path]


def nothing(_: str) -> None:
    """Nobody listens."""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH, here and on the SSH server; temporary files have a folder of their own."""
    folder = tmp_path / "tools"
    folder.mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return folder


@pytest.fixture(params=["local", "python3.9", "ssh"])
def host(request: pytest.FixtureRequest, tmp_path: Path, tools: Path) -> Iterator[Host]:
    if request.param == "local":
        yield LocalHost()
    elif request.param == "python3.9":
        python = find_python("3.9")
        if python is None:
            pytest.skip("NOT CHECKED: a job in another Python. No Python 3.9 starts here")
        yield LocalHost(str(python))
    else:
        server = SshServer(tmp_path / "ssh", tools)
        server.client(tools)
        server.start()
        yield SshHost("ssh://board")
        server.stop()
    assert not left(tmp_path), "everything temporary is gone"


def left(folder: Path) -> list[Path]:
    return [
        path
        for place in ("tmp", "ssh/board")
        for path in folder.joinpath(place).rglob("*")
        if folder.joinpath(place).exists()
    ]


def sleepers(seconds: float) -> list[str]:
    """Processes `sleep SECONDS` that live, of any parent."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", str(seconds).encode()]:
            found.append(entry.parent.name)
    return found


def wait_for(what: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_compile(host: Host, tools: Path) -> None:
    install(tools, "atc", print=["line with umlaut: ü"])
    lines: list[str] = []
    result = host.run(JOB, lines.append)
    assert result.status == "done", result.log
    assert result.code == 0
    assert flags_of(result.outputs["net.om"])["soc_version"] == "Ascend310"
    assert result.tool == str(tools / "atc")
    assert lines == result.log.splitlines()
    assert "line with umlaut: ü" in lines
    assert lines[-1] == "ATC run success, welcome to the next use."
    assert result.machine == os.uname().machine
    assert 0 < result.seconds < 30


def test_no_compiler(host: Host) -> None:
    installs = (Install("$NPUKIT_TEST_HOME/bin/atc"), Install("/nonexistent/atc"))
    result = host.run(Job(**{**vars(JOB), "installs": installs}), nothing)
    assert (result.status, result.code, result.outputs) == ("missing", None, {})
    assert result.looked == ("atc on PATH", "$NPUKIT_TEST_HOME/bin/atc", "/nonexistent/atc")


def test_a_refusal(host: Host, tools: Path) -> None:
    install(tools, "atc")
    result = host.run(Job(**{**vars(JOB), "arguments": (*ARGUMENTS[:-1], "--x=1")}), nothing)
    assert (result.status, result.code, result.outputs) == ("failed", 1, {})
    assert "unknown command line flag 'x=1'" in result.log


def test_a_success_without_a_model_is_none(host: Host, tools: Path) -> None:
    install(tools, "atc", empty=True)
    result = host.run(JOB, nothing)
    assert (result.status, result.code, result.outputs) == ("failed", 0, {})


def test_a_compiler_that_does_not_end_is_stopped_with_all_it_started(
    host: Host, tools: Path
) -> None:
    install(tools, "atc", sleep_s=811)
    start = time.monotonic()
    result = host.run(Job(**{**vars(JOB), "timeout_s": 1.0}), nothing)
    assert (result.status, result.outputs) == ("timeout", {})
    assert time.monotonic() - start < 100
    assert not sleepers(811)


def test_an_interrupt_stops_it_there_too(host: Host, tools: Path, tmp_path: Path) -> None:
    install(tools, "atc", sleep_s=812)

    def interrupt() -> None:
        wait_for(lambda: sleepers(812))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        host.run(JOB, nothing)
    thread.join()
    wait_for(lambda: not sleepers(812))


KILLED = """
import sys
from npukit_convert.compilers.job import Job
from npukit_convert.compilers.local import LocalHost
from npukit_convert.compilers.ssh import SshHost
host = SshHost("ssh://board") if sys.argv[1] == "ssh" else LocalHost()
host.run(Job("atc", tuple(sys.argv[2:]), {"net.onnx": %r}, ("net.om",)), print)
"""


@pytest.mark.parametrize("where", ["local", "ssh"])
def test_when_npukit_is_killed_the_job_ends(where: str, tools: Path, tmp_path: Path) -> None:
    server = SshServer(tmp_path / "ssh", tools)
    server.client(tools)
    server.start()
    install(tools, "atc", sleep_s=813)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED % ONNX, where, *ARGUMENTS],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
    ) as process:
        wait_for(lambda: sleepers(813))
        process.kill()
    wait_for(lambda: not sleepers(813))
    wait_for(lambda: not left(tmp_path))
    server.stop()


def test_the_path_that_is_given_is_the_only_one(host: Host, tools: Path, tmp_path: Path) -> None:
    install(tools, "atc")
    other = install(tmp_path / "other", "atc") / "atc"
    result = host.run(Job(**{**vars(JOB), "command": str(other)}), nothing)
    assert result.tool == str(other)
    result = host.run(Job(**{**vars(JOB), "command": str(tmp_path / "none")}), nothing)
    assert (result.status, result.looked) == ("missing", (str(tmp_path / "none"),))


def test_a_script_runs_in_the_hosts_python(host: Host) -> None:
    """How compilers that are Python packages with pins of their own are called."""
    script = b"import sys; print(sys.version_info[:2]); open('out.bin','w').write(sys.argv[1])"
    job = Job("vendor", ("--x=1",), {"compile.py": script}, ("out.bin",), script="compile.py")
    result = host.run(job, nothing)
    assert result.outputs == {"out.bin": b"--x=1"}
    if isinstance(host, LocalHost):
        assert result.log in ("(3, 9)\n", f"{sys.version_info[:2]}\n")
    assert job.line() == "python3 compile.py --x=1"


# --- this machine ---


def test_usual_folders_and_their_set_up(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "latest"
    install(home / "atc" / "bin", "atc")
    (tmp_path / "set_env.sh").write_text("export SEEN=from_set_env LIB=own:$LIB\n", "utf-8")
    script = home / "atc" / "bin" / "atc"
    script.write_text('#!/bin/sh\necho "$SEEN $LIB $0 $*"; echo x > net.om\n', "utf-8")
    monkeypatch.setenv("ASCEND_TOOLKIT_HOME", str(home))
    monkeypatch.setenv("LIB", "old")
    install_ = Install(
        "$ASCEND_TOOLKIT_HOME/atc/bin/atc",
        setup=("$ASCEND_TOOLKIT_HOME/set_env.sh", "$ASCEND_TOOLKIT_HOME/../set_env.sh"),
        prepend={"LIB": "$ASCEND_TOOLKIT_HOME/lib"},
    )
    job = Job(**{**vars(JOB), "installs": (install_,), "arguments": ("a b", "$c")})
    result = LocalHost().run(job, nothing)
    assert result.log == f"from_set_env own:{home}/lib:old {script} a b $c\n"
    assert result.status == "done"


def test_a_python_that_is_not_there(tools: Path) -> None:
    with pytest.raises(CompilerError, match="does not start") as caught:
        LocalHost("/nonexistent/python").run(JOB, nothing)
    assert caught.value.where == "/nonexistent/python"


def test_a_python_that_is_none(tools: Path) -> None:
    with pytest.raises(CompilerError, match="the job was not run"):
        LocalHost("/bin/false").run(JOB, nothing)


def test_an_input_that_was_damaged_on_the_way_is_not_compiled(tools: Path, tmp_path: Path) -> None:
    install(tools, "atc")
    JOB.write(tmp_path)
    (tmp_path / "net.onnx").write_bytes(ONNX[:-1])
    subprocess.run([sys.executable, RUNNER, tmp_path], stdin=subprocess.PIPE, check=False)
    result = read_result(tmp_path, "here")
    assert (result.status, result.looked) == ("damaged", ("net.onnx",))


def test_a_result_that_was_damaged_on_the_way_is_refused(tools: Path, tmp_path: Path) -> None:
    install(tools, "atc")
    JOB.write(tmp_path)
    with subprocess.Popen(
        [sys.executable, RUNNER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as runner:
        runner.wait()
    assert read_result(tmp_path, "here").status == "done"
    whole = (tmp_path / "net.om").read_bytes()
    (tmp_path / "net.om").write_bytes(whole[:-1])
    with pytest.raises(CompilerError, match=r"net\.om did not arrive whole"):
        read_result(tmp_path, "here")
    (tmp_path / "result.json").write_text(json.dumps({"status": "done"}), "utf-8")
    with pytest.raises(CompilerError, match="left no result"):
        read_result(tmp_path, "here")


# --- SSH ---


@pytest.fixture
def server(tmp_path: Path, tools: Path) -> Iterator[SshServer]:
    server = SshServer(tmp_path / "ssh", tools)
    server.client(tools)
    server.start()
    yield server
    server.stop()
    assert not left(tmp_path)


def test_a_host_whose_key_is_not_known(server: SshServer) -> None:
    server.trust(known=False)
    with pytest.raises(CompilerError, match="key is not known") as caught:
        SshHost("ssh://board").run(JOB, nothing)
    assert caught.value.where == "ssh://board"
    assert caught.value.hint.endswith("ssh board")


def test_a_host_whose_key_has_changed(server: SshServer) -> None:
    other = (server.folder / "key.pub").read_text("utf-8")
    (server.folder / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {other}", "utf-8")
    with pytest.raises(CompilerError, match="not the known one") as caught:
        SshHost("ssh://board").run(JOB, nothing)
    assert "ssh-keygen -R board" in caught.value.hint


def test_a_host_that_refuses_the_key(server: SshServer) -> None:
    (server.folder / "authorized_keys").write_text("", "utf-8")
    with pytest.raises(CompilerError, match="refuses the key") as caught:
        SshHost("ssh://board").run(JOB, nothing)
    assert "ssh-copy-id board" in caught.value.hint


def test_a_host_that_takes_no_connections(server: SshServer) -> None:
    server.stop()
    with pytest.raises(CompilerError, match="takes no SSH connections"):
        SshHost(f"ssh://127.0.0.1:{server.port}").run(JOB, nothing)


def test_a_host_without_python(server: SshServer) -> None:
    with pytest.raises(CompilerError, match="a command there failed") as caught:
        SshHost("ssh://board", "/nonexistent/python").run(JOB, nothing)
    assert "/nonexistent/python" in str(caught.value)


def test_a_connection_that_breaks(server: SshServer, tools: Path) -> None:
    """As when a cable is pulled: the server's side of the connection is killed."""
    install(tools, "atc", sleep_s=814)

    def cut() -> None:
        wait_for(lambda: sleepers(814))
        children = subprocess.run(
            ["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True
        ).stdout
        assert server._process is not None
        for line in children.splitlines():
            number, _, words = line.strip().partition(" ")
            if words.startswith("sshd:") and _below(int(number), server._process.pid):
                os.kill(int(number), signal.SIGKILL)

    thread = threading.Thread(target=cut)
    thread.start()
    with pytest.raises(CompilerError, match="failed"):
        SshHost("ssh://board").run(JOB, nothing)
    thread.join()
    wait_for(lambda: not sleepers(814))


def _below(process: int, ancestor: int) -> bool:
    """Whether a process descends from another."""
    while process > 1:
        try:
            stat = Path(f"/proc/{process}/stat").read_text("utf-8")
        except OSError:
            return False
        process = int(stat.rpartition(")")[2].split()[1])
        if process == ancestor:
            return True
    return False


@pytest.mark.parametrize(
    "address",
    ["board", "http://board", "ssh://", "ssh://u:secret@board", "ssh://b:x", "ssh://board/path"],
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ConfigError, match="no address") as caught:
        SshHost(address)
    assert caught.value.where == "compiler.at"
