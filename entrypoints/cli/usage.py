"""Wrong usage in two lines: what is wrong, what was perhaps meant, where it is told."""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from s3export.entrypoints.cli.exit_codes import ExitCode
from s3export.entrypoints.cli.terminal import harmless

_NUMBER = re.compile(r"-\d+|-\d*\.\d+")  # argparse's own: these are values


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong before it says what is missing."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse; what is not known is wrong, here and not only at the very end."""
        given = list(sys.argv[1:] if args is None else args)
        for option in self._unknown(given):
            self.error(f"no such option: {option}{self._nearest_option(option)}")
        parsed, rest = super().parse_known_args(given, namespace)
        if rest:
            self.error(f"one argument too many: {rest[0]!r}")
        return parsed, rest

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and how the command is used."""
        message = message.removeprefix("argument ").replace(
            "the following arguments are required", "missing"
        )
        self.exit(
            ExitCode.USAGE,
            f"s3export: {harmless(message)}\n"
            f"  next: {self.prog} --help tells all; usage: {self._in_one_line()}\n",
        )

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        from s3export.domain.nearest import did_you_mean

        known = [str(choice) for choice in action.choices]
        near = did_you_mean(str(value), known)
        if isinstance(action, argparse._SubParsersAction):
            self.error(f"no such command: {value!r}{near}")
        said = f"{value!r} is not one of {', '.join(known)}{near}"
        raise argparse.ArgumentError(action, said)

    def _unknown(self, given: Sequence[str]) -> Iterator[str]:
        """Yield options that are none; a command has those after it to itself."""
        has_commands = self._subparsers is not None
        for argument in given:
            option = argument.partition("=")[0]
            if argument == "--" or (has_commands and not argument.startswith("-")):
                return
            if (
                len(argument) > 1
                and argument.startswith("-")
                and " " not in option
                and not _NUMBER.fullmatch(argument)
                and option not in self._option_string_actions
                and (option[1] == "-" or option[:2] not in self._option_string_actions)
            ):
                yield option

    def _nearest_option(self, option: str) -> str:
        from s3export.domain.nearest import did_you_mean

        return did_you_mean(option, self._option_string_actions)

    def _in_one_line(self) -> str:
        required = [a for a in self._actions if a.option_strings and a.required]
        places = [a for a in self._actions if not a.option_strings]
        options = [f"{a.option_strings[0]} {a.metavar}" for a in required]
        return " ".join([self.prog, *options, "[options]", *map(_place, places)])


def _place(action: argparse.Action) -> str:
    choices = "{" + ",".join(map(str, action.choices or ())) + "}"
    name = str(action.metavar or (choices if action.choices else action.dest))
    if isinstance(action, argparse._SubParsersAction):
        return f"{name} ..."
    more = {"?": f"[{name}]", "+": f"{name} [{name} ...]", "*": f"[{name} ...]"}
    return more.get(str(action.nargs), name)
