"""TLS of outgoing connections: on and verified unless somebody asks otherwise in so many words."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from lanner.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How servers are verified. ``ca_file`` (PEM) replaces the system's authorities, for servers of one's own."""

    verify: bool = True
    ca_file: str | None = None

    def context(self) -> ssl.SSLContext:
        """Build the context: TLS 1.2 or newer, host names checked."""
        if self.ca_file is not None and not Path(self.ca_file).is_file():
            raise ConfigError(
                "the file of certificate authorities is missing", expected="a PEM file", found=self.ca_file
            )
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except ssl.SSLError as error:
            raise ConfigError(
                "the file of certificate authorities cannot be read",
                expected="certificates in PEM form",
                found=f"{self.ca_file} ({error.reason or error})",
            ) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
