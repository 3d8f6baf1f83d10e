"""Settings, read once from the environment (`DIGILOG_…`); nonsense is refused at start.

A secret may come from a file: `DIGILOG_SECRET_FILE=/run/secrets/digilog` instead of `DIGILOG_SECRET`.
"""

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent

#: Languages that pages exist in: tag and name in the language itself. The first is the fallback.
LANGUAGES = {"de": "Deutsch", "en": "English"}


class Settings(BaseSettings):
    """Everything that the person who runs a server can set; each has a default that works for one machine."""

    model_config = SettingsConfigDict(env_prefix="DIGILOG_", extra="forbid")

    data_dir: Path = Field(
        default=Path("data"), description="Folder for the database file, the files and caches."
    )
    database_url: str = Field(
        default="", description="SQLAlchemy address; empty means a SQLite file in the data folder."
    )
    secret: SecretStr = Field(
        default=SecretStr(""), description="At least 32 characters; signs what must not be forged."
    )
    default_municipality: str = Field(
        default="",
        description="Key of the municipality that answers under unknown host names; empty refuses them.",
    )
    files_url: str = Field(
        default="", description="s3://bucket/prefix for an S3-compatible store; empty means the data folder."
    )
    s3_endpoint: str = Field(default="", description="Address of the S3-compatible server.")
    s3_access_key: str = Field(default="", description="Access key of the S3 store.")
    s3_secret_key: SecretStr = Field(default=SecretStr(""), description="Secret key of the S3 store.")
    smtp_host: str = Field(
        default="", description="Mail server; empty means that mails wait and the staff page says so."
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Port of the mail server.")
    smtp_user: str = Field(default="", description="Account at the mail server.")
    smtp_password: SecretStr = Field(default=SecretStr(""), description="Password at the mail server.")
    smtp_tls: str = Field(default="starttls", description="starttls, tls or none.")
    mail_from: str = Field(default="", description="Sender address of mails.")
    oidc: Annotated[list[dict[str, Any]], NoDecode] = Field(
        default_factory=list,
        description="JSON list of OpenID providers: key, label, issuer, client_id, client_secret, municipalities (keys; all without it).",
    )
    map_sources: Annotated[list[dict[str, Any]], NoDecode] = Field(
        default_factory=list,
        description="JSON list of map services: kind (wms, wmts, xyz), url, title, attribution, layers.",
    )
    map_hosts: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Hosts, separated by commas, from which this server may fetch pictures for map services of the "
        "layer catalogue; empty: from none.",
    )
    map_cache_hours: int = Field(
        default=168,
        ge=0,
        le=8760,
        description="How long fetched map pictures are kept, in hours; 0: not at all.",
    )
    map_cache_mb: int = Field(
        default=500, ge=10, le=100_000, description="Room for fetched map pictures on disk, in MB."
    )
    upload_limit_mb: int = Field(
        default=50, ge=1, le=2000, description="Largest file a citizen may attach, in MB."
    )
    upload_mb_per_hour: int = Field(
        default=2000,
        ge=1,
        le=1_000_000,
        description="Files that visitors may attach from one network address in an hour, in MB together; a library shares "
        "one address. At least as large as the largest file.",
    )
    import_limit_mb: int = Field(
        default=500, ge=1, le=20000, description="Largest file staff may upload, in MB."
    )
    samples: Path = Field(
        default=Path("../shared/data"), description="Folder of real samples for tests and demo."
    )
    public_url_scheme: str = Field(default="https", description="Scheme of addresses in mails and letters.")
    public_port: int | None = Field(
        default=None, description="Port in addresses of mails and letters, if not the usual."
    )
    in_process_worker: bool = Field(default=True, description="Whether the server itself does waiting work.")
    probe_url: str = Field(
        default="http://127.0.0.1:8000",
        description="Address at which the server fetches its own documents to prove that they can be reached; "
        "“{host}” stands for the municipality's host name, as in https://{host}.",
    )
    probe_minutes: int = Field(
        default=5, ge=1, le=14, description="Minutes between two probes of the documents that lie open."
    )
    probe_again_after: float = Field(
        default=3.0,
        ge=0,
        le=30,
        description="Seconds until what a probe did not find is tried a second time, before it counts as not found.",
    )
    submissions_per_minute: int = Field(
        default=60,
        ge=1,
        description="Contributions that one network address may hand in per minute; a library shares one address.",
    )
    shared_limits: bool = Field(
        default=False,
        description="Whether tries are counted in the database: needed with several server processes.",
    )
    source_url: str = Field(
        default="",
        description="Address where the source code of what runs here can be had (EUPL-1.2, article 5).",
    )
    trust_proxy: bool = Field(
        default=False, description="Whether X-Forwarded-For/-Proto of the proxy are believed."
    )

    @field_validator("oidc", "map_sources", mode="before")
    @classmethod
    def _from_json(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) and value.strip() else value or []

    @field_validator("map_hosts", mode="before")
    @classmethod
    def _host_names(cls, value: object) -> object:
        names = value.split(",") if isinstance(value, str) else value
        if not isinstance(names, list):
            return names
        hosts = [str(name).strip().lower() for name in names if str(name).strip()]
        for host in hosts:
            if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?", host):
                raise ValueError(f"not the name of a host: {host}")
        return hosts

    @field_validator("probe_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value

    @field_validator("smtp_tls")
    @classmethod
    def _known_tls(cls, value: str) -> str:
        if value not in ("starttls", "tls", "none"):
            raise ValueError("must be starttls, tls or none")
        return value

    @field_validator("map_sources")
    @classmethod
    def _attributed(cls, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for source in value:
            if not source.get("attribution") or not source.get("url"):
                raise ValueError("every map source needs a url and an attribution")
        return value

    @model_validator(mode="after")
    def _complete(self) -> "Settings":
        if not self.database_url:
            self.database_url = f"sqlite:///{(self.data_dir / 'digilog.sqlite').absolute()}"
        if self.secret.get_secret_value() and len(self.secret.get_secret_value()) < 32:
            raise ValueError("DIGILOG_SECRET needs at least 32 characters")
        if self.upload_mb_per_hour < self.upload_limit_mb:
            raise ValueError("DIGILOG_UPLOAD_MB_PER_HOUR must not be smaller than DIGILOG_UPLOAD_LIMIT_MB")
        if self.smtp_host and not self.mail_from:
            raise ValueError("DIGILOG_MAIL_FROM is needed with DIGILOG_SMTP_HOST")
        return self

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")


def load() -> Settings:
    """The settings of this process. `…_FILE` variables are read first. Raises ValidationError or OSError."""
    from_files = {
        name.removeprefix("DIGILOG_").removesuffix("_FILE").lower(): Path(path).read_text().strip()
        for name, path in os.environ.items()
        if name.startswith("DIGILOG_") and name.endswith("_FILE")
    }
    return Settings(**from_files)  # type: ignore[arg-type]
