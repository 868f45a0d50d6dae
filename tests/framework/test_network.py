"""Failures of the network: requests are repeated, and a command that gives up has an exit code of its own."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import huggingface_hub
import pytest
import requests
from huggingface_hub.utils import get_session, reset_sessions

from datamodules.errors import NetworkError as NoData
from framework.config.sbatch_template import TEMPLATE
from framework.errors import UNAVAILABLE, Interrupted, Unavailable, exit_on_user_error
from framework.execution import runner
from framework.slurm.script import fill
from framework.system import network, signals
from framework.system.signals import handle_stop_signals
from modules.errors import NetworkError as NoBackbone
from tests.hub_server import Repository, hub_server

MODEL = Repository("models", "someone/tiny", [{"config.json": b"{}"}])
Pauses = list[float]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pauses]:
    """Requests are repeated, and the pauses are written down in place of waiting."""
    waited: Pauses = []
    monkeypatch.setattr(network, "pause", lambda seconds, where: waited.append(seconds))
    monkeypatch.setattr(network._Retry, "has_given_up", False)
    network.retry_requests()
    yield waited
    huggingface_hub.configure_http_backend()
    reset_sessions()


def first_answers(*answers: tuple[int, dict[str, str]]) -> Callable[[BaseHTTPRequestHandler], bool]:
    """Answers the first requests with these codes and headers."""
    left = list(answers)

    def fault(handler: BaseHTTPRequestHandler) -> bool:
        if not left:
            return False
        status, headers = left.pop(0)
        handler.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        return True

    return fault


def get(*answers: tuple[int, dict[str, str]]) -> tuple[int, int]:
    """Status of the last answer, and how many requests were sent."""
    seen: list[str] = []
    with hub_server([MODEL], seen, first_answers(*answers)) as endpoint:
        response = get_session().get(f"{endpoint}/api/models/someone/tiny")
    return response.status_code, len(seen)


def test_failed_requests_are_repeated_with_growing_pauses(pauses: Pauses, capsys: pytest.CaptureFixture[str]) -> None:
    assert get((503, {}), (500, {}), (502, {})) == (200, 4)
    assert pauses == [1, 2, 4]
    assert capsys.readouterr().err.splitlines() == [
        "a request to the hub failed (HTTP 503): try 2 of 7 in 1 s",
        "a request to the hub failed (HTTP 500): try 3 of 7 in 2 s",
        "a request to the hub failed (HTTP 502): try 4 of 7 in 4 s",
    ]


@pytest.mark.parametrize(
    "headers",
    # The hub has the second header: https://huggingface.co/docs/hub/rate-limits
    [{"Retry-After": "30"}, {"RateLimit": '"api";r=0;t=30', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}],
)
def test_a_pause_that_the_hub_demands_is_kept(headers: dict[str, str], pauses: Pauses) -> None:
    assert get((429, headers)) == (200, 2)
    assert pauses == [30]


@pytest.mark.parametrize("demanded", ["nonsense", "-1", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_pause_that_cannot_be_read_is_ours(demanded: str, pauses: Pauses) -> None:
    assert get((429, {"Retry-After": demanded})) == (200, 2)
    assert pauses == [1]


def test_a_pause_that_is_too_long_is_not_waited_for(pauses: Pauses) -> None:
    assert get((429, {"Retry-After": "86400"})) == (429, 1)
    assert pauses == []


def test_it_gives_up_and_then_waits_no_more_until_a_request_succeeds(pauses: Pauses) -> None:
    seen: list[str] = []
    with hub_server([MODEL], seen, first_answers(*[(429, {})] * (network.TRIES + 1))) as endpoint:
        address = f"{endpoint}/api/models/someone/tiny"
        assert get_session().get(address).status_code == 429
        assert (pauses, len(seen)) == ([1, 2, 4, 8, 16, 32], network.TRIES)
        assert get_session().get(address).status_code == 429
        assert len(seen) == network.TRIES + 1
        assert get_session().get(address).status_code == 200
    assert len(pauses) == network.TRIES - 1
    assert not network._Retry.has_given_up


def test_what_cannot_be_reached_is_tried_again_too(pauses: Pauses, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(requests.ConnectionError):
        get_session().get("http://127.0.0.1:9/api/models/someone/tiny")
    assert pauses == [1, 2, 4, 8, 16, 32]
    said = capsys.readouterr().err
    assert said.startswith("a request to the hub failed ([Errno 111] Connection refused): try 2 of 7 in 1 s\n")


def test_a_request_to_stop_ends_a_pause(monkeypatch: pytest.MonkeyPatch, pauses: Pauses) -> None:
    monkeypatch.setattr(network, "pause", signals.pause)
    monkeypatch.setattr("time.sleep", lambda seconds: pauses.append(seconds) or signal.raise_signal(signal.SIGUSR1))
    message = r"^stopped \(SIGUSR1\) while it waited for the hub; the same"
    with handle_stop_signals(), pytest.raises(Interrupted, match=message):
        get((429, {"Retry-After": "500"}))
    assert pauses == [signals.STEP]
    with handle_stop_signals():  # no test after this one hears the signal
        pass


def test_the_process_of_a_rank_repeats_requests(monkeypatch: pytest.MonkeyPatch, pauses: Pauses) -> None:
    huggingface_hub.configure_http_backend()
    answers: list[tuple[int, int]] = []
    monkeypatch.setattr(runner, "execute_one", lambda *words: answers.append(get((503, {}))))
    monkeypatch.setattr("sys.argv", ["runner", "experiment.yaml", "[]", "7f3a"])
    runner.main()
    assert answers == [(200, 2)]


def test_the_users_mistakes_are_not_repeated(pauses: Pauses) -> None:
    assert get((404, {})) == (404, 1)
    assert pauses == []


@pytest.mark.parametrize("kind", [NoData, NoBackbone, Unavailable])
def test_a_failure_of_the_network_has_an_exit_code_of_its_own(
    kind: type[Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end, exit_on_user_error():
        raise kind("the hub is out of reach")
    assert end.value.code == UNAVAILABLE == 69
    assert capsys.readouterr().err == "the hub is out of reach\n"


SRUN = """#!/bin/bash
read -r code rest <codes; echo "$rest" >codes
export FIRST; bash -c 'echo $0 >"$FIRST"' "$code"
exit "$code"
"""


def run_job(folder: Path, codes: str) -> tuple[int, str, str]:
    """Runs the script of a job whose stage ends with these exit codes; returns how it ended, and what it printed."""
    values = {"title": "", "typed": "x", "options": "", "setup": "", "stages": "[0]=a", "command": "x", "cpus": "1"}
    text = fill(
        TEMPLATE.read_text(), {**values, "retries": "1", "end": str(folder / "end"), "log": str(folder / "log")}
    )
    assert "pauses=(300 600 1200)" in text
    (folder / "job").write_text(text.replace("pauses=(300 600 1200)", "pauses=(0 0 0)"))
    (folder / "codes").write_text(f"{codes} ")
    for name, program in {"srun": SRUN, "scontrol": "#!/bin/bash\necho ' JobState=RUNNING Reason=None'"}.items():
        (folder / name).write_text(program)
        (folder / name).chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_JOB_ID": "1"}
    done = subprocess.run(["bash", "job"], cwd=folder, env=environment, capture_output=True, text=True, timeout=20)
    end = folder / "end-0"
    return done.returncode, end.read_text() if end.is_file() else "", done.stdout


def test_a_job_tries_again_after_a_pause(tmp_path: Path) -> None:
    code, end, said = run_job(tmp_path, "69 69 1 0")
    assert (code, end) == (0, "0 RUNNING None\n")
    assert said.count("the network failed; tried again in 0 seconds") == 2
    assert said.count("crashed with exit code 1; tried again") == 1


def test_a_job_ends_when_the_network_stays_away(tmp_path: Path) -> None:
    code, end, said = run_job(tmp_path, "69 69 69 69 0")
    assert (code, end) == (69, "69 RUNNING None\n")
    assert said.count("the network failed") == 3
