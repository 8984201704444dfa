//! Reads through a client what a description needs.

use futures_util::future::try_join_all;

use super::{Related, Request, Settings, requests};
use crate::client::{self, Client, Error, ListOptions, collection_path, object_path};
use crate::kinds::Kinds;
use crate::object::{Status, Value};

/// Reads everything that [`requests`] names, all at once. Refusals of the server become part of the answer: the
/// description knows what it can do without.
///
/// # Errors
/// The server could not be reached, or answered with something unreadable.
pub async fn fetch(client: &Client, object: &Value, settings: &Settings) -> Result<Related, Error> {
    let wanted = requests(object, settings);
    let answers = try_join_all(wanted.iter().map(|request| read(client, request, settings))).await?;
    let mut related = Related::new();
    for (request, answer) in wanted.into_iter().zip(answers) {
        related.insert(request, answer);
    }
    Ok(related)
}

async fn read(client: &Client, wanted: &Request, settings: &Settings) -> Result<Result<Vec<Value>, Status>, Error> {
    let Some(kind) = Kinds::builtin().by_gvr(&wanted.resource) else { return Ok(Ok(Vec::new())) };
    let answer = match &wanted.name {
        Some(name) => {
            let path = object_path(kind, &wanted.namespace, name, "");
            client.json(client::Request::get(path).on(kind.group_resource(), name)).await.map(|object| vec![object])
        }
        None => {
            let options = ListOptions {
                labels: wanted.label_selector.clone(),
                fields: wanted.field_selector.clone(),
                limit: settings.chunk_size,
                ..ListOptions::default()
            };
            let list = client.list(&collection_path(kind, &wanted.namespace), &options, "application/json").await;
            list.map(|mut list| match list.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            })
        }
    };
    match answer {
        Ok(found) => Ok(Ok(found)),
        Err(Error::Status(status)) => Ok(Err(*status)),
        Err(other) => Err(other),
    }
}
