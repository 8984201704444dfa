//! The nodes of a document as they are written: texts, tags and order, before anything is made of them.

use super::Error;
use super::tree::{NodeId, NodeKind, Tree, with_tree};

/// The most nodes of a document, aliases counted as often as they are followed.
const MOST: usize = 1_000_000;

/// A node; aliases are followed.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A text.
    Scalar {
        /// What it says, without quotes.
        text: String,
        /// Its full tag, empty if there is none.
        tag: String,
        /// Whether the text decides the type: neither quoted nor tagged.
        plain: bool,
    },
    /// Items in order.
    Sequence(Vec<Node>),
    /// Keys and values in order; keys may repeat.
    Mapping(Vec<(Node, Node)>),
}

/// The nodes of the first document of a YAML text; none for a text without a document.
///
/// # Errors
/// The text is not YAML, an anchor holds itself, or aliases make it too large.
pub fn yaml_to_node(text: impl AsRef<[u8]>) -> Result<Option<Node>, Error> {
    with_tree(text.as_ref(), |tree| {
        super::tree::limit_height(tree, super::DEEP)?;
        let mut reader = Reader { tree, count: 0, following: Vec::new() };
        tree.root.map(|root| reader.node(root)).transpose()
    })
}

struct Reader<'t> {
    tree: &'t Tree<'t>,
    count: usize,
    following: Vec<NodeId>,
}

impl Reader<'_> {
    fn fail<T>(&self, problem: String, at: NodeId) -> Result<T, Error> {
        Err(Error::Value { problem, at: self.tree.nodes[at].start.into() })
    }

    fn node(&mut self, id: NodeId) -> Result<Node, Error> {
        self.count += 1;
        if self.count > MOST {
            return self.fail("document contains excessive aliasing".to_owned(), id);
        }
        let tree = self.tree;
        match &tree.nodes[id].kind {
            NodeKind::Scalar(scalar) => {
                Ok(Node::Scalar { text: scalar.value.to_string(), tag: scalar.tag.to_string(), plain: scalar.implicit })
            }
            NodeKind::Sequence(items) => {
                items.iter().map(|item| self.node(*item)).collect::<Result<_, _>>().map(Node::Sequence)
            }
            NodeKind::Mapping(children) => {
                let pairs = children.chunks_exact(2).map(|pair| Ok((self.node(pair[0])?, self.node(pair[1])?)));
                pairs.collect::<Result<_, _>>().map(Node::Mapping)
            }
            NodeKind::Alias { name, target } => {
                if self.following.contains(target) {
                    return self.fail(format!("anchor '{name}' value contains itself"), id);
                }
                self.following.push(*target);
                let node = self.node(*target);
                self.following.pop();
                node
            }
        }
    }
}

/// What a plain text means under the rules of YAML 1.2 that `go.yaml.in/yaml/v3` keeps: `yes` and `off` are texts.
#[derive(Clone, Debug, PartialEq)]
pub enum PlainValue {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, possibly octal, hexadecimal or binary.
    Int(serde_json::Number),
    /// Any other number, infinities and NaN among them.
    Float(f64),
    /// A date or time, as written.
    Timestamp,
    /// Anything else.
    Text,
}

/// Resolves a plain text as YAML 1.2 with the extensions of `go.yaml.in/yaml/v3`.
pub fn resolve_plain(text: &str) -> PlainValue {
    use super::scalar::Resolved;
    match super::scalar::resolve(text) {
        Resolved::Null => PlainValue::Null,
        Resolved::Bool(value) if matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE") => {
            PlainValue::Bool(value)
        }
        Resolved::Bool(_) | Resolved::Text(_) | Resolved::Mended(_) => PlainValue::Text,
        Resolved::Int(value) => PlainValue::Int(value.into()),
        Resolved::Uint(value) => PlainValue::Int(value.into()),
        Resolved::Float(value) => PlainValue::Float(value),
        Resolved::Timestamp(_) => PlainValue::Timestamp,
    }
}

/// Whether a plain text is anything but a text to a reader of YAML 1.1, so that writers quote it.
pub fn needs_quotes(text: &str) -> bool {
    use super::scalar::Resolved;
    !text.is_empty() && !text.contains('\n') && !matches!(super::scalar::resolve(text), Resolved::Text(_))
}

/// A float as the Go libraries write it into YAML: shortest digits, exponent form from 1e+21 (`%g` with 64 bits).
pub fn float_text(value: f64) -> String {
    super::go_text::float(value)
}
