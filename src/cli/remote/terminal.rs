//! The user's terminal: raw mode and size.

use tokio::sync::mpsc;

/// Columns and rows.
pub type Size = (u16, u16);

/// Raw mode for as long as this lives: keys come one by one, and nothing is echoed.
#[cfg(unix)]
pub struct Raw {
    saved: libc::termios,
}

#[cfg(unix)]
impl Raw {
    /// Puts the terminal of standard input into raw mode.
    ///
    /// # Errors
    /// Standard input is no terminal.
    pub fn enter() -> std::io::Result<Self> {
        // SAFETY: a termios is plain data, for which zeros are a value; `tcgetattr` only writes into it.
        let saved = unsafe {
            let mut saved: libc::termios = std::mem::zeroed();
            if libc::tcgetattr(libc::STDIN_FILENO, &raw mut saved) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            saved
        };
        let mut raw = saved;
        // SAFETY: both calls take a valid termios, which lives through them.
        unsafe {
            libc::cfmakeraw(&raw mut raw);
            if libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &raw const raw) != 0 {
                return Err(std::io::Error::last_os_error());
            }
        }
        Ok(Self { saved })
    }
}

#[cfg(unix)]
impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: the termios is the one that `tcgetattr` gave. A terminal that has gone needs no mode.
        unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &raw const self.saved) };
    }
}

/// No raw mode where there are no Unix terminals.
#[cfg(not(unix))]
pub struct Raw;

#[cfg(not(unix))]
impl Raw {
    /// Fails.
    ///
    /// # Errors
    /// Always.
    pub fn enter() -> std::io::Result<Self> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// The size of the terminal of standard output.
#[cfg(unix)]
pub fn size() -> Option<Size> {
    // SAFETY: a winsize is plain data, for which zeros are a value; the call only writes into it.
    let size = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        (libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) == 0).then_some(size)?
    };
    Some((size.ws_col, size.ws_row)).filter(|(columns, rows)| *columns > 0 && *rows > 0)
}

/// The size of the terminal, which is not known here.
#[cfg(not(unix))]
pub fn size() -> Option<Size> {
    None
}

/// The sizes of the terminal: at first and whenever it changes. With `nudge` a wrong one comes before the first, so
/// that a program which was there before draws anew.
pub fn sizes(nudge: bool) -> mpsc::Receiver<Size> {
    let (sender, receiver) = mpsc::channel(8);
    if let Some((columns, rows)) = size() {
        if nudge {
            sender.try_send((columns + 1, rows + 1)).ok();
        }
        sender.try_send((columns, rows)).ok();
    }
    #[cfg(unix)]
    tokio::spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut changes) = signal(SignalKind::window_change()) else { return };
        while changes.recv().await.is_some() {
            if let Some(size) = size()
                && sender.send(size).await.is_err()
            {
                return;
            }
        }
    });
    receiver
}
