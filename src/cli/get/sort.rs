//! `--sort-by`: a JSONPath of each object, compared as kubectl compares what it finds.

use std::cell::RefCell;
use std::cmp::Ordering;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::object::quantity::Quantity;
use crate::object::{Value, go_sort};
use crate::output::jsonpath::{self, Found, JsonPath};
use crate::output::table::{Row, Table};
use crate::resource::Target;

/// What an object is sorted by; nothing when it lacks the field.
type Key<'a> = Option<Found<'a>>;

/// The field to sort by.
pub struct Sorter<'c> {
    cx: &'c Context,
    text: String,
    path: JsonPath,
}

impl<'c> Sorter<'c> {
    /// A field as people write it: `.metadata.name`, `{.metadata.name}`, `metadata.name`.
    ///
    /// # Errors
    /// What is no such path.
    pub fn strict(cx: &'c Context, field: &str) -> Result<Self> {
        let text = jsonpath::relaxed(field).map_err(|error| Error::new(error.to_string()))?;
        Self::parse(cx, text)
    }

    /// The same for tables, which take any template as it is.
    ///
    /// # Errors
    /// What is no template.
    pub fn lenient(cx: &'c Context, field: &str) -> Result<Self> {
        Self::parse(cx, jsonpath::relaxed(field).unwrap_or_else(|_| field.to_owned()))
    }

    fn parse(cx: &'c Context, text: String) -> Result<Self> {
        let path = JsonPath::parse(&text).map_err(|error| Error::new(error.to_string()))?;
        Ok(Self { cx, text, path })
    }

    fn key<'a>(&'a self, object: &'a Value) -> Result<Key<'a>> {
        let found = self.path.find(object, true).map_err(|error| Error::new(error.to_string()))?;
        Ok(found.first().and_then(|part| part.first()).copied())
    }

    /// The positions of objects in their order; `holder` is what Go calls the type of what holds them.
    ///
    /// # Errors
    /// When no object has the field, or it holds what cannot be ordered.
    fn order<'a>(&'a self, objects: impl Iterator<Item = &'a Value>, holder: &str) -> Result<Vec<usize>> {
        let keys = objects.map(|object| self.key(object)).collect::<Result<Vec<_>>>()?;
        if !keys.is_empty() && keys.iter().all(Option::is_none) {
            let text = &self.text;
            return Err(Error::new(format!("couldn't find any field with path \"{text}\" in the list of objects")));
        }
        let refused = RefCell::new(None);
        let order = go_sort::sorted(keys.len(), |a, b| {
            refused.borrow().is_none()
                && less(&keys[a], &keys[b]).unwrap_or_else(|why| {
                    *refused.borrow_mut() = Some(why);
                    false
                })
        });
        let Some(why) = refused.into_inner() else { return Ok(order) };
        let what = format!("Field {} in {holder} is an unsortable type: interface, err: {why}", self.text);
        self.cx.log('F', "sorter.go:353", &what)?;
        Err(Error::silent(1))
    }

    /// Sorts objects.
    ///
    /// # Errors
    /// When no object has the field, or it holds what cannot be ordered.
    pub fn objects(&self, targets: &mut Vec<Target>) -> Result<()> {
        if targets.is_empty() {
            return Ok(());
        }
        let order = self.order(targets.iter().map(|target| &target.object), "*unstructured.Unstructured")?;
        arrange(targets, &order);
        Ok(())
    }

    /// Sorts rows by their objects.
    ///
    /// # Errors
    /// As [`Sorter::objects`].
    pub fn rows(&self, rows: &mut Vec<Row>) -> Result<()> {
        let order = self.order(rows.iter().map(|row| &row.object), "[][][]reflect.Value")?;
        arrange(rows, &order);
        Ok(())
    }

    /// Sorts the rows of a table; one row alone is in order whatever it holds.
    ///
    /// # Errors
    /// As [`Sorter::objects`].
    pub fn table(&self, table: &mut Table) -> Result<()> {
        if table.rows.len() < 2 { Ok(()) } else { self.rows(&mut table.rows) }
    }
}

/// Puts first what stood at `order[0]`, and so on.
fn arrange<T>(items: &mut Vec<T>, order: &[usize]) {
    let mut slots: Vec<Option<T>> = items.drain(..).map(Some).collect();
    items.extend(order.iter().filter_map(|at| slots.get_mut(*at).and_then(Option::take)));
}

/// Whether `a` comes first. What lacks the field comes before everything, even its like: Go's sort turns their order
/// around.
fn less(a: &Key<'_>, b: &Key<'_>) -> std::result::Result<bool, String> {
    let (Some(a), Some(b)) = (a, b) else { return Ok(a.is_none()) };
    match (a.to_value(), b.to_value()) {
        (Value::Null, b) => Ok(!b.is_null()),
        (_, Value::Null) => Ok(false),
        (Value::String(a), Value::String(b)) => Ok(order_of_texts(&a, &b).is_lt()),
        (Value::Number(a), Value::Number(b)) if a.is_f64() == b.is_f64() => Ok(match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a < b,
            _ => a.as_f64() < b.as_f64(),
        }),
        (Value::String(_) | Value::Number(_), _) => Err("unsortable interface: interface".to_owned()),
        _ => Err(format!("unsortable type: {}", a.type_name())),
    }
}

/// Amounts compare by size, all other texts by bytes.
fn order_of_texts(a: &str, b: &str) -> Ordering {
    match (Quantity::parse(a), Quantity::parse(b)) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn first(a: &Value, b: &Value) -> std::result::Result<bool, String> {
        less(&Some(Found::Json(a)), &Some(Found::Json(b)))
    }

    #[test]
    fn fields_compare_by_their_type() {
        assert_eq!(first(&json!(9), &json!(10)), Ok(true));
        assert_eq!(first(&json!("pod-9"), &json!("pod-10")), Ok(false), "texts compare by bytes");
        assert_eq!(first(&json!("9"), &json!("10")), Ok(true), "amounts compare by size");
        assert_eq!(first(&json!("1Gi"), &json!("900Mi")), Ok(false));
        assert_eq!(first(&json!("10"), &json!("a")), Ok(true));
        assert_eq!(first(&Value::Null, &json!(1)), Ok(true));
        assert_eq!(first(&json!(true), &json!(false)), Err("unsortable type: bool".to_owned()));
        assert_eq!(first(&json!("a"), &json!(1)), Err("unsortable interface: interface".to_owned()));
        assert_eq!(first(&json!({}), &json!(1)), Err("unsortable type: map[string]interface {}".to_owned()));
        assert_eq!(less(&None, &None), Ok(true));
        assert_eq!(less(&Some(Found::Int(1)), &None), Ok(false));
    }
}
