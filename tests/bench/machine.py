"""Describe the machine and the versions of a measurement."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from tritonocr_backend.zoo.programs import TRITONSERVER

_TELLING_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "avx512_fp16")
_PACKAGES = ("tritonclient", "openvino", "onnxruntime", "opencv-python-headless", "numpy")


def _wheel_versions() -> dict[str, str]:
    """Versions of the wheels from which the programs are taken."""
    return {TRITONSERVER.wheel.distribution: TRITONSERVER.wheel.version}


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def description() -> dict[str, Any]:
    """CPU, memory, GPU and releases."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    name = re.search(r"model name\s*: (.*)", info)
    flags = re.search(r"flags\s*: (.*)", info)
    return {
        "cpu": name.group(1) if name else platform.processor(),
        "cores": cores(),
        "flags": [flag for flag in _TELLING_FLAGS if flags and flag in flags.group(1).split()],
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "gpu": gpu() or "none",
        "python": platform.python_version(),
        "packages": _wheel_versions() | {package: metadata.version(package) for package in _PACKAGES},
        "commit": _commit(),
    }


def gpu() -> str:
    """Names of the GPUs, "" where there is none."""
    return _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").replace("\n", ", ")


def _commit() -> str:
    return _output("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty")


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
