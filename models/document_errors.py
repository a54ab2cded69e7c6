"""The refusals that documents add to `models/errors.py`: what is wrong with a file, and what can't be done with one."""

from models.codes import ErrorCode
from models.errors import DatabaseAway, DomainError


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


class StorageAway(DatabaseAway):
    """The store of documents can't be reached; what is committed is whole, and the same can be tried again."""
