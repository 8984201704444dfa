//! What an applied configuration holds of values that are only ever replaced as a whole.

use super::typed::{Shape, Type};
use crate::kinds::SchemaNode;
use crate::object::Value;

/// The paths of the atomic lists and maps in a configuration.
pub fn atomics(config: &Value, schema: Option<SchemaNode<'_>>) -> Vec<String> {
    let mut found = Vec::new();
    find(config, Type::of_object(schema), "", &mut found);
    found
}

fn find(value: &Value, type_: Type<'_>, path: &str, found: &mut Vec<String>) {
    match (value, type_.shape(Some(value))) {
        (Value::Object(map), Shape::Map(shape)) => {
            if shape.atomic {
                found.push(path.to_owned());
            }
            for (name, value) in map {
                if let Some(type_) = shape.named(name) {
                    find(value, type_, &format!("{path}.{name}"), found);
                }
            }
        }
        (Value::Array(items), Shape::List(shape)) => {
            if shape.atomic {
                found.push(path.to_owned());
            }
            items.iter().enumerate().for_each(|(at, item)| find(item, shape.item, &format!("{path}[{at}]"), found));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::Schemas;
    use crate::object::GroupVersionKind;

    #[test]
    fn atomic_lists_and_maps_are_named() {
        let pod = Schemas::builtin().of_kind(&GroupVersionKind::new("", "v1", "Pod"));
        let config = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"nodeSelector": {"a": "b"},
            "containers": [{"name": "a", "args": ["x"]}]}});
        assert_eq!(atomics(&config, pod), [".spec.containers[0].args", ".spec.nodeSelector"]);
    }
}
