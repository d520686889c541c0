"""S3 and what speaks like it: how it is reached, which of its errors pass by themselves, and what to do about the rest.

s3fs does the work; here is what it leaves open. Every error of it and of the libraries under it becomes one of three:
nothing there, away for now, or one line that says what to put right.
"""

import errno
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CONNECT_S = 5.0
READ_S = 30.0  # of silence within one answer
PASSING_CODES = frozenset({"SlowDown", "RequestTimeout", "ConditionalRequestConflict", "OperationAborted"})
PASSING_STATUS = frozenset({408, 429, 500, 502, 503, 504})
PASSING_ERRNO = frozenset({errno.EBUSY, errno.EREMOTEIO, errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT})
PASSING_KINDS = (  # of botocore, aiohttp and fsspec, by name: none of them is installed where media lie in a folder
    "EndpointConnectionError",
    "HTTPClientError",
    "IncompleteReadError",
    "ResponseParserError",
    "ClientError",
    "FSTimeoutError",
)
CREDENTIALS = "correct media.key_id and media.secret_key"
ADVICE = {
    "NoSuchBucket": "there is no such bucket; create it, or correct media.url",
    "InvalidAccessKeyId": f"the server does not know the key (InvalidAccessKeyId); {CREDENTIALS}",
    "SignatureDoesNotMatch": f"the secret key does not fit the key (SignatureDoesNotMatch); {CREDENTIALS}",
    "AccessDenied": f"the key may not do that (AccessDenied); allow it, or {CREDENTIALS}",
    "403": f"the server refuses the key (403 Forbidden); allow it, or {CREDENTIALS}",
    "RequestTimeTooSkewed": "this machine's clock is off by more than 15 minutes; set it",
    "AuthorizationHeaderMalformed": "the bucket is in another region; set media.region",
    "PermanentRedirect": "the bucket is in another region; set media.region",
    "301": "the bucket is in another region; set media.region",
}


@dataclass(frozen=True, slots=True)
class ObjectAccess:
    """How an object store is reached; what is empty is found as every AWS program finds it."""

    endpoint_url: str = ""
    region: str = ""
    key_id: str = ""
    secret_key: str = ""


def storage_options(url: str, access: ObjectAccess) -> dict[str, Any]:
    """What fsspec is to be given for `url` beside the URL itself.

    >>> storage_options("/var/media", ObjectAccess(endpoint_url="http://127.0.0.1:9000"))
    {}
    """
    if not url.startswith(("s3://", "s3a://")):
        return {}
    config: dict[str, Any] = {
        "connect_timeout": CONNECT_S,
        "read_timeout": READ_S,
        "retries": {"mode": "standard", "total_max_attempts": 1},  # whoever calls waits, and knows for how long
    }
    if access.endpoint_url:  # many that are not Amazon's know neither trailing checksums nor buckets in host names
        config |= {
            "s3": {"addressing_style": "path"},
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        }
    return {
        "key": access.key_id or None,
        "secret": access.secret_key or None,
        "endpoint_url": access.endpoint_url or None,
        "client_kwargs": {"region_name": access.region} if access.region else {},
        "config_kwargs": config,
        "use_listings_cache": False,  # others write there too
    }


def is_passing(error: BaseException) -> bool:
    """Whether it may be gone by itself in a moment: the server is away, overloaded or slow."""
    for each in _causes(error):
        code, status = _answer(each)
        if code:
            return code in PASSING_CODES or status in PASSING_STATUS
    return any(_is_passing_kind(each) for each in _causes(error))


def reason_of(error: BaseException) -> str:
    """What went wrong, in one line that says what to put right where that is known."""
    for each in _causes(error):
        code, _ = _answer(each)
        if code in ADVICE:
            return ADVICE[code]
    if any("Credentials" in kind for each in _causes(error) for kind in _kinds(each)):
        return "there are no credentials; set media.key_id and media.secret_key"
    said = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return " ".join(said.split())


def _is_passing_kind(error: BaseException) -> bool:
    if isinstance(error, FileNotFoundError | FileExistsError | PermissionError):
        return False
    if isinstance(error, OSError) and error.errno in PASSING_ERRNO:
        return True
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    return not _kinds(error).isdisjoint(PASSING_KINDS)


def _kinds(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and whatever it was raised from, outermost first."""
    here: BaseException | None = error
    seen: set[int] = set()
    while here is not None and id(here) not in seen:
        seen.add(id(here))
        yield here
        here = here.__cause__


def _answer(error: BaseException) -> tuple[str, int]:
    """The code and HTTP status with which a server refused; empty and 0 when it did not answer."""
    response = getattr(error, "response", None)
    if not isinstance(response, Mapping):
        return "", 0
    code = str(response.get("Error", {}).get("Code", ""))
    return code, int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
