//! Labels and selectors as flags write them.

use serde_json::{Map, Value, json};

use super::error::{Error, Result};
use crate::object::go::quote;
use crate::object::selector::{LabelSelector, Operator};

/// The `LabelSelector` of an object that a selector's text means.
///
/// # Errors
/// Text that is no selector, and comparisons that such an object cannot hold.
pub fn to_selector(text: &str) -> Result<Value> {
    let parsed = LabelSelector::parse(text)
        .map_err(|error| Error::new(format!("couldn't parse the selector string \"{text}\": {error}")))?;
    let (mut labels, mut expressions) = (Map::new(), Vec::new());
    for requirement in parsed.requirements() {
        let operator = match requirement.operator {
            Operator::Equals | Operator::DoubleEquals => {
                let [value] = requirement.values.as_slice() else {
                    return Err(Error::new("equals operator must have exactly one value"));
                };
                labels.insert(requirement.key.clone(), value.clone().into());
                continue;
            }
            Operator::In => "In",
            Operator::NotIn => "NotIn",
            Operator::Exists => "Exists",
            Operator::DoesNotExist => "DoesNotExist",
            Operator::GreaterThan | Operator::LessThan => {
                let operator = quote(requirement.operator.as_str());
                return Err(Error::new(format!("{operator} isn't supported in label selectors")));
            }
            Operator::NotEquals => {
                let operator = quote(requirement.operator.as_str());
                return Err(Error::new(format!("{operator} is not a valid label selector operator")));
            }
        };
        let mut expression = json!({"key": requirement.key, "operator": operator});
        if !requirement.values.is_empty() {
            expression["values"] = json!(requirement.values);
        }
        expressions.push(expression);
    }
    let mut selector = json!({});
    if !labels.is_empty() {
        selector["matchLabels"] = labels.into();
    }
    if !expressions.is_empty() {
        selector["matchExpressions"] = expressions.into();
    }
    Ok(selector)
}

/// Labels as `a=b,c=d`; the later of two equal keys counts.
///
/// # Errors
/// Items of another form.
pub fn parse(text: &str) -> Result<Map<String, Value>> {
    let mut labels = Map::new();
    for item in text.split(',') {
        let parts: Vec<&str> = item.split('=').collect();
        match parts.as_slice() {
            ["", _] => return Err(Error::new("unexpected empty label key")),
            [key, value] => labels.insert((*key).to_owned(), (*value).into()),
            _ => return Err(Error::new(format!("unexpected label spec: {item}"))),
        };
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_become_objects() {
        let selector = to_selector("a=b,c in (y,x),!d").expect("a selector");
        assert_eq!(
            selector,
            json!({"matchLabels": {"a": "b"}, "matchExpressions": [
                {"key": "c", "operator": "In", "values": ["x", "y"]}, {"key": "d", "operator": "DoesNotExist"}]})
        );
        let refused = to_selector("a!=b").expect_err("not to be held").text();
        assert_eq!(refused, "\"!=\" is not a valid label selector operator");
        assert_eq!(parse("a=").map(Value::from).ok(), Some(json!({"a": ""})));
        assert_eq!(parse("a=b,c").map_err(|error| error.text()), Err("unexpected label spec: c".into()));
    }
}
