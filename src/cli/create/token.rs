//! `create token`.

use clap::Parser;
use serde_json::json;

use super::generated::one_name;
use crate::cli::args::{GoDuration, OutputArgs};
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::client::{Request, object_path};
use crate::object::meta;

/// Ask for a token of a service account.
#[derive(Parser)]
pub struct TokenArgs {
    /// Name of the service account
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
    /// Who is to accept the token; may be repeated
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// How long it is to be good for; 0 leaves that to the server
    #[arg(long, value_name = "TIME", default_value = "0s")]
    duration: GoDuration,
    /// Kind of an object that the token ends with: Node, Pod or Secret
    #[arg(long, value_name = "KIND", default_value = "")]
    bound_object_kind: String,
    /// Name of that object
    #[arg(long, value_name = "NAME", default_value = "")]
    bound_object_name: String,
    /// Uid of that object
    #[arg(long, value_name = "UID", default_value = "")]
    bound_object_uid: String,
}

impl TokenArgs {
    fn check(&self, name: &str) -> Result<()> {
        let bound = !self.bound_object_kind.is_empty();
        let wrong = if name.is_empty() {
            "service account name is required"
        } else if self.duration.0 < 0 {
            "--duration must be greater than or equal to 0"
        } else if self.duration.0 % 1_000_000_000 != 0 {
            "--duration cannot be expressed in units less than seconds"
        } else if self.audience.iter().any(String::is_empty) {
            "--audience must not be an empty string"
        } else if !bound && !self.bound_object_name.is_empty() {
            "--bound-object-name can only be set if --bound-object-kind is provided"
        } else if !bound && !self.bound_object_uid.is_empty() {
            "--bound-object-uid can only be set if --bound-object-kind is provided"
        } else if bound && !matches!(self.bound_object_kind.as_str(), "Node" | "Pod" | "Secret") {
            "supported --bound-object-kind values are Node, Pod, Secret"
        } else if bound && self.bound_object_name.is_empty() {
            "--bound-object-name is required if --bound-object-kind is provided"
        } else {
            return Ok(());
        };
        Err(Error::new(wrong))
    }
}

impl Run for TokenArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let name = one_name(cx, &self.words)?;
        let (namespace, _) = cx.namespace()?;
        let printer = self.output.printer("created")?;
        self.check(name)?;
        let mut request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {},
            "spec": {"audiences": null, "expirationSeconds": null, "boundObjectRef": null}, "status": {
            "token": "", "expirationTimestamp": null}});
        if !self.audience.is_empty() {
            request["spec"]["audiences"] = json!(self.audience);
        }
        if self.duration.0 > 0 {
            request["spec"]["expirationSeconds"] = self.duration.as_secs().into();
        }
        if !self.bound_object_kind.is_empty() {
            let mut bound = json!({"kind": self.bound_object_kind, "apiVersion": "v1", "name": self.bound_object_name});
            if !self.bound_object_uid.is_empty() {
                bound["uid"] = self.bound_object_uid.clone().into();
            }
            request["spec"]["boundObjectRef"] = bound;
        }
        let kind = super::generated::builtin("v1", "ServiceAccount")?;
        let path = object_path(kind, &namespace, name, "token");
        let answer = cx.json(Request::post(path, &request).on("serviceaccounts", name)).await;
        let answer = answer.map_err(|error| Error::new(format!("failed to create token: {}", error.text())))?;
        let token = meta::str_at(&answer, &["status", "token"]);
        if token.is_empty() {
            return Err(Error::new("failed to create token: no token in server response"));
        }
        if !printer.tells_results() {
            return printer.print_typed(cx, &answer);
        }
        cx.out(token)?;
        if cx.streams.stdout_tty { cx.out("\n") } else { Ok(()) }
    }
}
