//! An operator written with kube-rs against `cluster run` over HTTPS: what it installs, watches, applies and finalizes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, LogParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::finalizer::{Event as Finalizer, finalizer};
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Client, Config, CustomResource, CustomResourceExt, Discovery, Resource, ResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use knarr::testing::cluster::TestCluster;

use crate::support;

const FINALIZER: &str = "ships.example.com/crew";
/// Longest that a state may take to come about.
const PATIENCE: Duration = Duration::from_secs(20);

/// A ship: what it carries, and how many sail it.
#[derive(CustomResource, Deserialize, Serialize, Clone, Debug, PartialEq, JsonSchema)]
#[kube(group = "example.com", version = "v1", kind = "Ship", plural = "ships", namespaced)]
#[kube(status = "ShipStatus", shortname = "sh", category = "fleet")]
#[kube(scale(spec_replicas_path = ".spec.crew", status_replicas_path = ".status.aboard"))]
#[kube(printcolumn(name = "Crew", type_ = "integer", json_path = ".spec.crew"))]
#[kube(validation = "self.spec.crew <= 40")]
struct ShipSpec {
    cargo: String,
    #[serde(default)]
    #[schemars(range(min = 0))]
    crew: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    home: Option<String>,
}

/// What the controller saw.
#[derive(Deserialize, Serialize, Clone, Debug, Default, PartialEq, JsonSchema)]
struct ShipStatus {
    aboard: i32,
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Failure(#[from] kube::Error);

struct Harbour {
    client: Client,
}

/// Keeps a config map for each ship and tells in its status how many are aboard.
async fn reconcile(ship: Arc<Ship>, harbour: Arc<Harbour>) -> Result<Action, kube::runtime::finalizer::Error<Failure>> {
    let namespace = ship.namespace().unwrap_or_default();
    let ships: Api<Ship> = Api::namespaced(harbour.client.clone(), &namespace);
    finalizer(&ships, FINALIZER, ship, |event| async {
        match event {
            Finalizer::Apply(ship) => sail(&harbour.client, &ship).await,
            Finalizer::Cleanup(ship) => sink(&harbour.client, &ship).await,
        }
    })
    .await
}

async fn sail(client: &Client, ship: &Ship) -> Result<Action, Failure> {
    let namespace = ship.namespace().unwrap_or_default();
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let manifest = ConfigMap {
        metadata: ObjectMeta {
            name: Some(format!("{}-manifest", ship.name_any())),
            owner_references: ship.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([("cargo".to_owned(), ship.spec.cargo.clone())])),
        ..ConfigMap::default()
    };
    let own = PatchParams::apply("harbour");
    maps.patch(&manifest.name_any(), &own, &Patch::Apply(&manifest)).await?;
    let ships: Api<Ship> = Api::namespaced(client.clone(), &namespace);
    let status = json!({"status": ShipStatus { aboard: ship.spec.crew }});
    ships.patch_status(&ship.name_any(), &PatchParams::default(), &Patch::Merge(&status)).await?;
    Ok(Action::await_change())
}

async fn sink(client: &Client, ship: &Ship) -> Result<Action, Failure> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &ship.namespace().unwrap_or_default());
    let wreck = ConfigMap {
        metadata: ObjectMeta { name: Some(format!("{}-wreck", ship.name_any())), ..ObjectMeta::default() },
        ..ConfigMap::default()
    };
    maps.create(&PostParams::default(), &wreck).await?;
    Ok(Action::await_change())
}

/// A client made from the kubeconfig that the cluster wrote.
async fn client_of(server: &TestCluster) -> Client {
    let kubeconfig = Kubeconfig::read_from(server.kubeconfig()).expect("the kubeconfig is read");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("it is whole");
    Client::try_from(config).expect("a client")
}

async fn install(client: &Client) -> Api<Ship> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let apply = PatchParams::apply("installer").force();
    definitions.patch("ships.example.com", &apply, &Patch::Apply(Ship::crd())).await.expect("the definition is taken");
    let established = await_condition(definitions, "ships.example.com", conditions::is_crd_established());
    within(established).await.expect("the definition is watched");
    Api::default_namespaced(client.clone())
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}

/// Waits until an object is as wanted, by watching it.
async fn until<K>(api: &Api<K>, name: &str, wanted: impl Fn(&K) -> bool) -> K
where
    K: Resource + Clone + std::fmt::Debug + Send + serde::de::DeserializeOwned + 'static,
{
    let met = await_condition(api.clone(), name, |object: Option<&K>| object.is_some_and(&wanted));
    within(met).await.expect("the object is watched").expect("the object is there")
}

fn ship(name: &str, cargo: &str, crew: i32) -> Ship {
    Ship::new(name, ShipSpec { cargo: cargo.into(), crew, home: None })
}

/// Runs a test body against a cluster of its own.
fn on_cluster<F: Future<Output = ()>>(body: impl FnOnce(Client) -> F) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let server = TestCluster::start(support::program(), folder.path(), &[]).expect("the cluster serves");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async { body(client_of(&server).await).await });
}

#[test]
fn a_controller_reconciles_applies_and_finalizes() {
    on_cluster(|client| async move {
        let ships = install(&client).await;
        let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
        let controller = Controller::new(ships.clone(), watcher::Config::default())
            .owns(maps.clone(), watcher::Config::default())
            .run(reconcile, |_, _, _| Action::requeue(Duration::from_secs(1)), Arc::new(Harbour { client }));
        let running = tokio::spawn(controller.for_each(|_| async {}));

        ships.create(&PostParams::default(), &ship("dragon", "wool", 12)).await.expect("a ship is created");
        let sailing = until(&ships, "dragon", |ship| ship.status == Some(ShipStatus { aboard: 12 })).await;
        assert_eq!(sailing.finalizers(), [FINALIZER]);
        assert_eq!(sailing.metadata.generation, Some(1), "the status is no new generation");
        let manifest = maps.get("dragon-manifest").await.expect("the ship has a manifest");
        assert_eq!(manifest.owner_references()[0].uid, sailing.uid().unwrap_or_default());

        let more = Patch::Merge(json!({"spec": {"cargo": "iron", "crew": 14}}));
        ships.patch("dragon", &PatchParams::default(), &more).await.expect("the ship changes");
        until(&ships, "dragon", |ship| ship.status == Some(ShipStatus { aboard: 14 })).await;
        let carries =
            |map: &ConfigMap| map.data.as_ref().is_some_and(|data| data.get("cargo").is_some_and(|c| c == "iron"));
        until(&maps, "dragon-manifest", carries).await;

        maps.delete("dragon-manifest", &DeleteParams::default()).await.expect("the manifest goes");
        let first = manifest.uid();
        until(&maps, "dragon-manifest", |map| map.uid() != first).await;

        ships.delete("dragon", &DeleteParams::default()).await.expect("the ship is let go");
        let id = sailing.uid().expect("an id");
        let gone = await_condition(ships.clone(), "dragon", conditions::is_deleted(&id));
        within(gone).await.expect("the ship is watched");
        maps.get("dragon-wreck").await.expect("the finalizer ran");
        let collected = await_condition(maps.clone(), "dragon-manifest", |map: Option<&ConfigMap>| map.is_none());
        within(collected).await.expect("what the ship owned is collected");
        running.abort();
    });
}

#[test]
fn custom_objects_are_checked_applied_watched_and_scaled() {
    on_cluster(|client| async move {
        let ships = install(&client).await;
        let refused = ships.create(&PostParams::default(), &ship("crowded", "people", 41)).await;
        let Err(kube::Error::Api(status)) = refused else { panic!("{refused:?}") };
        assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
        assert!(status.message.contains("failed rule: self.spec.crew <= 40"), "{}", status.message);

        let (reader, writer) = reflector::store();
        let mut events = reflector(writer, watcher(ships.clone(), watcher::Config::default().streaming_lists()))
            .default_backoff()
            .applied_objects()
            .boxed();
        let by = |manager: &str| PatchParams::apply(manager);
        let desired = |spec: serde_json::Value| {
            Patch::Apply(
                json!({"apiVersion": "example.com/v1", "kind": "Ship", "metadata": {"name": "knarr"}, "spec": spec}),
            )
        };
        let made = ships.patch("knarr", &by("owner"), &desired(json!({"cargo": "salt", "crew": 5}))).await;
        assert_eq!(made.expect("the ship is applied").spec.crew, 5);
        let seen = within(events.try_next()).await.expect("a watch").expect("an event");
        assert_eq!(seen.spec.cargo, "salt");

        let conflict = ships.patch("knarr", &by("other"), &desired(json!({"cargo": "fish"}))).await;
        let Err(kube::Error::Api(status)) = conflict else { panic!("{conflict:?}") };
        assert_eq!(status.code, 409);
        assert!(status.message.contains(r#"conflict with "owner": .spec.cargo"#), "{}", status.message);
        let taken = ships.patch("knarr", &by("other").force(), &desired(json!({"cargo": "fish"}))).await;
        assert_eq!(taken.expect("force takes it").spec.cargo, "fish");
        let seen = within(events.try_next()).await.expect("a watch").expect("an event");
        assert_eq!((seen.spec.cargo.as_str(), seen.spec.crew), ("fish", 5));
        assert_eq!(reader.state().len(), 1);

        let status = Patch::Merge(json!({"status": {"aboard": 3}, "spec": {"crew": 9}}));
        let told = ships.patch_status("knarr", &PatchParams::default(), &status).await.expect("the status is taken");
        assert_eq!((told.status, told.spec.crew), (Some(ShipStatus { aboard: 3 }), 5));
        let scale = Patch::Merge(json!({"spec": {"replicas": 7}}));
        let scaled = ships.patch_scale("knarr", &PatchParams::default(), &scale).await.expect("the scale is taken");
        assert_eq!(scaled.status.map(|status| status.replicas), Some(3));
        assert_eq!(ships.get("knarr").await.expect("the ship is read").spec.crew, 7);
        let listed = ships.list_metadata(&ListParams::default()).await.expect("the metadata is listed");
        assert_eq!(listed.items.len(), 1);
        ships.delete_collection(&DeleteParams::default(), &ListParams::default()).await.expect("all go");
        let gone = await_condition(ships.clone(), "knarr", |ship: Option<&Ship>| ship.is_none());
        within(gone).await.expect("the ship is watched");
    });
}

#[test]
fn kinds_are_discovered_and_pods_log() {
    on_cluster(|client| async move {
        install(&client).await;
        let version = client.apiserver_version().await.expect("the version is told");
        assert_eq!((version.major.as_str(), version.minor.as_str()), ("1", "36"));
        let kind = GroupVersionKind::gvk("example.com", "v1", "Ship");
        for discovery in
            [Discovery::new(client.clone()).run().await, Discovery::new(client.clone()).run_aggregated().await]
        {
            let discovery = discovery.expect("the groups are told");
            assert!(discovery.has_group("apps") && discovery.has_group("example.com"));
            let (resource, capabilities) = discovery.resolve_gvk(&kind).expect("the kind is known");
            assert_eq!(resource.plural, "ships");
            assert!(capabilities.supports_operation("watch"));
        }
        let (resource, _) = kube::discovery::pinned_kind(&client, &kind).await.expect("the kind is found by itself");
        let dynamic: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &resource);
        let object = DynamicObject::new("raft", &resource).data(json!({"spec": {"cargo": "logs"}}));
        let made = dynamic.create(&PostParams::default(), &object).await.expect("a dynamic object is created");
        assert_eq!(made.data.pointer("/spec/crew"), Some(&json!(0)), "the default of the schema");

        let pods: Api<Pod> = Api::default_namespaced(client);
        let pod = serde_json::from_value(json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "web"},
            "spec": {"containers": [{"name": "web", "image": "nginx:1"}]},
        }));
        pods.create(&PostParams::default(), &pod.expect("a pod")).await.expect("the pod is created");
        within(await_condition(pods.clone(), "web", conditions::is_pod_running())).await.expect("the pod runs");
        let log = pods.logs("web", &LogParams::default()).await.expect("the log is read");
        assert!(!log.is_empty());
        let follow = LogParams { tail_lines: Some(1), ..LogParams::default() };
        assert_eq!(pods.logs("web", &follow).await.expect("its end is read").lines().count(), 1);
    });
}
