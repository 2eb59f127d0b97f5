"""Errors that end a command, and the exit codes that docs/installer.md lists."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    DONE = 0
    REFUSED = 1
    USAGE = 2
    INCOMPLETE = 3
    NOT_OURS = 4
    UNREACHABLE = 5
    INTERRUPTED = 130


class InstallerError(Exception):
    """An error with a sentence for people and a code for scripts."""

    exit_code = ExitCode.REFUSED

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class UsageError(InstallerError):
    """The command cannot run with these options and files."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, code: str = "usage") -> None:
        super().__init__(message, code)


class NotOurFile(InstallerError):  # noqa: N818 -- states the fact
    """A file that was made or edited by hand is in the way."""

    exit_code = ExitCode.NOT_OURS

    def __init__(self, message: str) -> None:
        super().__init__(message, "edited_by_hand")


class Unreachable(InstallerError):  # noqa: N818 -- states the fact
    """The portal gave no usable response."""

    exit_code = ExitCode.UNREACHABLE
