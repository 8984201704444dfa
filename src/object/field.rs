//! Field paths and field errors, with the texts of `k8s.io/apimachinery/pkg/util/validation/field`.

use std::fmt;

use super::Value;

/// A path to a field as validation messages write it: `spec.containers[0].name`, `metadata.labels[a/b]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path(String);

impl Path {
    /// A path that starts at `name`; an empty name is the root.
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// What Go makes of a path to a field without a name: it stands for the object, and is not the absent path.
    pub fn unnamed() -> Self {
        Self("[]".to_owned())
    }

    /// The field `name` below this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() { Self::new(name) } else { self.followed_by(&[".", name]) }
    }

    /// The list item at `index` below this field.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The map entry `key` below this field.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.followed_by(&["[", key, "]"])
    }

    /// Validation makes paths all the time, and formatting costs more than putting together.
    fn followed_by(&self, parts: &[&str]) -> Self {
        let mut path = String::with_capacity(self.0.len() + parts.iter().map(|part| part.len()).sum::<usize>());
        path.push_str(&self.0);
        path.extend(parts.iter().copied());
        Self(path)
    }

    /// The path as text, empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "<nil>" } else { &self.0 })
    }
}

/// What is wrong with a field: `field.ErrorType` with its cause reason and heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A reference to something that is not there.
    NotFound,
    /// A mandatory value is missing.
    Required,
    /// Must be unique and is not.
    Duplicate,
    /// Malformed.
    Invalid,
    /// Not one of the values of an enumeration.
    NotSupported,
    /// Well formed but not permitted here.
    Forbidden,
    /// Longer than allowed.
    TooLong,
    /// More items than allowed.
    TooMany,
    /// Something failed inside.
    Internal,
    /// Of the wrong type.
    TypeInvalid,
}

impl ErrorKind {
    /// The reason in a `Status` cause.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Internal => "InternalError",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    /// The words that open the message.
    pub fn heading(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Internal => "Internal error",
        }
    }
}

/// One validation failure of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Where.
    pub field: Path,
    /// The offending value as Go prints it (`"a"` quoted, numbers bare), when the message shows it.
    pub shown: Option<String>,
    /// The rest of the message.
    pub detail: String,
}

impl Error {
    /// A failure whose message shows no value.
    pub fn without_value(kind: ErrorKind, field: &Path, detail: impl Into<String>) -> Self {
        Self { kind, field: field.clone(), shown: None, detail: detail.into() }
    }

    /// A failure whose message shows `value`.
    pub fn with_value(kind: ErrorKind, field: &Path, value: &Value, detail: impl Into<String>) -> Self {
        Self { kind, field: field.clone(), shown: Some(show(value)), detail: detail.into() }
    }

    /// `Required value`.
    pub fn required(field: &Path, detail: impl Into<String>) -> Self {
        Self::without_value(ErrorKind::Required, field, detail)
    }

    /// `Invalid value` with the value shown.
    pub fn invalid(field: &Path, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::with_value(ErrorKind::Invalid, field, &value.into(), detail)
    }

    /// `Forbidden`.
    pub fn forbidden(field: &Path, detail: impl Into<String>) -> Self {
        Self::without_value(ErrorKind::Forbidden, field, detail)
    }

    /// `Duplicate value`.
    pub fn duplicate(field: &Path, value: impl Into<Value>) -> Self {
        Self::with_value(ErrorKind::Duplicate, field, &value.into(), "")
    }

    /// `Not found`.
    pub fn not_found(field: &Path, value: impl Into<Value>) -> Self {
        Self::with_value(ErrorKind::NotFound, field, &value.into(), "")
    }

    /// `Unsupported value` with the supported ones listed in the order given.
    pub fn not_supported<S: AsRef<str>>(field: &Path, value: impl Into<Value>, supported: &[S]) -> Self {
        let quoted: Vec<String> = supported.iter().map(|s| format!("\"{}\"", s.as_ref())).collect();
        let detail = if quoted.is_empty() { String::new() } else { format!("supported values: {}", quoted.join(", ")) };
        Self::with_value(ErrorKind::NotSupported, field, &value.into(), detail)
    }

    /// `Too long: may not be more than N bytes`.
    pub fn too_long(field: &Path, max: usize) -> Self {
        Self::without_value(ErrorKind::TooLong, field, format!("may not be more than {max} bytes"))
    }

    /// `Too many: N: must have at most M items`.
    pub fn too_many(field: &Path, actual: usize, max: usize) -> Self {
        let mut error = Self::without_value(
            ErrorKind::TooMany,
            field,
            format!("must have at most {max} {}", if max == 1 { "item" } else { "items" }),
        );
        error.shown = Some(actual.to_string());
        error
    }

    /// The message without the field: `Invalid value: "x": must be …` (`ErrorBody` in Go, the text of a cause).
    pub fn body(&self) -> String {
        let mut text = self.kind.heading().to_owned();
        if let Some(shown) = &self.shown {
            text.push_str(": ");
            text.push_str(shown);
        }
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}

/// A value as Go's field errors print it: text quoted, scalars bare, composites as compact JSON.
pub fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => super::go::quote(text),
        other => super::json::to_compact(other),
    }
}

/// The failures of one object, in the order in which they were found.
pub type ErrorList = Vec<Error>;

/// The one-line text of several failures (`ErrorList.ToAggregate().Error()`): bare when alone, else in brackets;
/// repeated messages are shown once.
pub fn aggregate(errors: &[Error]) -> String {
    let mut seen = std::collections::HashSet::new();
    let messages: Vec<String> = errors.iter().map(Error::to_string).filter(|m| seen.insert(m.clone())).collect();
    match messages.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_follow_apimachinery() {
        let path = Path::new("spec").child("ports").index(0).child("name");
        assert_eq!(
            Error::invalid(&path, "A", "must be lower case").to_string(),
            "spec.ports[0].name: Invalid value: \"A\": must be lower case"
        );
        assert_eq!(
            Error::not_supported(&path, "x", &["a", "b"]).to_string(),
            "spec.ports[0].name: Unsupported value: \"x\": supported values: \"a\", \"b\""
        );
        assert_eq!(Error::required(&path, "").to_string(), "spec.ports[0].name: Required value");
    }
}
