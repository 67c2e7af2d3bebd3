"""AWS Import/Export for moto, which has no such service of its own.

Written the way moto writes a service: ``models`` hold the jobs and the rules of their
life, ``responses`` speak the wire protocol through botocore's own model of it, ``urls``
say which addresses are answered. What a manifest is refused for is in ``manifest``,
``return_address``, ``customs`` and ``buckets``. `register` puts the service beside
moto's S3, so that both ``mock_aws()`` and a moto server answer for it.

Source of all behaviour: AWS Import/Export Developer Guide and API Reference, botocore's
model ``importexport/2010-06-01``, and the answers recorded in AWS's own SDK tests.
"""

import re
import sys

_SERVICE = "importexport"
_HOST = re.compile(r"https?://importexport\.(.+\.)?amazonaws\.com")


def register() -> None:
    """Make moto answer for the service; idempotent.

    Call it before ``mock_aws()`` or a moto server is started. Three places of moto are
    touched, because moto reads its list of services from generated modules:

    - ``sys.modules``: moto imports the package ``moto.<service>`` for its backends;
    - ``backend_index.backend_url_patterns``: which hosts belong to which service;
    - ``SIGNING_ALIASES`` of the server: botocore signs these requests for a service
      called ``IngestionService``, and the server dispatches by that name.
    """
    from moto import backend_index
    from moto.moto_server import werkzeug_app

    from s3export.entrypoints.sandbox.importexport import models

    sys.modules[f"moto.{_SERVICE}"] = models
    patterns = backend_index.backend_url_patterns
    if all(name != _SERVICE for name, _ in patterns):
        patterns.append((_SERVICE, _HOST))
    werkzeug_app.SIGNING_ALIASES["ingestionservice"] = _SERVICE
