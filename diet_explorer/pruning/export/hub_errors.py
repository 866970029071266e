"""What can go wrong with the Hub, in plain words: from the client library's exceptions to typed errors."""

from __future__ import annotations

from diet_explorer.errors import (
    DietExplorerError,
    HubChangedError,
    HubError,
    HubNameClashError,
    HubOfflineError,
    HubRateLimitError,
    HubRightsError,
    HubTokenError,
)
from diet_explorer.store.network import chain, network_trouble, status_of

LOG_IN = "Log in with `hf auth login`, set HF_TOKEN, or give a token that may write (made in the Hub's settings)."
NOT_SENT_AGAIN = "Push again later; what has been uploaded is not sent again."
_ANSWER_LENGTH = 200


class RateLimited(Exception):
    """The Hub answered 429; raised as soon as such an answer comes, so that all waiting happens in `HubPush.run`.

    Parameters
    ----------
    seconds : float
        How long it asks to wait.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def in_plain_words(error: Exception, repo: str, token: str) -> DietExplorerError:
    """The typed error for an exception of a push.

    Parameters
    ----------
    error : Exception
    repo : str
        ``OWNER/NAME``.
    token : str
        Taken out of every text, should an answer of the Hub repeat it.
    """
    own = next((link for link in chain(error) if isinstance(link, DietExplorerError)), None)
    if own is not None:
        return own
    status, answer = status_of(error), _answer(error).replace(token, "***")
    if any(isinstance(link, RateLimited) for link in chain(error)) or status == 429:
        return HubRateLimitError("The Hub lets no more requests through for now (error 429).", NOT_SENT_AGAIN)
    if status == 401:
        expired = "has expired" if "expired" in answer else "is not accepted: it is mistyped, revoked or has expired"
        return HubTokenError(f"The Hub's answer is that the token {expired}.", LOG_IN)
    if status in (403, 404):
        return no_rights(repo)
    if status == 402:
        return HubError(f"The Hub has no room left for {repo}: {answer}.", "Free space there, or choose another owner.")
    if status == 409:
        return HubNameClashError(f"The name {repo} is already taken on the Hub.", "Push to another name.")
    if status == 412:
        return HubChangedError(f"Somebody else changes {repo} on the Hub at the same time.", "Push again in a minute.")
    if status is not None:
        return HubError(f"The Hub refused the push to {repo} with error {status}: {answer}.", NOT_SENT_AGAIN)
    trouble = network_trouble(error)
    if trouble is not None:
        return HubOfflineError(f"The Hub cannot be reached: {trouble.reason}.", f"{trouble.remedy} {NOT_SENT_AGAIN}")
    if isinstance(error, OSError) and error.filename is not None:
        reason = (error.strerror or str(error)).lower()
        return HubError(f"Cannot read {error.filename}: {reason}.", "Export again, then push that.")
    return HubError(
        f"The push met an error that was not foreseen ({type(error).__name__}: {answer}).",
        f"The push's log has the details. {NOT_SENT_AGAIN}",
    )


def no_rights(repo: str) -> HubRightsError:
    """The error of a token that may not write to a repository."""
    return HubRightsError(
        f"The token may not write to the dataset {repo} on the Hub.",
        f"Give a token with write access to {repo.split('/')[0]}, or push to a name of your own.",
    )


def _answer(error: Exception) -> str:
    for link in chain(error):
        said = getattr(link, "server_message", None)
        if said:
            return _one_line(str(said))
    return _one_line(str(error))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_ANSWER_LENGTH].rstrip(".") or "no reason given"
