//! What the schema of a version may say (`ValidateCustomResourceDefinitionOpenAPISchema`).

use crate::object::Value;
use crate::object::field::{Error, ErrorList, Path};

use super::props::{Additional, Items, Props};
use super::rule_checks::{Cardinality, RuleChecks};
use super::{defaults, definition, structural};

/// Types that a schema may name.
const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// Reasons that a rule may give.
const REASONS: [&str; 4] = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

/// Checks the schema of a version, `{"openAPIV3Schema": …}`.
pub fn check(errors: &mut ErrorList, schema: Option<&Value>, has_status: bool, path: &Path, old: Option<&Value>) {
    let Some(value) = schema.and_then(|schema| schema.get("openAPIV3Schema")) else { return };
    let Some(schema) = Props::from_value(value) else { return };
    let mut found = ErrorList::new();
    let at = path.child("openAPIV3Schema");
    if has_status {
        root_with_status(&mut found, value, &schema, path);
    }
    if schema.nullable {
        found.push(Error::forbidden(&path.child("openAPIV3Schema.nullable"), "nullable cannot be true at the root"));
    }
    let old_schemas = old.map(definition::schemas).unwrap_or_default();
    let mut compiled = false;
    if structural::is_convertible(&schema) {
        let mut problems = structural::validate(&at, &schema);
        if problems.is_empty() {
            defaults::check(&mut problems, &at, &schema, true);
        }
        compiled = problems.is_empty();
        found.append(&mut problems);
    }
    let cardinality = compiled.then_some(Cardinality::AtMost(1));
    let context = Context { root: true, resource: true, cardinality, ..Context::default() };
    let tight = !old_schemas.contains(&schema);
    let mut rules = Rules { errors: ErrorList::new(), tight, compiled: RuleChecks::new(tight) };
    rules.walk(&schema, &at, &context);
    found.append(&mut rules.errors);
    found.append(&mut rules.compiled.errors);
    rules.compiled.total(&mut found, &at);
    errors.append(&mut found);
}

/// With a status subresource the root says little, for its status is validated alone.
fn root_with_status(errors: &mut ErrorList, value: &Value, schema: &Props, path: &Path) {
    const ALLOWED: &[(&str, &str)] = &[
        ("description", "Description"),
        ("type", "Type"),
        ("format", "Format"),
        ("title", "Title"),
        ("maximum", "Maximum"),
        ("exclusiveMaximum", "ExclusiveMaximum"),
        ("minimum", "Minimum"),
        ("exclusiveMinimum", "ExclusiveMinimum"),
        ("maxLength", "MaxLength"),
        ("minLength", "MinLength"),
        ("pattern", "Pattern"),
        ("maxItems", "MaxItems"),
        ("minItems", "MinItems"),
        ("uniqueItems", "UniqueItems"),
        ("multipleOf", "MultipleOf"),
        ("required", "Required"),
        ("items", "Items"),
        ("properties", "Properties"),
        ("externalDocs", "ExternalDocs"),
        ("example", "Example"),
        ("x-kubernetes-preserve-unknown-fields", "XPreserveUnknownFields"),
        ("x-kubernetes-validations", "XValidations"),
    ];
    if !schema.type_.is_empty() && schema.type_ != "object" {
        let why =
            "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
        errors.push(Error::invalid(&path.child("openAPIV3Schema.type"), &*schema.type_, why));
        return;
    }
    let known = |name: &str| ALLOWED.iter().any(|(field, _)| *field == name);
    if value.as_object().into_iter().flatten().any(|(name, _)| !known(name)) {
        let names: Vec<&str> = ALLOWED.iter().map(|(_, go)| *go).collect();
        let why = format!(
            "only [{}] fields are allowed at the root of the schema if the status subresource is enabled",
            names.join(" ")
        );
        errors.push(Error::invalid(&path.child("openAPIV3Schema"), value.clone(), why));
    }
}

/// Where a schema stands.
#[derive(Clone, Default)]
struct Context {
    root: bool,
    inside_meta: bool,
    /// Why defaults may not be set, if they may not.
    no_defaults: Option<String>,
    /// The first schema above whose values cannot be told apart over time.
    uncorrelated: Option<Path>,
    /// Whether the values are whole resources.
    resource: bool,
    /// How many such values an object can hold; nothing where no rules are compiled.
    cardinality: Option<Cardinality>,
}

impl Context {
    /// The context of what the values of a schema hold.
    fn below(&self, schema: &Props, inner: &Props) -> Self {
        let cardinality = self.cardinality.map(|cardinality| cardinality.below(schema));
        Self { resource: inner.embedded_resource, cardinality, ..self.clone() }
    }
}

struct Rules {
    errors: ErrorList,
    /// Whether what older definitions may say is checked too.
    tight: bool,
    /// What the rules of the schema come to.
    compiled: RuleChecks,
}

impl Rules {
    fn forbid(&mut self, path: &Path, why: &str) {
        self.errors.push(Error::forbidden(path, why));
    }

    fn walk(&mut self, schema: &Props, path: &Path, context: &Context) {
        let before = self.errors.len();
        self.unsupported(schema, path, context);
        if schema.unique_items {
            let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            self.forbid(&path.child("uniqueItems"), why);
        }
        let inner = Context { root: false, resource: false, ..context.clone() };
        self.additional(schema, path, &inner);
        for (name, field) in &schema.properties {
            let mut inner = inner.clone();
            if schema.map_type.as_deref() == Some("atomic") {
                inner.uncorrelated.get_or_insert_with(|| path.clone());
            }
            if (context.root || schema.embedded_resource) && matches!(name.as_str(), "metadata" | "kind" | "apiVersion")
            {
                inner.inside_meta = true;
                if context.root {
                    inner.no_defaults = Some(format!("in top-level {name}"));
                }
            }
            self.walk(field, &path.child("properties").key(name), &inner.below(schema, field));
        }
        let items = inner.clone();
        let inner = Context { cardinality: None, ..inner };
        if let Some(not) = &schema.not {
            self.walk(not, &path.child("not"), &inner);
        }
        let lists = [("allOf", &schema.all_of), ("oneOf", &schema.one_of), ("anyOf", &schema.any_of)];
        for (field, list) in lists {
            list.iter().enumerate().for_each(|(at, one)| self.walk(one, &path.child(field).index(at), &inner));
        }
        for (name, one) in &schema.definitions {
            self.walk(one, &path.child("definitions").key(name), &inner);
        }
        self.items(schema, path, &items);
        self.extensions(schema, path);
        self.list_map(schema, path);
        if self.tight {
            self.keys(schema, path);
        }
        self.validations(schema, path);
        if let Some(cardinality) = context.cardinality.filter(|_| self.errors.len() == before) {
            let uncorrelated = context.uncorrelated.as_ref();
            self.compiled.check(schema, path, context.resource, cardinality, uncorrelated);
        }
    }

    fn unsupported(&mut self, schema: &Props, path: &Path, context: &Context) {
        if !schema.type_.is_empty() && !TYPES.contains(&schema.type_.as_str()) {
            self.errors.push(Error::not_supported(&path.child("type"), &*schema.type_, &TYPES));
        }
        if schema.default.is_some()
            && let Some(why) = &context.no_defaults
        {
            self.forbid(&path.child("default"), &format!("must not be set {why}"));
        }
        let checks = [
            (!schema.id.is_empty(), "id", "id is not supported"),
            (schema.additional_items.is_some(), "additionalItems", "additionalItems is not supported"),
            (!schema.pattern_properties.is_empty(), "patternProperties", "patternProperties is not supported"),
            (!schema.definitions.is_empty(), "definitions", "definitions is not supported"),
            (schema.dependencies.is_some(), "dependencies", "dependencies is not supported"),
            (schema.reference.is_some(), "$ref", "$ref is not supported"),
            (schema.type_ == "null", "type", "type cannot be set to null, use nullable as an alternative"),
            (matches!(schema.items, Some(Items::Many(_))), "items", "items must be a schema object and not an array"),
            (
                context.inside_meta && schema.embedded_resource,
                "x-kubernetes-embedded-resource",
                "must not be used inside of resource meta",
            ),
        ];
        for (wrong, field, why) in checks {
            if wrong {
                self.forbid(&path.child(field), why);
            }
        }
    }

    fn additional(&mut self, schema: &Props, path: &Path, inner: &Context) {
        let at = path.child("additionalProperties");
        let exclusive = !matches!(schema.additional_properties, None | Some(Additional::Allowed(true)));
        if exclusive && !schema.properties.is_empty() {
            self.forbid(&at, "additionalProperties and properties are mutual exclusive");
        }
        if let Some(values) = schema.values() {
            let mut inner = inner.clone();
            if inner.inside_meta {
                inner.no_defaults = Some("inside additionalProperties applying to object metadata".into());
            }
            self.walk(values, &at, &inner.below(schema, values));
        }
    }

    fn items(&mut self, schema: &Props, path: &Path, inner: &Context) {
        let mut inner = inner.clone();
        if !schema.is_list_map() {
            inner.uncorrelated.get_or_insert_with(|| path.clone());
        }
        match &schema.items {
            Some(Items::One(one)) => self.walk(one, &path.child("items"), &inner.below(schema, one)),
            Some(Items::Many(many)) => {
                many.iter().enumerate().for_each(|(at, one)| self.walk(one, &path.child("items").index(at), &inner));
            }
            None => {}
        }
    }

    /// A type that an extension demands.
    fn demand(&mut self, schema: &Props, path: &Path, type_: &str, extension: &str) -> bool {
        if schema.type_ == type_ {
            return true;
        }
        let why = format!("must be {type_} if {extension} is specified");
        let at = path.child("type");
        if schema.type_.is_empty() {
            self.errors.push(Error::required(&at, why));
        } else {
            self.errors.push(Error::invalid(&at, &*schema.type_, why));
        }
        false
    }

    fn extensions(&mut self, schema: &Props, path: &Path) {
        if schema.preserve_unknown_fields == Some(false) {
            let at = path.child("x-kubernetes-preserve-unknown-fields");
            self.errors.push(Error::invalid(&at, false, "must be true or undefined"));
        }
        if let Some(map_type) = &schema.map_type {
            let known = ["atomic", "granular"];
            self.demand(schema, path, "object", "x-kubernetes-map-type");
            if !known.contains(&map_type.as_str()) {
                self.errors.push(Error::not_supported(&path.child("x-kubernetes-map-type"), &**map_type, &known));
            }
        }
        let Some(list_type) = &schema.list_type else { return };
        if self.demand(schema, path, "array", "x-kubernetes-list-type") && list_type == "set" && self.tight {
            self.set_items(schema, path);
        }
        let known = ["atomic", "set", "map"];
        if !known.contains(&list_type.as_str()) {
            self.errors.push(Error::not_supported(&path.child("x-kubernetes-list-type"), &**list_type, &known));
        }
    }

    fn set_items(&mut self, schema: &Props, path: &Path) {
        let Some(item) = schema.item() else { return };
        let shown = item.list_type.as_deref().map_or(Value::Null, Value::from);
        let why = "must be atomic as item of a list with x-kubernetes-list-type=set";
        let at = path.child("items");
        match item.type_.as_str() {
            "array" if item.list_type.as_deref().is_some_and(|type_| type_ != "atomic") => {
                self.errors.push(Error::invalid(&at.child("x-kubernetes-list-type"), shown, why));
            }
            "object" if item.map_type.as_deref() != Some("atomic") => {
                self.errors.push(Error::invalid(&at.child("x-kubernetes-map-type"), shown, why));
            }
            _ => {}
        }
    }

    fn list_map(&mut self, schema: &Props, path: &Path) {
        let (type_path, keys_path) = (path.child("x-kubernetes-list-type"), path.child("x-kubernetes-list-map-keys"));
        if !schema.list_map_keys.is_empty() && !schema.is_list_map() {
            let why = "must be map if x-kubernetes-list-map-keys is non-empty";
            match &schema.list_type {
                None => self.errors.push(Error::required(&type_path, why)),
                Some(other) => self.errors.push(Error::invalid(&type_path, &**other, why)),
            }
        }
        if !schema.is_list_map() {
            return;
        }
        if schema.list_map_keys.is_empty() {
            self.errors.push(Error::required(&keys_path, "must not be empty if x-kubernetes-list-type is map"));
        }
        let items = path.child("items");
        let Some(item) = schema.item() else {
            if schema.items.is_none() {
                self.errors.push(Error::required(&items, "must have a schema if x-kubernetes-list-type is map"));
            } else {
                let why = "must only have a single schema if x-kubernetes-list-type is map";
                self.errors.push(Error::invalid(&items, Value::Null, why));
            }
            return;
        };
        if item.type_ != "object" {
            let why = "must be object if parent array's x-kubernetes-list-type is map";
            self.errors.push(Error::invalid(&items.child("type"), &*item.type_, why));
            return;
        }
        for (at, key) in schema.list_map_keys.iter().enumerate() {
            match item.properties.get(key) {
                Some(field) if matches!(field.type_.as_str(), "array" | "object") => {
                    let why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                    let at = items.child("properties").key(key).child("type");
                    self.errors.push(Error::invalid(&at, &*item.type_, why));
                }
                Some(_) => {}
                None => {
                    let why = "entries must all be names of item properties";
                    self.errors.push(Error::invalid(&keys_path, schema.list_map_keys.clone(), why));
                }
            }
            if schema.list_map_keys.iter().take(at).any(|other| other == key) {
                let why = "must not contain duplicate entries";
                self.errors.push(Error::invalid(&keys_path, schema.list_map_keys.clone(), why));
            }
        }
    }

    /// Keys of maps are there, and items are no nulls.
    fn keys(&mut self, schema: &Props, path: &Path) {
        let (Some(item), Some(list_type @ ("set" | "map"))) = (schema.item(), schema.list_type.as_deref()) else {
            return;
        };
        let items = path.child("items");
        if item.nullable {
            let why = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
            self.forbid(&items.child("nullable"), &why);
        }
        if list_type == "set" {
            return;
        }
        for key in &schema.list_map_keys {
            let Some(field) = item.properties.get(key) else { continue };
            let at = items.child("properties").key(key);
            if !item.required.contains(key) && field.default.is_none() {
                let why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required \
                           property";
                self.errors.push(Error::required(&at.child("default"), why));
            }
            if field.nullable {
                let why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
                self.forbid(&at.child("nullable"), why);
            }
        }
    }

    fn validations(&mut self, schema: &Props, path: &Path) {
        for (at, rule) in schema.validations.iter().enumerate() {
            let at = path.child("x-kubernetes-validations").index(at);
            let (text, message) = (rule.rule.trim(), rule.message.trim());
            let broken = |text: &str| text.contains(['\n', '\r']);
            if text.is_empty() {
                self.errors.push(Error::required(&at.child("rule"), "rule is not specified"));
            } else if !rule.message.is_empty() && message.is_empty() {
                self.errors.push(Error::invalid(
                    &at.child("message"),
                    &*rule.message,
                    "must be non-empty if specified",
                ));
            } else if broken(message) {
                self.errors.push(Error::invalid(&at.child("message"), &*rule.message, "must not contain line breaks"));
            } else if broken(text) && message.is_empty() {
                let why = "message must be specified if rule contains line breaks";
                self.errors.push(Error::required(&at.child("message"), why));
            }
            if !rule.message_expression.is_empty() && rule.message_expression.trim().is_empty() {
                let why = "messageExpression must be non-empty if specified";
                self.errors.push(Error::required(&at.child("messageExpression"), why));
            }
            if let Some(reason) = rule.reason.as_deref().filter(|reason| !REASONS.contains(reason)) {
                self.errors.push(Error::not_supported(&at.child("reason"), reason, &REASONS));
            }
            let field = at.child("fieldPath");
            if rule.field_path.is_empty() {
                continue;
            }
            if rule.field_path.trim().is_empty() {
                self.errors.push(Error::invalid(&field, &*rule.field_path, "must be non-empty if specified"));
            }
            if broken(&rule.field_path) {
                self.errors.push(Error::invalid(&field, &*rule.field_path, "must not contain line breaks"));
            }
            if structural::is_convertible(schema) && field_at(schema, &rule.field_path, true).is_err() {
                self.errors.push(Error::invalid(&field, &*rule.field_path, "must be a valid path"));
            }
        }
    }
}

/// The parts of a path of fields: `.a.b`, and, where allowed, `['c']`.
///
/// # Errors
///
/// What is wrong with it, in the reference server's words.
pub fn path_parts(text: &str, brackets: bool) -> Result<Vec<(String, bool)>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[', ']']).unwrap_or(after.len());
            let (name, tail) = after.split_at(end);
            if name.is_empty() {
                return Err(if after.is_empty() {
                    "unexpected end of JSON path"
                } else {
                    "does not refer to a valid field"
                }
                .into());
            }
            parts.push((name.to_owned(), true));
            rest = tail;
        } else if let Some(after) = rest.strip_prefix('[') {
            if !brackets {
                return Err("array notation is not allowed".into());
            }
            let Some(quoted) = after.strip_prefix('\'') else {
                let end = after.find(['.', '[', ']']).unwrap_or(after.len());
                let found = after.get(..end).unwrap_or_default();
                return Err(format!("expected single quoted string but got {found}"));
            };
            let end = quoted.match_indices('\'').find(|(at, _)| !quoted.get(..*at).unwrap_or_default().ends_with('\\'));
            let Some((end, _)) = end else { return Err("unexpected end of JSON path".into()) };
            let name = quoted.get(..end).unwrap_or_default().replace("\\'", "'").replace("\\\\", "\\");
            parts.push((name, false));
            rest =
                quoted.get(end + 1..).and_then(|tail| tail.strip_prefix(']')).ok_or("unexpected end of JSON path")?;
        } else {
            let end = rest.find(['.', '[', ']']).unwrap_or(rest.len()).max(1);
            return Err(format!("expected [ or . but got: {}", rest.get(..end).unwrap_or(rest)));
        }
    }
    Ok(parts)
}

/// The schema of the field that a path leads to.
///
/// # Errors
///
/// What is wrong with the path, in the reference server's words.
pub fn field_at<'a>(schema: &'a Props, text: &str, brackets: bool) -> Result<&'a Props, String> {
    let missing = || "does not refer to a valid field".to_owned();
    let mut at = schema;
    for (name, _) in path_parts(text, brackets)? {
        at = if at.properties.is_empty() { at.values() } else { at.properties.get(&name) }.ok_or_else(missing)?;
    }
    Ok(at)
}
