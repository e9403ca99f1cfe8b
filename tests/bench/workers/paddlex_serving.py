"""PaddleX's basic server on one port, as `paddlex --serve` runs it; that command takes no engine settings."""

from __future__ import annotations

import sys

from paddlex_pipeline import create, pipeline_config
from protocol import configuration


def main() -> None:
    """Serve on the port in the second argument until the process is stopped."""
    from paddlex.inference.serving.basic_serving import create_pipeline_app, run_server

    asked = configuration()
    app = create_pipeline_app(create(asked), pipeline_config(asked))
    run_server(app, host="127.0.0.1", port=int(sys.argv[2]))


if __name__ == "__main__":
    main()
