//! The v2 document: all v3 documents together in the older form.

use serde_json::json;

use crate::object::{Map, Value, meta};

/// Merges documents into a Swagger 2.0 document.
pub fn of(documents: impl Iterator<Item = Value>) -> Value {
    let (mut paths, mut definitions) = (Map::new(), Map::new());
    let mut info = json!({"title": "Kubernetes"});
    for document in documents {
        let document = &document;
        if meta::str_at(document, &["info", "title"]) == "Kubernetes" {
            info["version"] = format!("v{}", meta::str_at(document, &["info", "version"])).into();
        }
        for (path, item) in meta::map_at(document, &["paths"]).into_iter().flatten() {
            paths.insert(path.clone(), path_item(item));
        }
        for (name, schema) in meta::map_at(document, &["components", "schemas"]).into_iter().flatten() {
            definitions.entry(name.clone()).or_insert_with(|| self::schema(schema));
        }
    }
    json!({
        "swagger": "2.0",
        "info": info,
        "paths": paths,
        "definitions": definitions,
        "securityDefinitions": {"BearerToken": {
            "description": "Bearer Token authentication", "type": "apiKey", "name": "authorization", "in": "header",
        }},
        "security": [{"BearerToken": []}],
    })
}

/// A schema whose references lead into `definitions`, with wrapped ones bare.
fn schema(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut new: Map<String, Value> = map.iter().map(|(name, inner)| (name.clone(), schema(inner))).collect();
            if let Some(text) = map.get("$ref").and_then(Value::as_str) {
                new.insert("$ref".into(), text.replace("#/components/schemas/", "#/definitions/").into());
            }
            let wrapped = match map.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
                Some([one]) => one.get("$ref").is_some(),
                _ => false,
            };
            if wrapped {
                if let Some(Value::Array(mut inner)) = new.remove("allOf")
                    && let Some(target) = inner.pop().as_ref().and_then(|inner| inner.get("$ref"))
                {
                    new.insert("$ref".into(), target.clone());
                }
                new.remove("default");
            }
            Value::Object(new)
        }
        Value::Array(items) => Value::Array(items.iter().map(schema).collect()),
        other => other.clone(),
    }
}

fn parameters(of: &Value) -> Vec<Value> {
    let flat = |parameter: &Value| {
        let mut new = parameter.clone();
        if let Some(Value::Object(schema)) = meta::remove(&mut new, &["schema"]) {
            schema.into_iter().for_each(|(name, value)| new[name] = value);
        }
        new
    };
    meta::list_at(of, &["parameters"]).iter().map(flat).collect()
}

fn path_item(item: &Value) -> Value {
    let mut new = Map::new();
    for (name, value) in item.as_object().into_iter().flatten() {
        if name == "parameters" {
            new.insert(name.clone(), Value::Array(parameters(item)));
        } else {
            new.insert(name.clone(), operation(value));
        }
    }
    Value::Object(new)
}

fn media_types(content: Option<&Value>) -> Vec<String> {
    content.and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

fn first_schema(content: &Value) -> Option<Value> {
    content.as_object()?.values().next()?.get("schema").map(schema)
}

fn operation(value: &Value) -> Value {
    let mut new = value.clone();
    let mut all = parameters(value);
    if let Some(body) = meta::remove(&mut new, &["requestBody"]) {
        new["consumes"] = media_types(body.get("content")).into();
        let mut parameter = json!({"name": "body", "in": "body"});
        if meta::bool_at(&body, &["required"]) {
            parameter["required"] = true.into();
        }
        parameter["schema"] = body.get("content").and_then(first_schema).unwrap_or_else(|| json!({}));
        all.insert(0, parameter);
    }
    if !all.is_empty() {
        new["parameters"] = Value::Array(all);
    }
    let mut produces = Vec::new();
    let mut responses = Map::new();
    for (code, response) in meta::map_at(value, &["responses"]).into_iter().flatten() {
        let mut written = json!({"description": response["description"]});
        if let Some(content) = response.get("content") {
            if produces.is_empty() {
                produces = media_types(Some(content));
            }
            if let Some(schema) = first_schema(content) {
                written["schema"] = schema;
            }
        }
        responses.insert(code.clone(), written);
    }
    new["responses"] = Value::Object(responses);
    new["produces"] = produces.into();
    new["schemes"] = json!(["https"]);
    new
}
