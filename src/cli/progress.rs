//! How far a long command has come: one line on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::context::Context;
use super::error::Result;

/// With fewer objects there is nothing to wait for.
const MANY: usize = 20;

/// The line; hidden where standard error is no terminal, and under the name kubectl, which has none.
pub struct Progress<'a> {
    cx: &'a Context,
    bar: Option<ProgressBar>,
}

impl<'a> Progress<'a> {
    /// A line for `count` objects.
    pub fn new(cx: &'a Context, count: usize) -> Self {
        if count < MANY || cx.program.exact || !cx.streams.stderr_tty {
            return Self { cx, bar: None };
        }
        let length = u64::try_from(count).unwrap_or(u64::MAX);
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        Self { cx, bar: Some(bar) }
    }

    /// One more is done.
    pub fn step(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Writes something while the line is away, so that the two do not mix.
    pub fn aside<T>(&self, write: impl FnOnce() -> Result<T>) -> Result<T> {
        match &self.bar {
            None => write(),
            Some(bar) => bar.suspend(|| {
                let written = write()?;
                self.cx.streams.flush()?;
                Ok(written)
            }),
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
