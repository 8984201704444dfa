//! What a schema says about values, for the types and the cost of expressions about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::types::{Structure, Type};

/// The largest object that a request may hold, in bytes.
pub const LARGEST_REQUEST: u64 = 3 * 1024 * 1024;

/// A declared value.
#[derive(Clone, Debug)]
pub struct Decl {
    /// Its type.
    pub type_: Type,
    /// How long a text, or how large a list or map, can be at most.
    pub max: u64,
    /// How long its JSON is at least.
    pub min_size: u64,
    /// Its fields, by the names that expressions use.
    pub fields: BTreeMap<String, Arc<Decl>>,
    /// What a list or map holds.
    pub element: Option<Arc<Decl>>,
}

impl Decl {
    /// A value without parts.
    pub fn simple(type_: Type, min_size: u64, max: u64) -> Self {
        Self { type_, max, min_size, fields: BTreeMap::new(), element: None }
    }

    /// A list; without a limit as many items as fit into a request.
    pub fn list(of: Self, max: Option<u64>) -> Self {
        let max = max.unwrap_or((LARGEST_REQUEST - 2) / (of.min_size + 1));
        Self { max, element: Some(of.clone().into()), ..Self::simple(Type::list(of.type_), 2, 0) }
    }

    /// A map from texts; without a limit as many entries as fit into a request.
    pub fn map(of: Self, max: Option<u64>) -> Self {
        let max = max.unwrap_or((LARGEST_REQUEST - 2) / (of.min_size + 6));
        Self { max, element: Some(of.clone().into()), ..Self::simple(Type::map(of.type_), 2, 0) }
    }

    /// A structure of that name.
    pub fn structure(name: String, fields: BTreeMap<String, Arc<Self>>, min_size: u64) -> Self {
        let types = fields.iter().map(|(name, decl)| (name.clone(), decl.type_.clone())).collect();
        let type_ = Type::Structure(Arc::new(Structure { name, fields: Some(types) }));
        Self { fields, ..Self::simple(type_, min_size, 0) }
    }

    /// How often such a value can stand in one object at most.
    pub fn most_in_a_request(&self) -> u64 {
        LARGEST_REQUEST / (self.min_size + 1)
    }
}

/// Words that are no names in expressions.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// The name by which expressions call a field; `None` for fields that they cannot name.
pub fn escape(name: &str) -> Option<String> {
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/')) {
        return None;
    }
    let escaped =
        name.replace("__", "\u{0}").replace('.', "__dot__").replace('-', "__dash__").replace('/', "__slash__");
    Some(escaped.replace('\u{0}', "__underscores__"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped() {
        assert_eq!(escape("a.b-c/d__e").as_deref(), Some("a__dot__b__dash__c__slash__d__underscores__e"));
        assert_eq!(escape("namespace").as_deref(), Some("__namespace__"));
        assert_eq!((escape("1a"), escape("a b"), escape("")), (None, None, None));
    }
}
