//! Watch streams: one JSON event per line.

use bytes::BytesMut;
use futures_util::StreamExt;
use serde_json::Value;

use super::{Body, Error, TransportError};
use crate::object::Status;
use crate::object::partial::Part;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It is there.
    Added,
    /// It has changed.
    Modified,
    /// It is gone, or no longer matches.
    Deleted,
    /// Nothing; only how far the stream is.
    Bookmark,
}

/// One event of a watch.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The type as it came: `ADDED`.
    pub name: String,
    /// The object, or a Table of it.
    pub object: Value,
}

/// An open watch.
pub struct Watch {
    body: Body,
    buffer: BytesMut,
    /// Whether events are read without the ownership of fields.
    unmanaged: bool,
}

impl Watch {
    /// Reads events from a body.
    pub fn new(body: Body) -> Self {
        Self { body, buffer: BytesMut::new(), unmanaged: false }
    }

    /// Leaves `metadata.managedFields` out of the objects, which spares reading them.
    #[must_use]
    pub fn without_managed_fields(self) -> Self {
        Self { unmanaged: true, ..self }
    }

    /// The next event; `None` when the server or the time for the request has ended the stream.
    ///
    /// # Errors
    /// The stream broke, is malformed, or carries an error of the server's.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer) {
                let line = self.buffer.split_to(end + 1);
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return self.event(&line).map(Some);
            }
            match self.body.next().await {
                Some(Ok(chunk)) => self.buffer.extend_from_slice(&chunk),
                Some(Err(TransportError::Timeout { .. })) => return Ok(None),
                Some(Err(error)) => {
                    return Err(Error::Decode(format!("unable to decode an event from the watch stream: {error}")));
                }
                None if self.buffer.trim_ascii().is_empty() => return Ok(None),
                None => {
                    let line = self.buffer.split();
                    return self.event(&line).map(Some);
                }
            }
        }
    }

    fn event(&self, line: &[u8]) -> Result<Event, Error> {
        let read = if self.unmanaged { Part::Event.read(line) } else { serde_json::from_slice(line) };
        event(read)
    }
}

fn event(read: serde_json::Result<Value>) -> Result<Event, Error> {
    let decode = |why: String| Error::Decode(format!("unable to decode an event from the watch stream: {why}"));
    let mut value = read.map_err(|error| decode(error.to_string()))?;
    let name = value["type"].as_str().unwrap_or_default().to_owned();
    let object = value.get_mut("object").map(Value::take).unwrap_or_default();
    let kind = match name.as_str() {
        "ADDED" => EventKind::Added,
        "MODIFIED" => EventKind::Modified,
        "DELETED" => EventKind::Deleted,
        "BOOKMARK" => EventKind::Bookmark,
        "ERROR" => {
            let status = Status::from_value(&object);
            return Err(status.map_or_else(|| decode(object.to_string()), |status| Error::Status(Box::new(status))));
        }
        other => return Err(decode(format!("unknown event type {other}"))),
    };
    Ok(Event { kind, name, object })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[tokio::test]
    async fn events_may_be_cut_anywhere() {
        let chunks = ["{\"type\":\"ADDED\",\"obj", "ect\":{\"a\":1}}\n{\"type\":\"BOOKMARK\",\"object\":{}}\n"];
        let body = futures_util::stream::iter(chunks.map(|chunk| Ok(Bytes::from(chunk))));
        let mut watch = Watch::new(Box::pin(body));
        let first = watch.next().await.expect("well formed").expect("an event");
        assert_eq!((first.kind, &first.object["a"]), (EventKind::Added, &serde_json::json!(1)));
        assert_eq!(watch.next().await.expect("well formed").map(|e| e.kind), Some(EventKind::Bookmark));
        assert_eq!(watch.next().await.expect("the end"), None);
    }
}
