//! Label selectors and field selectors: parsing with the errors of apimachinery, normal form, matching.

use crate::object::go;
use std::fmt;

use super::field::{self, Path};
use super::{Map, Value, meta, names};

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
        let requirements = Parser { items: scan(text), position: 0 }.parse()?;
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    End,
    ClosedParenthesis,
    Comma,
    Not,
    Operator(Operator),
    Identifier,
    OpenParenthesis,
}

const KEYWORDS: &[(&str, Token)] = &[
    (")", Token::ClosedParenthesis),
    (",", Token::Comma),
    ("!", Token::Not),
    ("==", Token::Operator(Operator::DoubleEquals)),
    ("=", Token::Operator(Operator::Equals)),
    (">", Token::Operator(Operator::GreaterThan)),
    ("in", Token::Operator(Operator::In)),
    ("<", Token::Operator(Operator::LessThan)),
    ("!=", Token::Operator(Operator::NotEquals)),
    ("notin", Token::Operator(Operator::NotIn)),
    ("(", Token::OpenParenthesis),
];

fn keyword(text: &str) -> Option<Token> {
    KEYWORDS.iter().find(|(word, _)| *word == text).map(|(_, token)| *token)
}

fn is_white(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_special(b: u8) -> bool {
    matches!(b, b'=' | b'!' | b'(' | b')' | b',' | b'>' | b'<')
}

/// Cuts a selector into tokens; the last one is [`Token::End`]. A NUL byte ends the text.
fn scan(text: &str) -> Vec<(Token, &str)> {
    let text = text.split('\0').next().unwrap_or_default();
    let bytes = text.as_bytes();
    let mut items = Vec::new();
    let mut start = 0;
    while let Some(byte) = bytes.get(start) {
        if is_white(*byte) {
            start += 1;
            continue;
        }
        let (token, end) = if is_special(*byte) {
            match text.get(start..start + 2).and_then(keyword) {
                Some(token) if bytes.get(start + 1).copied().is_some_and(is_special) => (token, start + 2),
                _ => (keyword(&text[start..=start]).unwrap_or(Token::End), start + 1),
            }
        } else {
            let length = bytes[start..].iter().position(|b| is_special(*b) || is_white(*b));
            let end = length.map_or(text.len(), |n| start + n);
            (keyword(&text[start..end]).unwrap_or(Token::Identifier), end)
        };
        items.push((token, &text[start..end]));
        start = end;
    }
    items.push((Token::End, ""));
    items
}

struct Parser<'a> {
    items: Vec<(Token, &'a str)>,
    position: usize,
}

fn fail<T>(message: String) -> Result<T, SelectorError> {
    Err(SelectorError(message))
}

impl<'a> Parser<'a> {
    /// The next token, with `in` and `notin` as identifiers.
    fn peek(&self) -> (Token, &'a str) {
        match self.items.get(self.position).copied().unwrap_or((Token::End, "")) {
            (Token::Operator(Operator::In | Operator::NotIn), text) => (Token::Identifier, text),
            item => item,
        }
    }

    fn next(&mut self) -> (Token, &'a str) {
        let item = self.peek();
        self.position += 1;
        item
    }

    fn parse(&mut self) -> Result<Vec<Requirement>, SelectorError> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                (Token::Identifier | Token::Not, _) => {}
                (Token::End, _) => return Ok(requirements),
                (_, text) => return fail(format!("found '{text}', expected: !, identifier, or 'end of string'")),
            }
            match self.requirement() {
                Ok(requirement) => requirements.push(requirement),
                Err(error) => return fail(format!("unable to parse requirement: {error}")),
            }
            match self.next() {
                (Token::End, _) => return Ok(requirements),
                (Token::Comma, _) => {
                    let (token, text) = self.peek();
                    if !matches!(token, Token::Identifier | Token::Not) {
                        return fail(format!("found '{text}', expected: identifier after ','"));
                    }
                }
                (_, text) => return fail(format!("found '{text}', expected: ',' or 'end of string'")),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let (mut token, mut key) = self.next();
        let negated = token == Token::Not;
        if negated {
            (token, key) = self.next();
        }
        if token != Token::Identifier {
            return fail(format!("found '{key}', expected: identifier"));
        }
        let wrong = names::is_qualified_name(key);
        if !wrong.is_empty() {
            return fail(field::Error::invalid(&Path::default(), key, wrong.join("; ")).to_string());
        }
        if negated {
            return Requirement::new(key, Operator::DoesNotExist, Vec::new());
        }
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Requirement::new(key, Operator::Exists, Vec::new());
        }
        let operator = self.operator()?;
        let mut values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => self.exact_value()?,
        };
        values.sort();
        values.dedup();
        Requirement::new(key, operator, values)
    }

    fn operator(&mut self) -> Result<Operator, SelectorError> {
        let item = self.items.get(self.position).copied();
        self.position += 1;
        match item {
            Some((Token::Operator(operator), _)) => Ok(operator),
            other => {
                let text = other.map(|(_, text)| text).unwrap_or_default();
                fail(format!("found '{text}', expected: in, notin, =, ==, !=, gt, lt"))
            }
        }
    }

    fn values(&mut self) -> Result<Vec<String>, SelectorError> {
        let (token, text) = self.next();
        if token != Token::OpenParenthesis {
            return fail(format!("found '{text}' expected: '('"));
        }
        let (token, first) = self.peek();
        match token {
            Token::Identifier | Token::Comma => {
                let values = self.identifiers()?;
                if self.next().0 != Token::ClosedParenthesis {
                    return fail(format!("found '{first}', expected: ')'"));
                }
                Ok(values)
            }
            Token::ClosedParenthesis => {
                self.next();
                Ok(vec![String::new()])
            }
            _ => fail(format!("found '{first}', expected: ',', ')' or identifier")),
        }
    }

    /// A list of values; an empty one stands wherever a comma has nothing on one side.
    fn identifiers(&mut self) -> Result<Vec<String>, SelectorError> {
        let mut values = Vec::new();
        loop {
            match self.next() {
                (Token::Identifier, text) => {
                    values.push(text.to_owned());
                    match self.peek() {
                        (Token::Comma, _) => {}
                        (Token::ClosedParenthesis, _) => return Ok(values),
                        (_, text) => return fail(format!("found '{text}', expected: ',' or ')'")),
                    }
                }
                (Token::Comma, _) => {
                    let next = self.peek().0;
                    if values.is_empty() || matches!(next, Token::ClosedParenthesis | Token::Comma) {
                        values.push(String::new());
                    }
                    if next == Token::ClosedParenthesis {
                        return Ok(values);
                    }
                }
                (_, text) => return fail(format!("found '{text}', expected: ',', or identifier")),
            }
        }
    }

    fn exact_value(&mut self) -> Result<Vec<String>, SelectorError> {
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Ok(vec![String::new()]);
        }
        match self.next() {
            (Token::Identifier, text) => Ok(vec![text.to_owned()]),
            (_, text) => fail(format!("found '{text}', expected: identifier")),
        }
    }
}

/// One condition on one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRequirement {
    /// Field path such as `metadata.name`.
    pub field: String,
    /// Whether the field must differ from the value.
    pub negated: bool,
    /// The value, unescaped.
    pub value: String,
}

impl FieldRequirement {
    /// `=` or `!=`.
    pub fn operator(&self) -> &'static str {
        if self.negated { "!=" } else { "=" }
    }
}

/// A field selector: all its conditions must hold. The default one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    requirements: Vec<FieldRequirement>,
}

impl FieldSelector {
    /// Reads a selector such as `metadata.name=a,status.phase!=Running`; `\` escapes `\`, `,` and `=` in values.
    ///
    /// # Errors
    /// With the text of `fields.ParseSelector`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut terms = split_terms(text);
        terms.sort_unstable();
        let mut requirements = Vec::new();
        for term in terms.into_iter().filter(|term| !term.is_empty()) {
            let Some((field, negated, value)) = split_term(term) else {
                return fail(format!("invalid selector: '{text}'; can't understand '{term}'"));
            };
            let value = unescape(value)?;
            // A term with neither field nor value says nothing.
            if !field.is_empty() || !value.is_empty() {
                requirements.push(FieldRequirement { field: field.to_owned(), negated, value });
            }
        }
        Ok(Self { requirements })
    }

    /// Selects the one object whose `field` is `value`.
    pub fn equals(field: &str, value: &str) -> Self {
        Self {
            requirements: vec![FieldRequirement { field: field.to_owned(), negated: false, value: value.to_owned() }],
        }
    }

    /// The conditions, in the order of their texts.
    pub fn requirements(&self) -> &[FieldRequirement] {
        &self.requirements
    }

    /// Whether this restricts nothing.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }

    /// The value that `field` must have, when the selector demands one.
    pub fn exact(&self, field: &str) -> Option<&str> {
        self.requirements.iter().find(|r| !r.negated && r.field == field).map(|r| r.value.as_str())
    }

    /// Whether fields match, given a way to read one; a field that is not there is empty.
    pub fn matches_with<T: AsRef<str>>(&self, lookup: impl Fn(&str) -> Option<T>) -> bool {
        self.requirements.iter().all(|r| {
            let value = lookup(&r.field);
            (value.as_ref().map_or("", AsRef::as_ref) == r.value) != r.negated
        })
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, r) in self.requirements.iter().enumerate() {
            let value = escape_field_value(&r.value);
            write!(f, "{}{}{}{value}", if i > 0 { "," } else { "" }, r.field, r.operator())?;
        }
        Ok(())
    }
}

impl std::str::FromStr for FieldSelector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        Self::parse(text)
    }
}

/// Escapes `\`, `,` and `=` so that a value can stand in a field selector.
pub fn escape_field_value(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '\\' | ',' | '=') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    term.char_indices().find_map(|(i, _)| {
        let (field, rest) = term.split_at(i);
        let operator = |text: &str, negated| rest.strip_prefix(text).map(|value| (field, negated, value));
        operator("!=", true).or_else(|| operator("==", false)).or_else(|| operator("=", false))
    })
}

fn unescape(value: &str) -> Result<String, SelectorError> {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped @ ('\\' | ',' | '=')) => out.push(escaped),
                other => {
                    let sequence: String = std::iter::once('\\').chain(other).collect();
                    return fail(format!("invalid field selector: invalid escape sequence: {sequence}"));
                }
            },
            // Go prints the character as a number.
            ',' | '=' => return fail(format!("invalid field selector: unescaped character in value: {}", c as u32)),
            c => out.push(c),
        }
    }
    Ok(out)
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

    #[test]
    fn field_selectors_escape() {
        let selector = FieldSelector::parse(r"c=d,a=b\,c").unwrap_or_default();
        assert_eq!(selector.exact("a"), Some("b,c"));
        assert_eq!(selector.to_string(), r"a=b\,c,c=d");
        assert!(selector.matches_with(|f| Some(if f == "a" { "b,c" } else { "d" })));
    }
}
