//! Flows in which several controllers, the scheduler and the nodes have to work together.

use crate::support::{Cluster, both_ways};

both_ways!(important_pods_take_the_place_of_others, claims_wait_for_their_pod, quotas_hold_workloads_back);

/// A deployment whose pods ask for half a node each.
const GREEDY: &str = r#"
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: high}
value: 1000
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: low}
spec:
  replicas: 4
  selector: {matchLabels: {app: low}}
  template:
    metadata: {labels: {app: low}}
    spec:
      containers: [{name: c, image: nginx, resources: {requests: {cpu: "2"}}}]
"#;

const IMPORTANT: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: vip}
spec:
  priorityClassName: high
  containers: [{name: c, image: nginx, resources: {requests: {cpu: "2"}}}]
"#;

fn important_pods_take_the_place_of_others(cluster: &Cluster) {
    cluster.write("greedy.yaml", GREEDY);
    cluster.write("vip.yaml", IMPORTANT);
    cluster.knarr("apply -f greedy.yaml").ok();
    cluster.until("get deployment low -o jsonpath={.status.readyReplicas}", "4");
    cluster.knarr("apply -f vip.yaml").ok();
    cluster.until("get pod vip -o jsonpath={.status.phase}", "Running");
    cluster.until("get deployment low -o jsonpath={.status.readyReplicas}", "3");
    let preempted = "get events --field-selector=reason=Preempted -o jsonpath={.items[*].reportingComponent}";
    cluster.until(preempted, "default-scheduler");
    // Room for the fourth comes back with the end of the important one.
    cluster.knarr("delete pod vip").ok();
    cluster.until("get deployment low -o jsonpath={.status.readyReplicas}", "4");
}

const CLAIM: &str = r#"
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: simulated}
provisioner: knarr.io/host-path
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], storageClassName: simulated, resources: {requests: {storage: 1Gi}}}
"#;

const CONSUMER: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: consumer}
spec:
  containers: [{name: c, image: nginx}]
  volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]
"#;

fn claims_wait_for_their_pod(cluster: &Cluster) {
    cluster.write("claim.yaml", CLAIM);
    cluster.write("consumer.yaml", CONSUMER);
    cluster.knarr("apply -f claim.yaml").ok();
    cluster.until("get pvc data -o jsonpath={.status.phase}", "Pending");
    cluster.knarr("apply -f consumer.yaml").ok();
    cluster.until("get pvc data -o jsonpath={.status.phase}", "Bound");
    cluster.until("get pod consumer -o jsonpath={.status.phase}", "Running");
    cluster.knarr("delete pod consumer").ok();
    cluster.knarr("delete pvc data").ok();
    cluster.until("get pv -o name", "");
}

fn quotas_hold_workloads_back(cluster: &Cluster) {
    cluster.knarr("create quota two --hard=pods=2").ok();
    cluster.until("get quota two -o jsonpath={.status.hard.pods}", "2");
    cluster.knarr("create deployment web --image=nginx --replicas=3").ok();
    cluster.until("get deployment web -o jsonpath={.status.readyReplicas}", "2");
    cluster.until("get quota two -o jsonpath={.status.used.pods}", "2");
    let condition = "get deployment web -o jsonpath={.status.conditions[?(@.type=='ReplicaFailure')].reason}";
    cluster.until(condition, "FailedCreate");
}
