"""The manifests as a cluster receives them, and the schemas that validate them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from manifest_schemas import MANIFESTS, ROOT, Manifest


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `kserve/`, the SDK's models, and `kubectl`, unless that is on the path."""
    directory = ROOT / ".venv" / "kubernetes"
    script = ROOT / "tests" / "install-kubernetes-tools.sh"
    subprocess.run(["sh", script, sys.executable, directory], check=True, timeout=240)
    return directory


@pytest.fixture(scope="session")
def built(tools: Path) -> dict[str, list[Manifest]]:
    """The resources of each overlay, as `kubectl apply -k` sends them."""
    own = tools / "kubectl"
    kubectl = str(own) if own.exists() else str(shutil.which("kubectl"))
    return {name: _kustomized(kubectl, MANIFESTS / "overlays" / name) for name in ("cpu", "gpu")}


def _kustomized(kubectl: str, directory: Path) -> list[Manifest]:
    run = subprocess.run([kubectl, "kustomize", directory], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert not run.stderr, f"kustomize warns: {run.stderr}"
    return list(yaml.safe_load_all(run.stdout))
