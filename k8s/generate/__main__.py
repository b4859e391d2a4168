"""`python -m k8s.generate`: write the files of k8s/base that are made from k8s/alerts.yml, panels.py and docs."""

import argparse
import sys
from collections.abc import Sequence

from k8s.generate import alerts, dashboards
from k8s.generate.metrics import ROOT
from k8s.generate.panels import BOARDS


def files() -> dict[str, str]:
    """Return the generated files by their paths."""
    made = {f"k8s/base/dashboards/{board.name}.json": dashboards.text(board) for board in BOARDS}
    return {"k8s/base/rules.yaml": alerts.prometheus_rule(), **made}


def main(argv: Sequence[str] | None = None) -> int:
    """Write the files that differ, and print their names."""
    argparse.ArgumentParser(prog="python -m k8s.generate", description=__doc__).parse_args(argv)
    for name, text in files().items():
        if (ROOT / name).read_text("utf-8") != text:
            (ROOT / name).write_text(text, "utf-8")
            print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
