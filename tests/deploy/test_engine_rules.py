"""What the filter in front of the container engine lets through, decided without an engine."""

from __future__ import annotations

import copy

import pytest

from deploy.engine.proxy import policy_from
from deploy.engine.rules import Policy, Refused, check_container, find_call

IMAGE, ID = "gradlab-runner:cpu", "a" * 64
POLICY = Policy(frozenset({IMAGE}), scope="here")
GPU = [{"Driver": "", "Count": 0, "DeviceIDs": ["0"], "Capabilities": [["gpu"]], "Options": {}}]
BODY = {
    "Image": IMAGE,
    "Cmd": ["python3", "-c", "pass"],
    "User": "65534:65534",
    "Env": ["PATH=/usr/bin:/bin", "OMP_NUM_THREADS=1"],
    "Labels": {"gradlab.run": "1"},
    "Entrypoint": None,
    "OpenStdin": True,
    "HostConfig": {
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "IpcMode": "private",
        "PidsLimit": 33,
        "Memory": 256 << 20,
        "MemorySwap": 256 << 20,
        "LogConfig": {"Type": "none", "Config": {}},
        "Tmpfs": {"/tmp": "rw,nosuid,nodev,noexec,size=32m,nr_inodes=4k,mode=1777"},
    },
}
NEEDED = ["/_ping", "/version", f"/v1.41/images/{IMAGE}/json", "/v1.41/containers/json", f"/v1.41/containers/{ID}/json"]
UNNEEDED = [
    ("GET", "/v1.41/info"),
    ("GET", "/v1.41/events"),
    ("GET", "/v1.41/images/json"),
    ("GET", "/v1.41/images/postgres:15-bookworm/json"),
    ("POST", "/v1.41/images/create"),
    ("POST", "/v1.41/build"),
    ("GET", "/v1.41/volumes"),
    ("POST", "/v1.41/volumes/create"),
    ("POST", "/v1.41/networks/create"),
    ("POST", "/v1.41/swarm/init"),
    ("POST", "/v1.41/plugins/pull"),
    ("GET", "/v1.41/secrets"),
    ("POST", f"/v1.41/containers/{ID}/exec"),
    ("POST", f"/v1.41/exec/{ID}/start"),
    ("GET", f"/v1.41/containers/{ID}/archive"),
    ("PUT", f"/v1.41/containers/{ID}/archive"),
    ("POST", f"/v1.41/containers/{ID}/update"),
    ("POST", f"/v1.41/containers/{ID}/kill"),
    ("GET", f"/v1.41/containers/{ID}/logs"),
    ("POST", "/v1.41/containers/prune"),
    ("POST", "/v1.41/commit"),
    # one that has a name and no id, one that is somebody else's route, and roundabout ways
    ("GET", "/v1.41/containers/gradlab_postgres_1/json"),
    ("DELETE", f"/v1.41/images/{IMAGE}/json"),
    ("POST", f"/v1.23/containers/{ID}/start"),
    ("POST", f"/containers/{ID}/start"),
    ("GET", f"/v1.41/containers/{ID}/../../info"),
    ("GET", "/v1.41/images/gradlab-runner:cpu%2f..%2f..%2finfo%3f/json"),
    ("GET", f"/v1.41/containers/{ID}/json\n"),
    ("GET", "http://engine/v1.41/info"),
    ("HEAD", "/v1.41/containers/json"),
]
FORBIDDEN = {
    "another image": {"Image": "python:3.11-slim-bookworm"},
    "root": {"User": "0:0"},
    "root's group": {"User": "65534:0"},
    "root by name": {"User": "root"},
    "no user": {"User": None},
    "no mark of a run": {"Labels": {"gradlab.owner": "me"}},
    "a mark of compose": {"Labels": {"gradlab.run": "1", "com.docker.compose.project": "gradlab"}},
    "an entry point": {"Entrypoint": ["/bin/sh"]},
    "a volume": {"Volumes": {"/data": {}}},
    "a health check": {"Healthcheck": {"Test": ["CMD", "true"]}},
    "another runtime": {"HostConfig.Runtime": "runc"},
    "a library for the engine's helpers": {"Env": ["LD_PRELOAD=/tmp/x.so"]},
    "all GPUs by a variable": {"Env": ["NVIDIA_VISIBLE_DEVICES=all"]},
    "a path of its own": {"Env": ["PATH=/tmp:/usr/bin:/bin"]},
    "a folder of the host": {"HostConfig.Binds": ["/:/host"]},
    "a mount": {"HostConfig.Mounts": [{"Type": "bind", "Source": "/", "Target": "/host"}]},
    "another container's volumes": {"HostConfig.VolumesFrom": ["postgres"]},
    "privilege": {"HostConfig.Privileged": True},
    "a capability": {"HostConfig.CapAdd": ["SYS_ADMIN"]},
    "capabilities kept": {"HostConfig.CapDrop": ["NET_RAW"]},
    "no seccomp": {"HostConfig.SecurityOpt": ["no-new-privileges", "seccomp=unconfined"]},
    "new privileges": {"HostConfig.SecurityOpt": []},
    "the host's network": {"HostConfig.NetworkMode": "host"},
    "a network": {"HostConfig.NetworkMode": "bridge"},
    "the default network": {"HostConfig.NetworkMode": None},
    "a published port": {"HostConfig.PortBindings": {"80/tcp": [{"HostPort": "80"}]}},
    "the host's processes": {"HostConfig.PidMode": "host"},
    "the host's messages": {"HostConfig.IpcMode": "host"},
    "the host's users": {"HostConfig.UsernsMode": "host"},
    "the host's groups": {"HostConfig.CgroupnsMode": "host"},
    "another control group": {"HostConfig.CgroupParent": "/"},
    "a device": {"HostConfig.Devices": [{"PathOnHost": "/dev/sda"}]},
    "a rule for devices": {"HostConfig.DeviceCgroupRules": ["a *:* rwm"]},
    "a GPU that nobody allowed": {"HostConfig.DeviceRequests": GPU},
    "a kernel setting": {"HostConfig.Sysctls": {"kernel.shm_rmid_forced": "1"}},
    "a root that can be written": {"HostConfig.ReadonlyRootfs": False},
    "one that is no truth": {"HostConfig.ReadonlyRootfs": 1},
    "no limit of memory": {"HostConfig.Memory": 0, "HostConfig.MemorySwap": 0},
    "all the memory": {"HostConfig.Memory": 1 << 40, "HostConfig.MemorySwap": 1 << 40},
    "swap": {"HostConfig.MemorySwap": 512 << 20},
    "no limit of processes": {"HostConfig.PidsLimit": -1},
    "processes left out": {"HostConfig.PidsLimit": None},
    "a log on the host's disk": {"HostConfig.LogConfig": {"Type": "json-file", "Config": {}}},
    "a log that grows by default": {"HostConfig.LogConfig": None},
    "room without an end": {"HostConfig.Tmpfs": {"/tmp": "rw,nosuid,nodev"}},
    "room over the packages": {"HostConfig.Tmpfs": {"/gradlab": "rw,nosuid,nodev,size=1m"}},
    "a restart": {"HostConfig.RestartPolicy": {"Name": "always"}},
    "another spelling": {"hostconfig": {"Privileged": True}},
    "another spelling inside": {"HostConfig.privileged": True},
    "a field of a later engine": {"HostConfig.Something": "new"},
    "no walls at all": {"HostConfig": {}},
    "walls that are none": {"HostConfig": "none"},
}


def body_with(changes: dict[str, object]) -> dict[str, object]:
    """A permitted body with some fields changed."""
    body = copy.deepcopy(BODY)
    for name, value in changes.items():
        where, _, field = name.rpartition(".")
        (body[where] if where else body)[field] = value
    return body


@pytest.mark.parametrize("path", NEEDED)
def test_what_a_worker_needs_is_let_through(path):
    assert find_call("GET", path, POLICY).path == path


@pytest.mark.parametrize(("method", "path"), UNNEEDED)
def test_every_other_call_is_refused(method, path):
    with pytest.raises(Refused):
        find_call(method, path, POLICY)


def test_a_walled_container_is_let_through_and_marked_as_ours():
    checked = check_container(BODY, POLICY)
    assert checked["Labels"] == {"gradlab.run": "1", "gradlab.engine": "here"}
    assert checked["HostConfig"] == BODY["HostConfig"]
    assert "Entrypoint" not in checked


@pytest.mark.parametrize("changes", FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_container_with_a_hole_in_its_walls_is_refused(changes):
    with pytest.raises(Refused):
        check_container(body_with(changes), POLICY)


@pytest.mark.parametrize("wall", sorted(BODY["HostConfig"].keys() - {"Tmpfs"}))
def test_no_wall_may_be_left_out(wall):
    with pytest.raises(Refused):
        check_container(body_with({f"HostConfig.{wall}": None}), POLICY)


def test_nobody_marks_a_container_as_another_installations():
    checked = check_container(body_with({"Labels": {"gradlab.run": "1", "gradlab.engine": "there"}}), POLICY)
    assert checked["Labels"]["gradlab.engine"] == "here"


def test_a_gpu_is_given_where_it_is_allowed_and_nothing_else_by_that_way():
    policy = Policy(frozenset({IMAGE}), gpu=True)
    assert check_container(body_with({"HostConfig.DeviceRequests": GPU}), policy)["HostConfig"]["DeviceRequests"] == GPU
    for hole in ({"Driver": "vfio"}, {"Capabilities": [["gpu", "display"]]}, {"Options": {"path": "/"}}, {"Other": 1}):
        with pytest.raises(Refused):
            check_container(body_with({"HostConfig.DeviceRequests": [{**GPU[0], **hole}]}), policy)


def test_the_policy_comes_from_the_environment_and_names_its_images():
    policy = policy_from(
        {"GRADLAB_RUNNER_IMAGES": f"{IMAGE}, other:1", "GRADLAB_ENGINE_GPU": "1", "GRADLAB_ENGINE_CONTAINERS": "3"}
    )
    assert policy == Policy(frozenset({IMAGE, "other:1"}), gpu=True, containers=3)
    with pytest.raises(SystemExit, match="GRADLAB_RUNNER_IMAGES"):
        policy_from({})
