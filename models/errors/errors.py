"""Every refusal the domain can answer with: one sentence-named class each, a stable code, a field path and data.

    DomainError
    |- Missing, Invalid, TooLong, TooShort, InvalidIdentifier      a value that was sent is wrong
    |- NotFound, Forbidden, Conflict, AlreadyExists                what was named can't be used
    |- WrongCredentials ... ReactivationExpired                    who is asking can't be let in
    |- RequestAlreadyDecided, TransitionNotAllowed ...          the act doesn't fit the state
    |- FileTooLarge ... DocumentRefused                            a file can't be kept or had
    `- Refusals                                                    several of the above at once
    Unauthenticated, RateLimited                                   refused before any rule is looked at

The words people read are in `schema/words/wording.py`; nothing here is ever shown as it stands.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import ClassVar

from models.errors.codes import ErrorCode


class DomainError(Exception):
    """An expected refusal: nothing was changed, and `path` (snake_case, below the argument) says where to look."""

    code: ClassVar[ErrorCode]

    def __init__(self, *path: str, **data: object) -> None:
        super().__init__(type(self).__name__, path, data)
        self.path = path
        self.data = data

    def under(self, *prefix: str) -> "DomainError":
        """The same refusal, its path prefixed: a rule about a postcode needn't know it sits in an address."""
        self.path = (*prefix, *self.path)
        return self

    def each(self) -> Iterator["DomainError"]:
        """The single refusals this one stands for: itself, unless it is `Refusals`."""
        yield self


class Refusals(DomainError):
    """Several refusals at once: all that is wrong with one input, never only the first."""

    def __init__(self, errors: Iterable[DomainError]) -> None:
        super().__init__()
        self.errors = tuple(error for given in errors for error in given.each())

    def under(self, *prefix: str) -> "DomainError":
        for error in self.errors:
            error.under(*prefix)
        return self

    def each(self) -> Iterator[DomainError]:
        yield from self.errors


def refuse_if_any(errors: Iterable[DomainError]) -> None:
    """Raise the collected refusals: the one error itself, or `Refusals` when there are several.

    Raises:
        DomainError: when `errors` holds at least one.
    """
    found = tuple(errors)
    if len(found) == 1:
        raise found[0]
    if found:
        raise Refusals(found)


@contextmanager
def collected(problems: list[DomainError]) -> Iterator[None]:
    """A block whose refusal joins `problems` instead of leaving, so that the fields after it are looked at as well."""
    try:
        yield
    except DomainError as error:
        problems.extend(error.each())


# ------------------------------------------------------------------ a value that was sent is wrong
class Missing(DomainError):
    """A mandatory value is absent or blank."""

    code = ErrorCode.REQUIRED


class Invalid(DomainError):
    """A value is not of the form its field takes; `data["rule"]` names the wording that explains the form."""

    code = ErrorCode.INVALID

    def __init__(self, *path: str, rule: str = "value", **data: object) -> None:
        super().__init__(*path, rule=rule, **data)


class TooLong(DomainError):
    """A text has more characters than its field takes."""

    code = ErrorCode.TOO_LONG

    def __init__(self, *path: str, most: int) -> None:
        super().__init__(*path, most=most)


class TooShort(DomainError):
    """A text has fewer characters than its field needs."""

    code = ErrorCode.TOO_SHORT

    def __init__(self, *path: str, least: int) -> None:
        super().__init__(*path, least=least)


class InvalidIdentifier(DomainError):
    """A structure identifier breaks the format of its type; `data["type"]` selects the format that is explained."""

    code = ErrorCode.INVALID_IDENTIFIER

    def __init__(self, *path: str, type: str) -> None:
        super().__init__(*path, type=type)


# ------------------------------------------------------------------ what was named can't be used
class NotFound(DomainError):
    """Nothing of that id exists for this viewer."""

    code = ErrorCode.NOT_FOUND


class Forbidden(DomainError):
    """The viewer sees the thing but has no right to this act."""

    code = ErrorCode.FORBIDDEN


class Conflict(DomainError):
    """Someone else changed the same thing meanwhile; asking again on the new state may succeed."""

    code = ErrorCode.CONFLICT


class PersonUnavailable(DomainError):
    """The account of the person concerned is deactivated, suspended or closed: nothing can be given to them now."""

    code = ErrorCode.CONFLICT


class AlreadyPrincipalManager(DomainError):
    """The person is the principal manager of the structure already."""

    code = ErrorCode.CONFLICT


class StructureAlreadyManaged(DomainError):
    """The identifier belongs to a structure that already has a manager: ask to be attached to it instead."""

    code = ErrorCode.ALREADY_EXISTS


class PublicBodyIdentifier(DomainError):
    """The SIRET is a public body's, which support registers: nobody has it as a private structure."""

    code = ErrorCode.FORBIDDEN


class StructureIdentifierTaken(DomainError):
    """Another structure has this identifier."""

    code = ErrorCode.ALREADY_EXISTS


class StructureIdentifierFreed(DomainError):
    """Support freed the structure's identifier: without another one it stays ended."""

    code = ErrorCode.CONFLICT


class ServiceCodeTaken(DomainError):
    """Another service of the structure has this code."""

    code = ErrorCode.ALREADY_EXISTS


class AlreadyAttached(DomainError):
    """The person already has a live attachment (waiting, validated or deactivated) to the structure."""

    code = ErrorCode.ALREADY_EXISTS


class AlreadySubscribed(DomainError):
    """The person already has a live subscription (waiting or validated) to the space of the structure."""

    code = ErrorCode.ALREADY_EXISTS


class ActivityKeyTaken(DomainError):
    """The integration has recorded another activity under this key: a key names one activity for good."""

    code = ErrorCode.CONFLICT


class ApiKeyNameTaken(DomainError):
    """An API key in use has this name."""

    code = ErrorCode.ALREADY_EXISTS


class AttachmentNeeded(DomainError):
    """Spaces are for people whose attachment to the structure is validated, in effect or to come."""

    code = ErrorCode.FORBIDDEN


class StructureInactive(DomainError):
    """The structure has ended: nobody can be attached to it any more."""

    code = ErrorCode.CONFLICT


class ConfirmationRequired(DomainError):
    """The act has consequences that must be confirmed explicitly; `data["what"]` names them."""

    code = ErrorCode.CONFIRMATION_REQUIRED

    def __init__(self, *path: str, what: str) -> None:
        super().__init__(*path, what=what)


class ServiceNotEntitled(DomainError):
    """A service isn't one of the structure's active services, or not among those the person is entitled to."""

    code = ErrorCode.SERVICE_NOT_ENTITLED


class SpaceNotOpen(DomainError):
    """The space is not open on the structure."""

    code = ErrorCode.SPACE_NOT_OPEN


class SpaceGivenByDefault(DomainError):
    """A space given by default can be neither closed, asked for nor removed."""

    code = ErrorCode.FORBIDDEN


class SpaceForPublicOnly(DomainError):
    """The space exists on public structures only."""

    code = ErrorCode.FORBIDDEN


class TooMany(DomainError):
    """More items, or more tries, than one call or one day allows."""

    code = ErrorCode.TOO_MANY

    def __init__(self, *path: str, most: int) -> None:
        super().__init__(*path, most=most)


class TooManyMails(DomainError):
    """The hour's mails of this kind are used up: those that the actor causes, or those that the recipient gets."""

    code = ErrorCode.TOO_MANY

    def __init__(self, *path: str, most: int) -> None:
        super().__init__(*path, most=most)


# ------------------------------------------------------------------ who is asking can't be let in
class WrongCredentials(DomainError):
    """The address is unknown, or the password wrong, or the account not usable yet: one answer for all."""

    code = ErrorCode.WRONG_CREDENTIALS


class AccountDeactivated(DomainError):
    """The right password of a deactivated account: only reactivation can be asked for."""

    code = ErrorCode.ACCOUNT_DEACTIVATED


class AccountUnavailable(DomainError):
    """The right password of a suspended or closed account: only support can help."""

    code = ErrorCode.ACCOUNT_UNAVAILABLE


class WrongPassword(DomainError):
    """The current password, asked again before a change, is wrong."""

    code = ErrorCode.WRONG_PASSWORD


class WeakPassword(DomainError):
    """The password is too easy; `data["reason"]` is `composition`, `common`, `login`, `product`, `names`, `address` or
    `keyboard`."""

    code = ErrorCode.WEAK_PASSWORD

    def __init__(self, *path: str, reason: str) -> None:
        super().__init__(*path, reason=reason)


class ReusedPassword(DomainError):
    """The password is one of the last five."""

    code = ErrorCode.REUSED_PASSWORD


class WrongSecretAnswer(DomainError):
    """The answer to the secret question is wrong."""

    code = ErrorCode.WRONG_SECRET_ANSWER


class InvalidToken(DomainError):
    """The link is unknown, already used, or voided by a newer one."""

    code = ErrorCode.INVALID_TOKEN


class ExpiredToken(DomainError):
    """The link has outlived its 60 minutes."""

    code = ErrorCode.EXPIRED_TOKEN


class ReactivationExpired(DomainError):
    """More than 60 x 24 h have passed since the deactivation: only support can reopen the account."""

    code = ErrorCode.REACTIVATION_EXPIRED


# ------------------------------------------------------------------ the act doesn't fit the state
class RequestAlreadyDecided(DomainError):
    """Somebody decided first; `data` says who (`by`, a name) and when (`at`)."""

    code = ErrorCode.ALREADY_DECIDED

    def __init__(self, *path: str, by: str | None, at: datetime | None) -> None:
        super().__init__(*path, by=by, at=at)


class TransitionNotAllowed(DomainError):
    """The act is not one that this status allows."""

    code = ErrorCode.INVALID_TRANSITION

    def __init__(self, *path: str, status: str, act: str) -> None:
        super().__init__(*path, status=status, act=act)


class AcknowledgementNotAsked(DomainError):
    """The activity doesn't ask to be acknowledged."""

    code = ErrorCode.INVALID_TRANSITION


class EscalationTooEarly(DomainError):
    """A request may be escalated to support from its 30th day on; `data["on"]` is that day."""

    code = ErrorCode.INVALID_TRANSITION

    def __init__(self, *path: str, on: date) -> None:
        super().__init__(*path, on=on)


class AttachmentAlreadyEscalated(DomainError):
    """The request was escalated before; `data["at"]` says when."""

    code = ErrorCode.INVALID_TRANSITION


class PrincipalManagerPresent(DomainError):
    """The principal manager can act: the principal management isn't vacant."""

    code = ErrorCode.CONFLICT


class PrincipalManagerNotYetClaimable(DomainError):
    """The principal manager, told of their absence, may still sign in until `data["at"]`."""

    code = ErrorCode.INVALID_TRANSITION


class PrincipalManagerAlreadyOffered(DomainError):
    """An offer of the principal management is open: it must be withdrawn, or answered, before another is made."""

    code = ErrorCode.ALREADY_EXISTS


class OfferOver(DomainError):
    """The offer was answered, withdrawn, or has outlived its 14 days; `data["status"]` says which."""

    code = ErrorCode.INVALID_TRANSITION


class OwnRequest(DomainError):
    """Nobody decides on their own request."""

    code = ErrorCode.SELF_DECISION


class SuccessorRequired(DomainError):
    """A principal manager leaves only by naming a successor; `data["structure"]` is the structure's name."""

    code = ErrorCode.SUCCESSOR_REQUIRED

    def __init__(self, *path: str, structure: str) -> None:
        super().__init__(*path, structure=structure)


class SuccessorNotEligible(DomainError):
    """The successor isn't active, or holds no attachment in effect on the structure."""

    code = ErrorCode.SUCCESSOR_NOT_ELIGIBLE

    def __init__(self, *path: str, structure: str) -> None:
        super().__init__(*path, structure=structure)


# ------------------------------------------------------------------ refused before any rule is looked at
class Unauthenticated(Exception):
    """The operation needs a session and there is none."""


class RateLimited(Exception):
    """Too many tries in too short a time; `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class OperationTimedOut(Exception):
    """The operation wasn't done within its time, in seconds; what it hadn't committed by then is undone."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = round(seconds)


class DatabaseAway(Exception):
    """The database can't be reached; the same call may succeed `retry_after` seconds later."""

    retry_after: ClassVar[int] = 5


class FileTooLarge(DomainError):
    """A file has more bytes than a document may have; it was refused while it was received."""

    code = ErrorCode.FILE_TOO_LARGE

    def __init__(self, *path: str, most: int) -> None:
        super().__init__(*path, most=most // 1024**2)


class FileEmpty(DomainError):
    """A file has no byte at all."""

    code = ErrorCode.FILE_EMPTY


class FileTypeNotAllowed(DomainError):
    """A file's name ends in an extension that documents may not have, or in none."""

    code = ErrorCode.FILE_TYPE_NOT_ALLOWED


class FileContentMismatch(DomainError):
    """A file begins like another kind of file than its name says."""

    code = ErrorCode.FILE_CONTENT_MISMATCH

    def __init__(self, *path: str, extension: str) -> None:
        super().__init__(*path, extension=extension.upper())


class QuotaExceeded(DomainError):
    """The account has no place left for the file: it may keep `files` of them, of `mebibytes` together."""

    code = ErrorCode.QUOTA_EXCEEDED

    def __init__(self, *path: str, files: int, most_bytes: int) -> None:
        super().__init__(*path, files=files, mebibytes=most_bytes // 1024**2)


class DocumentBeingChecked(DomainError):
    """The virus scanner has not yet said that the document is clean."""

    code = ErrorCode.CONFLICT


class DocumentRefused(DomainError):
    """The virus scanner found something in the document: its content is gone."""

    code = ErrorCode.CONFLICT


class NoVerdict(Exception):
    """The virus scanner is there and can't judge this one document; another may fare better."""


class StorageAway(DatabaseAway):
    """The store of documents can't be reached; what is committed is whole, and the same can be tried again."""
