"""``python -m svf_helpers.pocket train NAME --out FOLDER``: make a bundled model again."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from svf_helpers.pocket.folders import NAMES, training_record


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and train; returns the exit status.

    Example:
        >>> main(["list"])
        pocket-gpt2 ...
        pocket-pythia ...
        0
    """
    parser = argparse.ArgumentParser(prog="python -m svf_helpers.pocket", description="The book's bundled models.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name, parameters, steps and accuracy of the bundled models")
    make = commands.add_parser("train", help="train a bundled model again; an interrupted run resumes")
    make.add_argument("name", choices=NAMES)
    make.add_argument("--out", type=Path, required=True, help="folder to write, in Hugging Face's format")
    make.add_argument("--seed", type=int, help="another seed than the bundled model's")
    make.add_argument("--steps", type=int, help="fewer or more steps than the bundled model's")
    make.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    if options.command == "list":
        for name in NAMES:
            record = training_record(name)
            right = record["history"][-1]["held-out"]
            print(f"{name} {record['parameters']:,} parameters, {record['steps']} steps, {right:.1%} right")
        return 0
    return _train(options)


def _train(options: argparse.Namespace) -> int:
    from svf_helpers.pocket.recipe import RECIPES
    from svf_helpers.pocket.training import train

    changes = {key: value for key in ("seed", "steps") if (value := getattr(options, key)) is not None}
    if changes.get("steps", 1) < 1:
        print(f"--steps {options.steps}: at least 1", file=sys.stderr)
        return 2
    try:
        folder = train(replace(RECIPES[options.name], **changes), options.out, progress=not options.quiet)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.name} is in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
