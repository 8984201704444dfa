//! Ports: as the user writes them, as services and pods name them, and as numbers.

use serde_json::Value;

use crate::cli::error::{Error, Result};
use crate::object::go::quote;
use crate::object::{intstr, meta};

/// A port here and the one in the pod that it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// The port here; 0 for any that is free.
    pub local: u16,
    /// The port in the pod.
    pub remote: u16,
}

/// `LOCAL:REMOTE`, or one for both.
fn split(text: &str) -> (&str, &str) {
    match text.split(':').collect::<Vec<_>>().as_slice() {
        [local, remote] => (local, remote),
        parts => {
            let first = parts.first().copied().unwrap_or_default();
            (first, first)
        }
    }
}

fn ports<'a>(object: &'a Value, path: &[&str]) -> impl Iterator<Item = &'a Value> {
    meta::list_at(object, path).iter()
}

/// The number of a service's named port.
fn of_service(service: &Value, name: &str) -> Result<i64> {
    let port = ports(service, &["spec", "ports"]).find(|port| meta::str_at(port, &["name"]) == name);
    port.and_then(|port| meta::int_at(port, &["port"]))
        .ok_or_else(|| Error::new(format!("Service '{}' does not have a named port '{name}'", meta::name(service))))
}

/// The number of a pod's named port.
fn of_pod(pod: &Value, name: &str) -> Result<i64> {
    let containers = ["containers", "initContainers"].into_iter().flat_map(|list| meta::list_at(pod, &["spec", list]));
    let port = containers.flat_map(|one| ports(one, &["ports"])).find(|port| meta::str_at(port, &["name"]) == name);
    port.and_then(|port| meta::int_at(port, &["containerPort"]))
        .ok_or_else(|| Error::new(format!("Pod '{}' does not have a named port '{name}'", meta::name(pod))))
}

/// The pod's port behind a port of a service.
fn behind(service: &Value, pod: &Value, number: i64) -> Result<i64> {
    let found = ports(service, &["spec", "ports"]).find(|port| meta::int_at(port, &["port"]) == Some(number));
    let Some(port) = found else {
        let name = meta::name(service);
        return Err(Error::new(format!("Service {name} does not have a service port {number}")));
    };
    if meta::str_at(service, &["spec", "clusterIP"]) == "None" {
        return Ok(number);
    }
    match port.get("targetPort") {
        Some(Value::String(name)) => of_pod(pod, name),
        Some(target) => Ok(target.as_i64().filter(|target| *target != 0).unwrap_or(number)),
        None => Ok(number),
    }
}

/// Ports of a service as ports of its pod.
pub fn through_service(words: &[String], service: &Value, pod: &Value) -> Result<Vec<String>> {
    let one = |word: &String| {
        let (local, remote) = split(word);
        let (local, number) = match intstr::atoi(remote) {
            Ok(number) => (local.to_owned(), number),
            Err(_) => {
                let number = of_service(service, remote)?;
                (if local == remote { number.to_string() } else { local.to_owned() }, number)
            }
        };
        let target = behind(service, pod, number)?;
        Ok(if local == target.to_string() { local } else { format!("{local}:{target}") })
    };
    words.iter().map(one).collect()
}

/// Named ports of a pod as numbers.
pub fn of_words(words: &[String], pod: &Value) -> Result<Vec<String>> {
    let one = |word: &String| {
        let (local, remote) = split(word);
        if remote.is_empty() {
            return Err(Error::new("remote port cannot be empty"));
        }
        match intstr::atoi(remote) {
            Ok(_) if local == remote => Ok(remote.to_owned()),
            Ok(_) => Ok(format!("{local}:{remote}")),
            Err(_) => of_pod(pod, remote)
                .map(|number| if local == remote { number.to_string() } else { format!("{local}:{number}") }),
        }
    };
    words.iter().map(one).collect()
}

/// Refuses ports that are known for UDP only.
pub fn check_udp(words: &[String], object: &Value, is_service: bool) -> Result<()> {
    let (all, field): (Vec<&Value>, &str) = if is_service {
        (ports(object, &["spec", "ports"]).collect(), "port")
    } else {
        let containers = meta::list_at(object, &["spec", "containers"]).iter();
        (containers.flat_map(|one| ports(one, &["ports"])).collect(), "containerPort")
    };
    let speaks = |number: i64, protocol: &str| {
        let of_number = all.iter().filter(|port| meta::int_at(port, &[field]) == Some(number));
        of_number.into_iter().any(|port| meta::str_at(port, &["protocol"]) == protocol)
    };
    for word in words {
        let (_, remote) = split(word);
        let number = match intstr::atoi(remote) {
            Ok(number) => number,
            Err(_) if is_service => of_service(object, remote)?,
            Err(_) => of_pod(object, remote)?,
        };
        if speaks(number, "UDP") && !speaks(number, "TCP") {
            return Err(Error::new(format!("UDP protocol is not supported for {remote}")));
        }
    }
    Ok(())
}

/// A port number in the words of Go's `strconv.ParseUint`.
fn number(text: &str, side: &str) -> Result<u16> {
    let why = match text.parse::<u16>() {
        Ok(number) => return Ok(number),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => "value out of range",
        Err(_) => "invalid syntax",
    };
    Err(Error::new(format!("error parsing {side} port '{text}': strconv.ParseUint: parsing {}: {why}", quote(text))))
}

/// Pairs of numbers.
pub fn parse(words: &[String]) -> Result<Vec<Port>> {
    let one = |word: &String| {
        let (local, remote) = match word.split(':').collect::<Vec<_>>().as_slice() {
            [both] => (*both, *both),
            ["", remote] => ("0", *remote),
            [local, remote] => (*local, *remote),
            _ => return Err(Error::new(format!("invalid port format '{word}'"))),
        };
        let port = Port { local: number(local, "local")?, remote: number(remote, "remote")? };
        if port.remote == 0 { Err(Error::new("remote port must be > 0")) } else { Ok(port) }
    };
    words.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn pod() -> Value {
        json!({"metadata": {"name": "p"}, "spec": {"containers": [
            {"ports": [{"name": "web", "containerPort": 8080, "protocol": "TCP"},
                       {"name": "dns", "containerPort": 53, "protocol": "UDP"}]}]}})
    }

    #[test]
    fn ports_of_pods() {
        assert_eq!(
            of_words(&words(&["80", "8:web", "web", ":9"]), &pod()).ok(),
            Some(words(&["80", "8:8080", "8080", ":9"]))
        );
        let text = |outcome: Result<Vec<String>>| outcome.map_err(|error| error.text());
        assert_eq!(text(of_words(&words(&["no"]), &pod())), Err("Pod 'p' does not have a named port 'no'".into()));
        assert_eq!(text(of_words(&words(&["80:"]), &pod())), Err("remote port cannot be empty".into()));
        let refused = check_udp(&words(&["1:dns"]), &pod(), false).map_err(|error| error.text());
        assert_eq!(refused, Err("UDP protocol is not supported for dns".into()));
    }

    #[test]
    fn ports_of_services() {
        let mut service = json!({"metadata": {"name": "s"}, "spec": {"clusterIP": "10.0.0.9", "ports": [
            {"name": "http", "port": 80, "targetPort": "web"}, {"port": 81, "targetPort": 9}, {"port": 82}]}});
        let through = |service: &Value, list: &[&str]| {
            through_service(&words(list), service, &pod()).map_err(|error| error.text())
        };
        let expected = words(&["80:8080", "1:8080", "80:8080", "81:9", "82", ":82"]);
        assert_eq!(through(&service, &["80", "1:80", "http", "81", "82", ":82"]), Ok(expected));
        assert_eq!(through(&service, &["1"]), Err("Service s does not have a service port 1".into()));
        assert_eq!(through(&service, &["x"]), Err("Service 's' does not have a named port 'x'".into()));
        service["spec"]["clusterIP"] = json!("None");
        assert_eq!(through(&service, &["80"]), Ok(words(&["80"])));
    }

    #[test]
    fn numbers() {
        let text = |list: &[&str]| parse(&words(list)).map_err(|error| error.text());
        assert_eq!(
            text(&["80", "8:9", ":7"]),
            Ok(vec![Port { local: 80, remote: 80 }, Port { local: 8, remote: 9 }, Port { local: 0, remote: 7 }])
        );
        let expected = "error parsing local port 'x': strconv.ParseUint: parsing \"x\": invalid syntax";
        assert_eq!(text(&["x:80"]), Err(expected.into()));
        assert!(text(&["80:70000"]).is_err_and(|text| text.ends_with("value out of range")));
        assert_eq!(text(&["80:0"]), Err("remote port must be > 0".into()));
        assert_eq!(text(&["1:2:3"]), Err("invalid port format '1:2:3'".into()));
    }
}
