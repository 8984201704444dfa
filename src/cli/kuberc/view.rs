//! `kuberc view`.

use clap::Parser;
use serde::Serialize;

use super::preference::Preference;
use super::{required_file, save};
use crate::cli::args::OutputArgs;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result, go_io_error};
use crate::cli::verb::Run;
use crate::manifest;

/// Print the file of your preferences.
#[derive(Parser)]
pub struct ViewArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[arg(hide = true)]
    words: Vec<String>,
}

impl Run for ViewArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let (file, named) = required_file(cx)?;
        let bytes = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let why = go_io_error(&error);
                return Err(Error::new(format!("error reading kuberc file: open {}: {why}", file.display())));
            }
            Err(_) if named => return Err(Error::new(format!("kuberc file not found at {}", file.display()))),
            Err(_) => {
                cx.line(format!("kuberc file not found at {}", file.display()))?;
                cx.out("Would you like to generate a default kuberc file with recommended options? (y/N): ")?;
                cx.streams.flush()?;
                let answer = cx.streams.read_line()?;
                return match answer.split_whitespace().collect::<Vec<_>>().as_slice() {
                    [yes] if yes.eq_ignore_ascii_case("y") => save(cx, &Preference::recommended(), &file),
                    _ => Ok(()),
                };
            }
        };
        let parsed = manifest::yaml_to_value(&bytes, false).map_err(|error| error.to_string());
        let parsed = parsed.and_then(|value| serde_json::from_value(value).map_err(|error| error.to_string()));
        let mut preference: Preference =
            parsed.map_err(|why| Error::new(format!("error parsing kuberc file: {why}")))?;
        preference.aliases.get_or_insert_default();
        preference.defaults.get_or_insert_default();
        let mut output = self.output;
        output.output.get_or_insert_with(|| "yaml".into());
        let printer = output.printer("")?;
        match output.format() {
            // The order of the fields is the file's own.
            "json" => cx.line(indented(&preference)?),
            _ => printer.print(cx, &preference.to_value()),
        }
    }
}

fn indented(preference: &Preference) -> Result<String> {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    preference.serialize(&mut writer).map_err(|error| Error::new(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
