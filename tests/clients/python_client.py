"""The Python client at work: CRUD, watch, patch types, the dynamic client, leader election by Lease."""

import os
import threading
import uuid

from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

config.load_kube_config()
core = client.CoreV1Api()
apps = client.AppsV1Api()
NS = "default"


def config_map(name, **data):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"app": "py"}), data=data)


def crud():
    made = core.create_namespaced_config_map(NS, config_map("a", x="1"))
    assert made.metadata.uid and made.metadata.resource_version
    try:
        core.create_namespaced_config_map(NS, config_map("a"))
        raise AssertionError("created twice")
    except ApiException as error:
        assert (error.status, error.reason) == (409, "Conflict"), error
    made.data["x"] = "2"
    replaced = core.replace_namespaced_config_map("a", NS, made)
    assert replaced.data == {"x": "2"}
    try:
        core.replace_namespaced_config_map("a", NS, made)
        raise AssertionError("a stale update was taken")
    except ApiException as error:
        assert error.status == 409, error
    listed = core.list_namespaced_config_map(NS, label_selector="app=py")
    assert [item.metadata.name for item in listed.items] == ["a"]
    core.delete_namespaced_config_map("a", NS)
    try:
        core.read_namespaced_config_map("a", NS)
        raise AssertionError("still there")
    except ApiException as error:
        assert error.status == 404, error


def patches():
    core.create_namespaced_config_map(NS, config_map("p", a="1", b="2"))
    patch = core.patch_namespaced_config_map
    media = lambda kind: {"_content_type": f"application/{kind}"}
    assert patch("p", NS, {"data": {"a": None}}, **media("merge-patch+json")).data == {"b": "2"}
    operations = [{"op": "test", "path": "/data/b", "value": "2"}, {"op": "add", "path": "/data/c", "value": "3"}]
    assert patch("p", NS, operations, **media("json-patch+json")).data == {"b": "2", "c": "3"}
    assert patch("p", NS, {"data": {"d": "4"}}, **media("strategic-merge-patch+json")).data["d"] == "4"
    desired = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "p"}, "data": {"b": "mine"}}
    try:
        patch("p", NS, desired, field_manager="py", **media("apply-patch+yaml"))
        raise AssertionError("a conflict was not seen")
    except ApiException as error:
        assert error.status == 409 and "conflict" in error.body, error
    taken = patch("p", NS, desired, field_manager="py", force=True, **media("apply-patch+yaml"))
    assert taken.data["b"] == "mine" and any(entry.manager == "py" for entry in taken.metadata.managed_fields)
    core.delete_collection_namespaced_config_map(NS, label_selector="app=py")


def watching():
    start = core.list_namespaced_config_map(NS).metadata.resource_version
    core.create_namespaced_config_map(NS, config_map("w", n="0"))
    for n in range(1, 5):
        core.patch_namespaced_config_map("w", NS, {"data": {"n": str(n)}})
    core.delete_namespaced_config_map("w", NS)
    seen, version = [], start
    # Half of the events in one watch, the rest in a second that goes on from where the first stopped.
    for limit in (3, 3):
        watcher = watch.Watch()
        stream = watcher.stream(
            core.list_namespaced_config_map, NS, label_selector="app=py", resource_version=version, timeout_seconds=20
        )
        for event in stream:
            seen.append((event["type"], event["object"].data["n"]))
            version = event["object"].metadata.resource_version
            limit -= 1
            if limit == 0:
                watcher.stop()
    assert seen == [("ADDED", "0")] + [("MODIFIED", str(n)) for n in range(1, 5)] + [("DELETED", "4")], seen


def deployment():
    labels = {"app": "py-web"}
    container = client.V1Container(name="web", image="nginx:1.27", ports=[client.V1ContainerPort(container_port=80)])
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels=labels), spec=client.V1PodSpec(containers=[container])
    )
    spec = client.V1DeploymentSpec(replicas=2, selector=client.V1LabelSelector(match_labels=labels), template=template)
    apps.create_namespaced_deployment(NS, client.V1Deployment(metadata=client.V1ObjectMeta(name="py-web"), spec=spec))
    watcher = watch.Watch()
    for event in watcher.stream(apps.list_namespaced_deployment, NS, timeout_seconds=30):
        if event["object"].status.ready_replicas == 2:
            watcher.stop()
    assert apps.read_namespaced_deployment_scale("py-web", NS).status.replicas == 2
    apps.patch_namespaced_deployment_scale("py-web", NS, {"spec": {"replicas": 1}})
    assert apps.read_namespaced_deployment("py-web", NS).spec.replicas == 1
    apps.delete_namespaced_deployment("py-web", NS, propagation_policy="Foreground")


def dynamic_client():
    dyn = dynamic.DynamicClient(client.ApiClient())
    services = dyn.resources.get(api_version="v1", kind="Service")
    body = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "dyn"},
        "spec": {"selector": {"app": "x"}, "ports": [{"port": 80}]},
    }
    made = services.create(body=body, namespace=NS)
    assert made.spec.clusterIP.startswith("10.0.")
    body["metadata"]["labels"] = {"by": "dyn"}
    applied = services.server_side_apply(body=body, namespace=NS, field_manager="dyn", force_conflicts=True)
    assert applied.metadata.labels.by == "dyn"
    assert services.get(namespace=NS, label_selector="by=dyn").items[0].metadata.name == "dyn"
    services.delete(name="dyn", namespace=NS)


def leader_election():
    led, done = [], threading.Event()

    def campaign(identity):
        def lead():
            led.append(identity)
            done.set()

        lock = LeaseLock("py-leader", NS, identity)
        settings = electionconfig.Config(
            lock, lease_duration=4, renew_deadline=3, retry_period=1, onstarted_leading=lead, onstopped_leading=None
        )
        leaderelection.LeaderElection(settings).run()

    for _ in range(2):
        threading.Thread(target=campaign, args=(str(uuid.uuid4()),), daemon=True).start()
    assert done.wait(20), "nobody leads"
    lease = client.CoordinationV1Api().read_namespaced_lease("py-leader", NS)
    assert led == [lease.spec.holder_identity], (led, lease.spec)


for step in (crud, patches, watching, deployment, dynamic_client, leader_election):
    step()
    print(f"{step.__name__}: ok", flush=True)

# The losers of the election campaign for ever, and may hold standard output when the interpreter ends.
os._exit(0)
