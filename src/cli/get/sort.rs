//! `--sort-by`.

use std::cmp::Ordering;

use crate::cli::error::{Error, Result};
use crate::object::Value;
use crate::output::table::Table;
use crate::resource::Target;

/// One step of a field's path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// A path such as `.metadata.name`, `{.spec.containers[0].image}` or `metadata.labels['a.b/c']`.
struct FieldPath {
    text: String,
    steps: Vec<Step>,
}

impl FieldPath {
    fn parse(text: &str) -> Result<Self> {
        let refused = || {
            Error::new(
                "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or \
                 '{.name1.name2}'",
            )
        };
        let inner = text.trim();
        let inner = inner.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(inner);
        let mut steps = Vec::new();
        let mut rest = inner.strip_prefix('.').unwrap_or(inner);
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                let end = after.find(']').ok_or_else(refused)?;
                let inside = &after[..end];
                steps.push(match inside.parse() {
                    Ok(index) => Step::Index(index),
                    Err(_) => Step::Key(inside.trim_matches(['\'', '"']).to_owned()),
                });
                rest = &after[end + 1..];
            } else {
                let mut key = String::new();
                let mut letters = rest.char_indices();
                let mut end = rest.len();
                while let Some((at, letter)) = letters.next() {
                    match letter {
                        '\\' => key.extend(letters.next().map(|(_, escaped)| escaped)),
                        '.' | '[' => {
                            end = at;
                            break;
                        }
                        letter => key.push(letter),
                    }
                }
                steps.push(Step::Key(key));
                rest = &rest[end..];
            }
            rest = rest.strip_prefix('.').unwrap_or(rest);
        }
        Ok(Self { text: format!("{{.{}}}", inner.trim_start_matches('.')), steps })
    }

    fn value<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        self.steps.iter().try_fold(object, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        })
    }

    /// Fails when no object has the field.
    fn check<'a>(&self, objects: impl Iterator<Item = &'a Value>) -> Result<()> {
        let mut objects = objects.peekable();
        if objects.peek().is_none() || objects.any(|object| self.value(object).is_some()) {
            return Ok(());
        }
        Err(Error::new(format!("couldn't find any field with path \"{}\" in the list of objects", self.text)))
    }

    fn order(&self, a: &Value, b: &Value) -> Ordering {
        match (self.value(a), self.value(b)) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => compare(a, b),
        }
    }
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => match (quantity(a), quantity(b)) {
            (Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            _ => natural(a, b),
        },
        (Value::Array(a), Value::Array(b)) => {
            let first = a.iter().zip(b).map(|(a, b)| compare(a, b)).find(|order| order.is_ne());
            first.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        _ => Ordering::Equal,
    }
}

/// Resource amounts compare by size.
fn quantity(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 13] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
    ];
    let (number, size) = SUFFIXES
        .iter()
        .find_map(|(suffix, size)| text.strip_suffix(suffix).map(|number| (number, *size)))
        .unwrap_or((text, 1.0));
    if !number.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return None;
    }
    number.parse::<f64>().ok().map(|number| number * size)
}

/// Runs of digits compare as numbers, all else by bytes.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        match (a.first(), b.first()) {
            (None, None) => return Ordering::Equal,
            (None, _) => return Ordering::Less,
            (_, None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let ((run_a, rest_a), (run_b, rest_b)) = (a.split_at(digits(a)), b.split_at(digits(b)));
                let bare = |run: &[u8]| run.iter().position(|byte| *byte != b'0').unwrap_or(run.len());
                let (bare_a, bare_b) = (&run_a[bare(run_a)..], &run_b[bare(run_b)..]);
                let order = bare_a.len().cmp(&bare_b.len()).then_with(|| bare_a.cmp(bare_b));
                if order.is_ne() {
                    return order;
                }
                (a, b) = (rest_a, rest_b);
            }
            (Some(x), Some(y)) if x == y => (a, b) = (&a[1..], &b[1..]),
            (Some(x), Some(y)) => return x.cmp(y),
        }
    }
}

/// Sorts objects.
pub fn objects(targets: &mut [Target], field: &str) -> Result<()> {
    let path = FieldPath::parse(field)?;
    path.check(targets.iter().map(|target| &target.object))?;
    targets.sort_by(|a, b| path.order(&a.object, &b.object));
    Ok(())
}

/// Sorts the rows of tables by a field of their objects; tables of single objects among themselves.
pub fn tables(tables: &mut [Table], field: &str) -> Result<()> {
    let path = FieldPath::parse(field)?;
    for table in tables.iter_mut() {
        path.check(table.rows.iter().map(|row| &row.object))?;
        table.rows.sort_by(|a, b| path.order(&a.object, &b.object));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_compare_by_their_type() {
        let path = FieldPath::parse("{.a.b[1]}").expect("a path");
        let value = |b: Value| json!({"a": {"b": [0, b]}});
        assert_eq!(path.order(&value(json!(9)), &value(json!(10))), Ordering::Less);
        assert_eq!(path.order(&value(json!("pod-9")), &value(json!("pod-10"))), Ordering::Less);
        assert_eq!(path.order(&value(json!("1Gi")), &value(json!("900Mi"))), Ordering::Greater);
        assert_eq!(path.order(&json!({}), &value(json!(1))), Ordering::Less);
        assert!(path.check([json!({})].iter()).is_err());
    }
}
