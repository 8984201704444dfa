//! Label selectors and field selectors: parsing with the errors of apimachinery, normal form, matching.

mod fields;
mod parser;

use std::fmt;

pub use fields::{FieldRequirement, FieldSelector, escape_field_value};

use super::field::{self, Path};
use super::{Map, Value, go, meta, names};

/// How a requirement compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `key`: the label is there.
    Exists,
    /// `!key`: the label is not there.
    DoesNotExist,
    /// `key in (a,b)`.
    In,
    /// `key notin (a,b)`; also true when the label is not there.
    NotIn,
    /// `key=a`.
    Equals,
    /// `key==a`.
    DoubleEquals,
    /// `key!=a`; also true when the label is not there.
    NotEquals,
    /// `key>1`, as integers.
    GreaterThan,
    /// `key<1`, as integers.
    LessThan,
}

impl Operator {
    /// The operator as apimachinery names it (`=`, `in`, `gt`, `exists`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::DoesNotExist => "!",
            Self::In => "in",
            Self::NotIn => "notin",
            Self::Equals => "=",
            Self::DoubleEquals => "==",
            Self::NotEquals => "!=",
            Self::GreaterThan => "gt",
            Self::LessThan => "lt",
        }
    }
}

/// Why a text or a structure is no selector; the text is apimachinery's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(String);

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Label key.
    pub key: String,
    /// Comparison.
    pub operator: Operator,
    /// Values, as many as the operator takes.
    pub values: Vec<String>,
}

impl Requirement {
    /// Builds a requirement and checks it.
    ///
    /// # Errors
    /// All failures as one text (`NewRequirement`).
    pub fn new(key: &str, operator: Operator, values: Vec<String>) -> Result<Self, SelectorError> {
        use field::Error;
        let mut errors = Vec::new();
        let invalid_key = names::is_qualified_name(key);
        if !invalid_key.is_empty() {
            errors.push(Error::invalid(&Path::new("key"), key, invalid_key.join("; ")));
        }
        let path = Path::new("values");
        let shown = if values.is_empty() { Value::Null } else { Value::from(values.clone()) };
        let mut refuse = |wrong: bool, detail: &str| {
            if wrong {
                errors.push(Error::invalid(&path, shown.clone(), detail));
            }
        };
        match operator {
            Operator::In | Operator::NotIn => {
                refuse(values.is_empty(), "for 'in', 'notin' operators, values set can't be empty");
            }
            Operator::Equals | Operator::DoubleEquals | Operator::NotEquals => {
                refuse(values.len() != 1, "exact-match compatibility requires one single value");
            }
            Operator::Exists | Operator::DoesNotExist => {
                refuse(!values.is_empty(), "values set must be empty for exists and does not exist");
            }
            Operator::GreaterThan | Operator::LessThan => {
                refuse(values.len() != 1, "for 'Gt', 'Lt' operators, exactly one value is required");
                for (i, value) in values.iter().enumerate().filter(|(_, v)| v.parse::<i64>().is_err()) {
                    let detail = "for 'Gt', 'Lt' operators, the value must be an integer";
                    errors.push(Error::invalid(&path.index(i), value.as_str(), detail));
                }
            }
        }
        for (i, value) in values.iter().enumerate() {
            let wrong = names::is_valid_label_value(value);
            if !wrong.is_empty() {
                errors.push(Error::invalid(&path.index(i).key(key), value.as_str(), wrong.join("; ")));
            }
        }
        if errors.is_empty() {
            return Ok(Self { key: key.to_owned(), operator, values });
        }
        Err(SelectorError(field::aggregate(&errors)))
    }

    fn matches(&self, value: Option<&str>) -> bool {
        let has = |value: &str| self.values.iter().any(|v| v == value);
        match (self.operator, value) {
            (Operator::In | Operator::Equals | Operator::DoubleEquals, value) => value.is_some_and(has),
            (Operator::NotIn | Operator::NotEquals, value) => !value.is_some_and(has),
            (Operator::Exists, value) => value.is_some(),
            (Operator::DoesNotExist, value) => value.is_none(),
            (Operator::GreaterThan, value) => self.numbers(value).is_some_and(|(have, want)| have > want),
            (Operator::LessThan, value) => self.numbers(value).is_some_and(|(have, want)| have < want),
        }
    }

    fn numbers(&self, value: Option<&str>) -> Option<(i64, i64)> {
        match self.values.as_slice() {
            [want] => Some((value?.parse().ok()?, want.parse().ok()?)),
            _ => None,
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        values.sort_unstable();
        let (key, values) = (&self.key, values.join(","));
        match self.operator {
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::In | Operator::NotIn => write!(f, "{key} {} ({values})", self.operator.as_str()),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
            _ => write!(f, "{key}{}{values}", self.operator.as_str()),
        }
    }
}

/// A label selector: all its requirements must hold. The default one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
    nothing: bool,
}

impl LabelSelector {
    /// Selects every object.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Selects no object.
    pub fn nothing() -> Self {
        Self { requirements: Vec::new(), nothing: true }
    }

    /// Reads a selector such as `app=web,tier in (a,b),!gone,n>5`.
    ///
    /// # Errors
    /// With the text of `labels.Parse`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let requirements = parser::parse(text)?;
        Ok(Self::from_requirements(requirements))
    }

    /// All of `requirements`, put into the order of their keys.
    pub fn from_requirements(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self { requirements, nothing: false }
    }

    /// Selects objects that have all labels of `set` (`SelectorFromValidatedSet`): the selectors of services and
    /// replication controllers. Entries that are not text are left out.
    pub fn from_set(set: &Map<String, Value>) -> Self {
        let equals = |(key, value): (&str, &str)| Requirement {
            key: key.into(),
            operator: Operator::Equals,
            values: vec![value.into()],
        };
        Self::from_requirements(meta::texts(Some(set)).map(equals).collect())
    }

    /// Reads a `LabelSelector` structure (`matchLabels`, `matchExpressions`): null selects nothing, an empty one
    /// everything.
    ///
    /// # Errors
    /// With the text of `LabelSelectorAsSelector`.
    pub fn from_struct(selector: &Value) -> Result<Self, SelectorError> {
        if selector.is_null() {
            return Ok(Self::nothing());
        }
        let mut requirements = Vec::new();
        for (key, value) in meta::texts(meta::map_at(selector, &["matchLabels"])) {
            requirements.push(Requirement::new(key, Operator::Equals, vec![value.to_owned()])?);
        }
        for expression in meta::list_at(selector, &["matchExpressions"]) {
            let operator = match meta::str_at(expression, &["operator"]) {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => {
                    let quoted = go::quote(other);
                    return Err(SelectorError(format!("{quoted} is not a valid label selector operator")));
                }
            };
            let values = meta::list_at(expression, &["values"]).iter().filter_map(Value::as_str);
            let values = values.map(str::to_owned).collect();
            requirements.push(Requirement::new(meta::str_at(expression, &["key"]), operator, values)?);
        }
        Ok(Self::from_requirements(requirements))
    }

    /// The conditions, in the order of their keys.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether anything at all can match: false for [`Self::nothing`].
    pub fn selectable(&self) -> bool {
        !self.nothing
    }

    /// Whether this restricts nothing.
    pub fn is_everything(&self) -> bool {
        !self.nothing && self.requirements.is_empty()
    }

    /// Adds a condition.
    pub fn add(&mut self, requirement: Requirement) {
        self.requirements.push(requirement);
        self.requirements.sort_by(|a, b| a.key.cmp(&b.key));
    }

    /// Whether labels match, given a way to look one up.
    pub fn matches_with<'a>(&self, lookup: impl Fn(&str) -> Option<&'a str>) -> bool {
        !self.nothing && self.requirements.iter().all(|r| r.matches(lookup(&r.key)))
    }

    /// Whether a map of labels matches; `None` is the empty map.
    pub fn matches(&self, labels: Option<&Map<String, Value>>) -> bool {
        self.matches_with(|key| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str))
    }

    /// Whether an object's labels match.
    pub fn matches_object(&self, object: &Value) -> bool {
        self.matches(meta::map_at(object, &["metadata", "labels"]))
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, requirement) in self.requirements.iter().enumerate() {
            write!(f, "{}{requirement}", if i > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl std::str::FromStr for LabelSelector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        Self::parse(text)
    }
}

/// The text of a `LabelSelector` structure as tables and `describe` show it (`FormatLabelSelector`).
pub fn format_struct(selector: &Value) -> String {
    match LabelSelector::from_struct(selector) {
        Ok(selector) if selector.requirements.is_empty() => "<none>".to_owned(),
        Ok(selector) => selector.to_string(),
        Err(_) => "<error>".to_owned(),
    }
}

fn fail<T>(message: String) -> Result<T, SelectorError> {
    Err(SelectorError(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn label_selectors_parse_match_and_print() {
        let selector = LabelSelector::parse("tier notin (b,a), app=web ,!gone").unwrap_or_default();
        assert_eq!(selector.to_string(), "app=web,!gone,tier notin (a,b)");
        assert!(selector.matches(json!({"app": "web"}).as_object()));
        assert!(!selector.matches(json!({"app": "web", "tier": "a"}).as_object()));
        assert!(!selector.matches(json!({"app": "web", "gone": ""}).as_object()));
    }

    #[test]
    fn structures_become_selectors() {
        assert!(!LabelSelector::from_struct(&Value::Null).is_ok_and(|s| s.selectable()));
        assert!(LabelSelector::from_struct(&json!({})).is_ok_and(|s| s.is_everything()));
        let selector = json!({"matchLabels": {"b": "1"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]});
        assert_eq!(format_struct(&selector), "a,b=1");
        assert_eq!(format_struct(&json!({"matchExpressions": [{"key": "a", "operator": "in"}]})), "<error>");
    }
}
