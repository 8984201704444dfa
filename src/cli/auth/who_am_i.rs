//! `auth whoami`.

use clap::Parser;
use serde_json::{Value, json};

use crate::cli::args::OutputArgs;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::client::Request;
use crate::object::meta;
use crate::output::tabwriter::TabWriter;

/// Show who the server takes you for.
#[derive(Parser)]
pub struct WhoAmIArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[arg(hide = true)]
    words: Vec<String>,
}

/// Values as Go prints a list of strings.
pub fn bracketed(values: &[Value]) -> String {
    let texts: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
    format!("[{}]", texts.join(" "))
}

fn table(review: &Value) -> String {
    let mut writer = TabWriter::for_tables();
    let lines = writer.buffer();
    lines.push_str("ATTRIBUTE\tVALUE\n");
    let user = meta::get(review, &["status", "userInfo"]).cloned().unwrap_or_default();
    for (title, field) in [("Username", "username"), ("UID", "uid")] {
        let value = meta::str_at(&user, &[field]);
        if !value.is_empty() {
            lines.push_str(&format!("{title}\t{value}\n"));
        }
    }
    let groups = meta::list_at(&user, &["groups"]);
    if !groups.is_empty() {
        lines.push_str(&format!("Groups\t{}\n", bracketed(groups)));
    }
    for (key, values) in meta::map_at(&user, &["extra"]).into_iter().flatten() {
        let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
        lines.push_str(&format!("Extra: {key}\t{}\n", bracketed(values)));
    }
    let mut out = String::new();
    writer.flush(&mut out);
    out
}

impl Run for WhoAmIArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let printer = self.output.printer("")?;
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {},
            "status": {"userInfo": {}}});
        let request = Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &review);
        let answer = cx.json(request.on("selfsubjectreviews.authentication.k8s.io", "")).await;
        let review = answer.map_err(|error| {
            if error.is_reason("Forbidden") {
                Error::new(
                    "the selfsubjectreviews API is not enabled in the cluster or you do not have permission to call it",
                )
            } else if error.is_not_found() {
                Error::new("the selfsubjectreviews API is not enabled in the cluster")
            } else {
                error
            }
        })?;
        if self.output.format().is_empty() {
            return cx.out(&table(&review));
        }
        printer.print_typed(cx, &review)
    }
}
