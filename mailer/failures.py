"""What keeps a mail from leaving: for now or for good, by its own fault or that of everything on the way.

TransportFailure
    TemporaryFailure    the same mail may leave later
        SenderRefused   the server takes none of ours now, or no more over this connection
        ServerCrowded   the server takes no more connections than we have
        ServerAway      no mail would leave now
    PermanentFailure    the server will never take this mail
        RecipientRefused    because of the address it goes to
HoldLost                the courier may finish the mail no more: another one may have it by now
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


class ServerCrowded(TemporaryFailure):
    """The server takes no more connections than this courier has already: the mail may leave over one of them."""


class ServerAway(TemporaryFailure):
    """The server can't be reached, or doesn't let this installation in: no mail would leave now."""


class PermanentFailure(TransportFailure):
    """The server will never take this mail."""


class RecipientRefused(PermanentFailure):
    """The server will never take a mail to this address."""


class HoldLost(Exception):
    """The courier's lease on the mail is over, or about to be: the mail was not finished, so nobody gets it."""
