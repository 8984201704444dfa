//! `--sort-by`: objects in the order of a JSONPath's first result.

use std::cmp::Ordering;

use crate::cli::error::{Error, Result};
use crate::object::Value;
use crate::object::go::quote;
use crate::object::quantity::Quantity;
use crate::output::jsonpath::{self, JsonPath};
use crate::output::table::Table;
use crate::resource::Target;

/// Below this many items Go's `sort.Sort` is an insertion sort, whose order for items without the field is known.
const INSERTION_SORT_MAX: usize = 12;

/// Items in the order of the path's first result in `object` of each (kubectl's `SortingPrinter` and `TableSorter`).
fn sort<T>(items: Vec<T>, field: &str, object: impl Fn(&T) -> &Value) -> Result<Vec<T>> {
    let template = jsonpath::relaxed(field).map_err(|error| Error::new(error.to_string()))?;
    let path = JsonPath::parse(&template).map_err(|error| Error::new(error.to_string()))?;
    let mut keyed = Vec::with_capacity(items.len());
    for item in items {
        let found = path.find(object(&item), true).map_err(|error| Error::new(error.to_string()))?;
        let key = found.first().and_then(|results| results.first()).map(jsonpath::Found::to_value);
        keyed.push((key, item));
    }
    if !keyed.is_empty() && keyed.iter().all(|(key, _)| key.is_none()) {
        return Err(Error::new(format!(
            "couldn't find any field with path {} in the list of objects",
            quote(&template)
        )));
    }
    if keyed.len() <= INSERTION_SORT_MAX {
        insertion_sort(&mut keyed);
    } else {
        keyed.sort_by(|(a, _), (b, _)| order(a.as_ref(), b.as_ref()));
    }
    Ok(keyed.into_iter().map(|(_, item)| item).collect())
}

/// Go's insertion sort. An item without the field counts as less than anything, even than another one, so that such
/// items come first and in reverse.
fn insertion_sort<T>(keyed: &mut [(Option<Value>, T)]) {
    for end in 1..keyed.len() {
        let mut at = end;
        while at > 0 && less(keyed[at].0.as_ref(), keyed[at - 1].0.as_ref()) {
            keyed.swap(at, at - 1);
            at -= 1;
        }
    }
}

fn less(a: Option<&Value>, b: Option<&Value>) -> bool {
    a.is_none() || order(a, b).is_lt()
}

fn order(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => compare(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// Values of one type by that type's order; amounts of resources by size; what has no order stays as it is.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => match (Quantity::parse(a), Quantity::parse(b)) {
            (Ok(a), Ok(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            _ => natural(a.as_bytes(), b.as_bytes()),
        },
        (Value::Array(a), Value::Array(b)) => {
            let first = a.iter().zip(b).map(|(a, b)| compare(a, b)).find(|order| order.is_ne());
            first.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        _ => Ordering::Equal,
    }
}

/// Natural order: runs of digits compare as numbers and stand before all else, fewer leading zeros first.
fn natural(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        let (Some(x), Some(y)) = (a.first(), b.first()) else { return a.len().cmp(&b.len()) };
        match (x.is_ascii_digit(), y.is_ascii_digit()) {
            (true, true) => {
                let ((run_a, rest_a), (run_b, rest_b)) = (digits(a), digits(b));
                let (bare_a, bare_b) = (without_zeros(run_a), without_zeros(run_b));
                let by_value = bare_a.len().cmp(&bare_b.len()).then_with(|| bare_a.cmp(bare_b));
                let by_run = by_value.then_with(|| run_a.len().cmp(&run_b.len()));
                if by_run.is_ne() {
                    return by_run;
                }
                (a, b) = (rest_a, rest_b);
            }
            (false, false) if x == y => (a, b) = (&a[1..], &b[1..]),
            (false, false) => return x.cmp(y),
            (digit, _) => return if digit { Ordering::Less } else { Ordering::Greater },
        }
    }
}

/// The digits that `text` starts with, and the rest.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    &digits[digits.iter().take_while(|byte| **byte == b'0').count()..]
}

/// Sorts objects.
///
/// # Errors
/// When the path cannot be read, does not fit, or no object has the field.
pub fn objects(targets: &mut Vec<Target>, field: &str) -> Result<()> {
    *targets = sort(std::mem::take(targets), field, |target| &target.object)?;
    Ok(())
}

/// Sorts the rows of tables by a field of their objects; tables of single objects among themselves.
///
/// # Errors
/// As [`objects`].
pub fn tables(tables: &mut [Table], field: &str) -> Result<()> {
    for table in tables {
        table.rows = sort(std::mem::take(&mut table.rows), field, |row| &row.object)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_compare_by_their_type() {
        for (less, more) in [
            (json!(9), json!(10)),
            (json!("pod-9"), json!("pod-10")),
            (json!("pod-1"), json!("pod-a")),
            (json!("a1"), json!("a01")),
            (json!("900Mi"), json!("1Gi")),
            (json!([1, 2]), json!([1, 3])),
        ] {
            assert_eq!(compare(&less, &more), Ordering::Less, "{less} {more}");
            assert_eq!(compare(&more, &less), Ordering::Greater, "{more} {less}");
        }
    }

    #[test]
    fn objects_without_the_field_come_first() {
        let items = vec![json!({"n": "b", "v": 2}), json!({"n": "x"}), json!({"n": "y"}), json!({"n": "a", "v": 1})];
        let sorted = sort(items.clone(), ".v", |item| item).expect("a field that is there");
        let names: Vec<&str> = sorted.iter().filter_map(|item| item["n"].as_str()).collect();
        assert_eq!(names, ["y", "x", "a", "b"]);
        assert_eq!(
            sort(items, "{.none}", |item| item).map_err(|error| error.to_string()),
            Err("couldn't find any field with path \"{.none}\" in the list of objects".to_owned())
        );
    }
}
