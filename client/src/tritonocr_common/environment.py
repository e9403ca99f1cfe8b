"""The environment variables of the client, the gateway and the server: the only place that names them.

`docs/operations.md` shows the table; `make generate` writes it there.
"""

from __future__ import annotations

from typing import Final

URL: Final = "TRITONOCR_URL"
JOBS_URL: Final = "TRITONOCR_JOBS_URL"
API_KEY: Final = "TRITONOCR_API_KEY"
HOME: Final = "TRITONOCR_HOME"
SHIPPED_HOME: Final = "TRITONOCR_SHIPPED_HOME"
OFFLINE: Final = "TRITONOCR_OFFLINE"
TRITONSERVER: Final = "TRITONOCR_TRITONSERVER"
PRESET: Final = "TRITONOCR_PRESET"
ADMIN_KEY: Final = "TRITONOCR_ADMIN_KEY"
LOG_FORMAT: Final = "TRITONOCR_LOG_FORMAT"
LOG_REQUESTS: Final = "TRITONOCR_LOG_REQUESTS"
ENGINE_CACHE: Final = "TRITONOCR_ENGINE_CACHE"
DRAIN_FILE: Final = "TRITONOCR_DRAIN_FILE"
WATCH_FOLDER: Final = "TRITONOCR_WATCH_FOLDER"
RESTARTS: Final = "TRITONOCR_RESTARTS"
# Not TRITONOCR_GATEWAY_: Kubernetes sets TRITONOCR_GATEWAY_PORT=tcp://… for a Service of that name.
GATEWAY_PREFIX: Final = "TRITONOCR_REST_"

VARIABLES: Final = {
    URL: "Address of the server for `tritonocr predict`, `tritonocr ocr` and the OCRmyPDF plugin.",
    JOBS_URL: "Address of the gateway for `tritonocr jobs`.",
    API_KEY: "API key of the gateway for `tritonocr jobs`.",
    HOME: "Folder of the model cache. The default is `~/.cache/tritonocr`.",
    SHIPPED_HOME: "Second model cache, read only: the models that a container image contains.",
    OFFLINE: "If set, nothing is downloaded: a missing model is an error. Empty, `0` and `false` mean no.",
    TRITONSERVER: "Folder of your own tritonserver, for example `/opt/tritonserver` in NVIDIA's image.",
    PRESET: "Preset of `tritonocr serve`, `tune` and `repository build`: `paddlex`, `fast` or `accurate`.",
    ADMIN_KEY: "Key of Triton's administrative APIs ([security.md](security.md#the-admin-key)).",
    LOG_FORMAT: "`text` or `json`, as `tritonocr serve --log-format`.",
    LOG_REQUESTS: "If true, one log line per request, as `tritonocr serve --log-requests`.",
    ENGINE_CACHE: "Folder of compiled TensorRT engines. It replaces the folder that the repository names.",
    DRAIN_FILE: "Set by `tritonocr serve` for the models of its server. Do not set it.",
    WATCH_FOLDER: "Set by `tritonocr serve` for the models of its server. Do not set it.",
    RESTARTS: "Set by `tritonocr serve` for the metrics of the processes that it starts. Do not set it.",
    f"{GATEWAY_PREFIX}…": "Settings of the gateway ([rest.md](rest.md#settings)).",
}
"""Each variable with its meaning, in Markdown."""
