"""Why another machine could not be reached, in plain words: proxies, certificates, names, time-outs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PROXY = "HTTPS_PROXY"
_ABOUT_NETWORK = r"connect|unreachable|no route|proxy|timeout|timed out|ssl|offline|transport|socks|url|getaddrinfo"


@dataclass(frozen=True)
class NetworkTrouble:
    """What keeps a machine from being reached, as the end of a sentence, and what to do about it."""

    reason: str
    remedy: str


_KNOWN: tuple[tuple[str, NetworkTrouble], ...] = (
    (
        r"hf_hub_offline|offlinemodeisenabled|hf_datasets_offline|offline mode",
        NetworkTrouble("HF_HUB_OFFLINE or HF_DATASETS_OFFLINE is set", "Unset it, then try again."),
    ),
    (
        r"\b407\b|proxy authentication required",
        NetworkTrouble(
            "the proxy wants a name and a password (error 407)",
            f"Set {_PROXY}=http://NAME:PASSWORD@HOST:PORT, with special characters written as %-codes.",
        ),
    ),
    (
        r"socksio|socks support|pysocks",
        NetworkTrouble(
            f"{_PROXY} or ALL_PROXY names a SOCKS proxy, for which a package is missing",
            "Install it: pip install 'httpx[socks]' socksio; or name an http:// proxy.",
        ),
    ),
    (
        r"scheme for proxy|unknown scheme|proxy url|invalid proxy|invalid port|unsupportedprotocol|invalidurl",
        NetworkTrouble(
            f"{_PROXY}, ALL_PROXY or HF_ENDPOINT is not an address that can be used",
            "Write it as http://HOST:PORT, or unset it.",
        ),
    ),
    (
        r"proxyerror|proxy",
        NetworkTrouble(
            f"the proxy that {_PROXY} names does not let the request through",
            f"Correct or unset {_PROXY}, or name the host in NO_PROXY.",
        ),
    ),
    (
        r"hostname mismatch|certificate has expired|certificate_verify_failed|certificate verify|sslcertverification",
        NetworkTrouble(
            "its certificate is not trusted on this machine, as behind a proxy that looks into the traffic",
            "Name the file of the certificates that your network uses: SSL_CERT_FILE=/path/to/certificates.pem, "
            "REQUESTS_CA_BUNDLE likewise; and check the machine's clock.",
        ),
    ),
    (
        r"wrong_version_number|\bssl\b|\btls\b",
        NetworkTrouble(
            "no encrypted connection comes about",
            f"Check {_PROXY} (most proxies are http://HOST:PORT, also for https) and HF_ENDPOINT.",
        ),
    ),
    (
        r"name or service not known|name resolution|getaddrinfo|nodename nor servname|no address associated|gaierror",
        NetworkTrouble(
            "its name cannot be looked up",
            f"Check the network connection; behind a proxy set {_PROXY}=http://HOST:PORT.",
        ),
    ),
    (
        r"connection refused|connectionrefused",
        NetworkTrouble(
            "the connection is refused",
            f"Check the network connection, and {_PROXY} and HF_ENDPOINT where they are set.",
        ),
    ),
    (
        r"timed out|timeout",
        NetworkTrouble(
            "it does not answer in time",
            "Try again later; on a slow connection set HF_HUB_DOWNLOAD_TIMEOUT=60 and HF_HUB_ETAG_TIMEOUT=60.",
        ),
    ),
    (
        r"unreachable|no route to host|transporterror|connecterror|protocolerror|networkerror|connectionerror|"
        r"connectionreset|broken pipe|disconnected",
        NetworkTrouble("the connection does not hold", "Check the network connection, then try again."),
    ),
)


def network_trouble(error: BaseException) -> NetworkTrouble | None:
    """What keeps a machine from being reached, as the exception or one it came from says; None if it is no such one.

    Client libraries wrap one another's exceptions, and the innermost knows the most: the whole chain is read.
    """
    text = " ".join(f"{' '.join(cls.__name__ for cls in type(link).__mro__)} {link}" for link in chain(error)).lower()
    if not re.search(
        r"connect|unreachable|no route|proxy|timeout|timed out|ssl|offline|transport|socks|url|scheme|getaddrinfo", text
    ):
        return None
    return next((trouble for pattern, trouble in _KNOWN if re.search(pattern, text)), None)


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it was raised from."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def status_of(error: BaseException) -> int | None:
    """The status code of the answer that an exception comes from, or None if there was no answer."""
    for link in chain(error):
        response = getattr(link, "response", None)
        if response is not None:
            return int(response.status_code)
    return None
