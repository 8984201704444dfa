//! The functions and operators that expressions may use, with the types that they take: `library.txt`.
//!
//! A line is `name(types) result`, or `type.name(types) result` for a function that is called on a value; `a = b` gives
//! one operator the forms of another. A single capital letter stands for any type, the same wherever it stands.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::types::Type;

/// Types of libraries, which are no types of the language.
const OPAQUE: [&str; 12] = [
    "net.IP",
    "net.CIDR",
    "kubernetes.URL",
    "kubernetes.Quantity",
    "kubernetes.Semver",
    "kubernetes.NamedFormat",
    "kubernetes.authorization.Authorizer",
    "kubernetes.authorization.PathCheck",
    "kubernetes.authorization.GroupCheck",
    "kubernetes.authorization.ResourceCheck",
    "kubernetes.authorization.Decision",
    "google.protobuf.Any",
];

/// One form of a function.
#[derive(Clone, Debug)]
pub struct Overload {
    /// Whether it is called on a value, which is then its first argument.
    pub member: bool,
    /// Types of the arguments; open types count from 0.
    pub args: Vec<Type>,
    /// Type of what it gives.
    pub result: Type,
}

/// The number of open types that the forms of a function may have.
pub const OPEN_TYPES: u32 = 2;

/// The forms of a function; none when there is no such function.
pub fn overloads(name: &str) -> Option<&'static [Overload]> {
    static TABLE: OnceLock<HashMap<&'static str, Vec<Overload>>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut table: HashMap<&'static str, Vec<Overload>> = HashMap::new();
        for line in include_str!("library.txt").lines() {
            if let Some((name, same)) = line.split_once(" = ") {
                let forms = table.get(same).cloned().unwrap_or_default();
                table.insert(name, forms);
            } else if let Some((name, overload)) = read(line) {
                table.entry(name).or_default().push(overload);
            }
        }
        table
    });
    table.get(name).map(Vec::as_slice)
}

/// The type of that name, for those that can be named in an expression.
pub fn named_type(name: &str) -> Option<Type> {
    Some(match name {
        "bool" => Type::Bool,
        "int" => Type::Int,
        "uint" => Type::Uint,
        "double" => Type::Double,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "null_type" => Type::Null,
        "dyn" => Type::Dyn,
        "type" => Type::Type(None),
        "duration" | "google.protobuf.Duration" => Type::Duration,
        "timestamp" | "google.protobuf.Timestamp" => Type::Timestamp,
        "list" => Type::list(Type::Dyn),
        "map" => Type::Map(Type::Dyn.into(), Type::Dyn.into()),
        "optional_type" => Type::optional(Type::Dyn),
        _ => return OPAQUE.iter().find(|known| **known == name).map(|known| Type::Opaque(known)),
    })
}

/// Reads a type at the start of a text; gives the rest.
fn type_at(text: &str) -> Option<(Type, &str)> {
    for (name, make) in [("list(", Type::list as fn(Type) -> Type), ("optional(", Type::optional), ("type(", of_type)] {
        if let Some(rest) = text.strip_prefix(name) {
            let (of, rest) = type_at(rest)?;
            return Some((make(of), rest.strip_prefix(')')?));
        }
    }
    if let Some(rest) = text.strip_prefix("map(") {
        let (key, rest) = type_at(rest)?;
        let (value, rest) = type_at(rest.strip_prefix(", ")?)?;
        return Some((Type::Map(key.into(), value.into()), rest.strip_prefix(')')?));
    }
    for name in OPAQUE {
        if let Some(rest) = text.strip_prefix(name) {
            return Some((Type::Opaque(name), rest));
        }
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    match word {
        "A" => Some((Type::Param(0), rest)),
        "B" => Some((Type::Param(1), rest)),
        _ => named_type(word).map(|type_| (type_, rest)),
    }
}

fn of_type(type_: Type) -> Type {
    Type::Type(Some(type_.into()))
}

fn read(line: &'static str) -> Option<(&'static str, Overload)> {
    let receiver = type_at(line).and_then(|(type_, rest)| Some((type_, rest.strip_prefix('.')?)));
    let member = receiver.is_some();
    let (mut args, call) = match receiver {
        Some((type_, rest)) => (vec![type_], rest.len()),
        None => (Vec::new(), line.len()),
    };
    let (name, mut rest) = line.get(line.len() - call..)?.split_once('(')?;
    while !rest.starts_with(')') {
        let (type_, after) = type_at(rest.strip_prefix(", ").unwrap_or(rest))?;
        args.push(type_);
        rest = after;
    }
    let (result, _) = type_at(rest.strip_prefix(") ")?)?;
    Some((name, Overload { member, args, result }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read() {
        for line in include_str!("library.txt").lines().filter(|line| !line.contains(" = ")) {
            assert!(read(line).is_some(), "{line}");
        }
        assert_eq!(overloads("_>_").map(<[_]>::len), overloads("_<_").map(<[_]>::len));
        let find = overloads("find").expect("a function");
        assert!(find[0].member && find[0].args == [Type::String, Type::String]);
        assert!(!overloads("ip.isCanonical").expect("a function")[0].member);
    }
}
