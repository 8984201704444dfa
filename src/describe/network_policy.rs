//! Network policies and disruption budgets.

use super::text::{self, or, present};
use super::{Describer, Error, Subject, Writer, events};
use crate::kinds::columns::text::{parse_time, selector_or_none};
use crate::object::{Value, intstr, meta};

pub(super) const TABLE: &[Describer] = &[
    Describer::new("networking.k8s.io", "NetworkPolicy", network_policy).eventless(),
    Describer::new("policy", "PodDisruptionBudget", disruption_budget),
];

/// Words that differ between the two directions.
struct Direction {
    type_: &'static str,
    rules: &'static str,
    adverb: &'static str,
    peers: &'static str,
    peer: &'static str,
    unrestricted: &'static str,
}

const DIRECTIONS: [Direction; 2] = [
    Direction {
        type_: "Ingress",
        rules: "ingress",
        adverb: "ingress",
        peers: "from",
        peer: "From",
        unrestricted: "source",
    },
    Direction {
        type_: "Egress",
        rules: "egress",
        adverb: "egress",
        peers: "to",
        peer: "To",
        unrestricted: "destination",
    },
];

/// Indentation of rules.
const INDENT: &str = "    ";

fn network_policy(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    w.field(0, "Name", meta::name(object));
    w.field(0, "Namespace", meta::namespace(object));
    let created = parse_time(meta::str_at(object, &["metadata", "creationTimestamp"])).map_or_else(
        || "0001-01-01 00:00:00 +0000 UTC".to_owned(),
        |time| {
            let time = (subject.settings.zone)(time);
            let zone =
                if time.offset().local_minus_utc() == 0 { "UTC".to_owned() } else { time.format("%z").to_string() };
            format!("{} {zone}", time.format("%Y-%m-%d %H:%M:%S %z"))
        },
    );
    w.field(0, "Created on", created);
    text::labels(w, object);
    text::object_annotations(w, object);
    w.line(0, "Spec:");
    w.put(1, "PodSelector: ");
    match selector_or_none(present(object, &["spec", "podSelector"])).as_str() {
        "<none>" => w.line(2, "<none> (Allowing the specific traffic to all pods in this namespace)"),
        selector => w.line(2, selector),
    }
    let types = text::texts(object, &["spec", "policyTypes"]);
    for direction in &DIRECTIONS {
        if types.contains(&direction.type_) {
            w.line(1, format_args!("Allowing {} traffic:", direction.adverb));
            rules(w, meta::list_at(object, &["spec", direction.rules]), direction);
        } else {
            w.line(1, format_args!("Not affecting {} traffic", direction.adverb));
        }
    }
    w.line(1, format_args!("Policy Types: {}", or(&types.join(", "), "<none>")));
    Ok(())
}

fn rules(w: &mut Writer, rules: &[Value], direction: &Direction) {
    if rules.is_empty() {
        let adverb = direction.adverb;
        w.line(0, format_args!("{INDENT}<none> (Selected pods are isolated for {adverb} connectivity)"));
    }
    for (number, rule) in rules.iter().enumerate() {
        let ports = meta::list_at(rule, &["ports"]);
        if ports.is_empty() {
            w.line(0, format_args!("{INDENT}To Port: <any> (traffic allowed to all ports)"));
        }
        for port in ports {
            let protocol = present(port, &["protocol"]).and_then(Value::as_str).unwrap_or("TCP");
            let start = present(port, &["port"]).map_or_else(|| "<nil>".to_owned(), intstr::to_text);
            match present(port, &["endPort"]) {
                None => w.line(0, format_args!("{INDENT}To Port: {start}/{protocol}")),
                Some(end) => w.line(0, format_args!("{INDENT}To Port Range: {start}-{end}/{protocol}")),
            }
        }
        let peers = meta::list_at(rule, &[direction.peers]);
        if peers.is_empty() {
            let (peer, what) = (direction.peer, direction.unrestricted);
            w.line(0, format_args!("{INDENT}{peer}: <any> (traffic not restricted by {what})"));
        }
        for peer in peers {
            w.line(0, format_args!("{INDENT}{}:", direction.peer));
            describe_peer(w, peer);
        }
        if number + 1 < rules.len() {
            w.line(0, format_args!("{INDENT}----------"));
        }
    }
}

fn describe_peer(w: &mut Writer, peer: &Value) {
    let mut selected = false;
    for (title, field) in [("NamespaceSelector", "namespaceSelector"), ("PodSelector", "podSelector")] {
        if let Some(selector) = present(peer, &[field]) {
            selected = true;
            w.line(1, format_args!("{INDENT}{title}: {}", selector_or_none(Some(selector))));
        }
    }
    if let Some(block) = present(peer, &["ipBlock"]).filter(|_| !selected) {
        w.line(1, format_args!("{INDENT}IPBlock:"));
        w.line(2, format_args!("{INDENT}CIDR: {}", meta::str_at(block, &["cidr"])));
        w.line(2, format_args!("{INDENT}Except: {}", text::texts(block, &["except"]).join(", ")));
    }
}

fn disruption_budget(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    w.field(0, "Name", meta::name(object));
    w.field(0, "Namespace", meta::namespace(object));
    if let Some(minimum) = present(object, &["spec", "minAvailable"]) {
        w.field(0, "Min available", intstr::to_text(minimum));
    } else if let Some(maximum) = present(object, &["spec", "maxUnavailable"]) {
        w.field(0, "Max unavailable", intstr::to_text(maximum));
    }
    match present(object, &["spec", "selector"]) {
        Some(selector) => w.field(0, "Selector", selector_or_none(Some(selector))),
        None => w.field(0, "Selector", "<unset>"),
    }
    w.line(0, "Status:");
    for (title, field) in [
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ] {
        w.field(2, title, meta::int_at(object, &["status", field]).unwrap_or_default());
    }
    events::describe(subject, w);
    Ok(())
}
