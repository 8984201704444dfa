//! Field selectors.

use std::fmt;

use super::{SelectorError, fail};

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

    #[test]
    fn field_selectors_escape() {
        let selector = FieldSelector::parse(r"c=d,a=b\,c").unwrap_or_default();
        assert_eq!(selector.exact("a"), Some("b,c"));
        assert_eq!(selector.to_string(), r"a=b\,c,c=d");
        assert!(selector.matches_with(|f| Some(if f == "a" { "b,c" } else { "d" })));
    }
}
