import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def consumer():
    command = ["node", Path(__file__).with_name("hook.mjs")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()
