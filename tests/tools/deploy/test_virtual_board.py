"""Real SSH on loopback: a virtual board, the real skill, and everything that may go wrong."""

from __future__ import annotations

import asyncio
import gzip
import hmac
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from npukit_cli.deploy.bundle import make_bundle
from npukit_cli.deploy.choosing import Wish, choose
from npukit_cli.deploy.flash import Flashed, flash
from npukit_cli.deploy.packing import cargo
from npukit_cli.deploy.people import NOBODY, Person, Watcher
from npukit_cli.deploy.problems import (
    BoardRefused,
    BoardSkipped,
    ConnectionFailed,
    DeployError,
    HostKeyRefused,
)
from npukit_cli.deploy.remote import Where, session
from npukit_cli.deploy.transport import Login, connect, parse_address
from npukit_cli.deploy.virtual_board import VirtualBoard
from npukit_cli.skills import find_skill

YES = Person(lambda _: True, lambda _: None)
SKILL = Path(__file__).parents[2] / "data" / "deploy" / "passing"
MATTING = find_skill("portrait_matting")
ENDLESS = "pattern:320x240,frames=100000"
RUNS = Wish(SKILL, capture=ENDLESS, displays=("null",))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with no keys and no known hosts."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path / "home"


@pytest.fixture
def server() -> str:
    """OpenSSH's; a test can ask for the stand-in."""
    return "OpenSSH" if shutil.which("sshd", path="/usr/sbin:/usr/bin") else "asyncssh"


@pytest.fixture
def board(tmp_path: Path, home: Path, server: str) -> Iterator[VirtualBoard]:
    with VirtualBoard(tmp_path / "board", server=server) as virtual:
        yield virtual
        virtual.stop_skills()


def test_openssh_is_checked(server: str) -> None:
    if server != "OpenSSH":
        pytest.skip("NOT CHECKED against OpenSSH: `apt-get install openssh-server` brings it")


def where(board: VirtualBoard, **login: Any) -> Where:
    identity = (str(board.identity),)
    return Where(parse_address(board.address), Login(identity=identity)._replace(**login))


@pytest.fixture
def crashing(tmp_path: Path) -> Path:
    """The skill, with a fault in what the board starts."""
    folder = tmp_path / "crashing"
    shutil.copytree(SKILL, folder)
    text = (folder / "main.py").read_text()
    (folder / "main.py").write_text(text.replace("    run_skill", "    1 / 0\n    run_skill"))
    return folder


def ask(board: VirtualBoard, op: str, person: Person = YES, **login: Any) -> Any:
    async def asked() -> Any:
        async with session(where(board, **login), person) as remote:
            return await remote.call(op)

    return asyncio.run(asked())


def put(board: VirtualBoard, wish: Wish = RUNS, person: Person = YES) -> Flashed:
    return asyncio.run(flash(where(board), wish, cargo(wish.skill, wish.signer), person, Watcher()))


@pytest.mark.parametrize("server", ["OpenSSH", "asyncssh"])
def test_the_skill_runs_on_the_virtual_board(board: VirtualBoard, home: Path) -> None:
    flashed = put(board, replace(RUNS, skill=MATTING))
    assert flashed.virtual
    assert flashed.frames >= 10
    assert flashed.board == "simulator"
    assert (home / ".ssh" / "known_hosts").read_text().startswith(f"[127.0.0.1]:{board.port} ")


def test_a_version_that_crashes_is_rolled_back(board: VirtualBoard, crashing: Path) -> None:
    first = put(board).release
    with pytest.raises(BoardRefused) as refused:
        put(board, Wish(crashing, frames=5))
    assert "exit code 1" in refused.value.message
    assert "ZeroDivisionError" in refused.value.message
    assert f"release {first} runs again" in refused.value.message
    assert "Traceback" in refused.value.log
    status = ask(board, "status")["skills"][0]
    assert (status["release"], status["running"]) == (first, True)


def test_a_hilens_script_runs_and_its_frames_are_seen(board: VirtualBoard, tmp_path: Path) -> None:
    folder = tmp_path / "script"
    folder.mkdir()
    (folder / "main.py").write_text(
        "import time\nimport hilens\nhilens.init('x')\ncamera = hilens.VideoCapture()\n"
        "display = hilens.Display(hilens.HDMI)\n"
        "while True:\n    display.show(camera.read())\n    time.sleep(0.01)\n"
    )
    flashed = put(board, replace(RUNS, skill=folder))
    assert (flashed.skill, flashed.ended) == ("script", False)
    assert flashed.frames >= 10
    assert flashed.notices == ()


def test_only_what_changed_travels_and_parameters_are_another_release(board: VirtualBoard) -> None:
    first = put(board)
    other = put(board, Wish(SKILL, {"mirror": "true"}, ENDLESS, ("null",)))
    assert first.sent == first.size
    assert other.sent == 0
    assert other.release != first.release
    assert other.previous == first.release


def test_a_changed_host_key_stops_everything(board: VirtualBoard, home: Path) -> None:
    put(board)
    board.stop()
    board.new_host_key()
    board.start()
    known = (home / ".ssh" / "known_hosts").read_bytes()
    with pytest.raises(HostKeyRefused, match="has changed") as refused:
        put(board)
    assert "ssh-keygen -R" in refused.value.hint
    assert (home / ".ssh" / "known_hosts").read_bytes() == known
    assert board.fingerprint in refused.value.message


def test_a_new_host_is_asked_about_once(board: VirtualBoard, home: Path) -> None:
    questions: list[str] = []

    def answer(question: str) -> bool:
        questions.append(question)
        return len(questions) > 1

    careful = Person(answer, lambda _: None)
    with pytest.raises(HostKeyRefused, match="not known yet"):
        ask(board, "facts", careful)
    assert not (home / ".ssh").exists()
    ask(board, "facts", careful)
    ask(board, "facts", careful)
    assert len(questions) == 2
    assert board.fingerprint in questions[0]


def test_a_host_key_can_be_given(board: VirtualBoard) -> None:
    with pytest.raises(HostKeyRefused, match="expected was SHA256:x"):
        ask(board, "facts", NOBODY, host_key="SHA256:x")
    assert ask(board, "facts", NOBODY, host_key=board.fingerprint)["virtual"]


def test_the_users_ssh_config_is_read(board: VirtualBoard, home: Path) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh" / "config").write_text(
        f"Host kit\n HostName 127.0.0.1\n Port {board.port}\n User {board.user}\n"
        f" IdentityFile {board.identity}\n"
    )

    async def facts() -> object:
        async with session(Where(parse_address("kit")), YES) as remote:
            return remote.facts["virtual"]

    assert asyncio.run(facts()) is True


def test_through_a_jump_host(board: VirtualBoard, tmp_path: Path) -> None:
    if board.server != "OpenSSH":
        pytest.skip("the stand-in for OpenSSH's server forwards nothing")
    # The same server is both: the second connection goes through the first.
    assert ask(board, "facts", jump=parse_address(board.address))["virtual"]


def test_a_wrong_key_and_a_dead_port_are_told_in_words(board: VirtualBoard, home: Path) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")
    other.write_private_key(home / "other")
    with pytest.raises(ConnectionFailed, match="neither a key nor a password"):
        ask(board, "facts", identity=(str(home / "other"),))
    board.stop()
    with pytest.raises(ConnectionFailed, match="no connection"):
        ask(board, "facts")


def test_a_host_that_dies_in_the_middle_of_the_switch_leaves_a_whole_board(
    board: VirtualBoard,
) -> None:
    first = put(board).release
    big = Wish(SKILL, {"mirror": "true"}, ENDLESS, ("null",))

    class Cut(Exception):  # noqa: N818 - says what happened
        pass

    def step(text: str) -> None:
        if text == "stopping":
            raise Cut  # the host dies in the middle of the switch

    with pytest.raises(Cut):
        asyncio.run(flash(where(board), big, cargo(SKILL), YES, Watcher(step)))
    deadline = time.monotonic() + 30
    while ask(board, "status")["installing"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    status = ask(board, "status")["skills"][0]
    assert not status["recovering"]
    assert status["running"]
    assert (status["release"], status["previous"]) != (first, first)  # it went on, alone


def test_an_upload_goes_on_where_it_was_cut(board: VirtualBoard) -> None:
    class Cut(Exception):  # noqa: N818 - says what happened
        pass

    def arrived(done: int, total: int) -> None:
        if done > total / 2:
            raise Cut

    with pytest.raises(Cut):
        asyncio.run(flash(where(board), RUNS, cargo(SKILL), YES, Watcher(bytes=arrived)))
    flashed = put(board)
    assert 0 < flashed.sent < flashed.size * 0.6


def test_switching_the_board_off_and_on(board: VirtualBoard) -> None:
    release = put(board).release
    board.stop()
    board.stop_skills()
    board.start()
    status = ask(board, "status")["skills"][0]
    assert (status["release"], status["running"]) == (release, True)


def test_two_boards_on_one_port_are_told(board: VirtualBoard, tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=f"port {board.port} cannot be had"):
        VirtualBoard(tmp_path / "second", board.port).start()


def test_a_tampered_agent_on_the_board_is_not_used(board: VirtualBoard) -> None:
    ask(board, "facts")
    agent = next((board.folder / "npukit" / "agent").glob("*.pyz"))
    agent.write_bytes(agent.read_bytes() + b"\0")
    with pytest.raises(ConnectionFailed, match="agent on the board was changed"):
        ask(board, "facts")


def test_a_skill_that_does_not_fit_is_skipped(board: VirtualBoard, tmp_path: Path) -> None:
    facts = {"board": "hilens_kit", "python": "3.7.0", "memory": 4 << 30}
    with pytest.raises(BoardSkipped, match="does not fit hilens_kit"):
        choose(replace(RUNS, skill=MATTING), facts, cargo(MATTING))
    small = {"board": "simulator", "python": "3.11.0", "memory": 100 << 20}
    with pytest.raises(BoardSkipped, match="of memory, the board has 100 MB"):
        choose(RUNS, small, cargo(SKILL))
    with pytest.raises(BoardSkipped, match=r"needs Python 3.7, the board has 3.6.9"):
        choose(RUNS, {**small, "python": "3.6.9"}, cargo(SKILL))
    with pytest.raises(BoardSkipped, match="is simulator, not hilens_kit"):
        choose(Wish(SKILL, board="hilens_kit"), small, cargo(SKILL))
    with pytest.raises(BoardSkipped, match="does not say what it is"):
        choose(RUNS, {**small, "board": None}, cargo(SKILL))


def test_a_bundle_is_flashed_and_a_tampered_one_is_not(board: VirtualBoard, tmp_path: Path) -> None:
    made = make_bundle(SKILL, "simulator")
    path = tmp_path / made.file_name
    path.write_bytes(made.data)
    first = put(board, replace(RUNS, skill=path))
    assert first.version == made.version
    tar = gzip.decompress(made.data)
    path.write_bytes(gzip.compress(tar.replace(b"run_skill(__file__)", b"run_skill(__name__)")))
    with pytest.raises(DeployError, match="SHA-256"):
        put(board, replace(RUNS, skill=path))
    assert ask(board, "status")["skills"][0]["release"] == first.release


def test_a_board_that_wants_signatures_refuses_bundles_without(
    board: VirtualBoard, tmp_path: Path
) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_bytes(key.export_private_key("openssh"))
    public = key.export_public_key("openssh").decode()
    ask(board, "facts")
    (board.folder / "npukit" / "allowed_signers").write_text(f"me {public}")
    with pytest.raises(BoardRefused, match="is not signed"):
        put(board)
    assert ask(board, "list") == []
    assert put(board, replace(RUNS, signer=tmp_path / "key")).frames >= 10


class Door(asyncssh.SSHServer):
    """Lets in whoever knows the password."""

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return hmac.compare_digest(password, "open sesame")


@pytest.mark.parametrize("typed", ["open sesame", "wrong", None])
def test_a_password_is_asked_for_once(typed: str | None, home: Path) -> None:
    prompts: list[str] = []

    def secret(prompt: str) -> str | None:
        prompts.append(prompt)
        return typed

    async def login() -> None:
        keys = [asyncssh.generate_private_key("ssh-ed25519")]
        async with await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Door, server_host_keys=keys
        ) as server:
            address = parse_address(f"me@127.0.0.1:{server.get_port()}")
            async with connect(address, Login(), Person(lambda _: True, secret)):
                pass

    if typed == "open sesame":
        asyncio.run(login())
    else:
        with pytest.raises(ConnectionFailed, match="neither a key nor a password"):
            asyncio.run(login())
    assert len(prompts) == 1
    assert "me@127.0.0.1:" in prompts[0]
