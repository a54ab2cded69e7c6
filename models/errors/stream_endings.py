"""Why a live stream can't begin or go on: one class for each reason, with the code that clients act on."""

from typing import ClassVar


class StreamEnded(Exception):
    """The stream is over for a reason that the client learns by its code."""

    code: ClassVar[str]


class RefetchNeeded(StreamEnded):
    """The cursor is older than what is kept for replay, or of another log: fetch anew, then follow without it."""

    code = "REFETCH_NEEDED"


class RightLost(StreamEnded):
    """The right by which the stream was opened is gone: the attachment ended, or the role was lost."""

    code = "FORBIDDEN"


class SessionOver(StreamEnded):
    """The session ended, or the account isn't active any more."""

    code = "UNAUTHENTICATED"


class ReaderTooSlow(StreamEnded):
    """The reader left what waited for it unread for too long: come back with the last cursor."""

    code = "SLOW_READER"


class ServerStopping(StreamEnded):
    """This server process is stopping: connect again, with the last cursor."""

    code = "SERVER_STOPPING"
