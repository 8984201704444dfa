//! Defaults in schemas: they are pruned, and fulfil the schema that they stand in.

use crate::object::field::{Error, ErrorList, Path};

use super::props::Props;
use super::{lists, prune, validate};

/// Checks the defaults of a schema at the root of objects.
pub fn check(errors: &mut ErrorList, path: &Path, schema: &Props, pruned: bool) {
    walk(errors, path, schema, true, false, pruned);
}

fn walk(errors: &mut ErrorList, path: &Path, schema: &Props, root: bool, inside_meta: bool, pruned: bool) {
    let resource = root || schema.embedded_resource;
    let inside_meta = inside_meta && !schema.embedded_resource;
    if let Some(default) = &schema.default {
        let at = path.child("default");
        if !inside_meta && pruned {
            let mut copy = default.clone();
            if schema.embedded_resource {
                prune::prune(&mut copy, schema);
            } else {
                prune::prune_value(&mut copy, schema);
            }
            if copy != *default {
                errors.push(Error::invalid(&at, default.clone(), "must not have unknown fields"));
            }
        }
        validate::validate(errors, &at, default, None, schema);
        let mut repeated = ErrorList::new();
        lists::check(&mut repeated, &at, default, schema);
        errors.append(&mut repeated);
    }
    if let Some(item) = schema.item() {
        walk(errors, &path.child("items"), item, false, inside_meta, pruned);
    }
    for (name, field) in &schema.properties {
        let meta = inside_meta || (resource && matches!(name.as_str(), "metadata" | "apiVersion" | "kind"));
        walk(errors, &path.child("properties").key(name), field, false, meta, pruned);
    }
}
