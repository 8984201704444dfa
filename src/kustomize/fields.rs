//! Fields found by a rule's path, looked at one by one.

use super::Error;
use super::config::FieldSpec;
use super::id::Gvk;
use super::node::{Node, Scalar, Tag};

/// What is made where a rule wants a missing field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Create {
    /// Nothing, whatever the rule says.
    Nothing,
    /// A text; of which type, if the field was null.
    Scalar(Tag),
    Map,
}

impl Create {
    fn node(self) -> Option<Node> {
        match self {
            Self::Nothing => None,
            Self::Scalar(_) => Some(Node::Scalar(Scalar::open(""))),
            Self::Map => Some(Node::map()),
        }
    }
}

/// Splits a path at a delimiter; a backslash in front of it keeps parts together.
pub(super) fn split_path(path: &str, delimiter: char) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut pieces = path.split(delimiter).peekable();
    if pieces.peek() == Some(&"") && path.contains(delimiter) {
        pieces.next();
    }
    for piece in pieces {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push(delimiter);
                last.push_str(piece);
            }
            _ => parts.push(piece.to_owned()),
        }
    }
    parts
}

/// Splits a path at a delimiter that does not stand in brackets.
pub(super) fn split_bracketed_path(path: &str, delimiter: char) -> Vec<String> {
    let mut parts = Vec::new();
    let mut pieces = split_path(path, delimiter).into_iter();
    while let Some(mut piece) = pieces.next() {
        if piece.starts_with('[') && !piece.ends_with(']') {
            for more in pieces.by_ref() {
                piece.push(delimiter);
                piece.push_str(&more);
                if piece.ends_with(']') {
                    break;
                }
            }
            if !piece.contains('=') {
                piece = piece.trim_matches(['[', ']']).to_owned();
            }
        }
        parts.push(piece);
    }
    parts
}

/// Calls `set` with every field of an object that a rule means.
///
/// # Errors
/// The path leads through a text, or `set` fails.
pub(super) fn visit(
    object: &mut Node,
    spec: &FieldSpec,
    create: Create,
    set: &mut dyn FnMut(&mut Node) -> Result<(), Error>,
) -> Result<(), Error> {
    let text = |object: &Node, key: &str| object.get(key).map_or("", Node::scalar_text).to_owned();
    let gvk = Gvk::parse(&text(object, "apiVersion"), &text(object, "kind"));
    if !gvk.is_selected(&spec.gvk) {
        return Ok(());
    }
    let create = if spec.create { create } else { Create::Nothing };
    let path = split_path(&spec.path, '/');
    descend(object, &path, create, set).map_err(|error| {
        let resource = super::resource::Resource::new(object.clone());
        error.within(format!("considering field '{}' of object {}", spec.path, resource.id()))
    })
}

fn descend(
    node: &mut Node,
    path: &[String],
    create: Create,
    set: &mut dyn FnMut(&mut Node) -> Result<(), Error>,
) -> Result<(), Error> {
    let Some((first, rest)) = path.split_first() else { return set(node) };
    if node.is_null() {
        return Ok(());
    }
    match node {
        Node::Scalar(_) => Err(Error::fact("expected sequence or mapping node")),
        Node::List(items) => {
            for item in items {
                descend(item, path, create, set)
                    .map_err(|error| error.within(format!("visit traversal on path: [{}]", path.join(" "))))?;
            }
            Ok(())
        }
        Node::Map(_) => {
            let (name, is_list) = first.strip_suffix("[]").map_or((first.as_str(), false), |name| (name, true));
            if name.is_empty() {
                return Err(Error::fact("cannot set or create an empty field name"));
            }
            let missing = match create {
                _ if is_list => None,
                Create::Nothing => None,
                create if rest.is_empty() => create.node(),
                _ => Some(Node::map()),
            };
            let Some(field) = field_or_new(node, name, missing.clone()) else { return Ok(()) };
            if field.is_null() {
                match (is_list, create, missing) {
                    (true, ..) => *field = Node::List(Vec::new()),
                    (_, Create::Scalar(tag), Some(Node::Scalar(_))) => {
                        if let Node::Scalar(scalar) = field {
                            scalar.tag = tag;
                        }
                    }
                    (_, _, Some(missing)) => *field = missing,
                    _ => {}
                }
            }
            descend(field, rest, create, set)
        }
    }
}

fn field_or_new<'n>(node: &'n mut Node, name: &str, missing: Option<Node>) -> Option<&'n mut Node> {
    match missing {
        Some(missing) => node.entry(name, || missing),
        None => node.get_mut(name),
    }
}

/// Sets a field of a map (`SetEntry`).
///
/// # Errors
/// The node is no map.
pub(super) fn set_entry(node: &mut Node, key: &str, value: Scalar) -> Result<(), Error> {
    if !node.is_null() && !matches!(node, Node::Map(_)) {
        return Err(wrong_kind(node, "MappingNode"));
    }
    node.set(key, Node::Scalar(value));
    Ok(())
}

/// Sets a text.
///
/// # Errors
/// The node is no text.
pub(super) fn set_scalar(node: &mut Node, value: Scalar) -> Result<(), Error> {
    if !matches!(node, Node::Scalar(_)) {
        return Err(wrong_kind(node, "ScalarNode"));
    }
    node.replace(Node::Scalar(value));
    Ok(())
}

/// The failure of a node to be of a kind.
pub(super) fn wrong_kind(node: &Node, wanted: &str) -> Error {
    let contents = node.to_value().map(|value| crate::manifest::to_yaml(&value)).unwrap_or_default();
    Error::fact(format!("wrong node kind: expected {wanted} but got {}: node contents:\n{contents}", node.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_where_nothing_holds_them_together() {
        assert_eq!(split_path("metadata/labels", '/'), ["metadata", "labels"]);
        assert_eq!(split_path(r"metadata/annotations/a\/b", '/'), ["metadata", "annotations", "a/b"]);
        assert_eq!(split_bracketed_path("spec.[name=a.b].x", '.'), ["spec", "[name=a.b]", "x"]);
        assert_eq!(split_bracketed_path("metadata.annotations.[a.b/c]", '.'), ["metadata", "annotations", "a.b/c"]);
    }
}
