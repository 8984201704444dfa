use std::sync::Arc;

use chrono::Utc;

use super::*;
use crate::object::meta::list_at;

fn cache() -> Cache {
    let cache = Cache::default();
    let service = json!({"metadata": {"name": "web", "namespace": "n", "uid": "s", "resourceVersion": "1"},
        "spec": {"clusterIP": "10.0.0.9", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}});
    cache.put(&services(), Arc::new(service));
    for (revision, (name, ready)) in [("2", ("a", "True")), ("3", ("b", "False"))] {
        let pod = json!({"metadata": {"name": name, "namespace": "n", "uid": name, "resourceVersion": revision,
                "labels": {"app": "web"}},
            "spec": {"nodeName": "node-1", "containers": [{"ports": [{"name": "http", "containerPort": 8080}]}]},
            "status": {"phase": "Running", "podIP": format!("10.244.1.{revision}"),
                "conditions": [{"type": "Ready", "status": ready}]}});
        cache.put(&pods(), Arc::new(pod));
    }
    cache
}

fn turn(cache: &Cache, controller: &dyn Controller) -> Vec<Action> {
    let key = Key { namespace: "n".into(), name: "web".into() };
    controller.reconcile(&World { cache, now: Utc::now() }, &key)
}

#[test]
fn ready_and_unready_addresses_stand_apart() {
    let actions = turn(&cache(), &Endpoints);
    let [Action::Create { object, .. }] = &actions[..] else { panic!("made: {actions:?}") };
    let subset = &object["subsets"][0];
    assert_eq!(subset["addresses"][0]["ip"], "10.244.1.2");
    assert_eq!(subset["notReadyAddresses"][0]["ip"], "10.244.1.3");
    assert_eq!(subset["ports"], json!([{"port": 8080, "protocol": "TCP"}]));
}

#[test]
fn slices_are_settled_and_then_left_alone() {
    let cache = cache();
    let actions = turn(&cache, &EndpointSlices);
    let [Action::Create { object, .. }] = &actions[..] else { panic!("made: {actions:?}") };
    assert_eq!(list_at(object, &["endpoints"]).len(), 2);
    assert_eq!(object["endpoints"][1]["conditions"]["ready"], false);
    let mut object = object.clone();
    object["metadata"]["resourceVersion"] = json!("9");
    cache.put(&slices::slices(), Arc::new(object));
    assert_eq!(turn(&cache, &EndpointSlices), vec![]);
}

#[test]
fn endpoints_made_by_hand_are_mirrored() {
    let cache = cache();
    let service = json!({"metadata": {"name": "web", "namespace": "n", "uid": "s", "resourceVersion": "10"},
        "spec": {"ports": [{"port": 80}]}});
    cache.put(&services(), Arc::new(service));
    let by_hand = json!({"metadata": {"name": "web", "namespace": "n", "uid": "e", "resourceVersion": "11"},
        "subsets": [{"addresses": [{"ip": "4.4.4.4"}], "ports": [{"port": 80}]}]});
    cache.put(&endpoints(), Arc::new(by_hand));
    let actions = turn(&cache, &EndpointSliceMirroring);
    let [Action::Create { object, .. }] = &actions[..] else { panic!("made: {actions:?}") };
    assert_eq!(object["endpoints"], json!([{"addresses": ["4.4.4.4"], "conditions": {"ready": true}}]));
    assert_eq!(object["ports"], json!([{"name": "", "port": 80}]));
}
