//! The objects that a container's environment and files come from.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::client::{Client, Error, ListOptions, Request};
use crate::object::{Value, meta};

/// Objects that a pod refers to, by name.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// ConfigMaps of the pod's namespace.
    pub config_maps: BTreeMap<String, Value>,
    /// Secrets of the pod's namespace.
    pub secrets: BTreeMap<String, Value>,
    /// Services of the pod's namespace, and `default/kubernetes`.
    pub services: Vec<Value>,
    /// The pod's node.
    pub node: Value,
    /// Tokens of the pod's service account, by audience.
    pub tokens: BTreeMap<String, String>,
}

/// What a pod refers to.
#[derive(Default)]
struct Wanted {
    config_maps: BTreeSet<String>,
    secrets: BTreeSet<String>,
    /// Audience and seconds.
    tokens: BTreeMap<String, i64>,
}

impl Wanted {
    fn name(names: &mut BTreeSet<String>, source: Option<&Value>, field: &str) {
        let name = source.map(|source| meta::str_at(source, &[field])).unwrap_or_default();
        if !name.is_empty() {
            names.insert(name.to_owned());
        }
    }

    fn of(pod: &Value, container: &Value) -> Self {
        let mut wanted = Self::default();
        let from_env = meta::list_at(container, &["env"]).iter().filter_map(|variable| variable.get("valueFrom"));
        for source in from_env {
            Self::name(&mut wanted.config_maps, source.get("configMapKeyRef"), "name");
            Self::name(&mut wanted.secrets, source.get("secretKeyRef"), "name");
        }
        for source in meta::list_at(container, &["envFrom"]) {
            Self::name(&mut wanted.config_maps, source.get("configMapRef"), "name");
            Self::name(&mut wanted.secrets, source.get("secretRef"), "name");
        }
        let volumes = meta::list_at(pod, &["spec", "volumes"]);
        for volume in volumes {
            Self::name(&mut wanted.config_maps, volume.get("configMap"), "name");
            Self::name(&mut wanted.secrets, volume.get("secret"), "secretName");
        }
        for source in volumes.iter().flat_map(|volume| meta::list_at(volume, &["projected", "sources"])) {
            Self::name(&mut wanted.config_maps, source.get("configMap"), "name");
            Self::name(&mut wanted.secrets, source.get("secret"), "name");
            if let Some(token) = source.get("serviceAccountToken") {
                let seconds = meta::int_at(token, &["expirationSeconds"]).unwrap_or(3600);
                wanted.tokens.insert(meta::str_at(token, &["audience"]).to_owned(), seconds);
            }
        }
        wanted
    }
}

/// An object, if it is there.
async fn find(client: &Client, path: String) -> Result<Option<Value>, Error> {
    match client.json(Request::get(path)).await {
        Ok(object) => Ok(Some(object)),
        Err(Error::Status(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn find_all(
    client: &Client,
    namespace: &str,
    resource: &str,
    names: BTreeSet<String>,
) -> Result<BTreeMap<String, Value>, Error> {
    let mut found = BTreeMap::new();
    for name in names {
        if let Some(object) = find(client, format!("/api/v1/namespaces/{namespace}/{resource}/{name}")).await? {
            found.insert(name, object);
        }
    }
    Ok(found)
}

impl Surroundings {
    /// Asks the API for all that a container of a pod refers to.
    ///
    /// # Errors
    /// The API does not answer.
    pub async fn gather(client: &Client, pod: &Value, container: &Value) -> Result<Self, Error> {
        let namespace = meta::namespace(pod);
        let wanted = Wanted::of(pod, container);
        let mut around = Self {
            config_maps: find_all(client, namespace, "configmaps", wanted.config_maps).await?,
            secrets: find_all(client, namespace, "secrets", wanted.secrets).await?,
            services: services(client, namespace).await?,
            ..Self::default()
        };
        let node = meta::str_at(pod, &["spec", "nodeName"]);
        around.node = find(client, format!("/api/v1/nodes/{node}")).await?.unwrap_or_default();
        for (audience, seconds) in wanted.tokens {
            if let Some(token) = token(client, pod, &audience, seconds).await? {
                around.tokens.insert(audience, token);
            }
        }
        Ok(around)
    }
}

async fn services(client: &Client, namespace: &str) -> Result<Vec<Value>, Error> {
    let path = format!("/api/v1/namespaces/{namespace}/services");
    let mut list = client.list(&path, &ListOptions::default(), "application/json").await?;
    let mut services = list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    if namespace != "default" {
        services.extend(find(client, "/api/v1/namespaces/default/services/kubernetes".into()).await?);
    }
    Ok(services)
}

/// A token of the pod's service account that is bound to the pod.
async fn token(client: &Client, pod: &Value, audience: &str, seconds: i64) -> Result<Option<String>, Error> {
    let account = match meta::str_at(pod, &["spec", "serviceAccountName"]) {
        "" => "default",
        account => account,
    };
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/{account}/token", meta::namespace(pod));
    let bound = json!({"apiVersion": "v1", "kind": "Pod", "name": meta::name(pod), "uid": meta::uid(pod)});
    let mut request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"expirationSeconds": seconds, "boundObjectRef": bound}});
    if !audience.is_empty() {
        request["spec"]["audiences"] = json!([audience]);
    }
    match client.json(Request::post(path, &request)).await {
        Ok(made) => Ok(Some(meta::str_at(&made, &["status", "token"]).to_owned())),
        Err(Error::Status(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
