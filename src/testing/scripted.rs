//! A transport that answers from a script, and the command line on top of it.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::Value;

use crate::cli::{self, Context, Env, Program, Streams};
use crate::client::transport::BoxFuture;
use crate::client::{Body, Transport, TransportError};
use crate::object::Status;

/// Answers `METHOD PATH` with the JSON that the script has for it, each line as often as it is asked for; anything
/// else is not found. Keeps what was asked, with the query and the body.
#[derive(Default)]
pub struct Scripted {
    answers: Vec<(String, Value)>,
    asked: Mutex<Vec<String>>,
}

impl Scripted {
    /// A script of `METHOD PATH` (without a query) and answers.
    pub fn new(answers: &[(&str, Value)]) -> Arc<Self> {
        let answers = answers.iter().map(|(request, answer)| ((*request).to_owned(), answer.clone())).collect();
        Arc::new(Self { answers, asked: Mutex::default() })
    }

    /// The requests so far: `METHOD PATH?QUERY BODY`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Transport for Scripted {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>, TransportError>> {
        let line = format!("{} {}", request.method(), request.uri().path());
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let asked = format!("{} {} {body}", request.method(), request.uri());
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked.trim_end().to_owned());
        let answer = match self.answers.iter().find(|(known, _)| *known == line) {
            Some((_, answer)) => answer.clone(),
            None => Status::failure(404, "NotFound", format!("nothing is scripted for {line}")).to_value(),
        };
        let code = match answer.get("code").and_then(Value::as_u64) {
            Some(code) => u16::try_from(code).unwrap_or(500),
            None => 200,
        };
        Box::pin(async move {
            let chunk = Ok(Bytes::from(answer.to_string()));
            let body: Body = Box::pin(futures_util::stream::iter([chunk]));
            let response = http::Response::builder().status(code).header("content-type", "application/json");
            response.body(body).map_err(|error| TransportError::Broken(Box::new(error)))
        })
    }
}

/// A place to write to that can be looked at later.
#[derive(Clone, Default)]
struct Pad(Rc<RefCell<Vec<u8>>>);

impl Write for Pad {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Pad {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.borrow()).into_owned()
    }
}

/// Runs a command line as `kubectl` against a script; gives standard output, standard error and the exit code as one
/// text.
pub fn kubectl(script: &Arc<Scripted>, line: &str) -> String {
    let (out, err) = (Pad::default(), Pad::default());
    let streams = Streams::new(Box::new(io::empty()), Box::new(out.clone()), Box::new(err.clone()));
    let mut cx = Context::new(Program::named("kubectl"), streams, Env::default());
    cx.use_transport(script.clone(), "https://scripted");
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let code = cli::run_in(&mut cx, &words);
    format!("{}{}[{code}]", out.text(), err.text())
}
