"""The demonstration: the whole story, told with the program's own commands."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from s3export.adapters.file_trees.mounted import MountedWritableTree
from s3export.adapters.memory import SilentProgress
from s3export.adapters.s3_store import S3Store
from s3export.domain.backup_layout import BackupLayout, TreePath, directory_of, join
from s3export.domain.ports import BlockDevices, Containers, WritableTree
from s3export.domain.secret import Secret
from s3export.domain.services.load_device import LoadDevice, LoadRequest
from s3export.entrypoints.cli.terminal import Terminal, harmless
from s3export.entrypoints.container import Application
from s3export.entrypoints.sandbox import contents
from s3export.entrypoints.sandbox.actions import Sandbox, s3_client
from s3export.entrypoints.sandbox.damage import tampered

_SINGLE = "albums/2023/summer/photo-007.jpg"
_CUT = "albums/2023/winter/photo-011.jpg"
_DELETED = "albums/2024/garden/photo-002.jpg"
_ADDED = "albums/2024/garden/not-from-s3.jpg"
_OVERWRITTEN = "albums/2024/garden/photo-003.jpg"

PLANTED: Mapping[str, str] = {
    _SINGLE: "mismatch",
    _CUT: "mismatch",
    contents.UNEVEN: "mismatch",
    _DELETED: "missing_from_source",
    _ADDED: "missing_from_source",
    _OVERWRITTEN: "changed_since_export",
}
"""Path to outcome: what the demonstration breaks, and how it must be reported."""


def tell(box: Sandbox, terminal: Terminal, application: Application) -> int:
    """Tell the story; return 0 if it ends as it should, 1 if not."""
    story = _Story(box, terminal)
    with tempfile.TemporaryDirectory(prefix="s3export-demo-") as directory:
        if os.geteuid() == 0:
            adapters = application.adapters
            verify = story.on_a_disk(
                adapters.block_devices(), adapters.disk_containers()
            )
        else:
            verify = story.in_a_directory(directory, application)
        if verify is None:
            return 1
        return 0 if story.finds_the_damage(verify) else 1


@dataclass
class _Story:
    box: Sandbox
    terminal: Terminal

    def on_a_disk(
        self, devices: BlockDevices, containers: Containers
    ) -> Sequence[str] | None:
        """With root: a job, a disk, the loading facility; damage on the disk.

        Returns:
            The command that verifies it; ``None`` where the story went wrong.

        """
        disk, manifest = self.box.disk, self.box.manifest
        self._say(
            f"S3 and the export service run at {self.box.server.endpoint_url}; "
            f"{disk} is an empty disk."
        )
        steps = [
            ("A dry run first.", ["create-job", manifest, disk, "--dry-run"]),
            (
                "The job itself; the disk is prepared.",
                ["create-job", manifest, disk, "--confirm-device", disk],
            ),
            ("AWS's list of jobs.", ["list-jobs"]),
            ("The loading facility receives the disk.", ["sandbox", "deliver", disk]),
        ]
        for words, arguments in steps:
            if not self._goes_well(words, arguments):
                return None
        job = json.loads(self._output(["list-jobs", "--json"]))[0]["job_id"]
        verify = ["verify-backup", disk, "--manifest", manifest, "--job-id", job]
        if not self._goes_well("The disk is back. Is it what S3 holds?", verify):
            return None
        password = Secret(contents.PASSWORD)
        with tampered(devices, containers, disk, password) as tree:
            self._plant(tree, contents.BUCKET)
        return verify

    def in_a_directory(
        self, directory: str, application: Application
    ) -> Sequence[str] | None:
        """Without root: a directory in place of the disk, loaded by the same code."""
        self._say(
            "This is not run by root, so there is no disk: jobs, formatting and the "
            "loading facility are left out. A bucket is loaded into a directory, and "
            "the directory is verified. The whole story: sudo make demo"
        )
        tree = MountedWritableTree(directory)
        load = LoadDevice(
            store=S3Store(s3_client(self.box.server)),
            hashes=application.adapters.hashes(),
            workers=application.adapters.workers(),
            clock=application.adapters.clock(),
            progress=SilentProgress(),
        )
        manifests = application.adapters.manifests()
        manifest = manifests.read(self.box.manifest).accepted()
        recovery = directory_of(manifest.recovery_directory)
        request = LoadRequest(BackupLayout(manifest.sources(), recovery), "SANDBOX")
        load(request, tree)
        log = Path(directory, os.fsdecode(request.log_path))
        verify = ["verify-backup", directory, "--manifest", self.box.manifest]
        verify += ["--export-log", str(log)]
        if not self._goes_well("Is it what S3 holds?", verify):
            return None
        self._plant(tree, contents.BUCKET)
        return verify

    def finds_the_damage(self, verify: Sequence[str]) -> bool:
        """Verify all files, and compare what was found with what was planted."""
        self._say("Damage is planted. What does a verification of all files say?")
        arguments = [*verify, "--sample-size", "all"]
        code = self._run(arguments)
        report = json.loads(self._output([*arguments, "--json", "--quiet"]))
        found = {f["path"]: f["outcome"] for f in report["findings"]}
        self._say("Planted, and found:")
        for path, outcome in PLANTED.items():
            mark = "found " if found.get(path) == outcome else "MISSED"
            self.terminal.tell(f"  {mark}  {outcome:<20} {harmless(path)}")
        for path in sorted(found.keys() - PLANTED.keys()):
            self.terminal.tell(f"  FALSE ALARM  {found[path]} {harmless(path)}")
        good = found == PLANTED and code == 1
        self._say(
            f"verify-backup ended with exit code {code}: 1 means that the backup "
            "differs from S3, as it must after the damage."
            if good
            else f"This is not how the story ends: exit code {code}."
        )
        return good

    def _plant(self, tree: WritableTree, directory: str) -> None:
        """Flip a byte in two files, cut one short, add one; delete an object."""
        root = directory.encode()
        for key in (_SINGLE, contents.UNEVEN):
            path = join(root, key.encode())
            content = _content(tree, path)
            content[len(content) // 2] ^= 1
            tree.replace(path, bytes(content))
        path = join(root, _CUT.encode())
        tree.replace(path, bytes(_content(tree, path)[:-1]))
        tree.write(join(root, _ADDED.encode()), [b"who put this here?"])
        tree.sync()
        client = s3_client(self.box.server)
        client.delete_object(Bucket=contents.BUCKET, Key=_DELETED)
        time.sleep(1)  # S3 tells times to the second: let it be later than the export
        client.put_object(Bucket=contents.BUCKET, Key=_OVERWRITTEN, Body=b"edited")

    def _say(self, words: str) -> None:
        self.terminal.tell(f"\n# {words}")

    def _goes_well(self, words: str, arguments: Sequence[str]) -> bool:
        self._say(words)
        if self._run(arguments) == 0:
            return True
        self._say(f"This is not how the story goes: {arguments[0]} failed.")
        return False

    def _run(self, arguments: Sequence[str]) -> int:
        self.terminal.tell(f"$ s3export {' '.join(arguments)}")
        with subprocess.Popen(self._argv(arguments), env=self._environment()) as child:
            try:
                return child.wait()
            except BaseException:
                child.terminate()  # it releases what it holds, and ends
                child.wait()
                raise

    def _output(self, arguments: Sequence[str]) -> str:
        done = subprocess.run(
            self._argv(arguments),
            env=self._environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        return done.stdout

    @staticmethod
    def _argv(arguments: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "s3export", *arguments]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.box.environment()}


def _content(tree: WritableTree, path: TreePath) -> bytearray:
    content = bytearray()
    buffer = bytearray(1 << 20)
    with tree.open(path) as file:
        while got := file.readinto(buffer):
            content += buffer[:got]
    return content
