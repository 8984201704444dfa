//! `-f`, `-k`, `-R`.

use clap::Args;

use crate::resource::FileOptions;

/// Where manifests come from.
#[derive(Args, Clone, Debug, Default)]
pub struct FileArgs {
    /// File, folder or URL with manifests; - reads standard input
    #[arg(short, long, value_name = "FILE", value_delimiter = ',')]
    pub filename: Vec<String>,
    /// Folder with a kustomization
    #[arg(short, long, value_name = "DIR")]
    pub kustomize: Option<String>,
    /// Read folders with all folders in them
    #[arg(short = 'R', long)]
    pub recursive: bool,
}

impl FileArgs {
    /// As the resource layer takes them.
    pub fn options(&self) -> FileOptions {
        FileOptions {
            filenames: self.filename.clone(),
            kustomize: self.kustomize.clone().unwrap_or_default(),
            recursive: self.recursive,
        }
    }

    /// Whether nothing is named.
    pub fn is_empty(&self) -> bool {
        self.filename.is_empty() && self.kustomize.as_deref().unwrap_or_default().is_empty()
    }
}
