//! Cancellation signal from Ctrl-C to every running call.

use tokio::sync::watch;

/// A cancellation signal that can be set once. Clones share the signal.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Sender<bool>);

impl Shutdown {
    /// Returns a signal that is not set.
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Sets the signal: running calls are dropped, and no further calls are made.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// Returns `true` if the signal is set.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the signal is set.
    pub async fn requested(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.0.subscribe().wait_for(|requested| *requested).await;
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}
