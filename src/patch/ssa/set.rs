//! Sets of fields: which fields of an object somebody owns (`fieldpath.Set` of structured-merge-diff).

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::value;
use crate::object::Value;

/// One step from a container to one of its children.
///
/// The order is that of structured-merge-diff: fields by name, then list items by key, by value and by index.
#[derive(Clone, Debug)]
pub enum PathElement {
    /// A field of a map or struct.
    Field(Arc<str>),
    /// The item of a list of maps with these key fields, which are sorted by name.
    Key(Arc<Vec<(String, Value)>>),
    /// The item of a set of scalars.
    Value(Arc<Value>),
    /// The item at a position.
    Index(i64),
}

impl PathElement {
    /// A field of that name.
    pub fn field(name: &str) -> Self {
        Self::Field(name.into())
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

impl Ord for PathElement {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(a), Self::Field(b)) => a.cmp(b),
            (Self::Key(a), Self::Key(b)) => compare_keys(a, b),
            (Self::Value(a), Self::Value(b)) => value::compare(a, b),
            (Self::Index(a), Self::Index(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

fn compare_keys(left: &[(String, Value)], right: &[(String, Value)]) -> Ordering {
    for ((left_name, left_value), (right_name, right_value)) in left.iter().zip(right) {
        let order = left_name.cmp(right_name).then_with(|| value::compare(left_value, right_value));
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len())
}

impl PartialOrd for PathElement {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for PathElement {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for PathElement {}

impl fmt::Display for PathElement {
    /// As conflicts and errors show it: `.name`, `[name="x"]`, `[="x"]`, `[0]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(fields) => {
                f.write_str("[")?;
                for (i, (name, key)) in fields.iter().enumerate() {
                    let comma = if i > 0 { "," } else { "" };
                    write!(f, "{comma}{name}={}", value::show(key))?;
                }
                f.write_str("]")
            }
            Self::Value(item) => write!(f, "[={}]", value::show(item)),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// A path from the root of an object to a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct FieldPath(pub Vec<PathElement>);

impl FieldPath {
    /// A path of named fields.
    pub fn of_fields(names: &[&str]) -> Self {
        Self(names.iter().map(|name| PathElement::field(name)).collect())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|element| element.fmt(f))
    }
}

/// A set of fields, kept as a tree.
///
/// A field that has children in the set is a member only if it stands in `members` itself. Subtrees are shared between
/// sets, so copying and combining sets is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    pub(super) members: Vec<PathElement>,
    pub(super) children: Vec<(PathElement, Arc<FieldSet>)>,
}

/// What has a place in the order of path elements.
trait Placed {
    fn place(&self) -> &PathElement;
}

impl Placed for PathElement {
    fn place(&self) -> &PathElement {
        self
    }
}

impl Placed for (PathElement, Arc<FieldSet>) {
    fn place(&self) -> &PathElement {
        &self.0
    }
}

/// One step through two sorted lists.
enum Zipped<'a, L, R> {
    Left(&'a L),
    Right(&'a R),
    Both(&'a L, &'a R),
}

/// Walks two sorted lists side by side.
fn zip<'a, L: Placed, R: Placed>(
    mut left: &'a [L],
    mut right: &'a [R],
) -> impl Iterator<Item = Zipped<'a, L, R>> + use<'a, L, R> {
    std::iter::from_fn(move || match (left.split_first(), right.split_first()) {
        (None, None) => None,
        (Some((l, rest)), None) => {
            left = rest;
            Some(Zipped::Left(l))
        }
        (None, Some((r, rest))) => {
            right = rest;
            Some(Zipped::Right(r))
        }
        (Some((l, left_rest)), Some((r, right_rest))) => Some(match l.place().cmp(r.place()) {
            Ordering::Less => {
                left = left_rest;
                Zipped::Left(l)
            }
            Ordering::Greater => {
                right = right_rest;
                Zipped::Right(r)
            }
            Ordering::Equal => {
                left = left_rest;
                right = right_rest;
                Zipped::Both(l, r)
            }
        }),
    })
}

/// Where `element` stands in a sorted list, or where it would go; asks for the end first, where it mostly belongs.
fn position<T: Placed>(list: &[T], element: &PathElement) -> Result<usize, usize> {
    match list.last() {
        Some(last) if last.place() < element => Err(list.len()),
        None => Err(0),
        _ => list.binary_search_by(|item| item.place().cmp(element)),
    }
}

impl FieldSet {
    /// A set of the given paths.
    pub fn of_paths(paths: impl IntoIterator<Item = FieldPath>) -> Self {
        let mut set = Self::default();
        for path in paths {
            set.insert(&path);
        }
        set
    }

    /// Adds a field; parents are not added with it. The empty path, the whole object, is nobody's and is passed over.
    pub fn insert(&mut self, path: &FieldPath) {
        self.insert_elements(&path.0);
    }

    pub(super) fn insert_elements(&mut self, path: &[PathElement]) {
        match path {
            [] => (),
            [last] => self.insert_member(last.clone()),
            [first, rest @ ..] => self.descend(first).insert_elements(rest),
        }
    }

    pub(super) fn insert_member(&mut self, element: PathElement) {
        if let Err(at) = position(&self.members, &element) {
            self.members.insert(at, element);
        }
    }

    /// The subset below `element`, made when missing.
    fn descend(&mut self, element: &PathElement) -> &mut Self {
        let at = position(&self.children, element).unwrap_or_else(|at| {
            self.children.insert(at, (element.clone(), Arc::default()));
            at
        });
        Arc::make_mut(&mut self.children[at].1)
    }

    /// Puts `set` below `element`, in addition to what stands there.
    pub(super) fn insert_child(&mut self, element: PathElement, set: Self) {
        match position(&self.children, &element) {
            Ok(at) => {
                if let Some((_, child)) = self.children.get_mut(at) {
                    *child = Arc::new(child.union(&set));
                }
            }
            Err(at) => self.children.insert(at, (element, Arc::new(set))),
        }
    }

    /// Whether the field directly below the root of this set is a member.
    pub fn has_member(&self, element: &PathElement) -> bool {
        position(&self.members, element).is_ok()
    }

    /// The elements directly below the root: members, and those that have members below them.
    pub fn elements(&self) -> Vec<&PathElement> {
        self.members.iter().chain(self.children.iter().map(|(element, _)| element)).collect()
    }

    /// The subset below `element`, without that prefix.
    pub fn child(&self, element: &PathElement) -> Option<&Self> {
        let at = position(&self.children, element).ok()?;
        self.children.get(at).map(|(_, set)| set.as_ref())
    }

    /// Whether the field at `path` is a member.
    pub fn has(&self, path: &FieldPath) -> bool {
        let Some((last, parents)) = path.0.split_last() else { return false };
        parents.iter().try_fold(self, |set, element| set.child(element)).is_some_and(|set| set.has_member(last))
    }

    /// Whether the set has no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.iter().all(|(_, set)| set.is_empty())
    }

    /// The fields of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let members = zip(&self.members, &other.members).map(|step| match step {
            Zipped::Left(element) | Zipped::Right(element) | Zipped::Both(element, _) => element.clone(),
        });
        let children = zip(&self.children, &other.children).map(|step| match step {
            Zipped::Left(child) | Zipped::Right(child) => child.clone(),
            Zipped::Both(left, right) if Arc::ptr_eq(&left.1, &right.1) => left.clone(),
            Zipped::Both(left, right) => (left.0.clone(), Arc::new(left.1.union(&right.1))),
        });
        Self { members: members.collect(), children: children.collect() }
    }

    /// The fields of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let members = zip(&self.members, &other.members).filter_map(|step| match step {
            Zipped::Both(element, _) => Some(element.clone()),
            _ => None,
        });
        let children = zip(&self.children, &other.children).filter_map(|step| match step {
            Zipped::Both(left, right) => non_empty(&left.0, left.1.intersection(&right.1)),
            _ => None,
        });
        Self { members: members.collect(), children: children.collect() }
    }

    /// The fields of this set that the other has not. Children of fields of the other set stay.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let children = zip(&self.children, &other.children).filter_map(|step| match step {
            Zipped::Left(child) => Some(child.clone()),
            Zipped::Right(_) => None,
            Zipped::Both(left, right) => non_empty(&left.0, left.1.difference(&right.1)),
        });
        Self { members: self.members_not_in(other), children: children.collect() }
    }

    /// The fields of this set that neither stand in the other nor below one of its fields.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        let children = zip(&self.children, &other.children).filter_map(|step| match step {
            Zipped::Left((element, _)) | Zipped::Both((element, _), _) if other.has_member(element) => None,
            Zipped::Left(child) => Some(child.clone()),
            Zipped::Right(_) => None,
            Zipped::Both(left, right) => non_empty(&left.0, left.1.recursive_difference(&right.1)),
        });
        Self { members: self.members_not_in(other), children: children.collect() }
    }

    fn members_not_in(&self, other: &Self) -> Vec<PathElement> {
        let kept = zip(&self.members, &other.members).filter_map(|step| match step {
            Zipped::Left(element) => Some(element.clone()),
            _ => None,
        });
        kept.collect()
    }

    /// All fields: those directly below the root, then those of each child.
    pub fn paths(&self) -> Vec<FieldPath> {
        let mut paths = Vec::new();
        self.collect_paths(&mut Vec::new(), &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &mut Vec<PathElement>, out: &mut Vec<FieldPath>) {
        for element in &self.members {
            let path = prefix.iter().chain([element]).cloned().collect();
            out.push(FieldPath(path));
        }
        for (element, set) in &self.children {
            prefix.push(element.clone());
            set.collect_paths(prefix, out);
            prefix.pop();
        }
    }
}

fn non_empty(element: &PathElement, set: FieldSet) -> Option<(PathElement, Arc<FieldSet>)> {
    (!set.is_empty()).then(|| (element.clone(), Arc::new(set)))
}

/// Which fields count for an endpoint (`fieldpath.Filter`).
#[derive(Clone, Debug)]
pub enum Filter {
    /// All but these fields and what lies below them.
    Exclude(FieldSet),
    /// Only what lies at or below one of these patterns.
    Include(Vec<Vec<Pattern>>),
}

/// One step of a pattern of paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Any child.
    Any,
    /// That child.
    Element(PathElement),
}

impl Filter {
    /// Leaves out paths of named fields, such as `&[&["status"]]`.
    pub fn excluding(paths: &[&[&str]]) -> Self {
        Self::Exclude(FieldSet::of_paths(paths.iter().map(|names| FieldPath::of_fields(names))))
    }

    /// The part of `set` that counts.
    #[must_use]
    pub fn apply(&self, set: &FieldSet) -> FieldSet {
        match self {
            Self::Exclude(excluded) => set.recursive_difference(excluded),
            Self::Include(patterns) => {
                let patterns: Vec<&[Pattern]> = patterns.iter().map(Vec::as_slice).collect();
                included(set, &patterns)
            }
        }
    }
}

fn included(set: &FieldSet, patterns: &[&[Pattern]]) -> FieldSet {
    if patterns.iter().any(|pattern| pattern.is_empty()) {
        return set.clone();
    }
    let rest_for = |element: &PathElement| -> Vec<&[Pattern]> {
        let matching = patterns.iter().filter_map(|pattern| {
            let (first, rest) = pattern.split_first()?;
            let fits = match first {
                Pattern::Any => true,
                Pattern::Element(wanted) => wanted == element,
            };
            fits.then_some(rest)
        });
        matching.collect()
    };
    let members = set.members.iter().filter(|element| !rest_for(element).is_empty()).cloned().collect();
    let children = set.children.iter().filter_map(|(element, child)| {
        let rest = rest_for(element);
        if rest.is_empty() { None } else { non_empty(element, included(child, &rest)) }
    });
    FieldSet { members, children: children.collect() }
}
