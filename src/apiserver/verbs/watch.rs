//! Watches: a list's changes as a stream.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream};
use serde_json::json;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::apiserver::context::{Answer, Request};
use crate::apiserver::negotiate::{Encoding, Form};
use crate::apiserver::options::{self, ListOptions};
use crate::apiserver::service::Body;
use crate::apiserver::store::{Change, Entry, Event, StoreError, Subscription};
use crate::apiserver::{respond, table, websocket};
use crate::object::{Status, Value, json as go_json, meta};

/// Time between bookmarks.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// How long before its end a watch sends a last bookmark.
const BOOKMARK_BEFORE_END: Duration = Duration::from_secs(2);
/// A watch without a timeout ends after this long, and up to twice as long.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1800);

/// A change as a watcher sees it.
struct Seen<'a> {
    kind: &'static str,
    entry: &'a Entry,
    /// The object in the resource's form, where it is not the entry's.
    object: Option<Value>,
}

/// Answers a watch.
///
/// # Errors
///
/// 400, 422 and 500 for bad options.
pub async fn watch(request: Arc<Request>) -> Answer {
    let options = ListOptions::of(&request, true)?;
    let version = options.resource_version.as_str();
    let revision = match version {
        "" => 0,
        version => options::parse_resource_version(version).map_err(|why| Status::failure(500, "", why))?,
    };
    table_form_is_known(&request)?;
    if websocket::is_requested(&request.headers) {
        return over_websocket(request, options, revision);
    }
    let watcher = Watcher::start(request, options, revision);
    let mut response = http::Response::new(Body::Stream(Box::pin(stream::unfold(watcher, Watcher::step))));
    let content_type = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
    Ok(response)
}

/// Sends each event as a text message of its own. What the client sends is read and let go.
fn over_websocket(request: Arc<Request>, options: ListOptions, revision: u64) -> Answer {
    let protocol = websocket::offered(&request.headers).first().copied().unwrap_or_default().to_owned();
    let (response, socket) = websocket::accept(&request, &protocol)?.socket();
    let watcher = Watcher::start(request, options, revision);
    tokio::spawn(async move {
        let Some(socket) = socket.await else { return };
        let (mut sink, mut incoming) = socket.split();
        let send = async {
            let mut events = std::pin::pin!(stream::unfold(watcher, Watcher::step));
            while let Some(chunk) = events.next().await {
                for event in String::from_utf8_lossy(&chunk).split_inclusive('\n') {
                    sink.send(Message::text(event)).await.ok()?;
                }
            }
            sink.send(websocket::goodbye()).await.ok()?;
            sink.close().await.ok()
        };
        let gone = async { while let Some(Ok(_)) = incoming.next().await {} };
        futures_util::future::select(std::pin::pin!(send), std::pin::pin!(gone)).await;
    });
    Ok(response)
}

fn table_form_is_known(request: &Request) -> Result<(), Status> {
    if let Form::Table(version) = &request.accepted.form {
        table::of_objects(request, version, &[], &json!({}))?;
    }
    Ok(())
}

/// The state of one watch.
struct Watcher {
    request: Arc<Request>,
    options: ListOptions,
    prefix: String,
    subscription: Option<Subscription>,
    /// What there was at the beginning, still to be sent.
    initial: VecDeque<Arc<Entry>>,
    /// The revision of that state; a bookmark is owed when it has been sent.
    initial_end: Option<u64>,
    /// A failure with which the stream ends.
    failure: Option<Status>,
    end: Instant,
    bookmark: Instant,
    columns_sent: bool,
    raw_head: Option<String>,
    done: bool,
}

impl Watcher {
    fn start(request: Arc<Request>, options: ListOptions, revision: u64) -> Self {
        let prefix = request.resource.namespace_prefix(request.namespace());
        let now = Instant::now();
        let timeout = match options.timeout_seconds.filter(|seconds| *seconds > 0) {
            Some(seconds) => Duration::from_secs(seconds.min(1 << 32)),
            None => DEFAULT_TIMEOUT + Duration::from_secs(u64::from(request.core.random_bytes::<1>()[0]) * 7),
        };
        let end = now + timeout;
        let before_end = end - BOOKMARK_BEFORE_END.min(timeout / 2);
        let raw = request.accepted.form == Form::Object
            && request.accepted.encoding == Encoding::Json
            && request.resource.shows_stored_text();
        let kind = &request.resource.kind;
        let raw_head =
            raw.then(|| format!("\"object\":{{\"kind\":\"{}\",\"apiVersion\":\"{}\",", kind.kind, kind.api_version()));
        let mut watcher = Self {
            prefix,
            subscription: None,
            initial: VecDeque::new(),
            initial_end: None,
            failure: None,
            end,
            bookmark: before_end.min(now + BOOKMARK_EVERY),
            columns_sent: false,
            raw_head,
            done: false,
            request,
            options,
        };
        watcher.position(revision);
        watcher
    }

    /// Decides where to begin: with what there is, or after a revision.
    fn position(&mut self, revision: u64) {
        let store = self.request.core.store.clone();
        let from_state = match self.options.send_initial_events {
            Some(initial) => initial,
            None => revision == 0,
        };
        let start = if from_state {
            let page = store.list(&self.prefix, None);
            self.initial = page.entries.into();
            self.initial_end =
                (self.options.send_initial_events == Some(true) && self.options.bookmarks).then_some(page.revision);
            page.revision
        } else if revision == 0 {
            store.revision()
        } else {
            revision
        };
        match store.subscribe(start, &self.prefix) {
            Ok(subscription) => self.subscription = Some(subscription),
            Err(error) => self.failure = Some(expired(&error, start)),
        }
    }

    async fn step(mut self) -> Option<(Bytes, Self)> {
        let mut out = Vec::new();
        loop {
            self.collect(&mut out).await;
            if !out.is_empty() {
                return Some((Bytes::from(out), self));
            }
            if self.done {
                return None;
            }
        }
    }

    /// Writes what is due next, waiting for it; writes nothing when what happened is not for this watcher.
    async fn collect(&mut self, out: &mut Vec<u8>) {
        if self.done {
            return;
        }
        if !self.initial.is_empty() || self.initial_end.is_some() {
            return self.send_initial(out);
        }
        if let Some(failure) = self.failure.take() {
            write_event(out, "ERROR", &failure.to_value());
            self.done = true;
            return;
        }
        let Some(subscription) = self.subscription.as_mut() else {
            self.done = true;
            return;
        };
        let wake = self.bookmark.min(self.end);
        match tokio::time::timeout_at(wake, subscription.next()).await {
            Ok(Ok(events)) => events.iter().for_each(|event| self.send(out, event)),
            Ok(Err(StoreError::Closed)) => self.done = true,
            Ok(Err(error)) => self.failure = Some(expired(&error, subscription.position())),
            Err(_) => self.on_time(out),
        }
    }

    fn on_time(&mut self, out: &mut Vec<u8>) {
        let now = Instant::now();
        if now >= self.end {
            self.done = true;
            return;
        }
        let before_end = self.end - BOOKMARK_BEFORE_END;
        self.bookmark = if now + BOOKMARK_EVERY < before_end {
            now + BOOKMARK_EVERY
        } else if now < before_end {
            before_end
        } else {
            self.end
        };
        // Asking for the position also keeps it ahead of compaction while nothing happens here.
        let position = self.subscription.as_mut().map(Subscription::position);
        if let (true, Some(revision)) = (self.options.bookmarks, position) {
            self.send_bookmark(out, revision, false);
        }
    }

    /// Sends a part of the initial state, or the bookmark that ends it.
    fn send_initial(&mut self, out: &mut Vec<u8>) {
        for _ in 0..256 {
            let Some(entry) = self.initial.pop_front() else {
                if let Some(revision) = self.initial_end.take() {
                    self.send_bookmark(out, revision, true);
                }
                return;
            };
            if self.selected(&entry) {
                self.write(out, &Seen { kind: "ADDED", entry: &entry, object: None });
            }
        }
    }

    /// Whether an object is selected; it is read only if a selector asks for it.
    fn selected(&self, entry: &Entry) -> bool {
        self.options.selects_everything()
            || self.options.selects(&self.request.resource.shown_part(entry, self.options.fields_needed()))
    }

    fn send(&mut self, out: &mut Vec<u8>, event: &Event) {
        let before = event.previous.as_ref().is_some_and(|previous| self.selected(previous));
        let (kind, object) = match (event.change, before) {
            (Change::Put, _) if self.selected(&event.entry) => (if before { "MODIFIED" } else { "ADDED" }, None),
            // The object left the selection: it is shown as it was, under the version of the change.
            (Change::Put, true) => ("DELETED", self.left(event)),
            (Change::Delete, true) => ("DELETED", None),
            (_, false) => return,
        };
        self.write(out, &Seen { kind, entry: &event.entry, object });
    }

    fn left(&self, event: &Event) -> Option<Value> {
        let resource = &self.request.resource;
        let previous = event.previous.as_ref()?;
        let mut object = resource.shown(resource.stored_object(previous));
        meta::set(&mut object, &["metadata", "resourceVersion"], event.revision().to_string());
        Some(object)
    }

    fn write(&mut self, out: &mut Vec<u8>, seen: &Seen<'_>) {
        if let (Some(head), None) = (&self.raw_head, &seen.object) {
            out.extend_from_slice(b"{\"type\":\"");
            out.extend_from_slice(seen.kind.as_bytes());
            out.extend_from_slice(b"\",");
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(seen.entry.json.get(1..).unwrap_or_default());
            out.extend_from_slice(b"}\n");
            return;
        }
        let resource = &self.request.resource;
        let shown = match &seen.object {
            Some(object) => object.clone(),
            None => resource.shown(resource.stored_object(seen.entry)),
        };
        let shown = self.in_form(shown);
        write_event(out, seen.kind, &shown);
    }

    fn in_form(&mut self, object: Value) -> Value {
        match &self.request.accepted.form {
            Form::Object => object,
            Form::Metadata(version) | Form::MetadataList(version) => respond::metadata_only(&object, version),
            Form::Table(version) => {
                let first = !std::mem::replace(&mut self.columns_sent, true);
                // Whether the table can be made was found out before the watch began.
                table::of_event(&self.request, version, &object, first).unwrap_or_default()
            }
        }
    }

    fn send_bookmark(&mut self, out: &mut Vec<u8>, revision: u64, initial_end: bool) {
        let kind = &self.request.resource.kind;
        let mut object = json!({
            "kind": kind.kind,
            "apiVersion": kind.api_version(),
            "metadata": {"resourceVersion": revision.to_string()},
        });
        if initial_end {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = self.in_form(object);
        write_event(out, "BOOKMARK", &object);
    }
}

fn write_event(out: &mut Vec<u8>, kind: &str, object: &Value) {
    let text = format!("{{\"type\":\"{kind}\",\"object\":{}}}\n", go_json::to_compact(object));
    out.extend_from_slice(text.as_bytes());
}

/// 410 for a watch from a forgotten revision.
fn expired(error: &StoreError, position: u64) -> Status {
    match error {
        StoreError::Compacted(mark) => {
            Status::failure(410, "Expired", format!("too old resource version: {position} ({mark})"))
        }
        other => Status::internal(other),
    }
}
