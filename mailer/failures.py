"""What keeps a mail from leaving: for now or for good, by its own fault or that of everything on the way.

TransportFailure
    TemporaryFailure    the same mail may leave later
        SenderRefused   the server takes none of ours now, or no more over this connection
        ServerAway      no mail would leave now
    PermanentFailure    the server will never take this mail
        RecipientRefused    because of the address it goes to
"""


class TransportFailure(Exception):
    """A mail didn't leave; `code` is the server's answer when it gave one."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


class TemporaryFailure(TransportFailure):
    """The same mail may leave later."""


class SenderRefused(TemporaryFailure):
    """The server takes no mail of ours now, or no more over this connection: it is no fault of the mail's."""


class ServerAway(TemporaryFailure):
    """The server can't be reached, or doesn't let this installation in: no mail would leave now."""


class PermanentFailure(TransportFailure):
    """The server will never take this mail."""


class RecipientRefused(PermanentFailure):
    """The server will never take a mail to this address."""
