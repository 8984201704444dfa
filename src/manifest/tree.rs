//! The nodes of one document, as written: anchors found, nothing resolved yet.

use std::borrow::Cow;
use std::collections::HashMap;

use super::error::Error;
use super::input;
use super::parser::{Event, Parser, Scalar};
use super::scanner::{Mark, Result};

/// Index of a node in its [`Tree`].
pub(super) type NodeId = usize;

/// What a node is.
#[derive(Debug)]
pub(super) enum NodeKind<'a> {
    Scalar(Scalar<'a>),
    Sequence(Vec<NodeId>),
    /// Keys and values in turn.
    Mapping(Vec<NodeId>),
    Alias {
        name: &'a str,
        target: NodeId,
    },
}

/// A node and where it starts.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) kind: NodeKind<'a>,
    pub(super) start: Mark,
    /// Levels below and with this one, aliases followed.
    pub(super) height: usize,
}

/// The nodes of the first document of a text.
pub(super) struct Tree<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    /// None for a text without any document.
    pub(super) root: Option<NodeId>,
}

/// Reads the first document of `bytes` and calls `then` with its nodes.
///
/// # Errors
///
/// [`Error::Syntax`] if the text is not YAML, up to the end of its first document.
pub(super) fn with_tree<T>(bytes: &[u8], then: impl FnOnce(&Tree<'_>) -> Result<T>) -> Result<T> {
    let input = input::read(bytes);
    let tree = Builder::new(&input.text).build(Parser::new(&input.text, input.fault))?;
    then(&tree)
}

/// Refuses a document with more than `limit` levels.
pub(super) fn limit_height(tree: &Tree<'_>, limit: usize) -> Result<()> {
    match tree.root.map(|root| &tree.nodes[root]) {
        Some(root) if root.height > limit => {
            Err(Error::Value { problem: format!("exceeded max depth of {limit}"), at: root.start.into() })
        }
        _ => Ok(()),
    }
}

struct Builder<'a> {
    nodes: Vec<Node<'a>>,
    open: Vec<NodeId>,
    anchors: HashMap<&'a str, NodeId>,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Builder<'a> {
        Builder { nodes: Vec::with_capacity(text.len() / 16), open: Vec::new(), anchors: HashMap::new() }
    }

    fn build(mut self, mut parser: Parser<'a>) -> Result<Tree<'a>> {
        loop {
            let (event, start) = parser.next()?;
            match event {
                Event::DocumentStart => {}
                Event::DocumentEnd | Event::StreamEnd => break,
                Event::Alias(name) => {
                    let Some(&target) = self.anchors.get(name) else {
                        let problem = format!("unknown anchor '{name}' referenced");
                        return Err(Error::Value { problem, at: start.into() });
                    };
                    let height = self.nodes[target].height;
                    self.add(NodeKind::Alias { name, target }, start, height, None);
                }
                Event::Scalar(scalar) => {
                    let anchor = scalar.anchor;
                    self.add(NodeKind::Scalar(scalar), start, 1, anchor);
                }
                Event::SequenceStart { anchor } => self.begin(NodeKind::Sequence(Vec::new()), start, anchor),
                Event::MappingStart { anchor } => self.begin(NodeKind::Mapping(Vec::new()), start, anchor),
                Event::SequenceEnd | Event::MappingEnd => self.end(),
            }
        }
        let root = if self.nodes.is_empty() { None } else { Some(0) };
        Ok(Tree { nodes: self.nodes, root })
    }

    fn add(&mut self, kind: NodeKind<'a>, start: Mark, height: usize, anchor: Option<&'a str>) -> NodeId {
        let id = self.nodes.len();
        self.nodes.push(Node { kind, start, height });
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
        if let Some(&parent) = self.open.last()
            && let NodeKind::Sequence(children) | NodeKind::Mapping(children) = &mut self.nodes[parent].kind
        {
            children.push(id);
            self.nodes[parent].height = self.nodes[parent].height.max(height + 1);
        }
        id
    }

    fn begin(&mut self, kind: NodeKind<'a>, start: Mark, anchor: Option<&'a str>) {
        let id = self.add(kind, start, 1, anchor);
        self.open.push(id);
    }

    fn end(&mut self) {
        let Some(id) = self.open.pop() else { return };
        let height = self.nodes[id].height;
        if let Some(&parent) = self.open.last() {
            self.nodes[parent].height = self.nodes[parent].height.max(height + 1);
        }
    }
}

impl<'a> Tree<'a> {
    /// The scalar's text, if the node is a scalar.
    pub(super) fn scalar(&self, id: NodeId) -> Option<&Scalar<'a>> {
        match &self.nodes[id].kind {
            NodeKind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The node itself, or the one that it is an alias of.
    pub(super) fn followed(&self, id: NodeId) -> NodeId {
        match self.nodes[id].kind {
            NodeKind::Alias { target, .. } => target,
            _ => id,
        }
    }

    /// Whether this key asks for a mapping to be merged in.
    pub(super) fn is_merge(&self, key: NodeId) -> bool {
        self.scalar(key).is_some_and(|scalar| {
            scalar.value == "<<" && (scalar.implicit || scalar.tag == Cow::Borrowed("tag:yaml.org,2002:merge"))
        })
    }
}
