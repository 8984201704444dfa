//! A transport that tells what passes through it, as `-v 6` to `-v 9` ask.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::transport::{BoxFuture, SharedTransport, Transport, TransportError, Upgrade};
use super::{Body, collect};

/// Takes one line of the log.
pub type Sink = Arc<dyn Fn(&str) + Send + Sync>;

/// Tells of requests and answers; credentials are masked.
pub struct Verbose {
    inner: SharedTransport,
    server: String,
    level: i32,
    sink: Sink,
}

/// Bodies longer than this are cut below level 10.
const CUT_AT: [(i32, usize); 3] = [(10, usize::MAX), (9, 10_240), (8, 1024)];

impl Verbose {
    /// Wraps a transport; `server` is what the lines name before paths.
    pub fn new(inner: SharedTransport, server: impl Into<String>, level: i32, sink: Sink) -> Self {
        Self { inner, server: server.into(), level, sink }
    }

    fn headers(&self, heading: &str, headers: &http::HeaderMap) {
        (self.sink)(heading);
        for (name, value) in headers {
            let value = if is_secret(name.as_str()) { "<masked>" } else { value.to_str().unwrap_or("<binary>") };
            (self.sink)(&format!("    {name}: {value}"));
        }
    }

    fn body(&self, heading: &str, body: &[u8]) {
        let most = CUT_AT.iter().find(|(level, _)| self.level >= *level).map_or(0, |(_, most)| *most);
        let text = String::from_utf8_lossy(body);
        let mut end = most.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let more = text.len() - end;
        let cut = if more > 0 { format!(" [truncated {more} chars]") } else { String::new() };
        (self.sink)(&format!("{heading}: {}{cut}", &text[..end]));
    }

    fn curl(&self, request: &http::Request<Bytes>) {
        let mut line = format!("curl -v -X{}", request.method());
        for (name, value) in request.headers() {
            let value = if is_secret(name.as_str()) { "<masked>" } else { value.to_str().unwrap_or("<binary>") };
            line.push_str(&format!(" -H \"{name}: {value}\""));
        }
        (self.sink)(&format!("{line} '{}{}'", self.server, request.uri()));
    }
}

fn is_secret(header: &str) -> bool {
    header.eq_ignore_ascii_case("authorization") || header.eq_ignore_ascii_case("cookie")
}

impl Verbose {
    fn before(&self, request: &http::Request<Bytes>) {
        if self.level >= 9 {
            self.curl(request);
        } else if self.level >= 7 {
            (self.sink)(&format!("{} {}{}", request.method(), self.server, request.uri()));
            self.headers("Request Headers:", request.headers());
        }
    }
}

impl Transport for Verbose {
    fn upgrade(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<Upgrade, TransportError>> {
        Box::pin(async move {
            let (method, uri) = (request.method().clone(), request.uri().clone());
            self.before(&request);
            let started = Instant::now();
            let answer = self.inner.upgrade(request).await;
            let took = started.elapsed().as_millis();
            let (status, headers) = match &answer {
                Ok(Upgrade::Switched(head, _)) => (head.status().to_string(), Some(head.headers())),
                Ok(Upgrade::Refused(answer)) => (answer.status().to_string(), Some(answer.headers())),
                Err(_) => (String::new(), None),
            };
            (self.sink)(&format!("{method} {}{uri} {status} in {took} milliseconds", self.server));
            if let Some(headers) = headers.filter(|_| self.level >= 7) {
                self.headers("Response Headers:", headers);
            }
            answer
        })
    }

    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>, TransportError>> {
        Box::pin(async move {
            let (method, uri) = (request.method().clone(), request.uri().clone());
            self.before(&request);
            if self.level >= 8 && !request.body().is_empty() {
                self.body("Request Body", request.body());
            }
            let started = Instant::now();
            let answer = self.inner.send(request).await;
            let took = started.elapsed().as_millis();
            let status = answer.as_ref().map_or_else(|_| String::new(), |answer| answer.status().to_string());
            (self.sink)(&format!("{method} {}{uri} {status} in {took} milliseconds", self.server));
            let answer = answer?;
            if self.level >= 7 {
                self.headers("Response Headers:", answer.headers());
            }
            let endless = uri.query().is_some_and(|query| query.contains("watch=") || query.contains("follow="));
            if self.level < 8 || endless {
                return Ok(answer);
            }
            let (head, body) = answer.into_parts();
            let body = collect(body).await?;
            self.body("Response Body", &body);
            let again = futures_util::stream::once(async move { Ok(body) });
            Ok(http::Response::from_parts(head, Box::pin(again) as Body))
        })
    }
}
