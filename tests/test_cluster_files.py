"""The cluster files and their page: valid, closed to strangers, and of one mind with the lock file.

Ray's own schema lets typos through where it leaves the keys to the provider, so they are held against Amazon's service
model (botocore) and Kubernetes' schema (kubernetes-validate) too.
"""

import copy
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zipfile import ZipFile

import boto3
import botocore.session
import click
import jsonschema
import kubernetes_validate
import pytest
import ray
from botocore import xform_name
from botocore.validate import ParamValidator
from packaging.specifiers import SpecifierSet
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from ray.autoscaler._private import commands as ray_commands
from ray.autoscaler._private import providers
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.scripts.scripts import cli as ray_cli
from ruamel.yaml import YAML

from study.cli import commands as hotland_cli
from tests.conftest import ROOT

AMAZON = ROOT / "cluster.yaml"
OWN = ROOT / "cluster.local.yaml"
KUBERNETES = ROOT / "kubernetes.yaml"
CONTAINER = ROOT / "Containerfile"
PAGE = (ROOT / "docs" / "cluster.md").read_text()
LOCK = (ROOT / "requirements.lock").read_text()


def load(path: Path) -> dict[str, Any]:
    return YAML(typ="safe").load(path.read_text())


# ---------------------------------------------------------------- the strict form of Ray's cluster files


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SecurityGroup(Strict):
    """Without IpPermissions: nothing is opened beyond what Ray opens."""

    GroupName: str


class AmazonProvider(Strict):
    type: Literal["aws"]
    region: Annotated[str, Field(pattern=r"^[a-z]{2}-[a-z]+-\d$")]
    availability_zone: str = ""
    cache_stopped_nodes: Literal[False]
    security_group: SecurityGroup


class LocalProvider(Strict):
    type: Literal["local"]
    head_ip: str
    worker_ips: Annotated[list[str], Field(min_length=1)]


class Authentication(Strict):
    ssh_user: str
    ssh_private_key: str = ""


@cache
def machine() -> Any:
    """What Amazon's service model says of a machine to be started."""
    return botocore.session.get_session().get_service_model("ec2").operation_model("RunInstances").input_shape


class NodeType(Strict):
    node_config: dict[str, Any]
    resources: dict[str, int]
    min_workers: Annotated[int, Field(ge=0)]
    max_workers: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _known_to_amazon(self) -> "NodeType":
        report = ParamValidator().validate({**self.node_config, "MinCount": 1, "MaxCount": 1}, machine())
        if report.has_errors():
            raise ValueError(report.generate_report())
        return self


Commands = list[Annotated[str, Field(min_length=1)]]


class ClusterFile(Strict):
    cluster_name: str
    upscaling_speed: Annotated[float, Field(gt=0)]
    idle_timeout_minutes: Annotated[float, Field(gt=0)]
    auth: Authentication
    file_mounts: dict[str, str]
    cluster_synced_files: Annotated[list[str], Field(max_length=0)]
    file_mounts_sync_continuously: Literal[False]
    rsync_exclude: list[str]
    initialization_commands: Commands
    setup_commands: Commands
    head_setup_commands: Commands
    worker_setup_commands: Commands
    head_start_ray_commands: Annotated[Commands, Field(min_length=1)]
    worker_start_ray_commands: Annotated[Commands, Field(min_length=1)]

    @model_validator(mode="after")
    def _closed(self) -> "ClusterFile":
        start = " ".join(self.head_start_ray_commands)
        if "--dashboard-host=127.0.0.1" not in start:
            raise ValueError("the dashboard listens beyond loopback")
        if not any("RAY_AUTH_MODE=token" in command for command in self.setup_commands):
            raise ValueError("Ray runs without a token")
        if "~/.ray/auth_token" not in self.file_mounts:
            raise ValueError("the nodes have no token")
        return self


class AmazonFile(ClusterFile):
    max_workers: Annotated[int, Field(ge=1)]
    provider: AmazonProvider
    head_node_type: str
    available_node_types: dict[str, NodeType]

    @model_validator(mode="after")
    def _head_and_workers(self) -> "AmazonFile":
        kinds = dict(self.available_node_types)
        head = kinds.pop(self.head_node_type)
        if head.resources.get("CPU") != 0 or head.max_workers or "InstanceMarketOptions" in head.node_config:
            raise ValueError("the head computes blocks, or may be taken away")
        for kind in kinds.values():
            if kind.max_workers > self.max_workers:
                raise ValueError("a kind of worker may have more machines than the cluster")
            if kind.node_config.get("InstanceMarketOptions") != {"MarketType": "spot"}:
                raise ValueError("workers are not spot machines")
        if f"AWS_REGION={self.provider.region} " not in " ".join(self.setup_commands):
            raise ValueError("the nodes think they are in another region")
        return self


class OwnFile(ClusterFile):
    provider: LocalProvider


MODELS: dict[Path, type[ClusterFile]] = {AMAZON: AmazonFile, OWN: OwnFile}


def check(path: Path, content: dict[str, Any]) -> None:
    """Raise where Ray's schema or the strict form refuses a cluster file."""
    validate_config(prepare_config(copy.deepcopy(content)))
    MODELS[path].model_validate(content)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_cluster_files_are_valid(path: Path) -> None:
    check(path, load(path))


def at(content: dict[str, Any], *keys: Any) -> Any:
    for key in keys:
        content = content[key]
    return content


MUTATIONS: dict[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
    ("unknown top-level key", "Additional properties are not allowed"): lambda c: c.update(initial_workers=2),
    ("least number of workers at the top", "min_workers\n  Extra inputs"): lambda c: c.update(min_workers=1),
    ("no ceiling", "\nmax_workers\n  Field required"): lambda c: c.pop("max_workers"),
    ("no ceiling of a kind", "worker.max_workers\n  Field required"): lambda c: at(
        c, "available_node_types", "worker"
    ).pop("max_workers"),
    ("a kind's ceiling above the cluster's", "more machines than the cluster"): lambda c: at(
        c, "available_node_types", "worker"
    ).update(max_workers=9),
    ("typo in the provider", "provider.regoin\n  Extra inputs"): lambda c: c["provider"].update(
        regoin=c["provider"].pop("region")
    ),
    ("unknown provider", "Unsupported node provider"): lambda c: c["provider"].update(type="awss"),
    ("another region in the environment", "another region"): lambda c: c["provider"].update(region="us-east-1"),
    ("stopped machines kept", "provider.cache_stopped_nodes"): lambda c: c["provider"].update(cache_stopped_nodes=True),
    ("a port opened", "security_group.IpPermissions\n  Extra inputs"): lambda c: at(
        c, "provider", "security_group"
    ).update(
        IpPermissions=[{"FromPort": 8265, "ToPort": 8265, "IpProtocol": "tcp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ),
    ("typo in a machine", 'Unknown parameter in input: "InstanceTyp"'): lambda c: at(
        c, "available_node_types", "worker", "node_config"
    ).update(InstanceTyp="m7i.large"),
    ("typo deep in a machine", '"VolumSize"'): lambda c: at(
        c, "available_node_types", "head", "node_config", "BlockDeviceMappings", 0, "Ebs"
    ).update(VolumSize=8),
    ("a disk's size in words", "Ebs.VolumeSize, value: 30 GB"): lambda c: at(
        c, "available_node_types", "head", "node_config", "BlockDeviceMappings", 0, "Ebs"
    ).update(VolumeSize="30 GB"),
    ("a head that is no kind", "`head_node_type` must be one of"): lambda c: c.update(head_node_type="haed"),
    ("a head that computes", "the head computes blocks"): lambda c: at(
        c, "available_node_types", "head", "resources"
    ).update(CPU=2),
    ("a head that may be taken away", "may be taken away"): lambda c: at(
        c, "available_node_types", "head", "node_config"
    ).update(InstanceMarketOptions={"MarketType": "spot"}),
    ("half a processor", "0.5 is not of type 'integer'"): lambda c: at(
        c, "available_node_types", "worker", "resources"
    ).update(CPU=0.5),
    ("a dashboard for everybody", "listens beyond loopback"): lambda c: c.update(
        head_start_ray_commands=[command.replace("127.0.0.1", "0.0.0.0") for command in c["head_start_ray_commands"]]
    ),
    ("no token", "the nodes have no token"): lambda c: c["file_mounts"].pop("~/.ray/auth_token"),
    ("authentication off", "without a token"): lambda c: c.update(
        setup_commands=[
            command.replace("RAY_AUTH_MODE=token", "RAY_AUTH_MODE=disabled") for command in c["setup_commands"]
        ]
    ),
}


@pytest.mark.parametrize("what", MUTATIONS, ids=lambda what: what[0])
def test_a_wrong_cluster_file_is_refused(what: tuple[str, str]) -> None:
    content = load(AMAZON)
    MUTATIONS[what](content)
    refusals = (ValidationError, jsonschema.ValidationError, NotImplementedError, ValueError)
    with pytest.raises(refusals, match=re.escape(what[1])):
        check(AMAZON, content)


def test_machines_of_ones_own_have_no_kinds() -> None:
    content = load(OWN) | {"available_node_types": load(AMAZON)["available_node_types"]}
    with pytest.raises(click.ClickException):
        check(OWN, content)


# ---------------------------------------------------------------- the strict form of the RayJob


class Camel(Strict):
    model_config = ConfigDict(alias_generator=to_camel)


class AuthOptions(Camel):
    mode: Literal["token"]


class AutoscalerOptions(Camel):
    version: Literal["v2"]
    idle_timeout_seconds: Annotated[int, Field(gt=0)]
    upscaling_mode: Literal["Default", "Aggressive", "Conservative"] = "Default"
    resources: dict[str, dict[str, str]]
    security_context: dict[str, Any]


class HeadGroup(Camel):
    service_type: Literal["ClusterIP"]
    ray_start_params: dict[str, str]
    template: dict[str, Any]


class WorkerGroup(Camel):
    group_name: str
    replicas: Annotated[int, Field(ge=0)]
    min_replicas: Annotated[int, Field(ge=0)]
    max_replicas: Annotated[int, Field(ge=1)]
    idle_timeout_seconds: int | None = None
    ray_start_params: dict[str, str]
    template: dict[str, Any]


class RayCluster(Camel):
    ray_version: str
    auth_options: AuthOptions
    enable_in_tree_autoscaling: Literal[True]
    autoscaler_options: AutoscalerOptions
    head_group_spec: HeadGroup
    worker_group_specs: Annotated[list[WorkerGroup], Field(min_length=1)]


class RayJobSpec(Camel):
    entrypoint: str
    submission_mode: Literal["K8sJobMode", "HTTPMode", "SidecarMode", "InteractiveMode"]
    backoff_limit: Annotated[int, Field(ge=0)]
    active_deadline_seconds: Annotated[int, Field(gt=0)] | None = None
    shutdown_after_job_finishes: Literal[True]
    ttl_seconds_after_finished: Annotated[int, Field(ge=0)]
    ray_cluster_spec: RayCluster


class Metadata(Camel):
    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,45}[a-z0-9])?$")]


class RayJob(Camel):
    """Fields and values of KubeRay 1.7's ray.io/v1, as far as they are used here."""

    api_version: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: Metadata
    spec: RayJobSpec

    @model_validator(mode="after")
    def _pods(self) -> "RayJob":
        cluster = self.spec.ray_cluster_spec
        for group in (cluster.head_group_spec, *cluster.worker_group_specs):
            pod = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "pod"}, "template": group.template}
            kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)
            spec = group.template["spec"]
            if spec["securityContext"].get("runAsNonRoot") is not True:
                raise ValueError("a pod runs as root")
            for container in spec["containers"]:
                if container["securityContext"].get("allowPrivilegeEscalation") is not False:
                    raise ValueError("a container may gain rights")
                if container["resources"]["requests"] != container["resources"]["limits"]:
                    raise ValueError("Ray counts on more than the pod is sure to get")
        if cluster.head_group_spec.ray_start_params.get("num-cpus") != "0":
            raise ValueError("the head computes blocks")
        return self


def manifests() -> list[dict[str, Any]]:
    return list(YAML(typ="safe").load_all(KUBERNETES.read_text()))


def test_kubernetes_manifests_are_valid() -> None:
    account, job = manifests()
    kubernetes_validate.validate(account, kubernetes_validate.latest_version(), strict=True)
    RayJob.model_validate(job)
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    assert {group["template"]["spec"]["serviceAccountName"] for group in groups} == {account["metadata"]["name"]}
    assert len({group["template"]["spec"]["containers"][0]["image"] for group in groups}) == 1


def pod(job: dict[str, Any]) -> dict[str, Any]:
    return job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["template"]["spec"]


JOB_MUTATIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "typo in the job": lambda j: j["spec"].update(shutdownAfterJobFinish=True),
    "unknown way of submission": lambda j: j["spec"].update(submissionMode="HttpMode"),
    "a cluster that stays": lambda j: j["spec"].update(shutdownAfterJobFinishes=False),
    "typo in a group": lambda j: j["spec"]["rayClusterSpec"]["workerGroupSpecs"][0].update(maxReplica=3),
    "a number among the start parameters": lambda j: j["spec"]["rayClusterSpec"]["headGroupSpec"].update(
        rayStartParams={"num-cpus": 0}
    ),
    "open to the world": lambda j: j["spec"]["rayClusterSpec"]["headGroupSpec"].update(serviceType="LoadBalancer"),
    "authentication off": lambda j: j["spec"]["rayClusterSpec"].update(authOptions={"mode": "disabled"}),
    "typo in a pod": lambda j: pod(j).update(serviceAccount_name="hotland"),
    "typo in a container": lambda j: pod(j)["containers"][0].update(imagePullPolice="Always"),
    "a number as environment": lambda j: pod(j)["containers"][0].update(env=[{"name": "THREADS", "value": 1}]),
    "root": lambda j: pod(j).update(securityContext={"runAsUser": 0}),
}


@pytest.mark.parametrize("change", JOB_MUTATIONS.values(), ids=JOB_MUTATIONS)
def test_a_wrong_job_is_refused(change: Callable[[dict[str, Any]], Any]) -> None:
    job = json.loads(json.dumps(manifests()[1]))  # without shared parts
    change(job)
    with pytest.raises((ValidationError, kubernetes_validate.ValidationError)):
        RayJob.model_validate(job)


# ---------------------------------------------------------------- of one mind


def test_versions_are_those_of_the_lock_file() -> None:
    (locked,) = re.findall(r"^ray==(\S+)", LOCK, flags=re.MULTILINE)
    assert ray.__version__ == locked
    assert manifests()[1]["spec"]["rayClusterSpec"]["rayVersion"] == locked
    (python,) = re.findall(
        r"^FROM docker\.io/library/python:(\d+\.\d+)-slim$", CONTAINER.read_text(), flags=re.MULTILINE
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert python in SpecifierSet(project["requires-python"])
    assert f"hotland:{project['version']}" in KUBERNETES.read_text()
    assert f"hotland:{project['version']}" in PAGE
    for path in MODELS:
        commands = " ".join(load(path)["setup_commands"])
        assert "--require-hashes -r ~/hotland/requirements.lock" in commands
        assert not re.search(r"pip install (?!--quiet (--require-hashes -r|--no-deps))", commands)
    for needed in ("boto3", "hatchling"):  # by the head's autoscaler, and to build the package
        assert re.search(rf"^{needed}==", LOCK, flags=re.MULTILINE), needed


def test_what_is_copied_exists_and_is_all_that_is_needed(tmp_path: Path) -> None:
    """The package can be built from what the nodes are given."""
    for path in MODELS:
        mounts = load(path)["file_mounts"]
        assert mounts.pop("~/.ray/auth_token") == "~/.ray/auth_token"
        for there, here in mounts.items():
            assert there == f"~/hotland/{here}"
            assert (ROOT / here).exists(), here
    copied = {
        here
        for words in map(str.split, CONTAINER.read_text().splitlines())
        if words[:1] == ["COPY"]
        for here in words[1:-1]
    }
    assert all((ROOT / here).exists() for here in copied)
    given = {Path(here).parts[0] for here in mounts.values()}
    assert {Path(here).parts[0] for here in copied} == given
    for here in given:
        if (ROOT / here).is_dir():
            shutil.copytree(ROOT / here, tmp_path / here, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / here, tmp_path / here)
    subprocess.run([sys.executable, "-m", "hatchling", "build"], cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    packed = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    ours = {str(path.relative_to(tmp_path)) for name in ("kernels", "study") for path in (tmp_path / name).rglob("*.*")}
    assert packed == ours
    assert packed >= {"kernels/season.py", "study/cli/__init__.py", "study/climates/shenyang.yaml"}


# ---------------------------------------------------------------- the page


def command_lines() -> list[list[str]]:
    text = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL))
    return [words for line in text.splitlines() if (words := shlex.split(line))]


def parse(group: click.Command, arguments: list[str]) -> list[str]:
    """Hold a command line against a program's own parser; return what it takes as arguments."""
    while isinstance(group, click.Group):
        name, *arguments = arguments
        command = group.get_command(click.Context(group), name)
        assert command is not None, name
        group = command
    context = click.Context(group)
    context.allow_interspersed_args = group.allow_interspersed_args
    _, _, order = group.make_parser(context).parse_args(list(arguments))
    values, _, _ = group.make_parser(context).parse_args(list(arguments))
    missing = [item.name for item in order if isinstance(item, click.Argument) and not values.get(item.name or "")]
    assert not missing, (arguments, missing)
    entrypoint = values.get("entrypoint") or ()
    return list(entrypoint) or shlex.split(values.get("cmd") or "")


def parse_line(words: list[str]) -> None:
    """Follow a command line to the program that it calls in the end."""
    while words and (re.match(r"^\w+=", words[0]) or words[0] == "."):
        words = words[2:] if words[0] == "." else words[1:]
    program, *arguments = words
    for redirection in (">", "2>"):
        if redirection in arguments:
            arguments = arguments[: arguments.index(redirection)]
    program = Path(program).name
    if program in ("aws", "kubectl", "helm", "podman"):
        return
    inner = parse({"hotland": hotland_cli, "ray": ray_cli}[program], arguments)
    for path in [word for word in arguments if re.fullmatch(r"[\w./-]+\.yaml", word) and not word.startswith("-")]:
        if program == "hotland":
            assert any((ROOT / folder / path.removeprefix("hotland/")).is_file() for folder in (".", "configs")), path
        elif not inner:
            assert (ROOT / path).is_file(), path
    if inner:
        parse_line(inner)


def test_commands_of_the_page_are_known() -> None:
    lines = command_lines()
    assert {Path(line[0]).name for line in lines} >= {"aws", "ray", "kubectl", "helm", "podman"}
    for line in lines:
        parse_line(line)
    with pytest.raises(click.NoSuchOption):
        parse_line(
            shlex.split("RAY_AUTH_MODE=token .venv/bin/ray exec cluster.yaml 'hotland run x.yaml --adress auto'")
        )


def test_commands_of_the_files_are_known() -> None:
    parse_line(
        shlex.split(manifests()[1]["spec"]["entrypoint"].replace("/etc/hotland/study.yaml", "configs/smoke.yaml"))
    )
    for path in MODELS:
        content = load(path)
        start = [*content["head_start_ray_commands"], *content["worker_start_ray_commands"]]
        simple = [part for command in start for part in command.split("; ") if "ray " in part]
        assert sum("ray start" in part for part in simple) == 2
        for part in simple:
            parse_line(shlex.split(part))


# ---------------------------------------------------------------- Amazon, as moto plays it


def amazon_command(line: list[str]) -> None:
    """Do through boto3 what Amazon's command-line program does."""
    _, service, operation, *arguments = line
    client = boto3.client("s3" if service == "s3api" else service)
    method = operation.replace("-", "_")
    options = zip(arguments[::2], arguments[1::2], strict=True)
    given: dict[str, Any] = {option.removeprefix("--"): value for option, value in options}
    given.pop("region", None)
    if method == "authorize_security_group_ingress":  # here the program has short forms
        rule: dict[str, Any] = {"IpProtocol": given.pop("protocol")}
        if "source-group" in given:
            (group,) = client.describe_security_groups(GroupNames=[given.pop("source-group")])["SecurityGroups"]
            rule["UserIdGroupPairs"] = [{"GroupId": group["GroupId"]}]
        else:
            port = int(given.pop("port"))
            rule |= {"FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": given.pop("cidr")}]}
        given["ip-permissions"] = [rule]
    if "create-bucket-configuration" in given:
        given["create-bucket-configuration"] = dict([given["create-bucket-configuration"].split("=")])
    shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).input_shape
    names = {xform_name(name, "-"): name for name in shape.members}
    getattr(client, method)(**{names[name]: value for name, value in given.items()})


@pytest.fixture
def amazon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from moto import mock_aws

    monkeypatch.setenv("HOME", str(tmp_path))  # Ray writes its key there
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", load(AMAZON)["provider"]["region"])
    monkeypatch.chdir(ROOT)
    with mock_aws(config={"iam": {"load_aws_managed_policies": True}}):
        yield


def rules_open_to_anyone(group: dict[str, Any]) -> list[tuple[str, Any, str]]:
    return [
        (rule["IpProtocol"], rule.get("FromPort"), block["CidrIp"])
        for rule in group["IpPermissions"]
        for block in rule["IpRanges"]
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::ResourceWarning"
)
@pytest.mark.usefixtures("amazon")
@pytest.mark.parametrize("prepared", [True, False], ids=["group made before", "group made by Ray"])
def test_ray_finds_all_it_needs_at_amazon(prepared: bool) -> None:
    for line in command_lines():
        if line[0] == "aws" and (prepared or line[1] != "ec2"):
            amazon_command(line)
    config = prepare_config(load(AMAZON))
    validate_config(config)
    config = ray_commands._bootstrap_config(config, no_config_cache=True)
    kinds = config["available_node_types"]
    assert kinds["head"]["resources"]["CPU"] == 0
    assert kinds["worker"]["resources"]["CPU"] == 16
    ec2 = boto3.client("ec2")
    (group,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["hotland"]}])["SecurityGroups"]
    assert all(kind["node_config"]["SecurityGroupIds"] == [group["GroupId"]] for kind in kinds.values())
    address = "203.0.113.7/32" if prepared else "0.0.0.0/0"
    assert rules_open_to_anyone(group) == [("tcp", 22, address)]
    within = [pair["GroupId"] for rule in group["IpPermissions"] for pair in rule["UserIdGroupPairs"]]
    assert within == [group["GroupId"]]
    provider = providers._get_node_provider(config["provider"], config["cluster_name"], use_cache=False)
    provider.create_node(kinds["worker"]["node_config"], {"ray-node-type": "worker"}, 1)
    found = [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
    assert [(i["InstanceType"], i["InstanceLifecycle"]) for i in found] == [("c7i.4xlarge", "spot")]
    assert {i["IamInstanceProfile"]["Arn"].split("/")[-1] for i in found} == {"hotland-worker"}


# ---------------------------------------------------------------- machines of one's own, as this one plays them

SSH = """#!{python}
import os, sys
arguments = sys.argv[1:]
place = next(i for i, word in enumerate(arguments) if "@" in word and arguments[i - 1] not in ("-o", "-i"))
host = arguments[place].split("@")[1]
home = os.path.join(os.environ["NODES"], host)
kept = {{name: os.environ[name] for name in ("PATH", "NODES", "PYTHONPATH", "NUMBA_CACHE_DIR")}}
os.chdir(home)
os.execvpe("bash", ["bash", "-c", " ".join(arguments[place + 1:])], kept | {{"HOME": home, "NODE_IP": host}})
"""
RSYNC = """#!{python}
import os, shutil, sys
source, target = sys.argv[-2:]
host, path = target.split("@")[1].split(":")
path = path.replace("~", os.path.join(os.environ["NODES"], host), 1)
if source.endswith("/"):
    shutil.copytree(os.path.expanduser(source), path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
else:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copy(os.path.expanduser(source), path)
"""
# Prints the nodes' addresses and processors, once all are there.
NODES = """
import ray, time
ray.init("auto", log_to_driver=False, logging_level="ERROR")
while len(nodes := [node for node in ray.nodes() if node["Alive"]]) < 2:
    time.sleep(0.5)
print(sorted((node["NodeManagerAddress"], node["Resources"].get("CPU", 0)) for node in nodes))
"""
# Nothing but this loopback, these processes and this /tmp/ray: `ray stop`, which `ray down` sends, meets no other Ray.
APART = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]


@pytest.mark.slow
def test_ray_up_and_down_on_machines_of_ones_own(tmp_path: Path) -> None:
    Path("/tmp/ray").mkdir(exist_ok=True)
    isolate = "set -e; ip link set lo up; mount -t tmpfs tmpfs /tmp/ray; "
    if subprocess.run([*APART, "bash", "-c", isolate], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let a user set processes and network apart")
    content = load(OWN)
    del content["provider"]["worker_ips"][1:]  # two that start at once on one machine get into each other's way
    hosts = [content["provider"]["head_ip"], *content["provider"]["worker_ips"]]
    # The libraries are there already; several nodes share one machine and its ports.
    content["setup_commands"] = [command for command in content["setup_commands"] if "environment.sh" in command]
    assert len(content["setup_commands"]) == 2
    apart = "--node-ip-address=$NODE_IP --min-worker-port=0 --max-worker-port=0"
    for key in ("head_start_ray_commands", "worker_start_ray_commands"):
        content[key] = [command.replace("ray start", f"ray start {apart}") for command in content[key]]
    content["worker_start_ray_commands"] = [
        f"{command} --num-cpus=1" for command in content["worker_start_ray_commands"]
    ]
    cluster = tmp_path / "cluster.yaml"
    YAML(typ="safe").dump(content, cluster)
    for host in hosts:
        (tmp_path / "nodes" / host).mkdir(parents=True)
        (tmp_path / "nodes" / host / "hotland-venv").symlink_to(sys.prefix)
        (tmp_path / "nodes" / host / ".bashrc").write_text(f"export PATH={tmp_path / 'bin'}:$PATH\n")
    (tmp_path / "home" / ".ray").mkdir(parents=True)
    (tmp_path / "home" / ".ray" / "auth_token").write_text("0" * 64)
    (tmp_path / "bin").mkdir()
    for name, text in (("ssh", SSH), ("rsync", RSYNC)):
        (tmp_path / "bin" / name).write_text(text.format(python=sys.executable))
        (tmp_path / "bin" / name).chmod(stat.S_IRWXU)
    binaries = Path(sys.executable).parent
    environment = {
        "PATH": f"{tmp_path / 'bin'}:{binaries}:{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "NODES": str(tmp_path / "nodes"),
        "PYTHONPATH": str(ROOT),
        "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", ""),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    store = tmp_path / "store.zarr"
    run = f"hotland run hotland/configs/smoke.yaml --block-size 8 --address auto --output {store}"
    script = isolate + " && ".join(
        [
            *[f"ip address add {host}/32 dev lo" for host in hosts],
            f"ray up --yes {cluster}",
            f"ray exec {cluster} {shlex.quote(run)}",
            f"ray exec {cluster} {shlex.quote(f'python -c {shlex.quote(NODES)}')}",
            f"ray down --yes {cluster}",
            "! pgrep -x gcs_server && echo the head is down",
            "timeout 120 bash -c 'while pgrep -x raylet; do sleep 1; done' && echo the workers are down",
        ]
    )
    done = subprocess.run(
        [*APART, "bash", "-c", script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "the head is down" in output
    assert "the workers are down" in output
    assert str([(hosts[0], 0), *[(host, 1.0) for host in hosts[1:]]]) in output, output
    assert "carbon" in output
    assert store.is_dir()
