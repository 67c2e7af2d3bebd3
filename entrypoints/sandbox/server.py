"""S3 and the export service on this machine: a moto server."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from moto.core.base_backend import BackendDict
from moto.server import ThreadedMotoServer

from s3export.entrypoints.sandbox import importexport

REGION = "us-east-1"
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"  # AWS's own example key, known to nobody's account
SECRET_KEY = "sandbox"


@dataclass(frozen=True)
class SandboxServer:
    """A server that answers for S3 and for AWS Import/Export."""

    endpoint_url: str

    def environment(self) -> Mapping[str, str]:
        """Return what makes any AWS client talk to this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
        }


@contextlib.contextmanager
def running(port: int = 0) -> Iterator[SandboxServer]:
    """Run a server on the loopback address; port 0 takes a free one."""
    importexport.register()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for every request
    BackendDict.reset()  # moto keeps its state in the process, not in the server
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    try:
        host, chosen = server.get_host_and_port()
        yield SandboxServer(f"http://{host}:{chosen}")
    finally:
        server.stop()
