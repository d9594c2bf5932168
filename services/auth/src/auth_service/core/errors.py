"""What can go wrong in auth. Messages never tell whether an account exists."""

from __future__ import annotations

from praxiscope_common import errors


class InvalidCredentialsError(errors.UnauthenticatedError):
    """The e-mail address or the password is wrong."""

    reason = "INVALID_CREDENTIALS"


class AccountLockedError(errors.ExhaustedError):
    """Too many failed logins; wait, then try again."""

    reason = "ACCOUNT_LOCKED"


class NoMembershipError(errors.PermissionDeniedError):
    """The account belongs to no such project; ask its owner to take you in."""

    reason = "NO_MEMBERSHIP"


class InvalidRefreshTokenError(errors.UnauthenticatedError):
    """The refresh token does not hold; log in again."""

    reason = "INVALID_REFRESH_TOKEN"


class RefreshTokenReusedError(errors.UnauthenticatedError):
    """The refresh token was used before, so somebody else may have it; its session is ended, log in again."""

    reason = "REFRESH_TOKEN_REUSED"


class InvalidApiKeyError(errors.UnauthenticatedError):
    """The API key does not hold; make a new one."""

    reason = "INVALID_API_KEY"


class InvalidClientAssertionError(errors.UnauthenticatedError):
    """The service's assertion does not hold."""

    reason = "INVALID_CLIENT_ASSERTION"


class InvalidSubjectTokenError(errors.UnauthenticatedError):
    """The caller for whom the service wants to act is not known or no longer allowed."""

    reason = "INVALID_SUBJECT_TOKEN"


class EmailTakenError(errors.AlreadyExistsError):
    """There is an account with this e-mail address."""

    reason = "EMAIL_TAKEN"


class PasswordTooWeakError(errors.InvalidInputError):
    """The password is too easy to guess; take a longer one that does not contain the e-mail address."""

    reason = "PASSWORD_TOO_WEAK"


class MemberExistsError(errors.AlreadyExistsError):
    """This person is in the project already."""

    reason = "MEMBER_EXISTS"


class LastOwnerError(errors.PreconditionError):
    """A project needs an owner; make somebody else one first."""

    reason = "LAST_OWNER"


class UnknownRoleError(errors.InvalidInputError):
    """There is no such role."""

    reason = "UNKNOWN_ROLE"


class UnknownPermissionError(errors.InvalidInputError):
    """There is no such permission for keys."""

    reason = "UNKNOWN_PERMISSION"


class ScopeTooWideError(errors.PermissionDeniedError):
    """A key cannot hold a permission that its maker does not hold."""

    reason = "SCOPE_TOO_WIDE"
