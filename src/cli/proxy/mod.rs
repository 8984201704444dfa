//! `proxy`: a server on this machine that passes requests on to the API server with the user's credentials.

mod files;
mod filter;
mod serve;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use clap::Parser;
use futures_util::stream;
use http::{HeaderValue, Response, StatusCode};

use super::args::GoDuration;
use super::context::Context;
use super::error::{Error, Result, go_io_error};
use super::verb::Run;
use crate::client::{HttpTransport, SharedTransport};
use filter::{Filter, expressions};

/// A body of an answer.
pub type Body = crate::client::Body;

const DEFAULT_PORT: i64 = 8001;

/// Run a proxy to the API server on this machine.
#[derive(Parser)]
pub struct ProxyArgs {
    #[arg(hide = true)]
    words: Vec<String>,
    /// Folder with files to be served as well
    #[arg(short = 'w', long, value_name = "DIR", default_value = "")]
    www: String,
    /// Path under which the files are
    #[arg(short = 'P', long, value_name = "PREFIX", default_value = "/static/")]
    www_prefix: String,
    /// Path under which the API is
    #[arg(long, value_name = "PREFIX", default_value = "/")]
    api_prefix: String,
    /// Regular expressions of paths to accept
    #[arg(long, value_name = "REGEXES", default_value = "^.*")]
    accept_paths: String,
    /// Regular expressions of paths to reject, even if accepted
    #[arg(long, value_name = "REGEXES", default_value = "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach")]
    reject_paths: String,
    /// Regular expressions of hosts to accept
    #[arg(long, value_name = "REGEXES", default_value = r"^localhost$,^127\.0\.0\.1$,^\[::1\]$")]
    accept_hosts: String,
    /// Regular expressions of methods to reject
    #[arg(long, value_name = "REGEXES", default_value = "^$")]
    reject_methods: String,
    /// Port to listen on; 0 for any that is free
    #[arg(short = 'p', long, value_name = "PORT", default_value_t = DEFAULT_PORT)]
    port: i64,
    /// IP address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    address: String,
    /// Pass every request on, which leaves you open to attacks from web pages
    #[arg(long)]
    disable_filter: bool,
    /// Unix socket to listen on
    #[arg(short = 'u', long, value_name = "FILE", default_value = "")]
    unix_socket: String,
    /// Accepted for kubectl's sake; silent connections are probed as the system does
    #[arg(long, value_name = "TIME", default_value = "0s")]
    keepalive: GoDuration,
    /// Add the path of the context's server to each request
    #[arg(long)]
    append_server_path: bool,
}

/// A whole answer.
pub fn whole(status: StatusCode, bytes: Bytes) -> Response<Body> {
    let length = HeaderValue::from(bytes.len());
    let mut response = Response::new(Box::pin(stream::once(async move { Ok(bytes) })) as Body);
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_LENGTH, length);
    response
}

/// A line of text as an answer.
pub fn plain(status: StatusCode, line: &str) -> Response<Body> {
    let mut response = whole(status, Bytes::from(format!("{line}\n")));
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

fn with_slash(prefix: &str) -> String {
    if prefix.ends_with('/') { prefix.to_owned() } else { format!("{prefix}/") }
}

impl ProxyArgs {
    fn filter(&self, cx: &Context) -> Result<Option<Filter>> {
        if self.disable_filter {
            if self.unix_socket.is_empty() {
                let text = "Request filter disabled, your proxy is vulnerable to XSRF attacks, please be cautious";
                cx.log('W', "proxy.go:177", text)?;
            }
            return Ok(None);
        }
        if self.reject_paths.is_empty() || self.reject_methods.is_empty() {
            let text = "Request filter has been relaxed, your proxy may be vulnerable to attacks, please be cautious";
            cx.log('W', "proxy.go:182", text)?;
        }
        let compile = |text: &str| {
            expressions(text).map_err(|error| Error::new(format!("Error compiling re: {error}")).with_code(255))
        };
        Ok(Some(Filter {
            accept_paths: compile(&self.accept_paths)?,
            reject_paths: compile(&self.reject_paths)?,
            accept_hosts: compile(&self.accept_hosts)?,
            reject_methods: compile(&self.reject_methods)?,
        }))
    }

    /// The way to the server. The path of its URL is left out unless the user wants it.
    fn transport(&self, cx: &Context) -> Result<SharedTransport> {
        if cx.embedded().is_some() {
            return Ok(Arc::clone(cx.client()?.transport()));
        }
        let mut access = cx.access()?;
        let path = url::Url::parse(&access.server).map(|url| url.path().to_owned()).unwrap_or_default();
        if self.append_server_path || matches!(path.as_str(), "" | "/") {
            return Ok(Arc::clone(cx.client()?.transport()));
        }
        let text = format!(
            "Your kube context contains a server path {path}, use --append-server-path to automatically append the \
             path to each request"
        );
        cx.log('W', "proxy.go:171", &text)?;
        if let Some(host) = access.server.trim_end_matches('/').strip_suffix(path.trim_end_matches('/')) {
            access.server = host.to_owned();
        }
        let transport = HttpTransport::new(access, &cx.program.name);
        Ok(Arc::new(transport.map_err(|error| Error::new(error.to_string()))?))
    }

    fn check(&self, cx: &Context) -> Result<()> {
        if self.port != DEFAULT_PORT && !self.unix_socket.is_empty() {
            return Err(Error::new("cannot set --unix-socket and --port at the same time"));
        }
        if self.www.is_empty() {
            return Ok(());
        }
        match std::fs::metadata(&self.www) {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_) => cx.log('W', "proxy.go:205", &format!("Static file directory {} is not a directory", self.www)),
            Err(error) => {
                let why = format!("stat {}: {}", self.www, go_io_error(&error));
                let text = format!("Failed to stat static file directory {}: {why}", self.www);
                cx.log('W', "proxy.go:203", &text)
            }
        }
    }
}

impl Run for ProxyArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let transport = self.transport(cx)?;
        let filter = self.filter(cx)?;
        self.check(cx)?;
        let listener = if self.unix_socket.is_empty() {
            serve::Listener::tcp(&self.address, self.port).await?
        } else {
            serve::Listener::unix(&self.unix_socket)?
        };
        cx.line(format!("Starting to serve on {}", listener.name()))?;
        cx.streams.flush()?;
        let www = (!self.www.is_empty()).then(|| (with_slash(&self.www_prefix), PathBuf::from(&self.www)));
        let proxy = serve::Proxy { transport, filter, www, api: with_slash(&self.api_prefix) };
        listener.serve(Arc::new(proxy)).await;
        Ok(())
    }
}
