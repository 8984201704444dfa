//! Types of expressions: what they are called, and which of them fit together.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

/// A structure with named fields.
#[derive(Debug, PartialEq)]
pub struct Structure {
    /// The name by which messages call it; two structures of one name are the same.
    pub name: String,
    /// The types of its fields, by the names that expressions use; `None` for one whose fields are not known.
    pub fields: Option<BTreeMap<String, Type>>,
}

/// A type.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are those of the language")]
pub enum Type {
    /// Any value; what is done with it is checked when it is done.
    Dyn,
    /// What has no type because of an error that has been told.
    Error,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Duration,
    Timestamp,
    List(Arc<Type>),
    Map(Arc<Type>, Arc<Type>),
    Optional(Arc<Type>),
    /// A type as a value.
    Type(Option<Arc<Type>>),
    Structure(Arc<Structure>),
    /// A type of a library, such as `kubernetes.Quantity`.
    Opaque(&'static str),
    /// A type that is still open.
    Param(u32),
}

impl Type {
    /// A list of such values.
    pub fn list(of: Self) -> Self {
        Self::List(Arc::new(of))
    }

    /// A map from texts to such values.
    pub fn map(of: Self) -> Self {
        Self::Map(Arc::new(Self::String), Arc::new(of))
    }

    /// Such a value, or none.
    pub fn optional(of: Self) -> Self {
        Self::Optional(Arc::new(of))
    }

    /// Whether the checker lets anything be done with it.
    pub fn is_any(&self) -> bool {
        matches!(self, Self::Dyn | Self::Error)
    }

    /// The type inside of an optional one, and whether it was optional.
    pub fn unwrapped(&self) -> (Self, bool) {
        match self {
            Self::Optional(inner) => ((**inner).clone(), true),
            other => (other.clone(), false),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dyn => "dyn",
            Self::Error => "!error!",
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Duration => "duration",
            Self::Timestamp => "timestamp",
            Self::List(of) => return write!(f, "list({of})"),
            Self::Map(key, value) => return write!(f, "map({key}, {value})"),
            Self::Optional(of) => return write!(f, "optional_type({of})"),
            Self::Type(None) => "type",
            Self::Type(Some(of)) => return write!(f, "type({of})"),
            Self::Structure(structure) => &structure.name,
            Self::Opaque(name) => name,
            Self::Param(number) => return write!(f, "_var{number}"),
        })
    }
}

/// What open types have come to stand for.
#[derive(Clone, Debug, Default)]
pub struct Bindings(HashMap<u32, Type>);

impl Bindings {
    /// Replaces open types by what they stand for, and the rest by `dyn` if asked to.
    pub fn substitute(&self, type_: &Type, to_dyn: bool) -> Type {
        let of = |inner: &Arc<Type>| Arc::new(self.substitute(inner, to_dyn));
        match type_ {
            Type::Param(number) => match self.0.get(number) {
                Some(bound) => self.substitute(bound, to_dyn),
                None if to_dyn => Type::Dyn,
                None => type_.clone(),
            },
            Type::List(inner) => Type::List(of(inner)),
            Type::Map(key, value) => Type::Map(of(key), of(value)),
            Type::Optional(inner) => Type::Optional(of(inner)),
            Type::Type(Some(inner)) => Type::Type(Some(of(inner))),
            other => other.clone(),
        }
    }

    /// Whether values of one type may stand where the other is expected; open types are bound on the way.
    pub fn assignable(&mut self, a: &Type, b: &Type) -> bool {
        let mut tried = self.clone();
        let fits = tried.unify(a, b);
        if fits {
            *self = tried;
        }
        fits
    }

    /// The same for several at once: all fit, or nothing is bound.
    pub fn all_assignable(&mut self, a: &[Type], b: &[Type]) -> bool {
        let mut tried = self.clone();
        let fits = a.len() == b.len() && a.iter().zip(b).all(|(a, b)| tried.unify(a, b));
        if fits {
            *self = tried;
        }
        fits
    }

    fn unify(&mut self, a: &Type, b: &Type) -> bool {
        if let Type::Param(number) = b {
            match self.bind(a, *number) {
                Some(fits) => return fits,
                None if !matches!(a, Type::Param(_)) => return false,
                None => {}
            }
        }
        if let Type::Param(number) = a {
            return self.bind(b, *number).unwrap_or(false);
        }
        if a.is_any() || b.is_any() {
            return true;
        }
        let nullable = |type_: &Type| {
            matches!(
                type_,
                Type::Null
                    | Type::Structure(_)
                    | Type::Opaque(_)
                    | Type::Optional(_)
                    | Type::Duration
                    | Type::Timestamp
            )
        };
        match (a, b) {
            (Type::Null, other) | (other, Type::Null) => nullable(other),
            (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => self.unify(a, b),
            (Type::Map(key_a, value_a), Type::Map(key_b, value_b)) => {
                self.unify(key_a, key_b) && self.unify(value_a, value_b)
            }
            (Type::Type(_), Type::Type(_)) => true,
            (Type::Structure(a), Type::Structure(b)) => a.name == b.name,
            (a, b) => a == b,
        }
    }

    /// Binds an open type; `None` when it cannot stand for the other one, which holds it.
    fn bind(&mut self, type_: &Type, number: u32) -> Option<bool> {
        if *type_ == Type::Param(number) {
            return Some(true);
        }
        if let Some(bound) = self.0.get(&number).cloned() {
            if bound == *type_ {
                return Some(true);
            }
            let fits = self.unify(type_, &bound);
            if fits && is_less_specific(type_, &bound) && !self.holds(type_, number) {
                self.0.insert(number, type_.clone());
            }
            return Some(fits);
        }
        if self.holds(type_, number) {
            return None;
        }
        self.0.insert(number, type_.clone());
        Some(true)
    }

    fn holds(&self, type_: &Type, number: u32) -> bool {
        match type_ {
            Type::Param(other) => *other == number || self.0.get(other).is_some_and(|bound| self.holds(bound, number)),
            Type::List(inner) | Type::Optional(inner) | Type::Type(Some(inner)) => self.holds(inner, number),
            Type::Map(key, value) => self.holds(key, number) || self.holds(value, number),
            _ => false,
        }
    }
}

/// Whether one type says as little as the other or less.
pub fn is_less_specific(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Dyn | Type::Param(_), _) => true,
        (_, Type::Dyn | Type::Param(_)) => false,
        (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => is_less_specific(a, b),
        (Type::Map(key_a, value_a), Type::Map(key_b, value_b)) => {
            is_less_specific(key_a, key_b) && is_less_specific(value_a, value_b)
        }
        (Type::Type(_), Type::Type(_)) => true,
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_types_are_bound_once() {
        let mut bindings = Bindings::default();
        let list = Type::list(Type::Param(0));
        assert!(bindings.all_assignable(&[Type::list(Type::Int), Type::Int], &[list.clone(), Type::Param(0)]));
        assert!(!bindings.assignable(&Type::String, &Type::Param(0)));
        assert_eq!(bindings.substitute(&list, true).to_string(), "list(int)");
        assert!(bindings.assignable(&Type::Dyn, &Type::Param(0)));
        assert!(!bindings.assignable(&Type::Null, &Type::Int) && bindings.assignable(&Type::Null, &Type::Duration));
    }
}
