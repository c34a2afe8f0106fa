"""Adapter with which the public wasi-testsuite runs `enarx run`."""

import os
import subprocess
from pathlib import Path
from typing import Dict, List, Tuple

PROGRAM = os.environ.get("ENARX", "enarx")


def get_name() -> str:
    return "enarx"


def get_version() -> str:
    done = subprocess.run([PROGRAM, "--version"], encoding="UTF-8", capture_output=True, check=True)
    return done.stdout.split()[1]


def get_wasi_versions() -> List[str]:
    return ["wasm32-wasip1", "wasm32-wasip3"]


def compute_argv(
    test_path: str,
    args_env_dirs: Tuple[List[str], Dict[str, str], List[Tuple[Path, str]]],
    proposals: List[str],
    wasi_version: str,
) -> List[str]:
    args, env, dirs = args_env_dirs
    argv = [PROGRAM, "run"]
    for name, value in env.items():
        argv += ["--env", f"{name}={value}"]
    for host, guest in dirs:
        argv += ["--dir", f"{host}::{guest}"]
    return argv + [test_path, "--"] + args
