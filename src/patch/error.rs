//! What can go wrong with a patch, in the words of the Kubernetes libraries.

use thiserror::Error;

use super::gofmt;
use crate::manifest;
use crate::object::{Map, Value, go};

/// Why a patch could not be computed or applied.
///
/// The texts are those of `k8s.io/apimachinery` (`strategicpatch`, `mergepatch`) and `evanphx/json-patch` v4.
#[derive(Debug, Error)]
pub enum PatchError {
    /// A document is not a JSON object.
    #[error("invalid JSON document")]
    BadDocument,
    /// A list that is to be merged holds lists.
    #[error("lists of lists are not supported")]
    ListOfLists,
    /// `$deleteFromPrimitiveList` is malformed.
    #[error("invalid patch format of primitive list")]
    PrimitiveListFormat,
    /// `$retainKeys` is malformed, or the patch sets a field that it does not name.
    #[error("invalid patch format of retainKeys")]
    RetainKeysFormat,
    /// `$setElementOrder` is malformed.
    #[error("invalid patch format of setElementOrder list")]
    ElementOrderFormat,
    /// The kind has no schema, so its lists cannot be merged strategically.
    #[error("strategic merge patch format is not supported")]
    Unsupported,
    /// A list item lacks the field that names it.
    #[error("map: {map} does not contain declared merge key: {key}")]
    NoMergeKey {
        /// The item as Go prints it.
        map: String,
        /// The merge key.
        key: String,
    },
    /// A value has another type than its place in the patch demands.
    #[error("expected a {expected}, but received a {actual}")]
    WrongType {
        /// Go's name of the type that was needed.
        expected: &'static str,
        /// Go's name of the type that was found.
        actual: &'static str,
    },
    /// `$patch` names no known directive.
    #[error("unknown patch type: {directive} in map: {map}")]
    UnknownDirective {
        /// The directive as Go prints it with `%s`.
        directive: String,
        /// The map that holds it.
        map: String,
    },
    /// `$patch: merge` stands in a list.
    #[error("merging lists cannot yet be specified in the patch")]
    MergeDirectiveInList,
    /// `$patch` is no text in both of the documents that are compared.
    #[error("invalid value for special key: $patch")]
    DirectiveValue,
    /// `$setElementOrder` does not hold the items of the patch in the same order.
    #[error("The order in patch list:\n{list}\n doesn't match $setElementOrder list:\n{order}\n")]
    ElementOrder {
        /// The list in the patch.
        list: String,
        /// The list in the directive.
        order: String,
    },
    /// Two halves of a three-way patch retain different fields.
    #[error("{left} and {right} are not deep equal: this may happen when calculating the 3-way diff patch")]
    RetainKeysDiffer {
        /// The fields retained by the deletions.
        left: String,
        /// The fields retained by the additions.
        right: String,
    },
    /// The items of a list have different types.
    #[error("list element types are not identical: {0}")]
    MixedList(String),
    /// Nothing tells what type the items of a list have.
    #[error("no elements in any of the given slices")]
    NoElements,
    /// A list of maps is to be merged, but nothing names its items.
    #[error("cannot merge lists without merge key for {0}")]
    NoKeyDeclared(&'static str),
    /// An item of a list that is searched by key is no map.
    #[error("value for key {0} is not a map")]
    ItemNotMap(usize),
    /// An item of a merging list is no map.
    #[error("invalid element type in merging list:{0}")]
    BadListItem(String),
    /// An item of a merging list lacks its key (conflict check).
    #[error("cannot find merge key `{key}` in merging list element:{map}")]
    NoMergeKeyInItem {
        /// The merge key.
        key: String,
        /// The item.
        map: String,
    },
    /// The schema has no such field.
    #[error("unable to find api field in struct {type_name} for the json field {field}")]
    UnknownField {
        /// Go's name of the type.
        type_name: String,
        /// The field, quoted.
        field: String,
    },
    /// Maps below a field that is no struct.
    #[error("merging an object in json but data type is not struct, instead is: {0}")]
    NotStruct(&'static str),
    /// A list stands where the schema has none.
    #[error("expected slice or array type, but got: {0}")]
    NotList(&'static str),
    /// The schema has a list of lists.
    #[error("unexpected slice of slice")]
    SchemaListOfLists,
    /// The schema declares strategies that do not go together.
    #[error("unexpected patch strategy: [{0}]")]
    BadStrategy(String),
    /// The patch would change a field that must stay.
    #[error("precondition failed for: {0}")]
    Precondition(String),
    /// The patch would overwrite what others changed.
    #[error("{0}")]
    Conflict(Box<Conflict>),
    /// Input on which the Go library panics; a server answers with an internal error.
    #[error("runtime error: {0}")]
    Runtime(&'static str),
    /// The document of a merge patch is no JSON.
    #[error("Invalid JSON Document")]
    MergeDocument,
    /// A merge patch is no JSON object or list.
    #[error("Invalid JSON Patch")]
    MergePatch,
    /// An RFC 6902 patch could not be read; a server answers with 400.
    #[error("{0}")]
    Decode(String),
    /// An RFC 6902 patch could not be applied; a server answers with 422.
    #[error("{0}")]
    Apply(String),
}

impl PatchError {
    pub(crate) fn no_merge_key(map: &Map<String, Value>, key: &str) -> Self {
        Self::NoMergeKey { map: go::map_text(map), key: key.to_owned() }
    }

    pub(crate) fn wanted_map(actual: &Value) -> Self {
        Self::WrongType { expected: go::MAP_TYPE, actual: gofmt::type_name(actual) }
    }

    pub(crate) fn wanted_list(actual: &Value) -> Self {
        Self::WrongType { expected: go::LIST_TYPE, actual: gofmt::type_name(actual) }
    }
}

/// Two sets of changes that touch the same fields in different ways (`mergepatch.ErrConflict`).
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// What the patch would do.
    pub patch: Value,
    /// What others did since the last apply.
    pub changes: Value,
}

impl std::fmt::Display for Conflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (patch, changes) = (manifest::to_yaml(&self.patch), manifest::to_yaml(&self.changes));
        write!(f, "patch:\n{patch}\nconflicts with changes made from original to current:\n{changes}\n")
    }
}
