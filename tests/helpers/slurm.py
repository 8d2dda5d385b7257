"""A Slurm cluster of one node on the loopback, private to the tests: real daemons in a temporary folder.

On Debian: ``apt-get install --no-install-recommends slurmctld slurmd slurm-client munge``.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "squeue", "sinfo")
PATH = f"{os.environ['PATH']}:/usr/sbin"
"""Where daemons are, for those who are not root, too."""

PATIENCE = 60.0
"""Seconds that the cluster has to be up, and all its jobs to be gone."""

CONF = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE
"""
"""Neither accounting nor cgroups; as many jobs at a time as ``cores`` says, whatever the machine has."""


def missing() -> list[str]:
    """Programs of Slurm's that are not installed here."""
    return [program for program in PROGRAMS if shutil.which(program, path=PATH) is None]


@contextmanager
def cluster(cores: int) -> Iterator[dict[str, str]]:
    """The variables by which ``sbatch`` and its like find the cluster. It is gone afterwards, whatever happened."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # not below pytest's: a socket's path has 107 characters at most
    with ExitStack() as held:
        held.callback(shutil.rmtree, folder, ignore_errors=True)
        _configure(folder, cores)
        variables = {"PATH": PATH, "SLURM_CONF": f"{folder}/slurm.conf"}
        held.enter_context(_daemon(_munged(folder), variables))
        _wait_for((folder / "munge.socket").exists, "munged")
        held.enter_context(_daemon(["slurmctld", "-D"], variables))
        held.enter_context(_daemon(["slurmd", "-D"], variables))
        _wait_for(lambda: _said(["sinfo", "--noheader", "--format=%T"], variables) == "idle", "an idle node")
        held.callback(_cancel_all, variables)
        yield variables


def _configure(folder: Path, cores: int) -> None:
    (folder / "state").mkdir()
    (folder / "munge.key").touch(mode=0o600)
    (folder / "munge.key").write_bytes(os.urandom(128))
    host, user = socket.gethostname().partition(".")[0], getpass.getuser()
    conf = CONF.format(folder=folder, cores=cores, host=host, user=user, ports=_free_ports())
    (folder / "slurm.conf").write_text(conf)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for bound in (one, other):
            bound.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _munged(folder: Path) -> list[str]:
    files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    places = [f"--{flag}={folder}/munge.{name}" for flag, name in files.items()]
    return ["munged", "--foreground", "--force", *places]  # by force: in a folder that only its owner may enter


@contextmanager
def _daemon(command: list[str], variables: dict[str, str]) -> Iterator[None]:
    """A process that runs meanwhile; what it says is shown with a test that fails."""
    process = subprocess.Popen(command, env={**os.environ, **variables})
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _cancel_all(variables: dict[str, str]) -> None:
    """End all jobs; they would outlive the daemons."""
    _said(["scancel", "--user", getpass.getuser()], variables)
    _wait_for(lambda: _said(["squeue", "--noheader"], variables) == "", "the end of all jobs")


def _said(command: list[str], variables: dict[str, str]) -> str:
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip()


def _wait_for(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"waited {PATIENCE:.0f} s for {what}"
        time.sleep(0.1)
