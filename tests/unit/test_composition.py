"""The composition root wires everything it names."""

from typing import Any

import pytest
from dependency_injector import providers

from s3export.adapters.memory import MemoryObjectStore
from s3export.domain import ports
from s3export.domain.errors import SettingsRejected
from s3export.entrypoints.container import (
    Application,
    MemoryApplication,
    application,
    memory_application,
)
from s3export.entrypoints.settings import Settings

PORTS = {
    "export_service": ports.ExportService,
    "object_store": ports.ObjectStore,
    "block_devices": ports.BlockDevices,
    "manifests": ports.ManifestReader,
    "disk_containers": ports.Containers,
    "hashes": ports.HashFunctions,
    "scratch": ports.Scratch,
    "reports": ports.ReportWriter,
    "workers": ports.Workers,
    "randomness": ports.Randomness,
    "clock": ports.Clock,
    "machine": ports.Machine,
    "aws_access": ports.AwsAccess,
    "progress": ports.Progress,
}
USE_CASES = (
    "create_job",
    "follow_jobs",
    "load_device",
    "load_disk",
    "open_backup",
    "read_back",
    "survey_selection",
    "verify_backup",
)


def wired(name: str) -> Application | MemoryApplication:
    """Return the composition of a name."""
    if name == "system":
        return application(Settings())
    return memory_application(Settings())


@pytest.mark.parametrize("composition", ["system", "memory"])
@pytest.mark.parametrize("port", PORTS)
def test_every_port_has_an_adapter_that_names_it(composition: str, port: str) -> None:
    """Each provider gives an adapter whose class derives from its port."""
    adapter = getattr(wired(composition).adapters, port)()

    assert PORTS[port] in type(adapter).__mro__


@pytest.mark.parametrize("composition", ["system", "memory"])
@pytest.mark.parametrize("use_case", USE_CASES)
def test_every_use_case_can_be_resolved(composition: str, use_case: str) -> None:
    """Each use case gets all the ports it needs."""
    assert callable(getattr(wired(composition).use_cases, use_case))
    getattr(wired(composition).use_cases, use_case)()


def test_every_provider_is_resolved_by_a_test() -> None:
    """A provider added to a container is one that the tests above resolve."""
    app = application(Settings())
    own = {"settings", "interruption", "run_directory", "session"}
    own |= {"cryptsetup", "fuse_mounts"}

    def names(container: Any) -> set[str]:
        return set(container.providers)

    assert names(app.adapters) - own == set(PORTS)
    assert names(app.use_cases) - {"adapters"} == set(USE_CASES)


def test_a_use_case_takes_whichever_adapter_is_put_in_its_place() -> None:
    """Overriding one adapter changes the use case and nothing else."""
    app = memory_application()
    store = MemoryObjectStore("other")

    with app.adapters.object_store.override(providers.Object(store)):
        assert app.use_cases.verify_backup().parts.store is store
    assert app.use_cases.verify_backup().parts.store is not store


def test_an_unknown_profile_is_a_refusal_of_the_settings() -> None:
    """boto3's own exception does not get past the composition root."""
    app = application(Settings(profile="no-such-profile"))

    with pytest.raises(SettingsRejected, match="no-such-profile"):
        app.adapters.session()


def test_a_custom_endpoint_is_asked_by_path() -> None:
    """A server in AWS's place needs no host name for each bucket."""
    app = application(Settings(endpoint_url="http://localhost:9000"))

    client = app.adapters.object_store()._client

    assert client.meta.config.s3["addressing_style"] == "path"
