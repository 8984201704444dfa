//! Replacements: a value of one object copied into fields of others.

use regex::Regex;

use super::Error;
use super::decode;
use super::decode::go_quoted;
use super::fields::{split_bracketed_path, wrong_kind};
use super::id::Id;
use super::loader::Loader;
use super::model::{FieldOptions, Replacement, Source, Target};
use super::node::{Node, Scalar};
use super::resource::Resource;
use super::select::Patterns;
use super::shape::REPLACEMENT;
use crate::manifest;
use crate::object::{Value, json};

/// Replacements, those of files read.
pub(super) struct ReplacementChange {
    replacements: Vec<Replacement>,
}

impl ReplacementChange {
    pub fn new(loader: &Loader<'_>, fields: &[Replacement]) -> Result<Self, Error> {
        let mut replacements = Vec::new();
        for field in fields {
            if field.path.is_empty() {
                replacements.push(field.clone());
                continue;
            }
            if field.source.is_some() || field.targets.as_ref().is_some_and(|targets| !targets.is_empty()) {
                return Err(Error::fact("cannot specify both path and inline replacement"));
            }
            let items = match manifest::yaml_to_value(loader.load(&field.path)?, false)? {
                Value::Array(items) => items,
                map @ Value::Object(_) => vec![map],
                other => {
                    let kind = match other {
                        Value::String(_) => "string",
                        Value::Bool(_) => "bool",
                        Value::Number(_) => "float64",
                        _ => "invalid",
                    };
                    return Err(Error::fact(format!(
                        "unsupported replacement type encountered within replacement path: {kind}"
                    )));
                }
            };
            for item in items {
                let item = decode::lenient(item, &REPLACEMENT)
                    .map_err(|error| error.within("error unmarshaling JSON: while decoding JSON"))?;
                replacements.push(serde_json::from_value(item).map_err(|error| Error::fact(error.to_string()))?);
            }
        }
        Ok(Self { replacements })
    }

    pub fn apply(&self, resources: &mut [Resource]) -> Result<(), Error> {
        for replacement in &self.replacements {
            let Some(targets) = replacement.targets.as_ref().filter(|_| has_source(replacement)) else {
                return Err(Error::fact("replacements must specify a source and at least one target"));
            };
            let value = match (&replacement.source_value, &replacement.source) {
                (Some(_), Some(_)) => {
                    return Err(Error::fact("value and resource selectors are mutually exclusive"));
                }
                (Some(text), None) => Node::Scalar(Scalar::open(text.clone())),
                (None, source) => read_source(resources, &source.clone().unwrap_or_default())?,
            };
            for target in targets {
                write_target(resources, &value, target)?;
            }
        }
        Ok(())
    }
}

fn has_source(replacement: &Replacement) -> bool {
    replacement.source.is_some() || replacement.source_value.is_some()
}

const DEFAULT_PATH: &str = "metadata.name";

/// All names of an object, the current one first.
fn ids(resource: &Resource) -> Vec<Id> {
    let mut ids = vec![Id { cluster: false, ..resource.id() }];
    ids.extend(resource.previous_ids());
    ids
}

fn read_source(resources: &[Resource], source: &Source) -> Result<Node, Error> {
    let selector = source.id();
    let mut found = resources.iter().filter(|resource| ids(resource).iter().any(|id| id.is_selected_by(&selector)));
    let Some(resource) = found.next() else { return Err(Error::fact(format!("nothing selected by {source}"))) };
    if found.next().is_some() {
        return Err(Error::fact(format!("multiple matches for selector {source}")));
    }
    let path = if source.field_path.is_empty() { DEFAULT_PATH } else { &source.field_path };
    let value = lookup(&resource.node, &split_bracketed_path(path, '.'))
        .map_err(|error| error.within("error looking up replacement source"))?;
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Err(Error::fact(format!("fieldPath `{path}` is missing for replacement source {selector}")));
    };
    refined(value, source.options.as_ref())
}

/// The part of a value that a delimiter and an index mean.
fn refined(value: &Node, options: Option<&FieldOptions>) -> Result<Node, Error> {
    let Some(options) = options.filter(|options| !options.delimiter.is_empty()) else { return Ok(value.clone()) };
    let Node::Scalar(scalar) = value else {
        return Err(Error::fact("delimiter option can only be used with scalar nodes"));
    };
    let part = usize::try_from(options.index).ok().and_then(|at| scalar.text.split(&options.delimiter).nth(at));
    let Some(part) = part else {
        let (index, text) = (options.index, scalar.text.trim_end());
        return Err(Error::fact(format!("options.index {index} is out of bounds for value {text}")));
    };
    Ok(Node::Scalar(Scalar { text: part.to_owned(), ..scalar.clone() }))
}

fn write_target(resources: &mut [Resource], value: &Node, target: &Target) -> Result<(), Error> {
    let Some(select) = &target.select else {
        return Err(Error::fact("target must specify resources to select"));
    };
    let default = [DEFAULT_PATH.to_owned()];
    let paths = if target.field_paths.is_empty() { &default[..] } else { &target.field_paths };
    let wanted = Patterns::new(select).map_err(|error| error.within("error creating target selector"))?;
    let mut rejected = Vec::new();
    for reject in target.reject.iter().filter(|reject| reject.id() != Id::default()) {
        rejected.push(Patterns::new(reject).map_err(|error| error.within("error creating target selector"))?);
    }
    'resources: for resource in resources {
        let marked = |selector: &super::model::Selector| -> Result<bool, Error> {
            Ok(resource.has_annotations(&selector.annotation_selector)?
                && resource.has_labels(&selector.label_selector)?)
        };
        if !marked(select)? {
            continue;
        }
        for reject in &target.reject {
            let says = !reject.annotation_selector.is_empty() || !reject.label_selector.is_empty();
            if says && marked(reject)? {
                continue 'resources;
            }
        }
        let ids = ids(resource);
        if rejected.iter().any(|patterns| ids.iter().any(|id| patterns.has_id(id))) {
            continue;
        }
        if ids.iter().any(|id| wanted.has_id(id)) {
            for path in paths {
                write(&mut resource.node, value, path, target.options.as_ref())?;
            }
        }
    }
    Ok(())
}

fn write(object: &mut Node, value: &Node, path: &str, options: Option<&FieldOptions>) -> Result<(), Error> {
    let create = options.is_some_and(|options| options.create).then_some(value);
    let parts = split_bracketed_path(path, '.');
    if write_inside_text(object, value, &parts, create).is_some() {
        return Ok(());
    }
    let missing = || {
        let what = if create.is_some() { "find or create" } else { "find" };
        format!("unable to {what} field {} in replacement target", go_quoted(path))
    };
    let mut found = 0;
    let mut set = |node: &mut Node| {
        found += 1;
        set_value(node, value, options)
    };
    descend(object, &parts, create, &mut set).map_err(|fault| match fault {
        Fault::Path(error) => error.within(missing()),
        Fault::Value(error) => error,
    })?;
    if found == 0 { Err(Error::fact(missing())) } else { Ok(()) }
}

fn set_value(node: &mut Node, value: &Node, options: Option<&FieldOptions>) -> Result<(), Error> {
    let mut value = value.clone();
    if let Some(options) = options.filter(|options| !options.delimiter.is_empty()) {
        let Node::Scalar(old) = &*node else {
            return Err(Error::fact("delimiter option can only be used with scalar nodes"));
        };
        let mut parts: Vec<&str> = old.text.split(&options.delimiter).collect();
        let new = value.scalar_text().to_owned();
        match usize::try_from(options.index) {
            Err(_) => parts.insert(0, &new),
            Ok(at) => match parts.get_mut(at) {
                Some(part) => *part = &new,
                None => parts.push(&new),
            },
        }
        let joined = parts.join(&options.delimiter);
        if let Node::Scalar(scalar) = &mut value {
            scalar.text = joined;
        }
    }
    assign(node, &value);
    Ok(())
}

/// A text only takes over what another says, not its type.
fn assign(node: &mut Node, value: &Node) {
    match node {
        Node::Scalar(old) => {
            old.text = value.scalar_text().to_owned();
        }
        _ => *node = value.clone(),
    }
}

/// Writes into the YAML or JSON that a text on the way holds; none if there is no such text.
fn write_inside_text(object: &mut Node, value: &Node, parts: &[String], create: Option<&Node>) -> Option<()> {
    for at in 1..parts.len() {
        let (path, rest) = parts.split_at(at);
        let Ok(Some(Node::Scalar(scalar))) = lookup(object, path) else { continue };
        let Ok(raw) = manifest::yaml_to_node(&scalar.text) else { continue };
        let text = scalar.text.clone();
        let mut inner = Node::from_raw(raw?).ok()?;
        let mut found = 0;
        let mut set = |node: &mut Node| {
            found += 1;
            assign(node, value);
            Ok(())
        };
        descend(&mut inner, rest, create, &mut set).ok()?;
        if found == 0 {
            return None;
        }
        let written = serialized(&inner, &text)?;
        if let Ok(Some(Node::Scalar(scalar))) = lookup_mut(object, path) {
            scalar.text = written;
        }
        return Some(());
    }
    None
}

fn serialized(inner: &Node, original: &str) -> Option<String> {
    if original.trim_start().starts_with(['{', '[']) {
        let value = inner.to_value().ok()?;
        let pretty = original.contains('\n') && original.contains("  ");
        return Some(if pretty { json::to_indented(&value, "  ") } else { json::to_compact(&value) });
    }
    Some(super::text::to_yaml(inner).trim().to_owned())
}

/// A failure to get to a field, or to set it.
enum Fault {
    Path(Error),
    Value(Error),
}

fn lost(text: impl Into<String>) -> Fault {
    Fault::Path(Error::fact(text))
}

/// What is made on the way to a part of a path.
fn container(next: Option<&String>, leaf: &Node) -> Node {
    match next {
        None => match leaf {
            Node::Scalar(_) => Node::Scalar(Scalar::open("")),
            Node::List(_) => Node::List(Vec::new()),
            Node::Map(_) => Node::map(),
        },
        Some(part) if is_match(part) || index(part).is_some() => Node::List(Vec::new()),
        Some(_) => Node::map(),
    }
}

fn is_match(part: &str) -> bool {
    part.starts_with('[') && part.ends_with(']')
}

fn index(part: &str) -> Option<usize> {
    part.parse::<i64>().ok().and_then(|index| usize::try_from(index).ok())
}

type Setter<'s> = dyn FnMut(&mut Node) -> Result<(), Error> + 's;

/// Calls `set` with every field that a path means; with `create`, missing ones are made.
fn descend(node: &mut Node, path: &[String], create: Option<&Node>, set: &mut Setter<'_>) -> Result<(), Fault> {
    let Some((part, rest)) = path.split_first() else { return set(node).map_err(Fault::Value) };
    if let Some(at) = index(part) {
        let items = list(node)?;
        if let Some(leaf) = create.filter(|_| items.len() == at) {
            items.push(container(rest.first(), leaf));
        }
        let count = items.len();
        return match items.get_mut(at) {
            Some(item) => descend(item, rest, create, set),
            None => Err(lost(format!("index {at} specified but only {count} elements found"))),
        };
    }
    if is_match(part) {
        return descend_matching(node, part, rest, create, set);
    }
    if part == "*" {
        return list(node)?.iter_mut().try_for_each(|item| descend(item, rest, create, set));
    }
    if node.is_null() {
        return Ok(());
    }
    if !matches!(node, Node::Map(_)) {
        return Err(Fault::Path(wrong_kind(node, "MappingNode")));
    }
    let field = match create {
        Some(leaf) => node.entry(part, || container(rest.first(), leaf)),
        None => node.get_mut(part),
    };
    match field {
        Some(Node::Scalar(scalar)) if !rest.is_empty() => descend_copy(&scalar.text.clone(), rest, create, set),
        Some(field) => descend(field, rest, create, set),
        None => Ok(()),
    }
}

/// A path that goes on in a text is looked for in what the text holds; what is set there is lost, as in kustomize.
fn descend_copy(text: &str, path: &[String], create: Option<&Node>, set: &mut Setter<'_>) -> Result<(), Fault> {
    let raw = manifest::yaml_to_node(text).map_err(|error| Fault::Path(error.into()))?;
    let Some(raw) = raw else { return Ok(()) };
    let mut copy = Node::from_raw(raw).map_err(Fault::Path)?;
    descend(&mut copy, path, create, set)
}

fn list(node: &mut Node) -> Result<&mut Vec<Node>, Fault> {
    match node {
        Node::List(items) => Ok(items),
        other => Err(Fault::Path(wrong_kind(other, "SequenceNode"))),
    }
}

fn split_match(part: &str) -> Result<(&str, &str), Error> {
    let inner = part.strip_suffix(']').unwrap_or(part);
    let inner = inner.strip_prefix('[').unwrap_or(inner);
    inner
        .split_once('=')
        .ok_or_else(|| Error::fact("list path element must contain fieldName=fieldValue for element to match"))
}

fn descend_matching(
    node: &mut Node,
    part: &str,
    rest: &[String],
    create: Option<&Node>,
    set: &mut Setter<'_>,
) -> Result<(), Fault> {
    let (field, value) = split_match(part).map_err(Fault::Path)?;
    let pattern = Regex::new(value).map_err(|_| lost(format!("error parsing regexp: `{value}`")))?;
    let fits = |item: &Node| match field {
        "" => matches!(item, Node::Scalar(_)) && pattern.is_match(&super::text::to_yaml(item)),
        _ => item.get(field).is_some_and(|found| pattern.is_match(super::text::to_yaml(found).trim())),
    };
    let items = list(node)?;
    if let Some(_leaf) = create.filter(|_| !items.iter().any(&fits)) {
        let text = Node::Scalar(Scalar::open(value));
        items.push(if field.is_empty() { text } else { Node::Map(vec![(field.to_owned(), text)]) });
    }
    for item in items.iter_mut().filter(|item| fits(item)) {
        match field {
            "" => set(item).map_err(Fault::Value)?,
            _ => descend(item, rest, create, set)?,
        }
    }
    Ok(())
}

/// The field at the end of a path; none if there is none.
///
/// # Errors
/// The path leads through a text, or has a part that means several fields.
pub(super) fn lookup<'n>(node: &'n Node, path: &[String]) -> Result<Option<&'n Node>, Error> {
    let mut node = node;
    for part in path.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        match step(node, part)? {
            Some(Step::Field) => match node.get(part) {
                Some(next) => node = next,
                None => return Ok(None),
            },
            Some(Step::Item(at)) => match node {
                Node::List(items) => match items.get(at) {
                    Some(next) => node = next,
                    None => return Ok(None),
                },
                _ => return Ok(None),
            },
            None => return Ok(None),
        }
    }
    Ok(Some(node))
}

fn lookup_mut<'n>(node: &'n mut Node, path: &[String]) -> Result<Option<&'n mut Node>, Error> {
    let mut node = node;
    for part in path.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        let next = match step(node, part)? {
            Some(Step::Field) => node.get_mut(part),
            Some(Step::Item(at)) => match node {
                Node::List(items) => items.get_mut(at),
                _ => None,
            },
            None => None,
        };
        match next {
            Some(next) => node = next,
            None => return Ok(None),
        }
    }
    Ok(Some(node))
}

enum Step {
    Field,
    Item(usize),
}

fn step(node: &Node, part: &str) -> Result<Option<Step>, Error> {
    if node.is_null() {
        return Ok(None);
    }
    let items = || match node {
        Node::List(items) => Ok(items),
        other => Err(wrong_kind(other, "SequenceNode")),
    };
    if let Ok(at) = part.parse::<i64>() {
        let at = usize::try_from(at).map_err(|_| Error::fact(format!("array index {at} cannot be negative")))?;
        return Ok((at < items()?.len()).then_some(Step::Item(at)));
    }
    if part == "-" {
        return Ok(items()?.len().checked_sub(1).map(Step::Item));
    }
    if part == "*" {
        return Err(Error::fact("wildcard is not supported in PathGetter"));
    }
    if is_match(part) {
        let (field, value) = split_match(part)?;
        let fits = |item: &Node| match field {
            "" => item.scalar_text() == value,
            _ => item.get(field).is_some_and(|found| found.scalar_text() == value),
        };
        return Ok(items()?.iter().position(fits).map(Step::Item));
    }
    if !matches!(node, Node::Map(_)) {
        return Err(wrong_kind(node, "MappingNode"));
    }
    Ok(node.get(part).map(|_| Step::Field))
}
