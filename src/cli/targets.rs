//! From a plan to objects: documents become targets, names and selectors are fetched.

use futures_util::StreamExt;
use futures_util::stream;

use super::context::Context;
use super::error::{Error, Result};
use crate::client::{self, Client, Request};
use crate::object::Value;
use crate::object::selector::LabelSelector;
use crate::resource::{Document, Plan, Query, Selection, Target};

/// How many requests are under way at once.
pub const PARALLEL: usize = 16;
/// Objects per page of a list.
pub const PAGE: i64 = 500;

/// Objects, and what failed on the way to others.
#[derive(Debug, Default)]
pub struct Found {
    /// The objects.
    pub targets: Vec<Target>,
    /// The failures, in order.
    pub errors: Vec<Error>,
    /// Whether the arguments name one object.
    pub single: bool,
}

/// What a document must have before it is looked at further.
fn check_type(document: &Document) -> Result<()> {
    let mut findings = Vec::new();
    match document.value.as_object() {
        None => findings.push("invalid object to validate".to_owned()),
        Some(fields) => {
            for field in ["apiVersion", "kind"] {
                match fields.get(field) {
                    None | Some(Value::Null) => findings.push(format!("{field} not set")),
                    Some(Value::String(version)) if field == "apiVersion" && version.matches('/').count() > 1 => {
                        findings.push(format!("unexpected GroupVersion string: {version}"));
                    }
                    Some(Value::String(_)) => {}
                    Some(_) => findings.push(format!("{field} isn't string type")),
                }
            }
        }
    }
    let text = match findings.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    Err(Error::new(format!(
        "error validating \"{}\": error validating data: {text}; if you choose to ignore these errors, turn validation \
         off with --validate=false",
        document.source
    )))
}

/// The objects of one document, their namespace settled.
pub async fn of_document(
    cx: &Context,
    selection: &Selection,
    document: &Document,
    validate: bool,
) -> Vec<Result<Target>> {
    if validate && let Err(error) = check_type(document) {
        return vec![Err(error)];
    }
    let mapper = match cx.mapper() {
        Ok(mapper) => mapper,
        Err(error) => return vec![Err(error)],
    };
    let settle = |target: std::result::Result<Target, crate::resource::Error>| {
        let mut target = target.map_err(|error| cx.explain(error))?;
        selection.settle_namespace(&mut target).map_err(|error| cx.explain(error))?;
        Ok(target)
    };
    mapper.targets(document).await.into_iter().map(settle).collect()
}

/// The objects of all documents that match the label selector.
pub async fn of_documents(
    cx: &Context,
    selection: &Selection,
    documents: Vec<std::result::Result<Document, crate::resource::Error>>,
    validate: bool,
) -> Found {
    let mut found = Found::default();
    let labels = match label_selector(selection) {
        Ok(labels) => labels,
        Err(error) => {
            found.errors.push(error);
            return found;
        }
    };
    for document in documents {
        match document {
            Err(error) => found.errors.push(cx.explain(error)),
            Ok(document) => {
                for target in of_document(cx, selection, &document, validate).await {
                    match target {
                        Ok(target) if labels.matches_object(&target.object) => found.targets.push(target),
                        Ok(_) => {}
                        Err(error) => found.errors.push(error),
                    }
                }
            }
        }
    }
    found
}

/// Fetches one object. Where it is missing because its namespace is, that is the failure.
pub async fn get(
    client: &Client,
    target: &Target,
    subresource: &str,
    accept: &str,
    query: &[(&str, &str)],
) -> Result<Value> {
    if target.name.is_empty() {
        return Err(Error::new("resource name may not be empty"));
    }
    let mut request = target.about(Request::get(target.path(subresource))).accept(accept);
    for (name, value) in query {
        request = request.query(name, *value);
    }
    let error = match client.json(request).await {
        Ok(object) => return Ok(object),
        Err(error) => error,
    };
    let elsewhere = !matches!(target.namespace.as_str(), "" | "default");
    if elsewhere && error.is_code(404) {
        let path = format!("/api/v1/namespaces/{}", target.namespace);
        if let Err(missing) = client.json(Request::get(path).on("namespaces", &target.namespace)).await
            && missing.is_code(404)
        {
            return Err(missing.into());
        }
    }
    Err(error.into())
}

/// Fetches many objects in parallel, in order.
pub async fn get_all(
    client: &Client,
    targets: Vec<Target>,
    subresource: &str,
    accept: &str,
    query: &[(&str, &str)],
) -> (Vec<Target>, Vec<Error>) {
    let fetch = |mut target: Target| async move {
        let object = get(client, &target, subresource, accept, query).await?;
        target.refresh(object);
        Ok(target)
    };
    let results: Vec<Result<Target>> = stream::iter(targets).map(fetch).buffered(PARALLEL).collect().await;
    let (mut targets, mut errors) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(target) => targets.push(target),
            Err(error) => errors.push(error),
        }
    }
    (targets, errors)
}

/// Lists every query in parallel, in order; rows of Tables come with their objects when `whole`.
pub async fn list_all(
    client: &Client,
    queries: &[Query],
    limit: i64,
    accept: &str,
    whole: bool,
) -> Vec<std::result::Result<Value, client::Error>> {
    stream::iter(queries).map(|query| query.list(client, limit, accept, whole)).buffered(PARALLEL).collect().await
}

/// The objects of a list, each as a target of its query.
pub fn of_list(query: &Query, list: &mut Value) -> Vec<Target> {
    let items = list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    let target = |mut object: Value| {
        use crate::object::meta;
        if let Some(fields) = object.as_object_mut() {
            // Items of a list do not say what they are.
            fields.entry("apiVersion").or_insert_with(|| query.kind.api_version().into());
            fields.entry("kind").or_insert_with(|| query.kind.kind.clone().into());
        }
        let mut target =
            Target::named(std::sync::Arc::clone(&query.kind), meta::namespace(&object), meta::name(&object));
        target.object = object;
        target
    };
    items.into_iter().map(target).collect()
}

/// The objects that files name, as the server has them; a label selector chooses among those.
pub async fn latest_of_documents(
    cx: &Context,
    selection: &Selection,
    documents: Vec<std::result::Result<Document, crate::resource::Error>>,
    accept: &str,
    query: &[(&str, &str)],
) -> Result<Found> {
    let labels = match label_selector(selection) {
        Ok(labels) => labels,
        Err(error) => return Ok(Found { errors: vec![error], ..Found::default() }),
    };
    let all = Selection { labels: String::new(), ..selection.clone() };
    let mut found = of_documents(cx, &all, documents, false).await;
    let (mut targets, errors) = get_all(cx.client()?, found.targets, &selection.subresource, accept, query).await;
    targets.retain(|target| labels.matches_object(&target.object));
    found.targets = targets;
    found.errors.extend(errors);
    Ok(found)
}

/// The label selector of a selection.
///
/// # Errors
/// What is none.
pub fn label_selector(selection: &Selection) -> Result<LabelSelector> {
    LabelSelector::parse(&selection.labels)
        .map_err(|error| Error::new(format!("the provided selector \"{}\" is not valid: {error}", selection.labels)))
}

/// Every object that a plan means, as the server has it.
pub async fn fetch(cx: &Context, selection: &Selection, plan: Plan) -> Result<Found> {
    const JSON: &str = "application/json";
    let client = cx.client()?;
    match plan {
        Plan::Documents { documents, single } => {
            let found = latest_of_documents(cx, selection, documents, JSON, &[]).await?;
            Ok(Found { single: single && found.errors.is_empty(), ..found })
        }
        Plan::Names { targets, single } => {
            let (targets, errors) = get_all(client, targets, &selection.subresource, JSON, &[]).await;
            Ok(Found { targets, errors, single })
        }
        Plan::Queries(queries) => {
            let mut found = Found::default();
            for (query, list) in queries.iter().zip(list_all(client, &queries, PAGE, JSON, false).await) {
                match list {
                    Ok(mut list) => found.targets.extend(of_list(query, &mut list)),
                    Err(error) => found.errors.push(error.into()),
                }
            }
            Ok(found)
        }
    }
}

/// The objects of files as they stand there, without asking a server.
pub async fn local(cx: &Context, selection: &Selection) -> Result<Found> {
    let mut found = Found::default();
    match cx.plan(selection).await? {
        Plan::Documents { documents, single } => {
            for document in documents {
                match document {
                    Ok(document) => {
                        for target in crate::resource::local_targets(&document) {
                            match target {
                                Ok(target) => found.targets.push(target),
                                Err(error) => found.errors.push(cx.explain(error)),
                            }
                        }
                    }
                    Err(error) => found.errors.push(cx.explain(error)),
                }
            }
            found.single = single && found.errors.is_empty();
        }
        Plan::Names { .. } | Plan::Queries(_) => {}
    }
    Ok(found)
}

/// Every object that a selection means: named ones and those of selectors as the server has them, those of files as
/// the server has them when `latest`, else as they stand in the file.
pub async fn find(cx: &Context, selection: &Selection, latest: bool) -> Result<Found> {
    match cx.plan(selection).await? {
        Plan::Documents { documents, single } if !latest => {
            let found = of_documents(cx, selection, documents, false).await;
            Ok(Found { single: single && found.errors.is_empty(), ..found })
        }
        plan => fetch(cx, selection, plan).await,
    }
}
