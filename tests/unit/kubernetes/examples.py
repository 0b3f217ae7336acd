"""Example objects of a rollout for each cause of failure, with the messages of Kubernetes 1.30 and later."""

from __future__ import annotations

from tests.unit.kubernetes.made import (
    IMAGE,
    deployment,
    during,
    event,
    pod,
    replica_set,
    rolling,
    stamp,
    unscheduled,
    waiting,
)

PULL = f'Back-off pulling image "{IMAGE}": ErrImagePull: '
RPC = "rpc error: code = Unknown desc = failed to pull and unpack image: "
NODES = "0/3 nodes are available: "
NO_VICTIM = " preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod."
PROBE = {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 2, "failureThreshold": 5}
STARTUP = {"startupProbe": PROBE, "readinessProbe": {**PROBE, "failureThreshold": 3}, "livenessProbe": PROBE}
HTTP = 'Get "http://10.1.0.9:8080/health": '
REFUSED = f"{HTTP}dial tcp 10.1.0.9:8080: connect: connection refused"
TIMEOUT = f"{HTTP}context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
STATUS = "HTTP probe failed with statuscode: 500"
EXEC = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
CLAIM = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "shop-data"}}]}


def pulled(message: str) -> list[dict]:
    """Returns a rollout whose image cannot be pulled."""
    return during(waiting("ImagePullBackOff", PULL + message))


def refused(message: str) -> list[dict]:
    """Returns a rollout whose pods the API server refuses."""
    said = f'pods "shop-v2-" is forbidden: {message}'
    failed = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said}
    new = replica_set(2, conditions=[{**failed, "lastTransitionTime": stamp(0)}])
    new["status"]["replicas"] = 0
    return [rolling(replicas=1, updatedReplicas=0), replica_set(1, ready=1), new, pod(1, ready=True)]


def configured(message: str) -> list[dict]:
    """Returns a rollout whose container refers to something that is not there."""
    return during(waiting("CreateContainerConfigError", message))


def started(message: str) -> list[dict]:
    """Returns a rollout whose container cannot be started."""
    return during(waiting("RunContainerError", EXEC + message))


def ended(code: int, reason: str = "Error", **parts: object) -> list[dict]:
    """Returns a rollout whose container ends again and again."""
    end = {"exitCode": code, "reason": reason, "startedAt": stamp(2), "finishedAt": stamp(4)}
    return during(waiting("CrashLoopBackOff", restarts=2, last={"terminated": end}, **parts))


def probed(probe: str, said: str, *, killed: bool = True, count: int = 5) -> list[dict]:
    """Returns a rollout whose container fails a probe to its limit, with the kill that follows."""
    new = pod(container=STARTUP)
    events = [event("Unhealthy", f"{probe} probe failed: {said}", new, first=4, last=12, count=count)]
    if killed:
        events.append(event("Killing", f"Container app failed {probe.lower()} probe, will be restarted", new, first=12))
    return during(new, *events)


def claimed(reason: str, message: str) -> list[dict]:
    """Returns a rollout whose claim gets no volume."""
    claim = {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "shop-data", "uid": "c-1", "creationTimestamp": stamp(0)},
        "status": {"phase": "Pending"},
    }
    held = unscheduled(f"{NODES}pod has unbound immediate PersistentVolumeClaims.{NO_VICTIM}", **CLAIM)
    return during(held, claim, event(reason, message, claim, first=0, last=4))


def mounted(message: str) -> list[dict]:
    """Returns a rollout whose volume cannot be mounted."""
    new = waiting("ContainerCreating")
    return during(new, event("FailedMount", message, new, first=0, last=4))


def node(ready: str) -> dict:
    """Returns the node of the new pod."""
    said = {"type": "Ready", "status": ready, "message": "Kubelet stopped posting node status."}
    return {
        "kind": "Node",
        "metadata": {"name": "n1"},
        "status": {"conditions": [{**said, "lastTransitionTime": stamp(0)}]},
    }


def evicted(name: str = "shop-v2-abcde", reason: str = "Evicted") -> dict:
    """Returns a new pod that its node evicted or refused."""
    said = "The node was low on resource: ephemeral-storage."
    return pod(name=name, status={"phase": "Failed", "reason": reason, "message": said, "conditions": []})


def scheduled(reasons: str, **spec: object) -> list[dict]:
    """Returns a rollout whose pod no node takes."""
    return during(unscheduled(f"{NODES}{reasons}.{NO_VICTIM}", **spec))


ASKS = {"containers": [{"name": "app", "image": IMAGE, "resources": {"requests": {"memory": "64Gi"}}}]}
INIT = {"initContainers": [{"name": "prepare", "image": IMAGE}]}
INIT_ENDED = {
    "initContainerStatuses": [
        {
            "name": "prepare",
            "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 7, "reason": "Error"}},
        }
    ],
    "containerStatuses": [],
}
DEADLINE = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
NO_COMMAND = 'exec: "serve": executable file not found in $PATH: unknown'

EXAMPLES: dict[str, list[dict]] = {
    "invalid_image_name": during(waiting("InvalidImageName", container={"image": "Shop:x"})),
    "image_not_loaded": during(waiting("ErrImageNeverPull", "image is not present with pull policy of Never")),
    "image_not_found": pulled(f"rpc error: code = NotFound desc = failed to resolve reference: {IMAGE}: not found"),
    "image_refused": pulled(f"{RPC}failed to authorize: failed to fetch oauth token: 401 Unauthorized"),
    "registry_unreachable": pulled(f"{RPC}dial tcp 10.0.0.9:443: connect: connection refused"),
    "registry_limits": pulled(f"{RPC}429 Too Many Requests - toomanyrequests"),
    "wrong_platform": pulled("rpc error: code = NotFound desc = no match for platform in manifest: not found"),
    "image_not_pulled": pulled(f"{RPC}unexpected media type text/html"),
    "secret_missing": configured('secret "shop-7" not found'),
    "secret_key_missing": configured("couldn't find key DATABASE_URL in Secret default/shop-7"),
    "config_map_missing": configured('configmap "shop" not found'),
    "config_map_key_missing": configured("couldn't find key COLOUR in ConfigMap default/shop"),
    "runs_as_root": configured("container has runAsNonRoot and image will run as root (pod: x, container: app)"),
    "bad_configuration": configured("invalid environment variable"),
    "cache_behind": configured("failed to sync secret cache: timed out waiting for the condition"),
    "bad_command": started(f"unable to start container process: error during container init: {NO_COMMAND}"),
    "hook_failed": during(waiting("PostStartHookError", "command 'false' exited with 1")),
    "not_started": during(waiting("CreateContainerError", "context deadline exceeded")),
    "out_of_memory": ended(137, "OOMKilled", container={"resources": {"limits": {"memory": "64Mi"}}}),
    "init_failed": during(pod(spec=INIT, status=INIT_ENDED)),
    "exits_zero": ended(0, "Completed"),
    "crash_loop": ended(3),
    "nothing_listens": probed("Startup", REFUSED),
    "probe_timeout": probed("Startup", TIMEOUT),
    "startup_probe": probed("Startup", STATUS),
    "liveness_probe": probed("Liveness", STATUS),
    "readiness_probe": probed("Readiness", STATUS, killed=False),
    "insufficient": scheduled("3 Insufficient memory", **ASKS),
    "taint": scheduled("1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
                       "2 node(s) had untolerated taint {team: search}"),
    "no_such_node": scheduled("3 node(s) didn't match Pod's node affinity/selector", nodeSelector={"disk": "ssd"}),
    "affinity": scheduled("3 node(s) didn't match pod anti-affinity rules"),
    "port_taken": scheduled("3 node(s) didn't have free ports for the requested pod ports"),
    "unschedulable": scheduled("3 node(s) were unschedulable"),
    "awaiting_node": [*scheduled("3 Insufficient cpu"), event("TriggeredScaleUp", "pod triggered scale-up", first=0)],
    "quota": refused("exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2"),
    "quota_needs_limits": refused("failed quota: small: must specify limits.memory for: app"),
    "limit_range": refused("maximum memory usage per Container is 1Gi, but limit is 2Gi"),
    "pod_security": refused('violates PodSecurity "restricted:latest": runAsNonRoot != true'),
    "admission_denied": refused('admission webhook "signed.example.com" denied the request: image is not signed'),
    "webhook_unreachable": refused('failed calling webhook "signed.example.com": failed to call webhook: Post: EOF'),
    "service_account_missing": refused('error looking up service account: serviceaccount "till" not found'),
    "control_plane": refused('Post "https://10.0.0.1:6443/api/v1/namespaces/default/pods": unexpected EOF'),
    "pod_refused": refused("no reason that Norn knows"),
    "claim_missing": during(unscheduled(f'{NODES}persistentvolumeclaim "shop-data" not found.{NO_VICTIM}', **CLAIM)),
    "claim_unbound": claimed("ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found'),
    "claim_provisioning": claimed("ExternalProvisioning", "Waiting for a volume to be created by csi.example.com"),
    "volume_not_mounted": mounted('MountVolume.MountDevice failed for volume "pv-1": exit status 32'),
    "node_not_ready": during(pod(), node("Unknown")),
    "node_pressure": scheduled("3 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }"),
    "evicted": during(evicted()),
    "node_refused": during(evicted(reason="OutOfcpu")),
    "sandbox": [*during(new := waiting("ContainerCreating")),
                event("FailedCreatePodSandBox", "network plugin is not initialized", new, first=0)],
    "deadline": [rolling(conditions=DEADLINE), replica_set(1, ready=1), replica_set(2), pod(1, ready=True), pod()],
}  # fmt: skip
"""The objects of a rollout that fails for each cause, all read long after it began."""

PROGRESSING: dict[str, list[dict]] = {
    "not_observed": [deployment(observedGeneration=1)],
    "being_deleted": [deployment() | {"metadata": {"name": "shop", "deletionTimestamp": stamp(0)}}],
    "paused": [deployment(spec={"paused": True})],
    "starting": [deployment(2, updatedReplicas=1)],
    "not_ready": during(pod()),
    "readiness_gate": during(
        pod(
            spec={"readinessGates": [{"conditionType": "example.com/ready"}]},
            status={
                "conditions": [
                    {"type": "PodScheduled", "status": "True"},
                    {"type": "ContainersReady", "status": "True"},
                    {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady"},
                ]
            },
        )
    ),
    "min_ready": [deployment(2, availableReplicas=1, spec={"minReadySeconds": 10})],
    "old_pods": [deployment(2, replicas=3)],
    "scheduling_gated": during(unscheduled("Scheduling is blocked", reason="SchedulingGated")),
}
"""The objects of a rollout that goes on, for each reason for which it is not yet complete."""
