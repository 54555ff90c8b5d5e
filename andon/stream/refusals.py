"""What the broker refuses, and whether it is worth another try: refused logins, and refused records."""

import logging
import ssl

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    CorruptRecordException,
    GroupAuthorizationFailedError,
    InvalidProducerEpoch,
    InvalidTimestampError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    RecordListTooLargeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownProducerId,
    UnsupportedSaslMechanismError,
    UnsupportedVersionError,
)

from andon.errors import AndonError, FatalError, RetryableError, TooLargeError
from andon.settings import KafkaSettings
from andon.stream.producer import ProducerReplacedError


class LoginRefusals(logging.Handler):
    """Finds out why a client could not connect.

    aiokafka raises only "unable to bootstrap" and logs the reason, so this handler listens to the client's log while it
    is entered.
    """

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self._logged: BaseException | None = None

    def __enter__(self) -> None:
        logging.getLogger("aiokafka").addHandler(self)

    def __exit__(self, *exc: object) -> None:
        logging.getLogger("aiokafka").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        for value in record.args if isinstance(record.args, tuple) else ():
            if isinstance(
                value, SaslAuthenticationFailed | UnsupportedSaslMechanismError | ssl.SSLCertVerificationError
            ):
                self._logged = value

    def reason(self, error: BaseException, settings: KafkaSettings) -> str | None:
        """One line: what the broker refused and where to mend it. None: it refused nothing.

        `error`: what the client raised.
        """
        match self._logged or error:
            case SaslAuthenticationFailed():
                user = f"the login of user {settings.sasl_username!r}"
                return f"it refused {user}: check kafka.sasl_username, kafka.sasl_password and kafka.sasl_mechanism"
            case UnsupportedSaslMechanismError():
                return f"it refused the login: it takes no {settings.sasl_mechanism}; check kafka.sasl_mechanism"
            case ssl.SSLCertVerificationError() as error:
                why = error.verify_message.rstrip(".")
                return f"its certificate is not trusted ({why}): check kafka.ssl_cafile and kafka.bootstrap_servers"
            case ClusterAuthorizationFailedError() | TopicAuthorizationFailedError() | GroupAuthorizationFailedError():
                right = type(self._logged or error).__name__.removesuffix("AuthorizationFailedError").lower()
                return f"it gives user {settings.sasl_username!r} not the right that is needed ({right}): see its ACLs"
            case _:
                return None


PERMANENT: dict[type[KafkaError], str] = {
    TopicAuthorizationFailedError: (
        "the broker refuses the right to write: give the user of kafka.sasl_username the ACLs Write and Describe on "
        "this topic"
    ),
    ClusterAuthorizationFailedError: (
        "the broker refuses the right to write idempotently: give the user of kafka.sasl_username the ACL "
        "IdempotentWrite on the cluster, or set kafka.idempotent: false"
    ),
    UnsupportedVersionError: "the broker does not know a request of this client: update the broker",
}
"""What went wrong, and the remedy."""
PASSING: dict[type[KafkaError], str] = {
    **dict.fromkeys(
        (OutOfOrderSequenceNumber, UnknownProducerId, ProducerFenced, InvalidProducerEpoch),
        "the broker expects another record of this producer: it has refused one, lost the end of its log, or forgotten "
        "the producer; the records go again through a new one",
    ),
    **dict.fromkeys((ProducerReplacedError, ProducerClosed), "the record goes again through a new producer"),
    KafkaTimeoutError: "the broker has not taken a record: the client's buffer is full",
    CorruptRecordException: "the broker received a damaged record",
    InvalidTimestampError: (
        "the broker refuses the record's time: check this machine's clock and the camera's, or set the topic's "
        "message.timestamp.type to LogAppendTime"
    ),
}
"""What the client does not call retriable, but may pass."""


def refusal(topic: str, error: KafkaError) -> AndonError:
    """What the client's `error` for a record of `topic` means: a RetryableError, TooLargeError or FatalError.

    The error's type and the client's own `retriable` decide, never the text.
    """
    reason = str(error) or type(error).__name__
    if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
        return TooLargeError(f"{topic}: takes no record of this size; raise kafka.max_record_bytes ({reason})")
    if type(error) in PASSING:
        return RetryableError(f"{topic}: {PASSING[type(error)]} ({reason})")
    if error.retriable:
        return RetryableError(f"{topic}: the broker has not taken a record: {reason}")
    explanation = PERMANENT.get(type(error), "the broker refuses its records for good: its log says why")
    return FatalError(f"{topic}: {explanation} ({reason})")


def no_such_topic(topic: str) -> FatalError:
    return FatalError(f"{topic}: the broker has no such topic: `andon topics create` makes it")
