"""The base of what server and client tell each other. Pure."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of all records: immutable, forgiving towards newer versions."""

    model_config = ConfigDict(frozen=True, extra="ignore")
