"""Why a broker does not let us in: aiokafka logs the error itself, and raises no more than "unable to bootstrap"."""

import logging
import ssl

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

from andon.settings import KafkaSettings


class Refusals(logging.Handler):
    """Listens to the client's log while it is entered."""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self._seen: BaseException | None = None

    def __enter__(self) -> None:
        logging.getLogger("aiokafka").addHandler(self)

    def __exit__(self, *exc: object) -> None:
        logging.getLogger("aiokafka").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        for value in record.args if isinstance(record.args, tuple) else ():
            if isinstance(
                value, SaslAuthenticationFailed | UnsupportedSaslMechanismError | ssl.SSLCertVerificationError
            ):
                self._seen = value

    def told(self, error: BaseException, settings: KafkaSettings) -> str | None:
        """One line: what was refused and where to mend it; None if nothing was. `error`: what the client raised."""
        match self._seen or error:
            case SaslAuthenticationFailed():
                user = f"the login of user {settings.sasl_username!r}"
                return f"it refused {user}: check kafka.sasl_username, kafka.sasl_password and kafka.sasl_mechanism"
            case UnsupportedSaslMechanismError():
                return f"it refused the login: it takes no {settings.sasl_mechanism}; check kafka.sasl_mechanism"
            case ssl.SSLCertVerificationError() as error:
                why = error.verify_message.rstrip(".")
                return f"its certificate is not trusted ({why}): check kafka.ssl_cafile and kafka.bootstrap_servers"
            case ClusterAuthorizationFailedError() | TopicAuthorizationFailedError() | GroupAuthorizationFailedError():
                lacking = type(self._seen or error).__name__.removesuffix("AuthorizationFailedError").lower()
                return (
                    f"it gives user {settings.sasl_username!r} not the right that is needed ({lacking}): see its ACLs"
                )
            case _:
                return None
