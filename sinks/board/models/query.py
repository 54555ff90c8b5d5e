"""The bases of what the API takes and of what it returns."""

from pydantic import BaseModel, ConfigDict


class Query(BaseModel):
    """Parameters, or a body. An unknown one is an error: a misspelt filter must not show everything."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class View(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True)
