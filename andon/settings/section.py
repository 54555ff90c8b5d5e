"""The base class of every section of line.yaml, and the types that several sections use."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
SiteName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
PoolName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]


class Section(BaseModel):
    """Immutable. An unknown key is an error, and so is a number that is not finite."""

    # an unforeseen error must not show the input: it may be a password
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)
