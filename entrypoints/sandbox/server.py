"""S3 and the export service on this machine: a moto server."""

import contextlib
import logging
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from s3export.domain.errors import InputRefused
from s3export.entrypoints.sandbox import importexport

_ADDRESS = "127.0.0.1"
REGION = "us-east-1"
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"  # AWS's own example key, known to nobody's account
SECRET_KEY = "sandbox"
_NOTICES_ITS_END = 0.02  # seconds at most; moto's own thread takes half a second


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
    _refuse_taken(port)
    importexport.register()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for every request
    BackendDict.reset()  # moto keeps its state in the process, not in the server
    app = DomainDispatcherApplication(create_backend_app)
    handler = MotoRequestHandler
    with make_server(_ADDRESS, port, app, True, request_handler=handler) as server:
        serving = threading.Thread(
            target=server.serve_forever, args=[_NOTICES_ITS_END], daemon=True
        )
        serving.start()
        try:
            yield SandboxServer(f"http://{_ADDRESS}:{server.server_port}")
        finally:
            server.shutdown()
            serving.join()


def _refuse_taken(port: int) -> None:
    """Look whether the port is free: the server's thread would fail unseen."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_ADDRESS, port))
        except OSError as error:
            raise InputRefused(
                f"port {port} of {_ADDRESS} cannot be had: {error.strerror}",
                next_step="take another one, or leave out --port for a free one",
            ) from error
