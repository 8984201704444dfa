//! `KEY=VALUE` and `KEY-` among arguments.

use crate::cli::error::{Error, Result};

/// What is to be set and what is to be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    /// Keys with their values, in the order given; a key given twice keeps its last value.
    pub set: Vec<(String, String)>,
    /// Keys to remove.
    pub removed: Vec<String>,
}

impl Pairs {
    /// Reads the arguments; `what` they are stands in the error.
    ///
    /// # Errors
    /// Arguments of another form: `invalid WHAT format: a, b`.
    pub fn parse(arguments: &[String], what: &str) -> Result<Self> {
        let mut pairs = Self::default();
        let mut invalid = Vec::new();
        for argument in arguments {
            match (argument.split_once('='), argument.strip_suffix('-')) {
                (Some((key, value)), _) if !key.is_empty() => {
                    pairs.set.retain(|(known, _)| known != key);
                    pairs.set.push((key.to_owned(), value.to_owned()));
                }
                (_, Some(key)) if !key.is_empty() => pairs.removed.push(key.to_owned()),
                _ => invalid.push(argument.as_str()),
            }
        }
        if invalid.is_empty() {
            Ok(pairs)
        } else {
            Err(Error::new(format!("invalid {what} format: {}", invalid.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_set_and_removed() {
        let parse = |words: &[&str]| Pairs::parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>(), "x");
        let pairs = parse(&["a=1", "b-", "a=2=3", "c="]).expect("well formed");
        assert_eq!(pairs.set, [("a".into(), "2=3".into()), ("c".into(), String::new())]);
        assert_eq!(pairs.removed, ["b"]);
        assert_eq!(parse(&["=a", "b", "-"]).map_err(|error| error.text()), Err("invalid x format: =a, b, -".into()));
    }
}
