//! Variables: `$(NAME)` in fields replaced by what a field of some object holds.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use super::config::FieldSpec;
use super::fields::{self, Create, split_bracketed_path};
use super::id::Id;
use super::model::Variable;
use super::node::{Node, Scalar, Tag};
use super::replace::lookup;
use super::resmap::ResMap;

/// Variables by name.
pub(super) type Variables = BTreeMap<String, Variable>;

/// Adds variables, and notes at the objects that they read which they are.
///
/// # Errors
/// A name is taken, or could mean several objects.
pub(super) fn add(known: &mut Variables, more: &[Variable], map: &mut ResMap) -> Result<(), Error> {
    for variable in more {
        let id = target(variable);
        let exact = !id.namespace.is_empty() || id.cluster;
        let found = map.with_any_id(|other| if exact { id.same(other) } else { id.same_name(other) });
        if found.len() > 1 {
            let mut told = variable.clone();
            told.objref.gvk = id.gvk.clone();
            let (count, shown) = (found.len(), shown(&told));
            return Err(Error::fact(format!("found {count} resId matches for var {shown} (unable to disambiguate)")));
        }
        if let Some(resource) = found.first().and_then(|at| map.resources.get_mut(*at)) {
            resource.variables.push(variable.name.clone());
        }
    }
    more.iter().try_for_each(|variable| insert(known, variable))
}

/// Adds one variable, with what it leaves out filled in.
///
/// # Errors
/// Its name is taken.
pub(super) fn insert(known: &mut Variables, variable: &Variable) -> Result<(), Error> {
    if known.contains_key(&variable.name) {
        return Err(Error::fact(format!("var '{}' already encountered", variable.name)));
    }
    let mut variable = variable.clone();
    if variable.fieldref.field_path.is_empty() {
        variable.fieldref.field_path = "metadata.name".into();
    }
    variable.objref.gvk = target(&variable).gvk;
    known.insert(variable.name.clone(), variable);
    Ok(())
}

fn target(variable: &Variable) -> Id {
    let reference = &variable.objref;
    let mut gvk = reference.gvk.clone();
    match reference.api_version.split('/').collect::<Vec<_>>().as_slice() {
        [group, version] => (gvk.group, gvk.version) = ((*group).to_owned(), (*version).to_owned()),
        [version] if !version.is_empty() => gvk.version = (*version).to_owned(),
        _ => {}
    }
    Id { gvk, name: reference.name.clone(), namespace: reference.namespace.clone(), cluster: false }
}

/// A variable as Go prints it.
pub(super) fn shown(variable: &Variable) -> String {
    format!("{{{} {} {{{}}}}}", variable.name, variable.objref.gvk, variable.fieldref.field_path)
}

/// Replaces variables in the fields that rules name. Gives those that stand nowhere.
///
/// # Errors
/// A variable reads what there is not.
pub(super) fn resolve(map: &mut ResMap, known: &Variables, specs: &[FieldSpec]) -> Result<Vec<String>, Error> {
    let mut values = BTreeMap::new();
    for variable in known.values() {
        values.insert(variable.name.clone(), value(map, variable)?);
    }
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let mut used = BTreeSet::new();
    for resource in &mut map.resources {
        for spec in specs {
            fields::visit(&mut resource.node, spec, Create::Nothing, &mut |node| expand(node, &values, &mut used))?;
        }
    }
    Ok(values.into_keys().filter(|name| !used.contains(name)).collect())
}

fn value(map: &ResMap, variable: &Variable) -> Result<Node, Error> {
    let reads = map.resources.iter().find(|resource| resource.variables.contains(&variable.name));
    let Some(resource) = reads else {
        let shown = shown(variable);
        return Err(Error::fact(format!("var '{shown}' cannot be mapped to a field in the set of known resources")));
    };
    let path = indexed(split_bracketed_path(&variable.fieldref.field_path, '.'));
    match lookup(&resource.node, &path) {
        Ok(Some(node)) => Ok(node.clone()),
        _ => {
            let shown = shown(variable);
            Err(Error::fact(format!("field specified in var '{shown}' not found in corresponding resource")))
        }
    }
}

/// `ports[0]` is `ports` and `0`.
fn indexed(parts: Vec<String>) -> Vec<String> {
    let split = |part: String| -> Vec<String> {
        let inner = part.strip_suffix(']').and_then(|rest| rest.rsplit_once('['));
        match inner.filter(|(_, index)| !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit())) {
            Some(("", index)) => vec![index.to_owned()],
            Some((name, index)) => vec![name.to_owned(), index.to_owned()],
            None => vec![part],
        }
    };
    parts.into_iter().flat_map(split).collect()
}

fn expand(node: &mut Node, values: &BTreeMap<String, Node>, used: &mut BTreeSet<String>) -> Result<(), Error> {
    match node {
        Node::Scalar(scalar) => {
            if scalar.is_text() {
                *scalar = replaced(&scalar.text, values, used);
            }
        }
        Node::Map(fields) => {
            for (_, value) in fields {
                if let Node::Scalar(scalar) = value
                    && scalar.is_text()
                {
                    *scalar = replaced(&scalar.text, values, used);
                }
            }
        }
        Node::List(items) => {
            for item in items {
                match item {
                    Node::Scalar(scalar) if scalar.is_text() => *scalar = replaced(&scalar.text, values, used),
                    _ => return Err(Error::fact("invalid value type expect a string")),
                }
            }
        }
    }
    Ok(())
}

/// A text with its variables replaced; one that is a single variable takes over the type of the value.
fn replaced(text: &str, values: &BTreeMap<String, Node>, used: &mut BTreeSet<String>) -> Scalar {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let Some(next) = behind.chars().next() else {
            rest = &rest[at..];
            break;
        };
        let name = behind.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        rest = match (next, name) {
            ('$', _) => {
                out.push('$');
                &behind[1..]
            }
            (_, Some((name, behind))) => {
                match values.get(name) {
                    Some(Node::Scalar(value)) => {
                        used.insert(name.to_owned());
                        if text.len() == name.len() + 3 {
                            return Scalar { quoted: false, ..retyped(value) };
                        }
                        out.push_str(&value.text);
                    }
                    _ => out.push_str(&format!("$({name})")),
                }
                behind
            }
            (next, None) => {
                out.push('$');
                out.push(next);
                &behind[next.len_utf8()..]
            }
        };
    }
    out.push_str(rest);
    Scalar::text(out)
}

fn retyped(value: &Scalar) -> Scalar {
    match value.tag {
        Tag::Int | Tag::Bool | Tag::Float => value.clone(),
        _ => Scalar::text(value.text.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_keep_their_type_alone_and_become_text_among_others() {
        let port = Scalar { text: "80".into(), tag: Tag::Int, quoted: false };
        let values = BTreeMap::from([("P".to_owned(), Node::Scalar(port.clone()))]);
        let mut used = BTreeSet::new();
        let mut of = |text: &str| replaced(text, &values, &mut used);
        assert_eq!(of("$(P)"), port);
        assert_eq!(of("a:$(P)-$$(P) $x $(Q) $"), Scalar::text("a:80-$(P) $x $(Q) $"));
        assert_eq!(of("$(P"), Scalar::text("$(P"));
        assert_eq!(used.len(), 1);
    }

    #[test]
    fn indices_are_parts_of_their_own() {
        let parts = |path: &str| indexed(split_bracketed_path(path, '.'));
        assert_eq!(parts("spec.ports[0].port"), ["spec", "ports", "0", "port"]);
    }
}
