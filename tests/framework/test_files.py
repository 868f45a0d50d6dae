"""Files and folders: whole or not at all, readable by the group, and named in what the file system refuses."""

from __future__ import annotations

import errno
import multiprocessing
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch
from filelock import SoftFileLease
from safetensors import SafetensorError
from safetensors.torch import save_file

import modules
from framework import errors
from framework.errors import UserError, exit_on_user_error
from framework.system import locks
from framework.system.atomic_files import filled_folder, remove_folder, require_writable, whole_folder, write_whole
from framework.system.locks import stage_lock, stage_lock_if_free
from framework.system.stored_files import Damaged, stored_bytes

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as two users of a group")
GROUP, FIRST, SECOND = 4000, 4001, 4002


PROCESSES = multiprocessing.get_context("forkserver")
"""A copy of pytest's own process, which has threads, may wait for ever for a lock that one of them held."""
PROCESSES.set_forkserver_preload([__name__])


def as_user(user: int, umask: int, work: Callable[..., object], *words: object) -> str:
    """Does something as a user of the group, in a process of its own; returns the message of its mistake, if any."""
    source, sink = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_do_as_user, args=(sink, user, umask, work, words))
    process.start()
    sink.close()  # if the process fails, there is nothing to receive
    said: str = source.recv()
    process.join()
    return said


def _do_as_user(
    sink: Connection, user: int, umask: int, work: Callable[..., object], words: tuple[object, ...]
) -> None:
    os.setgroups([])
    os.setgid(GROUP)
    os.setuid(user)
    os.umask(umask)
    try:
        work(*words)
        sink.send("")
    except (UserError, OSError) as error:
        sink.send(str(error))


def write_a_component_and_a_run(shared: Path) -> None:
    with whole_folder(shared / "store" / "7f3a") as folder:
        save_file({"x": torch.ones(2)}, folder / "weights")  # this library's own files are private
        (folder / "needs").mkdir()
        (folder / "needs" / "text").write_text("text")
    write_whole(shared / "runs" / "run.json", b"{}")


def write_text(folder: Path) -> None:
    with whole_folder(folder) as unfinished:
        (unfinished / "text").write_text("text")


def leave_claim_of_another_machine(file: Path) -> None:
    lease = SoftFileLease(file, lease_duration=0.5)
    lease.acquire()
    record = file.read_text().replace(os.uname().nodename, "elsewhere")
    lease.release()
    file.write_text(record)


def take_claim(file: Path) -> None:
    locks.LEASE, locks.POLL = 0.5, 0.05
    with stage_lock(file, lambda: False, print) as mine:
        assert mine


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder of the group, as `chmod 2775` makes it; not below pytest's own, which only its user may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chown(folder, 0, GROUP)
        folder.chmod(0o2775)
        yield folder


class TestSharedFolders:
    @needs_root
    @pytest.mark.parametrize("umask", [0o002, 0o022, 0o007])
    def test_what_is_written_has_the_permissions_of_the_umask(self, shared: Path, umask: int) -> None:
        assert as_user(FIRST, umask, write_a_component_and_a_run, shared) == ""
        written = [*shared.rglob("*")]
        assert len(written) == 7
        for path in written:
            mode = path.stat().st_mode
            expected = (0o777 if path.is_dir() else 0o666) & ~umask
            assert (stat.S_IMODE(mode) & 0o777, path.stat().st_gid) == (expected, GROUP), path
            assert bool(mode & stat.S_ISGID) == path.is_dir()

    @needs_root
    def test_a_folder_of_another_user_is_named_with_its_owner(self, shared: Path) -> None:
        runs = shared / "runs"
        assert as_user(FIRST, 0o022, require_writable, runs / "mine", "runs") == ""
        said = as_user(SECOND, 0o002, require_writable, runs / "hers", "runs")
        assert said == (
            f"runs: cannot write in the folder {runs / 'hers'}: Permission denied; {runs} belongs to user {FIRST}, "
            f"who can open it to the group: `chmod -R g+w {runs}`"
        )
        assert as_user(FIRST, 0o022, Path.chmod, runs, 0o2775) == ""
        assert as_user(SECOND, 0o002, require_writable, runs / "hers", "runs") == ""

    @needs_root
    def test_what_another_user_may_not_remove_stays_whole(self, shared: Path) -> None:
        assert as_user(FIRST, 0o022, write_text, shared / "7f3a") == ""
        said = as_user(SECOND, 0o022, remove_folder, shared / "7f3a")
        assert said == f"[Errno 13] Permission denied: '{shared / '7f3a'}'"
        assert [str(path.relative_to(shared)) for path in sorted(shared.rglob("*"))] == ["7f3a", "7f3a/text"]

    @needs_root
    def test_a_stale_claim_of_another_user_is_taken_over(self, shared: Path) -> None:
        assert as_user(FIRST, 0o022, leave_claim_of_another_machine, shared / "x.claim") == ""
        assert as_user(SECOND, 0o022, take_claim, shared / "x.claim") == ""


class TestPlaces:
    def test_a_folder_that_is_there_stays_with_what_it_holds(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there = tmp_path / "there"
        (there / "needs" / "old").mkdir(parents=True)
        (there / "mine").write_text("mine")
        (tmp_path / "link").symlink_to(there)
        before = there.stat().st_ino
        monkeypatch.chdir(there)
        for place in (Path("."), tmp_path / "link", there):
            with filled_folder(place) as folder:
                (folder / "needs").mkdir()
                (folder / "needs" / "new").write_text("new")
        assert there.stat().st_ino == before
        assert sorted(str(path.relative_to(there)) for path in there.rglob("*")) == ["mine", "needs", "needs/new"]

    def test_an_error_leaves_it_as_it_was(self, tmp_path: Path) -> None:
        (tmp_path / "mine").write_text("mine")

        def fill() -> None:
            with filled_folder(tmp_path) as folder:
                (folder / "new").write_text("new")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fill()
        assert [path.name for path in tmp_path.iterdir()] == ["mine"]

    def test_a_link_to_nowhere_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("nowhere")
        with pytest.raises(UserError, match="link: is a link to nowhere, which is not there"), filled_folder(
            tmp_path / "link"
        ):
            pass


class TestErrors:
    @pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG])
    def test_what_the_file_system_refuses_is_one_line(self, number: int, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as left, exit_on_user_error():
            raise OSError(number, os.strerror(number), "store/7f3a")
        assert (left.value.code, capsys.readouterr().err) == (2, f"store/7f3a: {os.strerror(number)}\n")

    @pytest.mark.parametrize("name", ["store/7f3a", str(Path.cwd() / "runs" / "a"), b"store/7f3a"])
    def test_a_missing_file_of_the_users_is_one_line(
        self, name: str | bytes, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as left, exit_on_user_error():
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", name)
        assert (left.value.code, capsys.readouterr().err) == (2, f"{os.fsdecode(name)}: No such file or directory\n")

    def test_a_spelling_that_differs_only_in_case_is_the_nearest(self) -> None:
        assert errors.did_you_mean("XLM-Roberta", ["roberta", "xlm-roberta"]) == "; did you mean 'xlm-roberta'?"

    @pytest.mark.parametrize("name", [None, 7, errors.__file__, str(Path(modules.__file__).parent / "missing.json")])
    def test_a_missing_file_of_the_program_keeps_its_traceback(self, name: object) -> None:
        with pytest.raises(FileNotFoundError), exit_on_user_error():
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", name)

    def test_other_errors_keep_their_traceback(self) -> None:
        with pytest.raises(OSError, match="no child"), exit_on_user_error():
            raise OSError(errno.ECHILD, "no child")

    @pytest.mark.parametrize(
        "error",
        [
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),  # as `write` raises it
            SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        ],
        ids=repr,
    )
    def test_a_full_disk_is_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception
    ) -> None:
        with pytest.raises(SystemExit), exit_on_user_error(), whole_folder(tmp_path / "7f3a"):
            raise error
        assert capsys.readouterr().err == f"{tmp_path / '7f3a'}: No space left on device\n"
        assert list(tmp_path.iterdir()) == []

    def test_a_pipe_and_a_huge_file_are_not_read(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(UserError, match="pipe: is not a file"):
            stored_bytes(tmp_path / "pipe")
        with (tmp_path / "huge").open("wb") as file:
            file.truncate(2**40)
        with pytest.raises(Damaged, match="huge is damaged: it is larger than 256 MiB"):
            stored_bytes(tmp_path / "huge")


class TestStaleClaims:
    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(locks, "WRITING", 0.2)
        monkeypatch.setattr(locks, "POLL", 0.05)

    @pytest.mark.parametrize("age", [0, -3600, 86400], ids=["now", "an hour ago", "tomorrow"])
    def test_one_without_a_record_is_taken_over(self, tmp_path: Path, age: int) -> None:
        file = tmp_path / "x.claim"
        file.touch()
        os.utime(file, (time.time() + age,) * 2)
        with stage_lock_if_free(file) as free:
            assert not free
        with stage_lock(file, lambda: False, lambda why: None) as mine:
            assert mine
        assert not file.exists()

    @pytest.mark.parametrize(
        "record",
        [
            "1\nelsewhere\n",
            f"{os.getppid()}\n{os.uname().nodename}\n",
            "filelock/2\npid=7\nhost=elsewhere\nmode=lease\ntoken=00\nduration=1e+300\n",
        ],
    )
    def test_one_of_another_version_is_refused_with_how_to_free_it(self, tmp_path: Path, record: str) -> None:
        file = tmp_path / "x.claim"
        file.write_text(record)
        waited: list[str] = []
        words = f"claimed by .*, last sign of life .*`rm {file}` frees the stage"
        with pytest.raises(UserError, match=words), stage_lock(file, lambda: False, waited.append):
            pass
        assert len(waited) == 1
        assert file.read_text() == record
