"""`python -m bench.scaling measure`, then `report`: the figures and the picture of docs/scaling.md.

`measure` takes two minutes on a machine that does nothing else. `report` prints the tables, and with --write
puts them into the document; `--set NAME=NUMBER` replaces an assumption of `scaling_model.Assumptions`.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path

from bench import scaling_report
from bench.scaling_measure import measure
from bench.scaling_model import Assumptions

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / "docs" / "data" / "scaling.json"
DOCUMENT = ROOT / "docs" / "scaling.md"
PICTURE = ROOT / "docs" / "images" / "scaling.svg"


def main() -> None:
    """Measure, or report what was measured."""
    arguments = _arguments()
    if arguments.command == "measure":
        MEASURED.parent.mkdir(exist_ok=True)
        MEASURED.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
        return
    given = dict(pair.split("=", 1) for pair in arguments.set)
    assumptions = Assumptions(**{name: float(value) for name, value in given.items()})
    report = scaling_report.report(json.loads(MEASURED.read_text(encoding="utf-8")), assumptions)
    if arguments.write:
        DOCUMENT.write_text(scaling_report.with_tables(DOCUMENT.read_text(encoding="utf-8"), report.tables))
        PICTURE.write_text(report.picture, encoding="utf-8")
    else:
        print("\n\n".join(report.tables.values()))


def _arguments() -> argparse.Namespace:
    names = ", ".join(field.name for field in fields(Assumptions))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("measure")
    report = commands.add_parser("report")
    report.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", help=names)
    report.add_argument("--write", action="store_true", help="put the tables and the picture into docs/")
    return parser.parse_args()


if __name__ == "__main__":
    main()
