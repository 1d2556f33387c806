//! The wish to stop: from Ctrl-C to every running call.

use tokio::sync::watch;

/// A switch that is turned once. Clones share it.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Sender<bool>);

impl Shutdown {
    /// A switch that has not been turned.
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Turns it: running calls are dropped, no others are made.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// Whether it has been turned.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is turned.
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
