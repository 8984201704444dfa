//! The flags that every verb takes.

use clap::{Arg, Args, Command};

use super::GoDuration;

/// Flags of every verb: which server, as whom, how.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Act as this user; may be a service account's full name
    #[arg(long = "as", value_name = "USER")]
    pub as_user: Option<String>,
    /// Act as a member of this group; may be repeated
    #[arg(long, value_name = "GROUP")]
    pub as_group: Vec<String>,
    /// Act with this uid
    #[arg(long, value_name = "UID")]
    pub as_uid: Option<String>,
    /// Act with this extra attribute (key=value); may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub as_user_extra: Vec<String>,
    /// Folder for what discovery has learnt
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<String>,
    /// File with the certificates of the authority that the server's certificate must come from
    #[arg(long, value_name = "FILE")]
    pub certificate_authority: Option<String>,
    /// File with the client certificate
    #[arg(long, value_name = "FILE")]
    pub client_certificate: Option<String>,
    /// File with the key of the client certificate
    #[arg(long, value_name = "FILE")]
    pub client_key: Option<String>,
    /// Name of the kubeconfig's cluster to use
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Name of the kubeconfig's context to use
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Ask the server not to compress its answers
    #[arg(long)]
    pub disable_compression: bool,
    /// Serve this command from the embedded cluster of this name, inside this process; `memory` keeps nothing
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "default")]
    pub embedded: Option<String>,
    /// Do not check the server's certificate; insecure
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub insecure_skip_tls_verify: Option<bool>,
    /// The kubeconfig file to use
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<String>,
    /// File of preferences, ~/.kube/kuberc by default; KUBERC=off leaves it aside
    #[arg(long, value_name = "FILE")]
    pub kuberc: Option<String>,
    /// Accepted, without effect
    #[arg(long, hide = true)]
    pub log_flush_frequency: Option<GoDuration>,
    /// Refuse to work with a server of another version
    #[arg(long)]
    pub match_server_version: bool,
    /// Namespace to work in
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Password for basic authentication
    #[arg(long)]
    pub password: Option<String>,
    /// Accepted, without effect
    #[arg(long, hide = true)]
    pub profile: Option<String>,
    /// Accepted, without effect
    #[arg(long, hide = true)]
    pub profile_output: Option<String>,
    /// How long to wait for one request (1s, 2m, 3h); 0 waits for ever
    #[arg(long, value_name = "TIME", default_value = "0")]
    pub request_timeout: String,
    /// Address and port of the API server
    #[arg(short, long, value_name = "URL")]
    pub server: Option<String>,
    /// Name that the server's certificate must bear
    #[arg(long, value_name = "NAME")]
    pub tls_server_name: Option<String>,
    /// Bearer token
    #[arg(long)]
    pub token: Option<String>,
    /// Name of the kubeconfig's user to use
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// User for basic authentication
    #[arg(long)]
    pub username: Option<String>,
    /// How much to tell of what happens: 6 requests, 7 headers, 8 bodies, 9 everything
    #[arg(short, long = "v", value_name = "LEVEL", default_value_t = 0)]
    pub verbosity: i32,
    /// Accepted, without effect
    #[arg(long, hide = true)]
    pub vmodule: Option<String>,
    /// Fail when the server sends a warning
    #[arg(long)]
    pub warnings_as_errors: bool,
}

impl GlobalArgs {
    /// The command with these flags, too; where it has a flag of the same name itself, that one keeps the name.
    pub fn augmented(command: Command) -> Command {
        let own: Vec<String> = command.get_arguments().filter_map(Arg::get_long).map(str::to_owned).collect();
        let globals = Self::augment_args(Command::new("globals"));
        let hidden = globals.get_arguments().filter_map(|arg| {
            let long = arg.get_long().filter(|long| own.iter().any(|name| name == long))?;
            Some((arg.get_id().clone(), format!("global-{long}")))
        });
        hidden.fold(Self::augment_args(command), |command, (id, long)| {
            command.mut_arg(id, |arg| arg.long(long).hide(true))
        })
    }
}
