//! `proxy` of pods, services and nodes. What it leads to is found as the reference server does; there is no network of
//! pods behind it, so that nothing answers there.

use http::header::LOCATION;
use http::{HeaderValue, Method, Response, StatusCode};

use crate::apiserver::context::{Answer, Request};
use crate::apiserver::service::Body;
use crate::object::go::quote;
use crate::object::{Status, Value, meta};

/// The port of a kubelet.
const KUBELET: i64 = 10250;

/// `[SCHEME:]NAME[:PORT]`, as the name in a proxy's path may be.
#[derive(Debug, PartialEq, Eq)]
struct Target<'a> {
    name: &'a str,
    port: &'a str,
}

impl<'a> Target<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (name, port) = match text.split(':').collect::<Vec<_>>().as_slice() {
            [name] => (*name, ""),
            [name, port] => (*name, *port),
            ["" | "http" | "https", name, port] => (*name, *port),
            _ => return None,
        };
        (!name.is_empty()).then_some(Self { name, port })
    }
}

fn unavailable(why: impl Into<String>) -> Status {
    Status::failure(503, "ServiceUnavailable", why)
}

fn unreachable(address: &str, port: impl std::fmt::Display) -> Status {
    unavailable(format!("error trying to reach service: dial tcp {address}:{port}: connect: connection refused"))
}

/// Answers a request for a proxy.
///
/// # Errors
///
/// 400 and 404 for what is not there, 503 for what does not answer, which is everything.
pub fn answer(request: &Request) -> Answer {
    let plural = request.resource.plural();
    let singular = plural.strip_suffix('s').unwrap_or(plural);
    let invalid = || Status::bad_request(format!("invalid {singular} request {}", quote(&request.info.name)));
    let target = Target::parse(&request.info.name).ok_or_else(invalid)?;
    let key = request.resource.key(request.namespace(), target.name);
    let missing = || Status::not_found(request.resource.group(), plural, target.name);
    let entry = request.core.store.get(&key).ok_or_else(missing)?;
    let object = request.resource.stored_object(&entry);
    let failure = match plural {
        "pods" => of_pod(&object, &target),
        "services" => of_service(request, &object, &target),
        _ => of_node(&object, &target),
    };
    let no_path = request.info.rest.is_empty() && !request.info.path.ends_with('/');
    let reads = matches!(request.method, Method::GET | Method::HEAD);
    match failure {
        // Relative links of a page need the slash.
        (status, true) if no_path && reads => redirect(request).ok_or(status),
        (status, _) => Err(status),
    }
}

/// 301 to the same path with a slash.
fn redirect(request: &Request) -> Option<Response<Body>> {
    let mut response = Response::new(Body::Full(Default::default()));
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let value = HeaderValue::from_str(&format!("{}/", request.info.path)).ok()?;
    response.headers_mut().insert(LOCATION, value);
    Some(response)
}

/// Why nothing answers, and whether there is an address at all.
type Failure = (Status, bool);

fn of_pod(pod: &Value, target: &Target<'_>) -> Failure {
    let address = meta::str_at(pod, &["status", "podIP"]);
    if address.is_empty() {
        return (Status::bad_request("address not allowed"), false);
    }
    // Without a port, the first one that the pod names.
    let mut ports = meta::list_at(pod, &["spec", "containers"]).iter().flat_map(|one| meta::list_at(one, &["ports"]));
    let port = match target.port {
        "" => ports.next().and_then(|port| meta::int_at(port, &["containerPort"])).unwrap_or(80).to_string(),
        port => port.to_owned(),
    };
    (unreachable(address, port), true)
}

fn of_service(request: &Request, service: &Value, target: &Target<'_>) -> Failure {
    let name = quote(target.name);
    let mut port_name = target.port.to_owned();
    if let Ok(number) = target.port.parse::<i64>() {
        let ports = meta::list_at(service, &["spec", "ports"]);
        match ports.iter().find(|port| meta::int_at(port, &["port"]) == Some(number)) {
            Some(port) => port_name = meta::str_at(port, &["name"]).to_owned(),
            None => return (unavailable(format!("no service port {number} found for service {name}")), false),
        }
    }
    let key = format!("/registry/services/endpoints/{}/{}", request.namespace(), target.name);
    let endpoints = request.core.store.get(&key).map(|entry| entry.object("v1", "Endpoints")).unwrap_or_default();
    let found = meta::list_at(&endpoints, &["subsets"]).iter().find_map(|subset| {
        let ports = meta::list_at(subset, &["ports"]);
        let port = ports.iter().find(|port| meta::str_at(port, &["name"]) == port_name)?;
        let address = meta::list_at(subset, &["addresses"]).first()?;
        Some((meta::str_at(address, &["ip"]), meta::int_at(port, &["port"])?))
    });
    match found {
        Some((address, port)) => (unreachable(address, port), true),
        None => (unavailable(format!("no endpoints available for service {name}")), false),
    }
}

fn of_node(node: &Value, target: &Target<'_>) -> Failure {
    let addresses = meta::list_at(node, &["status", "addresses"]);
    let address = addresses.iter().find(|address| meta::str_at(address, &["type"]) == "InternalIP");
    let Some(address) = address.map(|address| meta::str_at(address, &["address"])) else {
        let name = quote(target.name);
        return (
            Status::failure(
                500,
                "InternalError",
                format!("Internal error occurred: no preferred addresses found for node {name}; known addresses: []"),
            ),
            false,
        );
    };
    let port = match target.port.parse() {
        Ok(port) => port,
        Err(_) => meta::int_at(node, &["status", "daemonEndpoints", "kubeletEndpoint", "Port"]).unwrap_or(KUBELET),
    };
    (unreachable(address, port), true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_may_carry_scheme_and_port() {
        let target = |text| Target::parse(text).map(|target| (target.name, target.port));
        assert_eq!(target("web"), Some(("web", "")));
        assert_eq!(target("web:80"), Some(("web", "80")));
        assert_eq!(target("https:web:"), Some(("web", "")));
        assert_eq!(target("ftp:web:1"), None);
        assert_eq!(target(":80"), None);
    }

    #[test]
    fn pods_are_named_with_their_port() {
        let mut pod = json!({"spec": {"containers": [{"ports": [{"containerPort": 8080}]}]}});
        let target = Target { name: "p", port: "" };
        assert_eq!(of_pod(&pod, &target).0.message, "address not allowed");
        pod["status"] = json!({"podIP": "10.244.1.2"});
        let expected = "error trying to reach service: dial tcp 10.244.1.2:8080: connect: connection refused";
        assert_eq!(of_pod(&pod, &target).0.message, expected);
    }
}
