//! What functions and operators do.

mod conversions;
mod lists;
mod numbers;
mod strings;
mod times;

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;

use cel::common::ast::operators;

use super::authorizer::Step;
use super::eval::{NO_OVERLOAD, Outcome, item};
use super::network::{self, Url};
use super::semver::Version;
use super::value::{Opaque, Value};
use crate::object::names;
use crate::object::quantity::Quantity;

/// Calls a function by its whole name; one that is called on a value takes it as its first argument.
///
/// # Errors
///
/// What cannot be done, in the reference evaluator's words.
pub fn call(name: &str, args: &[Value]) -> Outcome {
    let found = operator(name, args)
        .or_else(|| conversions::call(name, args))
        .or_else(|| strings::call(name, args))
        .or_else(|| lists::call(name, args))
        .or_else(|| times::call(name, args))
        .or_else(|| optional(name, args))
        .or_else(|| addresses(name, args))
        .or_else(|| quantities(name, args))
        .or_else(|| formats(name, args))
        .or_else(|| authorization(name, args));
    found.unwrap_or_else(|| Err(NO_OVERLOAD.into()))
}

fn operator(name: &str, args: &[Value]) -> Option<Outcome> {
    let ordered = |holds: fn(Ordering) -> bool| {
        let [a, b] = args else { return None };
        // Nothing is before or after what is no number.
        let nan = |value: &Value| matches!(value, Value::Double(number) if number.is_nan());
        if nan(a) || nan(b) {
            return Some(Ok(Value::Bool(false)));
        }
        a.order(b).map(|order| Ok(Value::Bool(holds(order))))
    };
    match (name, args) {
        (operators::EQUALS, [a, b]) => Some(Ok(Value::Bool(a.equals(b)))),
        (operators::NOT_EQUALS, [a, b]) => Some(Ok(Value::Bool(!a.equals(b)))),
        (operators::LOGICAL_NOT, [Value::Bool(flag)]) => Some(Ok(Value::Bool(!flag))),
        (operators::LESS, _) => ordered(Ordering::is_lt),
        (operators::LESS_EQUALS, _) => ordered(Ordering::is_le),
        (operators::GREATER, _) => ordered(Ordering::is_gt),
        (operators::GREATER_EQUALS, _) => ordered(Ordering::is_ge),
        (operators::IN, [needle, Value::List(items, _)]) => {
            Some(Ok(Value::Bool(items.iter().any(|item| item.equals(needle)))))
        }
        (operators::IN, [needle, Value::Map(map)]) => {
            Some(Ok(Value::Bool(needle.as_key().is_some_and(|key| map.contains_key(&key)))))
        }
        (operators::INDEX, [Value::Optional(inner), index]) => Some(match inner {
            Some(inner) => item(inner, index).map(Value::optional),
            None => Ok(Value::Optional(None)),
        }),
        (operators::INDEX, [of, index]) => Some(item(of, index).and_then(|found| {
            let missing = || match (of, index.as_key()) {
                (Value::List(..), Some(key)) => format!("index out of bounds: {}", key.text()),
                (_, Some(key)) => format!("no such key: {}", key.text()),
                _ => NO_OVERLOAD.to_owned(),
            };
            found.ok_or_else(|| missing().into())
        })),
        (operators::OPT_INDEX, [Value::Optional(None), _]) => Some(Ok(Value::Optional(None))),
        (operators::OPT_INDEX, [Value::Optional(Some(of)), index]) => Some(item(of, index).map(Value::optional)),
        (operators::OPT_INDEX, [of, index]) => Some(item(of, index).map(Value::optional)),
        _ => numbers::call(name, args),
    }
}

fn optional(name: &str, args: &[Value]) -> Option<Outcome> {
    Some(Ok(match (name, args) {
        ("optional.none", []) => Value::Optional(None),
        ("optional.of", [value]) => Value::optional(Some(value.clone())),
        ("optional.ofNonZeroValue", [value]) => Value::optional((!value.is_zero()).then(|| value.clone())),
        ("hasValue", [Value::Optional(value)]) => Value::Bool(value.is_some()),
        ("value", [Value::Optional(value)]) => match value {
            Some(value) => (**value).clone(),
            None => return Some(Err("optional.none() dereference".into())),
        },
        ("or", [Value::Optional(value), other]) => match value {
            Some(_) => args.first()?.clone(),
            None => other.clone(),
        },
        ("orValue", [Value::Optional(value), other]) => value.as_deref().unwrap_or(other).clone(),
        ("optional.unwrap" | "unwrapOpt", [Value::List(items, _)]) => {
            let inner = |item: &Value| match item {
                Value::Optional(inner) => inner.as_deref().cloned(),
                other => Some(other.clone()),
            };
            Value::list(items.iter().filter_map(inner).collect())
        }
        _ => return None,
    }))
}

fn ip(value: IpAddr) -> Value {
    Value::Opaque(Opaque::Ip(value))
}

fn addresses(name: &str, args: &[Value]) -> Option<Outcome> {
    let within = |network: (IpAddr, u8), inner: (IpAddr, u8)| {
        Value::Bool(network::contains(network, inner.0) && network.1 <= inner.1)
    };
    Some(match (name, args) {
        ("ip", [Value::String(text)]) => network::parse_ip(text).map(ip).map_err(Into::into),
        ("ip", [Value::Opaque(Opaque::Cidr(address, _))]) => Ok(ip(*address)),
        ("isIP", [Value::String(text)]) => Ok(Value::Bool(network::parse_ip(text).is_ok())),
        ("ip.isCanonical", [Value::String(text)]) => {
            network::parse_ip(text).map(|ip| Value::Bool(ip.to_string() == **text)).map_err(Into::into)
        }
        ("cidr", [Value::String(text)]) => {
            network::parse_cidr(text).map(|(ip, bits)| Value::Opaque(Opaque::Cidr(ip, bits))).map_err(Into::into)
        }
        ("isCIDR", [Value::String(text)]) => Ok(Value::Bool(network::parse_cidr(text).is_ok())),
        ("containsIP", [Value::Opaque(Opaque::Cidr(network, bits)), Value::String(text)]) => {
            network::parse_ip(text).map(|ip| Value::Bool(network::contains((*network, *bits), ip))).map_err(Into::into)
        }
        ("containsIP", [Value::Opaque(Opaque::Cidr(network, bits)), Value::Opaque(Opaque::Ip(ip))]) => {
            Ok(Value::Bool(network::contains((*network, *bits), *ip)))
        }
        ("containsCIDR", [Value::Opaque(Opaque::Cidr(network, bits)), Value::String(text)]) => {
            network::parse_cidr(text).map(|inner| within((*network, *bits), inner)).map_err(Into::into)
        }
        ("containsCIDR", [Value::Opaque(Opaque::Cidr(a, x)), Value::Opaque(Opaque::Cidr(b, y))]) => {
            Ok(within((*a, *x), (*b, *y)))
        }
        ("prefixLength", [Value::Opaque(Opaque::Cidr(_, bits))]) => Ok(Value::Int((*bits).into())),
        ("masked", [Value::Opaque(Opaque::Cidr(ip, bits))]) => {
            Ok(Value::Opaque(Opaque::Cidr(network::masked(*ip, *bits), *bits)))
        }
        (_, [Value::Opaque(Opaque::Ip(address))]) => Ok(of_ip(name, *address)?),
        ("url", [Value::String(text)]) => Url::parse(text)
            .map(|url| Value::Opaque(Opaque::Url(Arc::new(url))))
            .map_err(|why| format!("URL parse error during conversion from string: {why}").into()),
        ("isURL", [Value::String(text)]) => Ok(Value::Bool(Url::parse(text).is_ok())),
        (_, [Value::Opaque(Opaque::Url(url))]) => Ok(of_url(name, url)?),
        _ => return None,
    })
}

fn of_ip(name: &str, ip: IpAddr) -> Option<Value> {
    let local_multicast = match ip {
        IpAddr::V4(v4) => matches!(v4.octets(), [224, 0, 0, _]),
        IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
    };
    let local_unicast = match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.segments()[0] & 0xffc0 == 0xfe80,
    };
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    Some(match name {
        "family" => Value::Int(if ip.is_ipv4() { 4 } else { 6 }),
        "isUnspecified" => Value::Bool(ip.is_unspecified()),
        "isLoopback" => Value::Bool(ip.is_loopback()),
        "isLinkLocalMulticast" => Value::Bool(local_multicast),
        "isLinkLocalUnicast" => Value::Bool(local_unicast),
        "isGlobalUnicast" => {
            let other = ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || local_unicast || broadcast;
            Value::Bool(!other)
        }
        _ => return None,
    })
}

fn of_url(name: &str, url: &Url) -> Option<Value> {
    Some(match name {
        "getScheme" => Value::text(&url.scheme),
        "getHost" => Value::text(&url.host),
        "getHostname" => Value::text(url.hostname()),
        "getPort" => Value::text(url.port()),
        "getEscapedPath" => Value::text(&url.path),
        "getQuery" => {
            let texts = |values: Vec<String>| Value::list(values.iter().map(Value::text).collect());
            Value::named(url.query().into_iter().map(|(name, values)| (name, texts(values))))
        }
        _ => return None,
    })
}

fn version(name: &str, text: &str, mend: bool) -> Outcome {
    let parsed = if mend { Version::parse_tolerant(text) } else { Version::parse(text) };
    match name {
        "isSemver" => Ok(Value::Bool(parsed.is_ok())),
        _ => parsed.map(|version| Value::Opaque(Opaque::Semver(version))).map_err(Into::into),
    }
}

fn compared(name: &str, order: Ordering) -> Option<Outcome> {
    Some(Ok(match name {
        "isGreaterThan" => Value::Bool(order.is_gt()),
        "isLessThan" => Value::Bool(order.is_lt()),
        "compareTo" => Value::Int(order as i64),
        _ => return None,
    }))
}

fn quantities(name: &str, args: &[Value]) -> Option<Outcome> {
    let wrapped = |quantity: Quantity| Value::Opaque(Opaque::Quantity(quantity));
    let sum = |a: &Quantity, b: &Quantity| {
        let mut sum = a.clone();
        match name {
            "add" => sum.add(b),
            "sub" => sum.sub(b),
            _ => return None,
        }
        Some(Ok(wrapped(sum)))
    };
    match (name, args) {
        ("quantity", [Value::String(text)]) => {
            Some(Quantity::parse(text).map(wrapped).map_err(|why| why.to_string().into()))
        }
        ("isQuantity", [Value::String(text)]) => Some(Ok(Value::Bool(Quantity::parse(text).is_ok()))),
        ("semver" | "isSemver", [Value::String(text)]) => Some(version(name, text, false)),
        ("semver" | "isSemver", [Value::String(text), Value::Bool(mend)]) => Some(version(name, text, *mend)),
        (_, [Value::Opaque(Opaque::Semver(a)), Value::Opaque(Opaque::Semver(b))]) => compared(name, a.cmp(b)),
        (_, [Value::Opaque(Opaque::Semver(version))]) => {
            let at = ["major", "minor", "patch"].iter().position(|part| *part == name)?;
            Some(Ok(Value::Int(i64::try_from(*version.numbers.get(at)?).unwrap_or(i64::MAX))))
        }
        (_, [Value::Opaque(Opaque::Quantity(a)), Value::Opaque(Opaque::Quantity(b))]) => {
            compared(name, a.cmp(b)).or_else(|| sum(a, b))
        }
        (_, [Value::Opaque(Opaque::Quantity(a)), Value::Int(number)]) => {
            sum(a, &Quantity::from_i64(*number, a.format()))
        }
        (_, [Value::Opaque(Opaque::Quantity(quantity))]) => Some(match name {
            "sign" => Ok(Value::Int(quantity.sign().into())),
            "isInteger" => Ok(Value::Bool(quantity.as_i64().is_some())),
            "asInteger" => {
                let whole = quantity.as_i64().map(Value::Int);
                whole.ok_or_else(|| "cannot convert value to integer".into())
            }
            "asApproximateFloat" => Ok(Value::Double(quantity.as_f64())),
            _ => return None,
        }),
        _ => None,
    }
}

/// The formats that have a name: how expressions call them.
const FORMATS: [&str; 13] = [
    "dns1123Label",
    "dns1123Subdomain",
    "dns1035Label",
    "qualifiedName",
    "dns1123LabelPrefix",
    "dns1123SubdomainPrefix",
    "dns1035LabelPrefix",
    "labelValue",
    "uri",
    "uuid",
    "byte",
    "date",
    "datetime",
];

fn formats(name: &str, args: &[Value]) -> Option<Outcome> {
    let known =
        |name: &str| FORMATS.iter().find(|known| **known == name).map(|known| Value::Opaque(Opaque::Format(known)));
    match (name, args) {
        ("format.named", [Value::String(wanted)]) => Some(Ok(Value::optional(known(wanted)))),
        ("validate", [Value::Opaque(Opaque::Format(format)), Value::String(text)]) => {
            let problems = problems(format, text);
            let shown = (!problems.is_empty()).then(|| Value::list(problems.iter().map(Value::text).collect()));
            Some(Ok(Value::optional(shown)))
        }
        (_, []) => known(name.strip_prefix("format.")?).map(Ok),
        _ => None,
    }
}

/// What is wrong with a text in a format.
fn problems(format: &str, text: &str) -> Vec<String> {
    // A prefix may end in what a name may not.
    let prefix = || match text.strip_suffix('-') {
        Some(bare) => format!("{bare}a"),
        None => text.to_owned(),
    };
    let told = |right: bool, why: &str| if right { Vec::new() } else { vec![why.to_owned()] };
    match format {
        "dns1123Label" => names::is_dns1123_label(text),
        "dns1123Subdomain" => names::is_dns1123_subdomain(text),
        "dns1035Label" => names::is_dns1035_label(text),
        "qualifiedName" => names::is_qualified_name(text),
        "dns1123LabelPrefix" => names::is_dns1123_label(&prefix()),
        "dns1123SubdomainPrefix" => names::is_dns1123_subdomain(&prefix()),
        "dns1035LabelPrefix" => names::is_dns1035_label(&prefix()),
        "labelValue" => names::is_valid_label_value(text),
        "uri" => Url::parse(text).err().into_iter().collect(),
        "uuid" => told(is_uuid(text), "does not match the UUID format"),
        "byte" => told(conversions::is_base64(text), "invalid base64"),
        "date" => told(chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok() && text.len() == 10, "invalid date"),
        _ => told(times::parse(text).is_some(), "invalid datetime"),
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let bare: String = text.chars().filter(|c| *c != '-').collect();
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    bare.len() == 32 && bare.bytes().all(|b| b.is_ascii_hexdigit()) && (parts.len() == 1 || parts == lengths)
}

fn authorization(name: &str, args: &[Value]) -> Option<Outcome> {
    let wrapped = |next| Ok(Value::Opaque(Opaque::Authorization(Arc::new(next))));
    match args {
        [Value::Opaque(Opaque::Authorization(so_far)), Value::String(text)] => so_far.with(name, text).map(wrapped),
        [Value::Opaque(Opaque::Authorization(so_far)), Value::String(namespace), Value::String(account)]
            if name == "serviceAccount" && matches!(so_far.step, Step::Start) =>
        {
            let problem = [
                ("account name", names::is_dns1123_subdomain(account)),
                ("namespace name", names::is_dns1123_label(namespace)),
            ]
            .into_iter()
            .find(|(_, problems)| !problems.is_empty());
            if let Some((what, problems)) = problem {
                return Some(Err(format!("Invalid service {what}: {}", problems.join(", ")).into()));
            }
            let mut next = (**so_far).clone();
            next.access.service_account = Some((namespace.to_string(), account.to_string()));
            Some(wrapped(next))
        }
        [Value::Opaque(Opaque::Authorization(decided))] => {
            let Step::Decided(decision) = &decided.step else { return None };
            Some(Ok(match name {
                "allowed" => Value::Bool(decision.allowed),
                "reason" => Value::text(&decision.reason),
                "error" => Value::text(&decision.error),
                "errored" => Value::Bool(!decision.error.is_empty()),
                _ => return None,
            }))
        }
        _ => None,
    }
}
